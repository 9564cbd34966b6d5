"""Where each axis of a TIFF series lies: in the order of pages, or inside a page. No pixels here."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from ...errors import AxesError, CorruptImageError
from ..axes import AXES, canonical, check_axes

Kind = Literal["lead", "sep", "depth", "y", "x", "contig", "palette"]
_MEANING = {"T": "t", "C": "c", "Z": "z", "D": "z", "Y": "y", "X": "x", "S": "c"}


@dataclass(frozen=True)
class Dim:
    """One stored dimension: tifffile's letter, length, where it lies, the axis it means, and the stride in frames if it leads."""

    letter: str
    size: int
    kind: Kind
    axis: str = ""
    stride: int = 0


@dataclass(frozen=True)
class Layout:
    """All dimensions of a level in stored order, singletons dropped but y and x."""

    dims: tuple[Dim, ...]
    frames: int

    @property
    def axes(self) -> tuple[str, ...]:
        """Canonical axes."""
        return canonical(d.axis for d in self.dims)

    @property
    def sizes(self) -> dict[str, int]:
        """Axis -> length; channels times colour samples where both are stored."""
        sizes: dict[str, int] = {}
        for d in self.dims:
            sizes[d.axis] = sizes.get(d.axis, 1) * d.size
        return sizes


def arrange(series: Any, axes: tuple[str, ...] | None, *, samples: int | None, palette: bool, uri: str) -> Layout:
    """The layout of a series.

    Parameters
    ----------
    series : a ``tifffile.TiffPageSeries``.
    axes : the user's statement, one per dimension of the squeezed series; None takes what the file says.
    samples : how many colour samples to keep; None keeps all.
    palette : whether indices become three colours.

    Raises
    ------
    AxesError : the file does not say what an axis means; repeats the shape and suggests a statement.
    """
    stored = _stored_dims(series, uri)
    frames = math.prod(d.size for d in stored if d.kind == "lead")
    dims = _strided([d for d in stored if d.size > 1 or d.kind in ("y", "x")])
    dims = _named(dims, axes, uri)
    if samples is not None:
        dims = [_resized(d, samples) if d.kind in ("sep", "contig") else d for d in dims]
    if palette:
        dims.append(Dim("S", 3, "palette", "c"))
    return Layout(tuple(dims), frames)


def _stored_dims(series: Any, uri: str) -> list[Dim]:
    letters, shape = series.get_axes(squeeze=False), tuple(int(n) for n in series.get_shape(squeeze=False))
    sep, depth, length, width, contig = (int(n) for n in series.keyframe.shaped)
    inside, k = math.prod((sep, depth, length, width, contig)), len(shape)
    while k and not ({"Y", "X"} <= set(letters[k:]) and math.prod(shape[k:]) == inside):
        k -= 1
    inner = [(c, n) for c, n in zip(letters[k:], shape[k:], strict=True) if n > 1 or c in "YX"]
    expected: list[tuple[Kind, int]] = [("sep", sep), ("depth", depth), ("y", length), ("x", width), ("contig", contig)]
    kinds = [(kind, n) for kind, n in expected if n > 1 or kind in ("y", "x")]
    if min(shape) < 1 or [n for _, n in inner] != [n for _, n in kinds]:
        raise CorruptImageError(
            f"{uri}: pages of shape {series.keyframe.shape} do not make up the declared axes {letters} of shape {shape}"
        )
    lead = [Dim(c, n, "lead") for c, n in zip(letters[:k], shape[:k], strict=True)]
    return lead + [Dim(c, n, kind) for (c, n), (kind, _) in zip(inner, kinds, strict=True)]


def _strided(dims: list[Dim]) -> list[Dim]:
    out, stride = [], 1
    for d in reversed(dims):
        if d.kind == "lead":
            d, stride = Dim(d.letter, d.size, d.kind, d.axis, stride), stride * d.size
        out.append(d)
    return out[::-1]


def _named(dims: list[Dim], axes: tuple[str, ...] | None, uri: str) -> list[Dim]:
    shape = tuple(d.size for d in dims)
    if axes is not None:
        try:
            names: tuple[str, ...] = check_axes(axes, shape)
        except AxesError as error:
            raise AxesError(f"{uri}: {error}") from None
    else:
        names = tuple(_MEANING.get(d.letter, "") for d in dims)
        doubled = {n for n in names if n and n != "c" and names.count(n) > 1}
        if "" in names or doubled or names.count("c") > 2:
            raise AxesError(
                f"{uri}: stores shape {shape} and does not say what each axis is; state it with letters from 't c z y x': "
                f"open_image(path, axes={_suggest(dims, 'z')!r}) for a stack, axes={_suggest(dims, 't')!r} for a time series"
            )
    return [Dim(d.letter, d.size, d.kind, name, d.stride) for d, name in zip(dims, names, strict=True)]


def _suggest(dims: list[Dim], first: str) -> str:
    taken = {_MEANING[d.letter] for d in dims if d.letter in _MEANING}
    free = [a for a in dict.fromkeys((first, "z", "t", "c")) if a not in taken]
    names, used = [], set()
    for d in dims:
        name = _MEANING.get(d.letter, "")
        if not name or name in used:
            name = free.pop(0) if free else next(a for a in AXES if a not in used)
        used.add(name)
        names.append(name)
    return "".join(names)


def _resized(d: Dim, samples: int) -> Dim:
    return Dim(d.letter, min(d.size, samples), d.kind, d.axis, d.stride)
