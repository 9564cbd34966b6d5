"""Conditions on table columns as text, e.g. ``"area_um2 > 80 and solidity > 0.9"``: a small grammar, nothing is executed."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable
from functools import reduce
from typing import Any

import pandas as pd

_COMPARE: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip
_ARITHMETIC: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: operator.truediv,
}  # fmt: skip
_LONGEST = 1000


def where(table: pd.DataFrame, condition: str) -> pd.Series:
    """Which rows of ``table`` meet a condition.

    Parameters
    ----------
    condition : column names (in backticks where they hold spaces), numbers, quoted text, ``+ - * /``, comparisons, ``in [..]``,
        ``and or not``, parentheses and ``abs()``.

    Returns
    -------
    Boolean Series with the index of ``table``.

    Raises
    ------
    ValueError : anything else is written there, or a column does not exist; says which.

    Examples
    --------
    >>> table = pd.DataFrame({"area_px2": [50, 120], "name": ["cell", "debris"]})
    >>> where(table, "area_px2 > 80 and name == 'debris'").tolist()
    [False, True]
    """
    if len(condition) > _LONGEST:
        raise ValueError(f"the condition is {len(condition)} characters long; at most {_LONGEST} are read")
    quoted: dict[str, str] = {}

    def hide(match: re.Match[str]) -> str:
        quoted[f"_quoted_{len(quoted)}"] = match.group(1)
        return f"_quoted_{len(quoted) - 1}"

    try:
        tree = ast.parse(re.sub(r"`([^`]+)`", hide, condition).strip(), mode="eval")
    except (SyntaxError, RecursionError, ValueError) as error:
        raise ValueError(f"condition {condition!r} cannot be read: {error}") from None
    result = _Reader(table, condition, quoted).value(tree.body)
    if isinstance(result, pd.Series) and result.dtype == bool:
        return result
    raise ValueError(
        f"condition {condition!r} is not a yes or no for each row; compare a column with something, e.g. 'solidity > 0.9'"
    )


class _Reader:
    """Walks the few kinds of expression that are allowed."""

    def __init__(self, table: pd.DataFrame, text: str, quoted: dict[str, str]) -> None:
        self.table, self.text, self.quoted = table, text, quoted

    def value(self, node: ast.expr) -> Any:
        if isinstance(node, ast.BoolOp):
            both_or_one = operator.and_ if isinstance(node.op, ast.And) else operator.or_
            return reduce(both_or_one, map(self.truth, node.values))
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            return ~self.truth(node.operand)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return -self.number(node.operand)
        if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
            return _ARITHMETIC[type(node.op)](self.number(node.left), self.number(node.right))
        if isinstance(node, ast.Compare):
            return self.compared(node)
        if isinstance(node, ast.Name):
            return self.column(self.quoted.get(node.id, node.id))
        if isinstance(node, ast.Constant) and isinstance(node.value, bool | int | float | str):
            return node.value
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "abs" and len(node.args) == 1:
            return abs(self.number(node.args[0]))
        raise self.refusal(node)

    def compared(self, node: ast.Compare) -> Any:
        left, out = self.value(node.left), None
        for op, right_node in zip(node.ops, node.comparators, strict=True):
            if isinstance(op, ast.In | ast.NotIn):
                found = self.member(left, right_node, node)
                step, right = (found if isinstance(op, ast.In) else ~found), None
            elif type(op) in _COMPARE:
                right = self.value(right_node)
                if _is_text(left) != _is_text(right):
                    raise ValueError(f"condition {self.text!r} compares text with a number in {ast.unparse(node)!r}")
                step = _COMPARE[type(op)](left, right)
            else:
                raise self.refusal(node)
            out = step if out is None else out & step
            left = right
        return out

    def member(self, left: Any, node: ast.expr, whole: ast.expr) -> pd.Series:
        if not isinstance(left, pd.Series) or not isinstance(node, ast.List | ast.Tuple):
            raise self.refusal(whole)
        return left.isin([self.value(item) for item in node.elts])

    def number(self, node: ast.expr) -> Any:
        value = self.value(node)
        if _is_text(value):
            raise ValueError(f"condition {self.text!r} calculates with text in {ast.unparse(node)!r}")
        return value

    def truth(self, node: ast.expr) -> pd.Series:
        value = self.value(node)
        if isinstance(value, pd.Series) and value.dtype == bool:
            return value
        raise ValueError(f"{ast.unparse(node)!r} in the condition {self.text!r} is not a yes or no")

    def column(self, name: str) -> pd.Series:
        if name not in self.table.columns:
            raise ValueError(f"there is no column {name!r}; there are {', '.join(map(str, self.table.columns))}")
        return self.table[name]

    def refusal(self, node: ast.AST) -> ValueError:
        return ValueError(
            f"{ast.unparse(node)!r} is not allowed in a condition; allowed are columns, numbers, text, + - * /, comparisons, "
            "in [..], and, or, not, abs()"
        )


def _is_text(value: Any) -> bool:
    if isinstance(value, pd.Series):
        return value.dtype.kind not in "biuf"
    return isinstance(value, str)
