"""Several images in one conversation: their names, and which of them a question speaks of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ..data.image import MicroImage
from ..data.region import Region
from ..errors import EvidenceError
from .lexicon import parts
from .query import Query

Given = MicroImage | Sequence[MicroImage] | Mapping[str, MicroImage] | None
Mode = Literal["here", "switch", "one", "across", "which", "missing"]

_ORDINALS = (
    ("first", "1st", "one", "1"), ("second", "2nd", "two", "2"), ("third", "3rd", "three", "3"), ("fourth", "4th", "four", "4"),
    ("fifth", "5th", "five", "5"),
)  # fmt: skip
_IMAGE = r"(?:images?|pictures?|pics?|fields?(?: of view)?|samples?|conditions?|slides?|micrographs?|photos?|files?)"
_BEFORE = r"(?:(?:in|on|for|of|from|with|to|against|than|between|about|at|vs\.?|versus)\s+)?(?:the\s+)?"
_SWITCH = re.compile(
    r"^\W*(?:ok(?:ay)?\W+|now\W+|please\W+|let'?s\s+)*"
    r"(?:switch|change|go(?: back)?|move|turn|look|work|continue|use|take|open|show me)\b"
    r"(?:\s+(?:over|back|now))?(?:\s+(?:to|at|on|with))?\s*$"
)
_WHICH = re.compile(rf"\b(?:which|what)\s+(?:one\s+)?(?:of\s+(?:the|these|those|my)\s+)?(?:two\s+|three\s+|\d+\s+)?{_IMAGE}\b")
_EVERY = re.compile(
    rf"\b(?:(?:in|for|over|across|of|on|between|from)\s+)?(?:(?:each|every|both|all)(?:\s+of)?(?:\s+(?:the|these|my))?(?:\s+(?:two|three|\d+))?"
    rf"|the\s+two|the\s+(?:three|\d+)|my)\s+{_IMAGE}\b|\bper\s+(?:image|picture|sample|condition|slide|file)\b"
    rf"|\b(?:image|picture)\s+by\s+(?:image|picture)\b|\b(?:in|for|over|across)\s+both\b|\b(?:the|these|those|both)\s+images\b"
)
_COMPARING = re.compile(r"\b(?:compare[ds]?|comparison|comparing|differ(?:s|ence|ences)?|versus|vs|than|relative to|against)\b")
_ELSEWHERE = re.compile(
    rf"\b(?:the\s+)?(?:other|second|2nd|next|previous|third|3rd|control|untreated|reference)\s+(?:{_IMAGE})\b"
    r"|\b(?:with|to|than|in|against)\s+the\s+(?:control|reference|untreated)\b"
)
_EMPTY = re.compile(
    r"\b(?:and|so|what|how|about|now|then|the|same|it|that|this|those|these|there|please|compare[ds]?|comparison|them|with|to|is|in|do|for|"
    r"of|result|results|number|numbers|does|look|compares?|against|a|between|difference|differ|ok|okay|me|show|give|question|again)\b|[^\w%]"
)  # fmt: skip


@dataclass(frozen=True)
class Said:
    """Which images a question speaks of.

    Attributes
    ----------
    mode : ``"here"`` the current one; ``"switch"`` to another; ``"one"`` named in passing; ``"across"`` several, side by side;
        ``"which"`` of them has more; ``"missing"``: another one, where there is none.
    names : of those images.
    rest : the question without their names.
    bare : whether nothing but names was said, so that the question before is meant.
    """

    mode: Mode
    names: tuple[str, ...]
    rest: str
    bare: bool = False


class Album(Mapping[str, MicroImage]):
    """The images of a conversation by name, in the order they came.

    Examples
    --------
    >>> import numpy as np, micro_nb as mnb
    >>> one, two = (mnb.open_image(np.full((8, 8), k, "uint8")) for k in (1, 2))
    >>> album = Album.of({"control": one, "treated": two})
    >>> album.read("How many nuclei are in the treated one?", "control").names
    ('treated',)
    >>> album.read("Which image has more nuclei?", "control").mode
    'which'
    """

    def __init__(self) -> None:
        self._images: dict[str, MicroImage] = {}
        self._originals: dict[str, MicroImage] = {}

    @classmethod
    def of(cls, given: Given) -> Album:
        """An album of one image, a list of them, or a mapping from names.

        Raises
        ------
        TypeError : something in it is no image.
        """
        album = cls()
        if isinstance(given, Mapping):
            for name, img in given.items():
                album.add(img, str(name))
        else:
            many = given if isinstance(given, Sequence) else [] if given is None else [given]
            for img in many:
                album.add(img)
        return album

    def add(self, img: MicroImage, name: str | None = None) -> str:
        """Takes an image in and gives its name: its own, numbered where that is taken.

        Raises
        ------
        TypeError : no image.
        EvidenceError : the name is taken, or is no word.
        """
        if not isinstance(img, MicroImage):
            raise TypeError(f"Session takes images from open_image, not {type(img).__name__}")
        if name is not None and (name in self._images or not name.strip()):
            raise EvidenceError(f"an image named {name!r} is already in this session; choose another name")
        if name is None:
            name, k = img.name, 1
            while name in self._images:
                k += 1
                name = f"{img.name} ({k})"
        self._images[name] = self._originals[name] = img
        return name

    def original(self, name: str) -> MicroImage:
        """The image as it was added, whatever scale was stated since."""
        return self._originals[name]

    def put(self, name: str, img: MicroImage) -> None:
        """The same image opened otherwise, for example with another pixel size."""
        self._images[name] = img

    @property
    def first(self) -> str | None:
        """The name of the image that came first."""
        return next(iter(self._images), None)

    def __getitem__(self, name: str) -> MicroImage:
        try:
            return self._images[name]
        except KeyError:
            raise EvidenceError(f"no image is named {name!r}; there are {', '.join(self._images) or 'none'}") from None

    def __contains__(self, name: object) -> bool:
        return name in self._images

    def __iter__(self) -> Iterator[str]:
        return iter(self._images)

    def __len__(self) -> int:
        return len(self._images)

    def read(self, text: str, current: str | None) -> Said:
        """Which images a question speaks of, the current one where it names none."""
        here = (current,) if current is not None else ()
        plain = text.lower()
        if len(self) < 2:
            named = _ELSEWHERE.search(plain) and (_COMPARING.search(plain) or re.search(_IMAGE, plain))
            several = re.search(rf"\bwhich {_IMAGE} (?:has|have|shows?|contains?) (?:the )?(?:more|most|fewer)\b", plain)
            return Said("missing" if len(self) and (named or several) and not plain.startswith("why") else "here", here, text)
        rest, names = self._without_names(plain, current)
        which, every = _WHICH.search(rest), _EVERY.search(rest)
        if which or every:
            found = which or every
            assert found is not None
            rest = f"{rest[: found.start()]} {rest[found.end() :]}".replace("\0", " ").strip()
            meant = tuple(dict.fromkeys(names)) if len(set(names)) > 1 else tuple(self)
            return Said("which" if which else "across", meant, rest, _bare(rest))
        if not names:
            return Said("here", here, text)
        if len(set(names)) > 1 or _COMPARING.search(rest):
            compared = names if len(set(names)) > 1 else (*here, *names) if set(names) != set(here) else tuple(self)
            return Said("across", tuple(dict.fromkeys(compared)), rest.replace("\0", " "), _bare(rest))
        head = rest[: rest.find("\0")] if "\0" in rest else rest
        clean = rest.replace("\0", " ")
        return Said(
            "switch" if _SWITCH.match(head) else "one", tuple(names[:1]), clean, _bare(_SWITCH.sub("", head) + clean[len(head) :])
        )

    def _without_names(self, text: str, current: str | None) -> tuple[str, list[str]]:
        """The text with a mark where each name stood, and the names in order."""
        found: list[tuple[int, int, str]] = []
        for pattern, name in self._patterns(current):
            for match in re.finditer(pattern, text):
                if not any(a < match.end() and match.start() < b for a, b, _ in found):
                    found.append((match.start(), match.end(), name))
        found.sort()
        rest, at = "", 0
        for start, end, _ in found:
            rest, at = f"{rest}{text[at:start]} \0 ", end
        return (rest + text[at:]).strip(), [name for _, _, name in found]

    def _patterns(self, current: str | None) -> Iterator[tuple[str, str]]:
        """What each image may be called, longer names first."""
        for name in sorted(self._images, key=len, reverse=True):
            stem = re.sub(r"\.\w{2,4}$", "", name.lower())
            spoken = {name.lower(), stem, stem.replace("_", " "), name.lower().replace("_", " ")}
            own = "|".join(re.escape(s) for s in sorted(spoken, key=len, reverse=True))
            yield rf"{_BEFORE}(?<!\w)(?:{own})(?!\w)(?:\s+(?:{_IMAGE}|one))?", name
        names = list(self._images)
        for words, name in zip(_ORDINALS, names, strict=False):
            yield rf"{_BEFORE}\b(?:{words[0]}|{words[1]})\s+(?:{_IMAGE}|one)\b", name
            yield rf"{_BEFORE}\b{_IMAGE}\s+(?:(?:no|nr|number)\.?\s*)?#?(?:{words[2]}|{words[3]})\b", name
        yield rf"{_BEFORE}\blast\s+(?:{_IMAGE}|one)\b", names[-1]
        if current is not None:
            yield rf"{_BEFORE}\b(?:this|current)\s+(?:{_IMAGE}|one)\b", current
        if len(names) == 2 and current is not None:
            yield rf"{_BEFORE}\bother\s+(?:{_IMAGE}|one)\b", next(n for n in names if n != current)


def refit(query: Query, shape: tuple[int, int]) -> Query:
    """A query whose named parts ("left half") are those of an image of another shape."""

    def fit(place: Region | None) -> Region | None:
        return Region.part(place.name, shape) if place is not None and place.name in parts() else place

    return replace(query, region=fit(query.region), against=fit(query.against), also=tuple(refit(q, shape) for q in query.also))


def _bare(rest: str) -> bool:
    return not _EMPTY.sub(" ", rest.replace("\0", " ")).strip()
