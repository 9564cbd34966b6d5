"""What a damaged TIFF makes its parser raise or log, as one error and a list of notes."""

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
def reading(uri: str) -> Iterator[list[str]]:
    """Turns what a damaged header makes the parser raise into one error, and collects its warnings instead of printing them."""
    notes: list[str] = []
    handler = _Notes(notes)
    logger = logging.getLogger("tifffile")
    logger.addHandler(handler)
    try:
        yield notes
    except (MicroNBError, FileNotFoundError, PermissionError, KeyboardInterrupt):
        raise
    except MemoryError as error:
        raise UnsafeImageError(f"{uri}: its header asks for more memory than there is; it is damaged or hostile") from error
    except Exception as error:  # tifffile raises many kinds on damaged headers
        detail = " ".join(str(error).split())[:160]
        raise CorruptImageError(
            f"{uri}: not a readable TIFF ({type(error).__name__}: {detail}); copy or export it again"
        ) from error
    finally:
        logger.removeHandler(handler)
