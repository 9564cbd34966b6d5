"""Hypothesis strategies for small images with everything an :class:`ImageInfo` may say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from micro_nb.data.image import MicroImage
from micro_nb.data.source import Channel
from micro_nb.data.sources.arrays import ArraySource

AXES = ("yx", "cyx", "zyx", "tyx", "czyx", "tcyx", "tczyx")
DTYPES = ("uint8", "uint16", "int16", "uint32", "float32", "float64", "bool", "int64")

_sizes = st.floats(0.001, 100, allow_nan=False)
_names = st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=12)


@st.composite
def pixels(draw: st.DrawFn, axes: str, dtype: str, side: int = 40) -> np.ndarray:
    """Few distinct values, so that hypothesis is quick; every side length matters more than every value."""
    shape = tuple(draw(st.integers(1 if a in "yx" else 2, side if a in "yx" else 3)) for a in axes)
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    if dtype.startswith("float"):
        return rng.normal(0, 1000, shape).astype(dtype)
    if dtype == "bool":
        return rng.random(shape) < 0.5
    info = np.iinfo(dtype)
    return rng.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)


@st.composite
def channels(draw: st.DrawFn, n: int) -> tuple[Channel, ...]:
    def one(_: int) -> Channel:
        window = draw(
            st.none() | st.tuples(st.integers(0, 100), st.integers(101, 60000)).map(lambda w: (float(w[0]), float(w[1])))
        )
        color = draw(st.none() | st.from_regex(r"#[0-9a-f]{6}", fullmatch=True))
        return Channel(draw(_names), color, window, draw(st.none() | _sizes), draw(st.none() | _sizes))

    return tuple(one(i) for i in range(n))


@st.composite
def images(draw: st.DrawFn, axes: st.SearchStrategy[str] | None = None, dtypes: tuple[str, ...] = DTYPES) -> MicroImage:
    """A MicroImage in memory."""
    order = draw(axes or st.sampled_from(AXES))
    array = draw(pixels(order, draw(st.sampled_from(dtypes))))
    source = ArraySource.of(array, axes=order)
    n = source.info.sizes.get("c", 1)
    spatial = [a for a in order if a in "zyx"]
    size = draw(st.none() | st.fixed_dictionaries(dict.fromkeys(spatial, _sizes)))
    facts = draw(
        st.dictionaries(st.sampled_from(["objective", "na", "acquired"]), st.integers() | st.text(max_size=5), max_size=2)
    )
    info = replace(
        source.info,
        channels=draw(st.just(source.info.channels) | channels(n)),
        pixel_size=size,
        pixel_size_source="argument" if size else None,
        facts=facts,
    )
    return MicroImage(ArraySource(source.arrays, info))
