"""Every error micro_nb raises on purpose. Each class also inherits the builtin it refines, so callers may catch either.

A message says what was wrong, the actual value or shape, and what to do.
"""

from __future__ import annotations


class MicroNBError(Exception):
    """Base of all errors raised by micro_nb."""


class ImageNotFoundError(MicroNBError, FileNotFoundError):
    """The path or address holds nothing."""


class UnknownFormatError(MicroNBError, ValueError):
    """No reader knows this file."""


class CorruptImageError(MicroNBError, OSError):
    """The file claims a format but its bytes do not keep the promise (truncated, empty, missing chunks)."""


class UnsafeImageError(MicroNBError, ValueError):
    """Opening this file would need more memory or time than any sane image of its size on disk does."""


class AxesError(MicroNBError, ValueError):
    """Axes are unknown, ambiguous or unsuitable for the operation."""


class UnitsError(MicroNBError, ValueError):
    """A physical unit was asked for where none is known, or the unit is not understood."""


class RegionError(MicroNBError, ValueError):
    """A region is empty, malformed, or lies outside the image."""


class PlanError(MicroNBError, ValueError):
    """A tile plan cannot be made from these numbers."""


class WriteError(MicroNBError, OSError):
    """Nothing was written; an existing target is as it was."""


class EvidenceError(MicroNBError, ValueError):
    """A statement is not covered by measured evidence."""


class UnknownNameError(EvidenceError):
    """What is asked for is named as nothing here is: a channel, an image."""


class UnlearnedError(UnknownNameError):
    """A kind of objects is asked for that the eyes have not learned: ``kind``; they know the ``wider`` one, where it is given."""

    def __init__(self, message: str, kind: str = "", wider: str = "") -> None:
        super().__init__(message)
        self.kind, self.wider = kind, wider


class LanguageError(MicroNBError, ValueError):
    """An expression of the measuring language is malformed, or means nothing for this image."""


class LogError(MicroNBError, RuntimeError):
    """The log of sessions cannot be read or written."""


class ReportError(MicroNBError, RuntimeError):
    """A notebook failed while it was executed or exported."""


class MissingExtraError(MicroNBError, ImportError):
    """An optional dependency is needed; the message names the extra to install."""
