"""What damaged bytes make a library raise or log, as one error and a list of notes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ...errors import CorruptImageError, MicroNBError, UnsafeImageError


class _Notes(logging.Handler):
    """Keeps the warnings of the thread that made it."""

    def __init__(self, notes: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.notes, self.thread = notes, threading.get_ident()

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self.thread:
            self.notes.append(record.getMessage()[:300])


@contextmanager
def reading(uri: str, what: str) -> Iterator[list[str]]:
    """Turns the many ways in which a library refuses a damaged file into one error that says what the file was to be.

    Warnings that tifffile logs are collected instead of printed.
    """
    notes: list[str] = []
    handler, logger = _Notes(notes), logging.getLogger("tifffile")
    logger.addHandler(handler)
    try:
        yield notes
    except (MicroNBError, FileNotFoundError, PermissionError, KeyboardInterrupt):
        raise
    except MemoryError as error:
        raise UnsafeImageError(f"{uri}: its header asks for more memory than there is; it is damaged or hostile") from error
    except Exception as error:  # every library has its own
        raise CorruptImageError(f"{uri}: not a readable {what} ({brief(error)}); copy or export it again") from error
    finally:
        logger.removeHandler(handler)


def brief(error: Exception) -> str:
    """An error in one short line.

    >>> brief(ValueError("no\\n such"))
    'ValueError: no such'
    """
    text = " ".join(str(error).split())[:160]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
