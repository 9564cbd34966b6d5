"""Pixels of zarr arrays behind the one door; damaged chunks are named."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import zarr
from zarr.codecs._v2 import V2Codec
from zarr.core.codec_pipeline import BatchedCodecPipeline
from zarr.core.metadata import ArrayV3Metadata
from zarr.storage import LocalStore

from ...errors import CorruptImageError, MicroNBError
from ..source import ImageInfo, Index, Source
from .stores import join_uri
from .zarr_bytes import stored_sample, stored_whole

Recipe = tuple[Callable[..., Source], tuple[Any, ...]]


def with_fast_codecs(array: zarr.Array[Any]) -> zarr.Array[Any]:
    """The same array decoding by zarrs where zarrs can; set on this array alone, so nobody else's zarr changes."""
    if isinstance(array.store, LocalStore) and array.dtype.isnative and getattr(array.metadata, "order", "C") == "C":
        from zarrs.pipeline import ZarrsCodecPipeline

        pipeline = ZarrsCodecPipeline.from_array_metadata_and_store(array.metadata, array.store)
        if pipeline.impl is not None:
            object.__setattr__(array.async_array, "codec_pipeline", pipeline)
    return array


def with_plain_codecs(array: zarr.Array[Any]) -> zarr.Array[Any]:
    """The same array decoded by zarr-python, whatever pipeline the session or this package prefers."""
    meta = array.metadata
    codecs = meta.codecs if isinstance(meta, ArrayV3Metadata) else (V2Codec(filters=meta.filters, compressor=meta.compressor),)
    inner = copy.copy(array.async_array)
    object.__setattr__(inner, "codec_pipeline", BatchedCodecPipeline.from_codecs(codecs))
    return zarr.Array(inner)


class ZarrSource(Source):
    """Levels of one image as zarr arrays whose stored axes may be in any order.

    Parameters
    ----------
    uri, format, info : as every source says them.
    arrays : one a level, stored axes.
    order : position of each canonical axis among the stored ones.
    where : path inside the store -> the address people read.
    recipe : function and arguments that open the same source elsewhere (another process of a Dask cluster).
    labels : opens the label images that belong to this one.
    """

    def __init__(
        self,
        uri: str,
        format: str,
        info: ImageInfo,
        *,
        arrays: tuple[zarr.Array[Any], ...],
        order: tuple[int, ...],
        where: Callable[[str], str],
        recipe: Recipe,
        labels: Callable[[], Mapping[str, Source]],
    ) -> None:
        self.uri, self.format, self._info = uri, format, info
        self._order, self._where, self._recipe, self._labels = order, where, recipe, labels
        self._arrays: tuple[zarr.Array[Any], ...] | None = arrays

    @property
    def info(self) -> ImageInfo:
        return self._info

    def with_facts(self, **facts: Any) -> ZarrSource:
        """The same source, which says more."""
        self._info = replace(self._info, facts={**self._info.facts, **facts})
        return self

    def read(self, level: int, index: Index) -> np.ndarray:
        index = self.check(level, index)
        stored = tuple(index[self._order.index(i)] for i in range(len(index)))
        out = self._pixels(level, stored)
        out = out.transpose(self._order)
        return out if out.dtype.isnative else out.astype(out.dtype.newbyteorder("="))

    def stored_bytes(self, *, full: bool) -> Iterator[bytes]:
        arrays = self._open_arrays
        return stored_whole(arrays) if full else stored_sample(arrays)

    def labels(self) -> Mapping[str, Source]:
        return self._labels()

    def close(self) -> None:
        if self._arrays is not None:
            self._arrays[0].store.close()
            self._arrays = None

    def __reduce__(self) -> Recipe:
        return self._recipe

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
            self._arrays = (*arrays[:level], plain, *arrays[level + 1 :])
            return out

    @property
    def _open_arrays(self) -> tuple[zarr.Array[Any], ...]:
        if self._arrays is None:
            raise ValueError(f"{self.uri}: the image is closed; open it again to read")
        return self._arrays

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
                    f"{join_uri(self._where(array.path), key)}: the chunk at [{place}] is truncated or damaged "
                    f"({type(culprit).__name__}: {str(culprit).strip():.200}); fetch the file again or read around it"
                )
        return CorruptImageError(f"{self._where(array.path)}: reading {stored} failed ({type(error).__name__}: {error})")
