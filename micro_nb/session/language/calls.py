"""``Call``: an expression, written like Python and read with ``ast`` against a whitelist; nothing in it is ever executed."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...errors import LanguageError

Node = Any
"""An argument: a :class:`Call`, text, a number, True or False, or a tuple of these."""

_LONGEST, _DEEPEST = 4000, 16


@dataclass(frozen=True, slots=True)
class Call:
    """A name with its arguments.

    Attributes
    ----------
    name : of the measurement or place, e.g. ``"count"``.
    args : arguments by position.
    given : arguments by keyword, in the order they were written.

    Examples
    --------
    >>> call = Call.of("count", Call.of("obj", "nucleus", where="left"))
    >>> str(call)
    'count(obj("nucleus", where="left"))'
    >>> parse(str(call)) == call
    True
    """

    name: str
    args: tuple[Node, ...] = ()
    given: tuple[tuple[str, Node], ...] = ()

    @classmethod
    def of(cls, name: str, *args: Node, **given: Node) -> Call:
        """The call with these arguments; lists become tuples."""
        return cls(name, tuple(map(_frozen, args)), tuple((k, _frozen(v)) for k, v in given.items()))

    def get(self, key: str, default: Node = None) -> Node:
        """The argument given under a keyword."""
        return next((v for k, v in self.given if k == key), default)

    def but(self, **changes: Node) -> Call:
        """The same call with other keyword arguments; None takes one away."""
        kept = [(k, changes.pop(k) if k in changes else v) for k, v in self.given]
        return Call(self.name, self.args, tuple((k, _frozen(v)) for k, v in [*kept, *changes.items()] if v is not None))

    def with_args(self, *args: Node) -> Call:
        """The same call with other arguments by position."""
        return Call(self.name, tuple(map(_frozen, args)), self.given)

    def walk(self) -> Iterator[Call]:
        """This call and all calls inside it, outermost first."""
        yield self
        for node in (*self.args, *(v for _, v in self.given)):
            yield from _calls_in(node)

    def map(self, change: Any) -> Call:
        """This call with every call in it, innermost first, replaced by ``change(call)``."""
        inside = Call(
            self.name, tuple(_mapped(a, change) for a in self.args), tuple((k, _mapped(v, change)) for k, v in self.given)
        )
        return change(inside)  # type: ignore[no-any-return]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; :meth:`from_dict` reverses it."""
        return {"call": self.name, "args": [_plain(a) for a in self.args]} | {k: _plain(v) for k, v in self.given}

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> Call:
        """The call that :meth:`to_dict` described.

        Raises
        ------
        LanguageError : it has no name, or holds what no expression holds.
        """
        if not isinstance(d.get("call"), str):
            raise LanguageError(f"a call is written {{'call': name, 'args': [...], keyword: ...}}, not {d!r:.80}")
        rest = {k: v for k, v in d.items() if k not in ("call", "args")}
        return cls(d["call"], tuple(map(_node, d.get("args", ()))), tuple((str(k), _node(v)) for k, v in rest.items()))

    def __str__(self) -> str:
        return f"{self.name}({', '.join([*map(_printed, self.args), *(f'{k}={_printed(v)}' for k, v in self.given)])})"


def parse(text: str) -> Call:
    """The expression a text writes.

    Raises
    ------
    LanguageError : it is no call, or holds something other than calls, text, numbers, True, False and lists.

    Examples
    --------
    >>> parse('check(count("nucleus"), ">", 40)').args[1:]
    ('>', 40)
    >>> parse("__import__('os').system('ls')")
    Traceback (most recent call last):
    ...
    micro_nb.errors.LanguageError: only calls by name, text, numbers and lists may stand in an expression, not a Call
    """
    if len(text) > _LONGEST:
        raise LanguageError(f"an expression of {len(text)} characters is too long; at most {_LONGEST}")
    try:
        node = _read(ast.parse(text.strip(), mode="eval").body, 0)
    except LanguageError:
        raise
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise LanguageError(f'{text[:80]!r} is no expression; write for example count("nucleus")') from error
    if not isinstance(node, Call):
        raise LanguageError(f"{text[:80]!r} is no call; name what to measure, for example count({text.strip()[:40]})")
    return node


def _read(node: ast.AST, depth: int) -> Node:
    if depth > _DEEPEST:
        raise LanguageError(f"an expression may be nested {_DEEPEST} deep at most")
    match node:
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords) if all(k.arg for k in keywords):
            given = tuple((str(k.arg), _read(k.value, depth + 1)) for k in keywords)
            return Call(name, tuple(_read(a, depth + 1) for a in args), given)
        case ast.Constant(value=value) if isinstance(value, str | int | float | bool):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return tuple(_read(e, depth + 1) for e in elements)
    raise LanguageError(f"only calls by name, text, numbers and lists may stand in an expression, not a {type(node).__name__}")


def _printed(node: Node) -> str:
    if isinstance(node, tuple):
        return f"[{', '.join(map(_printed, node))}]"
    return json.dumps(node, ensure_ascii=False) if isinstance(node, str) else repr(node) if isinstance(node, bool) else str(node)


def _frozen(value: Any) -> Node:
    return tuple(map(_frozen, value)) if isinstance(value, list | tuple) else value


def _calls_in(node: Node) -> Iterator[Call]:
    if isinstance(node, Call):
        yield from node.walk()
    elif isinstance(node, tuple):
        for part in node:
            yield from _calls_in(part)


def _mapped(node: Node, change: Any) -> Node:
    if isinstance(node, Call):
        return node.map(change)
    return tuple(_mapped(n, change) for n in node) if isinstance(node, tuple) else node


def _plain(node: Node) -> Any:
    return node.to_dict() if isinstance(node, Call) else [_plain(n) for n in node] if isinstance(node, tuple) else node


def _node(value: Any) -> Node:
    if isinstance(value, Mapping):
        return Call.from_dict(value)
    if isinstance(value, list | tuple):
        return tuple(map(_node, value))
    if value is None or not isinstance(value, str | int | float | bool):
        raise LanguageError(f"an expression holds calls, text, numbers and lists, not {value!r:.60}")
    return value
