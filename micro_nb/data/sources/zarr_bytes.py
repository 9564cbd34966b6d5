"""Stored bytes of zarr arrays for content ids: a bounded, deterministic sample, or all of them. Nothing is decoded."""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import zarr
from zarr.abc.store import RangeByteRequest, Store, SuffixByteRequest
from zarr.storage import FsspecStore

from .stores import get_bytes, join, size_of

_SAMPLED = 16
_WHOLE_BELOW = 2**20
_PART = 2**18
_MISSING = b"\0missing"


def stored_sample(arrays: Sequence[zarr.Array[Any]]) -> Iterator[bytes]:
    """Up to 16 chunks (or shards) of the finest level, and up to 16 of the coarsest, which the whole image shaped.

    The choice depends on the shape alone. Of objects over 1 MiB the size and both ends are taken: a shard ends with its index
    of chunk sizes. A store that gives an ETag gives it instead.
    """
    for array in (arrays[0], arrays[-1]) if len(arrays) > 1 else (arrays[0],):
        for key in _sampled_keys(array):
            yield key.encode()
            yield from _sketch(array.store, key)


def stored_whole(arrays: Sequence[zarr.Array[Any]]) -> Iterator[bytes]:
    """Every stored chunk of every level in order; chunks that are not stored are passed over."""
    for array in arrays:
        for at in itertools.product(*(range(n) for n in _grid(array))):
            key = _key(array, at)
            data = get_bytes(array.store, key)
            if data is not None:
                yield key.encode()
                yield data


def _grid(array: zarr.Array[Any]) -> tuple[int, ...]:
    return tuple(math.ceil(n / u) for n, u in zip(array.shape, array.shards or array.chunks, strict=True))


def _key(array: zarr.Array[Any], at: tuple[int, ...]) -> str:
    return join(array.path, array.metadata.encode_chunk_key(at))


def _sampled_keys(array: zarr.Array[Any]) -> Iterator[str]:
    grid = _grid(array)
    total = math.prod(grid)
    if total <= _SAMPLED:
        picks: Sequence[int] = range(total)
    else:
        seed = int.from_bytes(hashlib.sha256(repr((array.shape, array.chunks)).encode()).digest()[:8], "little")
        drawn = np.random.default_rng(seed).integers(0, total, _SAMPLED - 2)
        picks = sorted({0, total - 1, *(int(i) for i in drawn)})
    for i in picks:
        yield _key(array, tuple(int(k) for k in np.unravel_index(i, grid)))


def _sketch(store: Store, key: str) -> Iterator[bytes]:
    tag = _etag(store, key)
    if tag is not None:
        yield tag
        return
    size = size_of(store, key)
    if size is None:
        yield _MISSING
    elif size <= _WHOLE_BELOW:
        yield get_bytes(store, key) or _MISSING
    else:
        yield str(size).encode()
        yield get_bytes(store, key, RangeByteRequest(0, _PART)) or _MISSING
        yield get_bytes(store, key, SuffixByteRequest(_PART)) or _MISSING


def _etag(store: Store, key: str) -> bytes | None:
    """The remote store's content tag; None where it has no such key or gives none."""
    if not isinstance(store, FsspecStore):
        return None
    from zarr.core.sync import sync

    try:
        info = sync(store.fs._info(join(store.path, key) if store.path else key))
    except FileNotFoundError:
        return None
    tag = info.get("ETag")
    return str(tag).encode() if tag else None
