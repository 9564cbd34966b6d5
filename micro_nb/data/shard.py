"""The bytes of a shard, made in the thread that has its pixels: chunks are cut, compressed and packed in one go.

What comes out is what the zarr v3 specification of the codec ``sharding_indexed`` asks for (chunks in C order, the index and its
CRC32C at the end), so every zarr reader reads it. Equal pixels give equal bytes.
"""

from __future__ import annotations

import itertools
from typing import Any

import google_crc32c
import numcodecs
import numpy as np
import zarr
from zarr.codecs import BloscCodec

from .sources.stores import join, put_bytes

_ABSENT = np.uint64(2**64 - 1)
LEVEL = 1  # of zstd: 3 halves the speed for 2 % of the size on camera images


def compressor(dtype: np.dtype[Any]) -> BloscCodec:
    """How chunks are compressed, as zarr's metadata say it."""
    size = np.dtype(dtype).itemsize
    return BloscCodec(cname="zstd", clevel=LEVEL, shuffle="shuffle" if size > 1 else "bitshuffle", typesize=size)


def write_shards(array: zarr.Array[Any], place: tuple[slice, ...], pixels: np.ndarray) -> None:
    """Writes ``pixels`` to ``place``, which covers whole shards of ``array`` (the rim of the array ends the last ones).

    Shards of nothing but zeros, the fill value, are left out.

    Raises
    ------
    ValueError : ``place`` begins or ends inside a shard.
    """
    shards = array.shards or array.chunks
    if not all(s.start % edge == 0 and (s.stop % edge == 0 or s.stop == n)
               for s, n, edge in zip(place, array.shape, shards, strict=True)):  # fmt: skip
        raise ValueError(f"{place} is not made of whole shards {shards} of an array of shape {array.shape}")
    for at in itertools.product(*(range(s.start // e, -(-s.stop // e)) for s, e in zip(place, shards, strict=True))):
        box = tuple(slice(i * e - s.start, min((i + 1) * e, s.stop) - s.start) for i, e, s in zip(at, shards, place, strict=True))
        data = encode_shard(pixels[box], shards, array.chunks)
        if data is not None:
            put_bytes(array.store, join(array.path, array.metadata.encode_chunk_key(at)), data)


def encode_shard(pixels: np.ndarray, shard: tuple[int, ...], chunk: tuple[int, ...]) -> bytes | None:
    """A shard of shape ``shard`` in chunks of shape ``chunk``; None where every pixel is zero. What ``pixels`` lack is zero."""
    codec = numcodecs.Blosc(cname="zstd", clevel=LEVEL, shuffle=numcodecs.Blosc.SHUFFLE if pixels.itemsize > 1 else
                            numcodecs.Blosc.BITSHUFFLE)  # fmt: skip
    grid = tuple(s // c for s, c in zip(shard, chunk, strict=True))
    index = np.full((int(np.prod(grid)), 2), _ABSENT, "<u8")
    parts: list[bytes] = []
    offset = 0
    for k, at in enumerate(np.ndindex(*grid)):
        block = pixels[tuple(slice(i * c, (i + 1) * c) for i, c in zip(at, chunk, strict=True))]
        if block.size == 0 or not block.any():
            continue
        encoded = codec.encode(_filled(block, chunk))
        index[k] = offset, len(encoded)
        offset += len(encoded)
        parts.append(encoded)
    if not parts:
        return None
    table = index.tobytes()
    return b"".join((*parts, table, np.uint32(google_crc32c.value(table)).astype("<u4").tobytes()))


def _filled(block: np.ndarray, chunk: tuple[int, ...]) -> np.ndarray:
    """``block`` as contiguous little-endian pixels of shape ``chunk``, zero where it is smaller."""
    plain = np.ascontiguousarray(block, block.dtype.newbyteorder("<"))
    if plain.shape == chunk:
        return plain
    whole = np.zeros(chunk, plain.dtype)
    whole[tuple(slice(0, n) for n in plain.shape)] = plain
    return whole
