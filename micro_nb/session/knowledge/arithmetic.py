"""Arithmetic over a text: ``+ - * / **``, a few functions and named numbers; nothing else is read, and nothing is executed."""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from ...errors import EvidenceError, LanguageError

_MOST = 100_000  # samples a group; more is no plan
_OPS: Mapping[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv, ast.Pow: operator.pow,
    ast.LtE: operator.le, ast.Lt: operator.lt, ast.GtE: operator.ge, ast.Gt: operator.gt,
}  # fmt: skip


def calculate(expression: str, values: Mapping[str, float]) -> float:
    """The value of an expression.

    Raises
    ------
    LanguageError : it holds anything but arithmetic over the values.
    EvidenceError : the numbers cannot be: a division by zero, the root of a negative number.

    >>> calculate("sqrt(a) / (2 * b)", {"a": 16.0, "b": 2.0})
    1.0
    """
    try:
        value = _value(_tree(expression), values)
    except LanguageError:
        raise
    except (ZeroDivisionError, OverflowError, ValueError) as error:
        raise EvidenceError(f"these numbers cannot be: {error}") from error
    if isinstance(value, complex):
        raise EvidenceError("these numbers cannot be: they ask for the root of a negative number")
    return value  # type: ignore[no-any-return]


@cache
def _tree(expression: str) -> ast.AST:
    try:
        return ast.parse(expression, mode="eval").body
    except SyntaxError as error:
        raise LanguageError(f"{expression!r} is no arithmetic") from error


@cache
def names_used(expression: str) -> frozenset[str]:
    """The named numbers an expression needs."""
    called = {id(n.func) for n in ast.walk(_tree(expression)) if isinstance(n, ast.Call)}
    return frozenset(n.id for n in ast.walk(_tree(expression)) if isinstance(n, ast.Name) and id(n) not in called)


def _value(node: ast.AST, values: Mapping[str, float]) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name) if name in values:
            return values[name]
        case ast.BinOp(left=a, op=op, right=b) if type(op) in _OPS:
            return _OPS[type(op)](_value(a, values), _value(b, values))
        case ast.UnaryOp(op=ast.USub(), operand=a):
            return -_value(a, values)
        case ast.Compare(left=a, ops=[op], comparators=[b]) if type(op) in _OPS:
            return _OPS[type(op)](_value(a, values), _value(b, values))
        case ast.IfExp(test=test, body=a, orelse=b):
            return _value(a if _value(test, values) else b, values)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
            return FUNCTIONS[name](*(_value(a, values) for a in args))
    raise LanguageError(f"{ast.unparse(node)!r} is no arithmetic over {', '.join(values) or 'numbers'}")


def _z(p: float) -> float:
    """Quantile of the normal distribution."""
    from scipy.stats import norm

    return float(norm.ppf(p))


def _t(p: float, df: float) -> float:
    """Quantile of Student's t distribution."""
    from scipy.stats import t

    return float(t.ppf(p, df))


def power(d: float, n: float, alpha: float) -> float:
    """Power of a two-sided two-sample t-test with ``n`` in each group for the effect size ``d``."""
    from scipy.stats import nct, t

    if not 2 <= n <= _MOST or not 0 < alpha < 0.5:
        raise ValueError("a comparison needs at least two samples in each group and a level between zero and one half")
    df, shift = 2 * n - 2, abs(d) * math.sqrt(n / 2)
    limit = t.ppf(1 - alpha / 2, df)
    found = float(nct.sf(limit, df, shift) + nct.cdf(-limit, df, shift))
    return found if math.isfinite(found) else 1.0


def samples(d: float, wanted: float, alpha: float) -> int:
    """Samples in each group until that test has the power wanted, by the noncentral t distribution."""
    if d == 0 or not alpha < wanted < 1:
        raise ValueError("it takes an effect that is not zero, and a power between the level and one")
    about = int(2 * ((_z(1 - alpha / 2) + _z(wanted)) / d) ** 2)
    found = next((n for n in range(max(2, about - 2), min(_MOST, about + 10)) if power(d, n, alpha) >= wanted), None)
    if found is None:
        raise ValueError("so small an effect needs more samples than can be planned for")
    return found


def least_effect(n: float, wanted: float, alpha: float) -> float:
    """The smallest effect size that ``n`` in each group find with this power."""
    from scipy.optimize import brentq

    return float(brentq(lambda d: power(d, n, alpha) - wanted, 1e-3, 60))


FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "sqrt": math.sqrt, "log": math.log, "log2": math.log2, "log10": math.log10, "exp": math.exp, "ceil": math.ceil, "abs": abs,
    "min": min, "max": max,
    "z": _z, "t": _t, "power": power, "samples": samples, "least_effect": least_effect,
}  # fmt: skip
