"""A Query as a row of tokens and back, and which token may follow: the law that decoding is held to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..query import Claim, Filter, Pick, Query
from ..slots import Shape, part

_SLOTS = ("target", "quantity", "statistic", "region", "against", "filter", "unit", "pick", "claim", "topic")
_OPS = (">", ">=", "<", "<=", "==", "max", "min")
NUMBERS = 4
"""How many numbers of a text can be pointed at."""


def row(query: Query, numbers: Sequence[float]) -> list[str] | None:
    """Tokens of a query: ``task=count target=cell filter area > #0 um2 end``; None where a number is not in the text."""
    try:
        return [f"task={query.task}", *_plain(query), *_compound(query, numbers), "end"]
    except ValueError:
        return None


def _plain(query: Query) -> list[str]:
    out = [
        f"{name}={getattr(query, name)}" for name in ("target", "quantity", "topic", "unit") if getattr(query, name) is not None
    ]
    out += [f"statistic={query.statistic}"] if query.statistic != "value" else []
    return out + [f"{k}={getattr(query, k).name}" for k in ("region", "against") if getattr(query, k) is not None]


def _compound(query: Query, numbers: Sequence[float]) -> list[str]:
    out: list[str] = []
    for f in query.filters:
        truth = isinstance(f.value, bool)
        out += [f"filter={f.quantity} {f.op} {f.value if truth else ''} {f.unit}", *([] if truth else [_at(f.value, numbers)])]
    if query.pick is not None:
        out += [f"pick={query.pick.by} {query.pick.order} {query.pick.rank}"]
    if query.claim is not None:
        out += [f"claim={query.claim.op}", _at(query.claim.value, numbers)]
    return out


def _at(value: Any, numbers: Sequence[float]) -> str:
    return f"#{list(numbers[:NUMBERS]).index(float(value))}"


def query_of(tokens: Sequence[str], numbers: Sequence[float], shape: Shape) -> Query:
    """The query of a row of tokens that :class:`Law` allows."""
    given: dict[str, Any] = {"filters": ()}
    rest = iter([*tokens, "end"])
    for token in rest:
        name, _, value = token.partition("=")
        if name == "filter":
            quantity, op, truth, unit = value.split(" ")
            held = truth == "True" if truth else numbers[int(next(rest)[1:])]
            given["filters"] += (Filter(quantity, op, held, unit),)  # type: ignore[arg-type]
        elif name == "claim":
            given["claim"] = Claim(value or "==", numbers[int(next(rest)[1:])])  # type: ignore[arg-type]
        elif name == "pick":
            by, order, rank = value.split(" ")
            given["pick"] = Pick(by, order, int(rank))  # type: ignore[arg-type]
        elif name in ("region", "against"):
            given[name] = part(value, shape)
        elif value:
            given[name] = value
    return Query(**given)


class Law:
    """Which tokens may follow a prefix: one task first, each slot at most once, filters any number, a number where one is due."""

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self.vocabulary = tuple(vocabulary)

    def allowed(self, prefix: Sequence[str], numbers: int) -> list[int]:
        """Ids of the tokens that may come next."""
        return [k for k, token in enumerate(self.vocabulary) if self._may(token, prefix, numbers)]

    def _may(self, token: str, prefix: Sequence[str], numbers: int) -> bool:
        name = token.partition("=")[0]
        if not prefix:
            return name == "task"
        if _wants_number(prefix[-1]):
            return token.startswith("#") and int(token[1:]) < numbers
        if token.startswith("#") or name in ("task", "<pad>", "<start>"):
            return False
        if _wants_number(token) and not numbers:
            return False
        used = {p.partition("=")[0] for p in prefix}
        return token == "end" or (token not in prefix and (name == "filter" or name not in used))


def _wants_number(token: str) -> bool:
    name, _, value = token.partition("=")
    return name == "claim" or (name == "filter" and not value.split(" ")[2])


def vocabulary_of(rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """All tokens of some rows, with padding and the start."""
    return ("<pad>", "<start>", "end", *(f"#{k}" for k in range(NUMBERS)), *sorted({t for r in rows for t in r if "=" in t}))


def parts_of(expect: Mapping[str, Any], shape: Shape) -> Query:
    """A query from a table of slots, as phrasings are written down."""
    d = dict(expect)
    for name in ("region", "against"):
        d |= {name: part(d[name], shape)} if name in d else {}
    d |= {"filters": tuple(Filter(*f) for f in d["filters"])} if "filters" in d else {}
    d |= {"pick": Pick(*d["pick"])} if "pick" in d else {}
    d |= {"claim": Claim(*d["claim"])} if "claim" in d else {}
    return Query(**d)
