"""Tables and their values as JSON and back."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from .objects import Objects


def plain(value: Any) -> Any:
    """A JSON value; NaN and infinities as None or text, which :func:`typed` reads back."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [plain(v) for v in value]
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def described(table: pd.DataFrame) -> dict[str, str]:
    """Column -> dtype, in order."""
    return {str(column): str(dtype) for column, dtype in table.dtypes.items()}


def typed(table: pd.DataFrame, dtypes: Mapping[str, str]) -> pd.DataFrame:
    """``table`` with the columns and dtypes that :func:`described` noted."""
    out = table[[c for c in dtypes if c in table.columns]] if dtypes else table
    return out.astype({c: t for c, t in dtypes.items() if c in out.columns})


def about(objects: Objects) -> dict[str, Any]:
    """What is not in the table, as JSON."""
    size = objects.pixel_size
    return {
        "pixel_size": {k: float(v) for k, v in size.items()} if size else None,
        "image_id": objects.image_id, "made_by": plain(objects.made_by),
    }  # fmt: skip


def inferred(text: pd.DataFrame, *, decimal: str = ".") -> pd.DataFrame:
    """Columns of text as what they say: True and False, whole numbers, numbers (empty is NaN), else text; numbers exactly."""
    return pd.DataFrame({str(c): text[c] if c in ("layer", "name") else _inferred(text[c], decimal) for c in text.columns})


def _inferred(column: pd.Series, decimal: str) -> pd.Series:
    values = column.to_numpy(object)
    if len(values) and set(values) <= {"True", "False"}:
        return pd.Series(values == "True", index=column.index)
    for convert in (np.int64, np.uint64, lambda v: math.nan if v in ("", "NA", "N/A") else float(v.replace(decimal, "."))):
        try:
            return pd.Series([convert(v) for v in values], index=column.index) if len(values) else column
        except (ValueError, OverflowError):
            continue
    return column
