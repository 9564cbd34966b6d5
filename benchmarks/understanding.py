"""How many phrasings become exactly the Query that was meant: the grammar, the trained decoder, and their union.

    python benchmarks/understanding.py [--show development] [--decoder FOLDER | --train MINUTES FOLDER]

Families of phrasings (tests/session/phrasings.toml) are split by name into development, which the grammar was tuned and the
decoder trained on, and held out. A phrasing is right when every slot is, and no word was left unread. The union reads with the
grammar and asks the decoder only where the grammar would ask back; the decoder reads no follow-ups.
"""

from __future__ import annotations

import argparse
import hashlib
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from micro_nb.session.memory import Context
from micro_nb.session.query import Query
from micro_nb.session.understand import understand

PHRASINGS = Path(__file__).parents[1] / "tests" / "session" / "phrasings.toml"
SHAPE = (100, 200)
_SLOTS = (
    "task", "target", "quantity", "statistic", "region", "against", "filters", "channel", "unit", "pick", "versus", "claim",
    "rival", "topic", "pixel_size", "also", "unread",
)  # fmt: skip
SURE = 0.5
"""The least probability at which the union takes the decoder's reading."""
Reader = Callable[[str, Context], Query]


def families() -> Iterator[dict[str, Any]]:
    """Every family: name, before, expect, wordings, and whether it is held out."""
    for family in tomllib.loads(PHRASINGS.read_text(encoding="utf8"))["family"]:
        wordings = [line for line in family["wordings"].splitlines() if line.strip()]
        yield family | {"wordings": wordings, "held_out": held_out(family["name"])}


def held_out(name: str) -> bool:
    """Drawn from the name, so that nobody chooses: about two of five families."""
    return hashlib.sha256(name.encode()).digest()[0] % 5 < 2


def slots(query: Query) -> dict[str, Any]:
    """The slots of a query that are not their defaults, written as in the table."""
    plain = Query("unknown")
    found = {k: getattr(query, k) for k in _SLOTS if getattr(query, k) != getattr(plain, k) or k == "task"}
    return {k: _written(v) for k, v in found.items()}


def _written(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_written(v) for v in value]
    if hasattr(value, "polygon"):
        return value.name
    if hasattr(value, "__dataclass_fields__"):
        return [getattr(value, name) for name in value.__dataclass_fields__]
    return value


def asked(family: dict[str, Any], reader: Reader = understand) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every wording of a family with the slots it was read as, in the light of the turns before."""
    before: Query | None = None
    for text in family.get("before", ()):
        before = reader(text, Context(SHAPE, before, spoken=before))
    for text in family["wordings"]:
        yield text, slots(reader(text, Context(SHAPE, before, spoken=before)))


def measured(reader: Reader, *, show: str | None = None) -> dict[str, tuple[int, int]]:
    """Right and all, for each part."""
    score = {"development": [0, 0], "held out": [0, 0]}
    for family in families():
        part = "held out" if family["held_out"] else "development"
        for text, found in asked(family, reader):
            right = found == family["expect"]
            score[part][0] += right
            score[part][1] += 1
            if not right and show == part:
                print(f"  [{family['name']}] {text}\n      {found}")
    return {part: (right, n) for part, (right, n) in score.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--show", choices=["development", "held out"], help="print what the grammar reads wrongly in this part")
    parser.add_argument("--decoder", type=Path, help="folder of a trained decoder to compare with")
    parser.add_argument("--train", type=float, help="minutes to train the decoder for, into the folder, before it is compared")
    given = parser.parse_args()
    readers: dict[str, Reader] = {"grammar": understand}
    if given.decoder is not None:
        readers |= _trained(given.decoder, given.train)
    for name, reader in readers.items():
        for part, (right, n) in measured(reader, show=given.show if name == "grammar" else None).items():
            print(f"{name:9}{part:12} {right:4} of {n:4}  {right / n:6.1%}")


def _trained(folder: Path, minutes: float | None) -> dict[str, Reader]:
    """The decoder by itself, and its union with the grammar."""
    from micro_nb.session.reader.decoder import Decoder, train

    if minutes is not None:
        train([f for f in families() if not f["held_out"] and not f.get("before")], minutes=minutes).save(folder)
    decoder = Decoder.load(folder)

    def union(text: str, context: Context) -> Query:
        read = understand(text, context)
        asks_back = read.unread or (read.task == "unknown" and read.topic is None)
        guess, sure = decoder.read(text, context) if asks_back and context.previous is None else (read, 0.0)
        return guess if sure >= SURE else read

    return {"decoder": lambda text, context: decoder.read(text, context)[0], "union": union}


if __name__ == "__main__":
    main()
