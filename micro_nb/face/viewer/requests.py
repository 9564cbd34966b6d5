"""Requests for tiles: the newest first, in the order the browser wants them; stale ones are dropped; each ends exactly once."""

from __future__ import annotations

import heapq
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from ...progress import watched
from ...settings import settings

End = Literal["done", "failed", "dropped"]
Made = tuple[dict[str, Any], list[bytes]]


@dataclass(frozen=True)
class Request:
    """One tile that is wanted: ``id`` of the browser, ``key`` of the tile, and the work that makes it."""

    id: int
    key: Hashable
    work: Callable[[], Made]


class Requests:
    """A queue over a shared pool of threads, with a small cache of what was made.

    Parameters
    ----------
    send : called once a request: ``(id, end, content, buffers)``.
    keep_bytes : size of the cache.
    """

    def __init__(self, send: Callable[[int, End, dict[str, Any], list[bytes]], None], keep_bytes: int = 32 << 20) -> None:
        self._send, self._keep = send, keep_bytes
        self._heap: list[tuple[int, int, Request]] = []
        self._open: dict[int, bool] = {}  # id -> whether it is still wanted
        self._made: OrderedDict[Hashable, Made] = OrderedDict()
        self._bytes = self._batch = 0
        self._lock = threading.Lock()
        self.ended: dict[End, int] = {"done": 0, "failed": 0, "dropped": 0}

    @property
    def waiting(self) -> int:
        """Requests that have not ended."""
        with self._lock:
            return len(self._open)

    def ask(self, requests: Sequence[Request]) -> None:
        """Takes requests in, wanted sooner than all that came before, the first one first."""
        with self._lock:
            self._batch += 1
            fresh = [r for r in requests if r.id not in self._open]
            for order, request in enumerate(fresh):
                self._open[request.id] = True
                heapq.heappush(self._heap, (-self._batch, order, request))
        for _ in fresh:
            _pool().submit(self._next)

    def drop(self, ids: Sequence[int]) -> None:
        """Ends requests that nobody waits for; those that are being made end when they are."""
        ended = []
        with self._lock:
            dropped = {i for i in ids if i in self._open}
            for i in dropped:
                self._open[i] = False
            queued = {r.id for _, _, r in self._heap} & dropped
            if queued:
                self._heap = [entry for entry in self._heap if entry[2].id not in queued]
                heapq.heapify(self._heap)
                for i in queued:
                    del self._open[i]
                ended = sorted(queued)
        for i in ended:
            self._end(i, "dropped", {}, [])

    def _next(self) -> None:
        with self._lock:
            if not self._heap:
                return
            request = heapq.heappop(self._heap)[2]
            made = self._made.get(request.key)
        end: End = "done"
        content: dict[str, Any] = {}
        buffers: list[bytes] = []
        try:
            if made is None:
                with watched(lambda progress: None):
                    made = request.work()
                self._keep_made(request.key, made)
            content, buffers = made
        except Exception as error:  # told to the person who looks; the next tile may be whole
            end, content = "failed", {"text": f"{type(error).__name__}: {error}"}
        with self._lock:
            wanted = self._open.pop(request.id, False)
        self._end(request.id, end if wanted else "dropped", content if wanted else {}, buffers if wanted else [])

    def _end(self, request: int, end: End, content: dict[str, Any], buffers: list[bytes]) -> None:
        with self._lock:
            self.ended[end] += 1
        self._send(request, end, content, buffers)

    def _keep_made(self, key: Hashable, made: Made) -> None:
        size = sum(map(len, made[1])) + 256
        with self._lock:
            if key not in self._made:
                self._made[key] = made
                self._bytes += size
            while self._bytes > self._keep and len(self._made) > 1:
                _, (_, gone) = self._made.popitem(last=False)
                self._bytes -= sum(map(len, gone)) + 256


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(max(settings.threads, 2), 8), thread_name_prefix="micro-nb-tiles")
