"""Progress of long work: a bar with a rate in a notebook (kept as its final line in the report) and on a terminal."""

from __future__ import annotations

import html
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Any, TypeVar

from .settings import settings

T = TypeVar("T")
_EVERY_S = 0.1
_turn = threading.Lock()  # held by the one piece of work that is shown

_watcher: ContextVar[Callable[[Progress], None] | None] = ContextVar("watcher", default=None)


@contextmanager
def watched(by: Callable[[Progress], None]) -> Iterator[None]:
    """Hands the progress of work done inside, on this thread, to a function in place of a bar; what it raises stops the work."""
    token = _watcher.set(by)
    try:
        yield
    finally:
        _watcher.reset(token)


class Progress:
    """Counts finished work and shows it at most ten times a second; a context manager. Work inside other work stays quiet.

    Parameters
    ----------
    what : short verb phrase, e.g. ``"streaming tiles"``.
    total : how much there is, in ``unit``.
    unit : what is counted, e.g. ``"tiles"``.
    scale : how many of ``rate_unit`` one unit is, e.g. megapixels a tile; the rate is shown in ``rate_unit``/s.
    """

    def __init__(self, what: str, total: float, unit: str = "", *, scale: float = 1.0, rate_unit: str | None = None) -> None:
        self.what, self.total, self.unit, self.scale, self.rate_unit = what, total, unit, scale, rate_unit or unit
        self.done: float = 0
        self._start = self._shown = time.perf_counter()
        self._view: Any = None
        self._outermost = False
        self._watcher = _watcher.get()

    def __enter__(self) -> Progress:
        self._start = time.perf_counter()
        self._outermost = _turn.acquire(blocking=False)
        try:
            self._show()
        except BaseException:
            if self._outermost:
                _turn.release()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        try:
            self._show(final=True, stopped=kind is not None)
        finally:
            if self._outermost:
                _turn.release()

    def advance(self, n: float = 1) -> None:
        """Notes ``n`` more units as done."""
        self.done += n
        if time.perf_counter() - self._shown >= _EVERY_S:
            self._show()

    @property
    def text(self) -> str:
        """One plain line."""
        seconds = max(time.perf_counter() - self._start, 1e-6)
        rate = f"{self.done * self.scale / seconds:,.3g} {self.rate_unit}/s"
        return f"{self.what}: {self.done:,.0f} of {self.total:,.0f} {self.unit}, {seconds:.1f} s, {rate}".replace("  ", " ")

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        share = 100 * min(self.done / self.total, 1.0) if self.total else 100.0
        bar = (
            '<div style="font:12px system-ui,sans-serif;color:#555;margin:2px 0">'
            '<span style="display:inline-block;width:160px;height:6px;background:#e4e7eb;border-radius:3px;'
            'vertical-align:middle">'
            f'<span style="display:block;width:{share:.0f}%;height:6px;background:#2a7f9e;border-radius:3px"></span></span>'
            f" &nbsp;{html.escape(self.text)}</div>"
        )
        return {"text/html": bar, "text/plain": self.text}

    def _show(self, *, final: bool = False, stopped: bool = False) -> None:
        self._shown = time.perf_counter()
        if self._watcher is not None:
            if not stopped:
                self._watcher(self)
            return
        if not settings.progress or not self._outermost:
            return
        if _in_kernel():
            from IPython.display import display

            if self._view is None:
                self._view = display(self, display_id=True)  # type: ignore[no-untyped-call]
            else:
                self._view.update(self)
        elif sys.stderr.isatty() or final:
            lead, end = ("\r\x1b[2K", "\n" if final else "") if sys.stderr.isatty() else ("", "\n")
            sys.stderr.write(lead + self.text + (" (stopped)" if stopped else "") + end)
            sys.stderr.flush()


@contextmanager
def loading(what: str) -> Iterator[None]:
    """One line while something is loaded, gone once it is there; in a notebook or on a terminal, and not inside other work."""
    if not settings.progress or not (_in_kernel() or sys.stderr.isatty()) or not _turn.acquire(blocking=False):
        yield
        return
    try:
        if _in_kernel():
            from IPython.display import display

            view: Any = display({"text/plain": f"{what} ..."}, raw=True, display_id=True)  # type: ignore[no-untyped-call]
        else:
            sys.stderr.write(f"\r\x1b[2K{what} ...")
            sys.stderr.flush()
        try:
            yield
        finally:
            if _in_kernel():
                view.update({"text/plain": ""}, raw=True)
            else:
                sys.stderr.write("\r\x1b[2K")
                sys.stderr.flush()
    finally:
        _turn.release()


def track(items: Iterable[T], what: str, total: int | None = None, unit: str = "") -> Iterator[T]:
    """Iterates ``items`` behind a progress bar.

    >>> settings.progress = False
    >>> list(track([1, 2], "counting"))
    [1, 2]
    """
    n = total if total is not None else len(items)  # type: ignore[arg-type]
    with Progress(what, n, unit) as progress:
        for item in items:
            yield item
            progress.advance()


def about(seconds: float) -> str:
    """How long something will take, in words, for what is said beforehand.

    >>> about(42), about(200)
    ('about 42 s', 'about 3 min')
    """
    return f"about {seconds / 60:.0f} min" if seconds >= 90 else f"about {max(seconds, 1):.0f} s"


def _in_kernel() -> bool:
    """Whether output goes to a Jupyter kernel's display, not a terminal."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")
