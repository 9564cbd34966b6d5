"""Pixels and stored bytes of zarr arrays behind the one door; damaged chunks are named."""

from __future__ import annotations

import copy
import hashlib
import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import zarr
from zarr.abc.codec import ArrayArrayCodec
from zarr.abc.store import RangeByteRequest, Store, SuffixByteRequest
from zarr.codecs import ShardingCodec, TransposeCodec
from zarr.codecs._v2 import V2Codec
from zarr.core.codec_pipeline import BatchedCodecPipeline
from zarr.core.metadata import ArrayV2Metadata, ArrayV3Metadata
from zarr.core.sync import sync
from zarr.storage import FsspecStore, LocalStore

from ...errors import CorruptImageError, MicroNBError
from ..source import ImageInfo, Index, Source
from .stores import get_bytes, join, size_of

Recipe = tuple[Callable[..., Source], tuple[Any, ...]]


def with_fast_codecs(array: zarr.Array[Any]) -> zarr.Array[Any]:
    """The same array decoding by zarrs where zarrs can; set on this array alone, so nobody else's zarr changes.

    Filters that compute (a scale and an offset, say) stay with zarr-python: zarrs clips where NumPy wraps.
    """
    meta = array.metadata
    plain = not meta.filters and meta.order == "C" if isinstance(meta, ArrayV2Metadata) else not _computes(meta.codecs)
    if isinstance(array.store, LocalStore) and array.dtype.isnative and plain:
        from zarrs.pipeline import ZarrsCodecPipeline

        pipeline = ZarrsCodecPipeline.from_array_metadata_and_store(array.metadata, array.store)
        if pipeline.impl is not None:
            object.__setattr__(array.async_array, "codec_pipeline", pipeline)
    return array


def _computes(codecs: Sequence[Any]) -> bool:
    """Whether one of the codecs changes values rather than their order or their bytes."""
    inner = [c for codec in codecs if isinstance(codec, ShardingCodec) for c in codec.codecs]
    return any(isinstance(c, ArrayArrayCodec) and not isinstance(c, TransposeCodec) for c in (*codecs, *inner))


def with_plain_codecs(array: zarr.Array[Any]) -> zarr.Array[Any]:
    """The same array decoded by zarr-python, whatever pipeline the session or this package prefers."""
    meta = array.metadata
    codecs = meta.codecs if isinstance(meta, ArrayV3Metadata) else (V2Codec(filters=meta.filters, compressor=meta.compressor),)
    inner = copy.copy(array.async_array)
    object.__setattr__(inner, "codec_pipeline", BatchedCodecPipeline.from_codecs(codecs))
    return zarr.Array(inner)


@dataclass(eq=False, kw_only=True)
class ZarrSource(Source):
    """Levels of one image as zarr arrays whose stored axes may be in any order.

    Parameters
    ----------
    uri, format, described : as every source says them.
    arrays : one a level, stored axes; None once it is closed.
    order : position of each canonical axis among the stored ones.
    where : path inside the store -> the address people read.
    recipe : function and arguments that open the same source elsewhere (another process of a Dask cluster).
    open_labels : opens the label images that belong to this one.
    """

    uri: str
    format: str
    described: ImageInfo
    arrays: tuple[zarr.Array[Any], ...] | None
    order: tuple[int, ...]
    where: Callable[[str], str]
    recipe: Recipe
    open_labels: Callable[[], Mapping[str, Source]]

    @property
    def info(self) -> ImageInfo:
        return self.described

    def with_facts(self, **facts: Any) -> ZarrSource:
        """The same source, which says more."""
        self.described = replace(self.described, facts={**self.described.facts, **facts})
        return self

    def read(self, level: int, index: Index) -> np.ndarray:
        index = self.check(level, index)
        stored = tuple(index[self.order.index(i)] for i in range(len(index)))
        out = self._pixels(level, stored)
        out = out.transpose(self.order)
        return out if out.dtype.isnative else out.astype(out.dtype.newbyteorder("="))

    def stored_bytes(self, *, full: bool) -> Iterator[bytes]:
        arrays = self._open_arrays
        return stored_whole(arrays) if full else stored_sample(arrays)

    def labels(self) -> Mapping[str, Source]:
        return self.open_labels()

    def close(self) -> None:
        if self.arrays is not None:
            self.arrays[0].store.close()
            self.arrays = None

    def __reduce__(self) -> Recipe:
        return self.recipe

    def _pixels(self, level: int, stored: Index) -> np.ndarray:
        """Where the fast codecs fail, the plain ones decide whether the file is damaged, and stay if it is not."""
        array = self._open_arrays[level]
        try:
            return np.asarray(array[stored])
        except (MemoryError, KeyboardInterrupt):
            raise
        except Exception as error:
            plain = with_plain_codecs(array)
            try:
                out = np.asarray(plain[stored])
            except Exception:
                raise self._blame(plain, stored, error) from error
            arrays = self._open_arrays
            self.arrays = (*arrays[:level], plain, *arrays[level + 1 :])
            return out

    @property
    def _open_arrays(self) -> tuple[zarr.Array[Any], ...]:
        if self.arrays is None:
            raise ValueError(f"{self.uri}: the image is closed; open it again to read")
        return self.arrays

    def _blame(self, array: zarr.Array[Any], stored: Index, error: Exception) -> MicroNBError:
        """Names the chunk that cannot be read by reading the chunks of ``stored`` one by one."""
        spans = [range(s.start // c, (s.stop - 1) // c + 1) for s, c in zip(stored, array.chunks, strict=True)]
        for at in itertools.product(*spans):
            box = tuple(slice(i * c, min((i + 1) * c, n)) for i, c, n in zip(at, array.chunks, array.shape, strict=True))
            try:
                array[box]
            except Exception as culprit:
                unit = array.shards or array.chunks
                file = tuple(s.start // u for s, u in zip(box, unit, strict=True))
                key = array.metadata.encode_chunk_key(file)
                place = ", ".join(f"{s.start}:{s.stop}" for s in box)
                return CorruptImageError(
                    f"{self.where(array.path)}/{key}: the chunk at [{place}] is truncated or damaged "
                    f"({type(culprit).__name__}: {str(culprit).strip():.200}); fetch the file again or read around it"
                )
        return CorruptImageError(f"{self.where(array.path)}: reading {stored} failed ({type(error).__name__}: {error})")


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
    try:
        info = sync(store.fs._info(join(store.path, key) if store.path else key))
    except FileNotFoundError:
        return None
    tag = info.get("ETag")
    return str(tag).encode() if tag else None
