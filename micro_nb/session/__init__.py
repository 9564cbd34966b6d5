"""Conversations about images: a measuring language, a reader of questions, measurements, evidence, wording, log and language
models."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOME = {
    "Session": ".session", "Answer": ".answer", "Turn": ".answer", "Evidence": ".evidence", "Call": ".language",
    "parse": ".language",
    "measurement": ".measures.registry", "Selection": ".measures.selection", "Measurement": ".measures.measurement",
    "Length": ".measures.quantities",
    "understand": ".reader.understanding", "Understood": ".reader.understanding",
}  # fmt: skip
__all__ = [
    "Answer", "Call", "Evidence", "Length", "Measurement", "Selection", "Session", "Turn", "Understood", "measurement", "parse",
    "understand",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name], __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


if TYPE_CHECKING:
    from .answer import Answer, Turn
    from .evidence import Evidence
    from .language import Call, parse
    from .measures.measurement import Measurement
    from .measures.quantities import Length
    from .measures.registry import measurement
    from .measures.selection import Selection
    from .reader.understanding import Understood, understand
    from .session import Session
