"""Names of persons in metadata: which entries hold them, and how they are masked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from .axes import NAMES

MASKED = "[masked]"
_PERSON = frozenset(NAMES["persons"]["words"])
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_NAMES = r"[A-Z][\w'’.-]*(?:[ \t]+(?:(?:van|von|de|der|den|di|da|la|le)[ \t]+)*[A-Z][\w'’.-]*){0,3}"
_TITLED = re.compile(rf"\b(?P<title>(?:Dr|Prof|Mr|Mrs|Ms|Mx)\.?(?:[ \t]+(?:Dr|Prof)\.?)*[ \t]+){_NAMES}")
_BY = re.compile(
    rf"\b(?P<title>(?:[Aa]cquired|[Rr]ecorded|[Ii]maged|[Tt]aken|[Pp]repared|[Ss]canned|[Cc]reated|[Ss]tained) by[ \t]+){_NAMES}"
)
_STATED = re.compile(r"(?P<key>[A-Za-z][\w ./-]{0,40}?)(?P<sign>[ \t]*[=:][ \t]*)(?P<value>[^\n\r|;,=:]+)")


def names_a_person(key: str) -> bool:
    """Whether an entry of this name holds a person's name or address.

    >>> [names_a_person(k) for k in ("UserName", "operator", "PatientID", "na", "pixel size", "author_email")]
    [True, True, True, False, False, True]
    """
    words = [w.lower() for w in _WORD.findall(key)]
    return any(w in _PERSON for w in (*words, *map("".join, pairwise(words))))


def without_persons(value: Any, key: str = "") -> Any:
    """Metadata with the names of persons, and addresses, masked; JSON values in, the same out.

    >>> without_persons({"na": 1.4, "operator": "Jane Doe", "info": "User: Jane Doe; gain 3, mail j.doe@lab.org"})
    {'na': 1.4, 'operator': '[masked]', 'info': 'User: [masked]; gain 3, mail [masked]'}
    """
    if isinstance(value, Mapping):
        return {str(k): without_persons(v, str(k)) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [without_persons(v, key) for v in value]
    if value in (None, "") or isinstance(value, bool):
        return value
    if names_a_person(key):
        return MASKED
    return _text_without(value) if isinstance(value, str) else value


def _text_without(text: str) -> str:
    text = _EMAIL.sub(MASKED, text)
    text = _STATED.sub(lambda m: f"{m['key']}{m['sign']}{MASKED}" if names_a_person(m["key"]) else m[0], text)
    return _BY.sub(rf"\g<title>{MASKED}", _TITLED.sub(rf"\g<title>{MASKED}", text))
