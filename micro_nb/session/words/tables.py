"""The tables beside this file: words for quantities, looks, places and units, and the sentences and questions of measurements."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def table(name: str, package: str = __package__) -> dict[str, Any]:
    """A table by the name of its file.

    >>> table("quantities")["alias"]["circularity"]
    'roundness'
    """
    return tomllib.loads(files(package).joinpath(f"{name}.toml").read_text(encoding="utf8"))


def listed(parts: list[str]) -> str:
    """Several things in a row.

    >>> listed(["one", "two", "three"])
    'one, two and three'
    """
    return f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else "".join(parts)
