"""OME-NGFF metadata (0.1 to 0.5) as plain values: axes, levels, pixel size, channels. Knows JSON, not zarr and not pixels."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import AxesError, CorruptImageError, UnsafeImageError
from ..axes import AXES, SPATIAL, canonical, is_length_unit, to_um
from ..source import Channel, Level

MAX_LEVELS = 64
_RGB = ("#ff0000", "#00ff00", "#0000ff")
_BY_TYPE = {"channel": "c", "time": "t"}


@dataclass(frozen=True)
class Multiscale:
    """One entry of ``multiscales``, checked.

    Attributes
    ----------
    version, name : as the file says.
    paths : of the levels, finest first as listed.
    axes : of the stored dimensions, in stored order.
    units : unit of each axis, None where the file says none.
    scales, translations : per level, per stored axis, in the units; a pixel centre lies at ``scale * i + translation``.
        None where the file gives no transform (NGFF before 0.4).
    translated : whether any level states a translation.
    """

    version: str
    name: str
    paths: tuple[str, ...]
    axes: tuple[str, ...]
    units: tuple[str | None, ...]
    scales: tuple[tuple[float, ...], ...] | None
    translations: tuple[tuple[float, ...], ...] | None
    translated: bool

    def pixel_size(self) -> tuple[dict[str, float], str] | None:
        """µm per pixel of level 0 and what says so; None unless y and x carry a length unit."""
        if self.scales is None:
            return None
        stated = {
            axis: to_um(scale, unit)
            for axis, unit, scale in zip(self.axes, self.units, self.scales[0], strict=True)
            if axis in SPATIAL and unit is not None and is_length_unit(unit)
        }
        if not {"y", "x"} <= set(stated):
            return None
        plain = all(scale == 1 for axis, scale in zip(self.axes, self.scales[0], strict=True) if axis in SPATIAL)
        source = "OME-Zarr coordinateTransformations"
        return stated, source + (" (exactly 1, perhaps a converter's default)" if plain else "")

    def levels(self, shapes: Sequence[tuple[int, ...]], chunks: Sequence[tuple[int, ...]]) -> tuple[Level, ...]:
        """Levels in canonical axis order from the stored shapes and chunks."""
        order = [self.axes.index(a) for a in canonical(self.axes)]
        out = []
        for k, (shape, chunk) in enumerate(zip(shapes, chunks, strict=True)):
            placed = [self._place(k, i, shape[i], shapes[0][i]) for i in order]
            out.append(
                Level(
                    tuple(shape[i] for i in order),
                    tuple(max(1, min(chunk[i], shape[i])) for i in order),
                    tuple(scale for scale, _ in placed),
                    tuple(move for _, move in placed),
                )
            )
        return tuple(out)

    def _place(self, level: int, axis: int, n: int, n0: int) -> tuple[float, float]:
        """Scale and edge translation of a level along one axis, in pixels of level 0."""
        if level == 0 or n == n0:
            return 1.0, 0.0
        ratio = self.scales[level][axis] / self.scales[0][axis] if self.scales else 0.0
        if abs(n * ratio - n0) > max(ratio, 1.0):  # the file states no scale, or one that its own shapes deny
            ratio = float(round(n0 / n)) if abs(n * round(n0 / n) - n0) <= round(n0 / n) else n0 / n
        if not (self.translated and self.translations and self.scales):
            # Most writers average blocks and state no translation: their levels share the outer edge, not the first centre.
            return ratio, 0.0
        moved = (self.translations[level][axis] - self.translations[0][axis]) / self.scales[0][axis]
        return ratio, round(moved - (ratio - 1) / 2, 9)


def ome_of(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The NGFF part of a group's attributes: under ``ome`` since 0.5, at the root before."""
    inner = attributes.get("ome")
    return inner if isinstance(inner, Mapping) else attributes


def parse_multiscale(ome: Mapping[str, Any], index: int, where: str) -> Multiscale:
    """Entry ``index`` of ``multiscales``.

    Raises
    ------
    CorruptImageError : the JSON breaks the promise of its version; ``where`` names the file in the message.
    AxesError : axes beyond t c z y x.
    UnsafeImageError : absurdly many levels.
    """
    entries = ome.get("multiscales")
    if not isinstance(entries, list) or not all(isinstance(e, Mapping) for e in entries) or not 0 <= index < len(entries):
        count = len(entries) if isinstance(entries, list) else 0
        raise CorruptImageError(f"{where}: image {index} was asked for but multiscales lists {count}")
    entry = entries[index]
    datasets = entry.get("datasets")
    if not isinstance(datasets, list) or not datasets:
        raise CorruptImageError(f"{where}: multiscales[{index}] lists no datasets ({datasets!r:.80})")
    if len(datasets) > MAX_LEVELS:
        raise UnsafeImageError(
            f"{where}: multiscales[{index}] claims {len(datasets)} levels; no sane pyramid has over {MAX_LEVELS}"
        )
    paths = tuple(d.get("path") if isinstance(d, Mapping) else None for d in datasets)
    if not all(isinstance(p, str) and p for p in paths):
        raise CorruptImageError(f"{where}: a dataset of multiscales[{index}] has no path: {paths!r:.120}")
    axes, units = _axes(entry.get("axes"), where)
    scales, translations, translated = _transforms(entry, datasets, len(axes), where)
    version = str(ome.get("version") or entry.get("version") or "0.4")
    return Multiscale(version, str(entry.get("name") or ""), paths, axes, units, scales, translations, translated)  # type: ignore[arg-type]


def _axes(raw: Any, where: str) -> tuple[tuple[str, ...], tuple[str | None, ...]]:
    if raw is None:  # NGFF 0.1 and 0.2
        return AXES, (None,) * 5
    if not isinstance(raw, list):
        raise CorruptImageError(f"{where}: axes must be a list, not {raw!r:.80}")
    names, units = [], []
    for entry in raw:
        d = {"name": entry} if isinstance(entry, str) else entry
        if not isinstance(d, Mapping) or not isinstance(d.get("name"), str):
            raise CorruptImageError(f"{where}: axis {entry!r:.80} has no name")
        names.append(_BY_TYPE.get(str(d.get("type")), d["name"].lower()))
        units.append(d.get("unit") if isinstance(d.get("unit"), str) else None)
    unknown = [n for n in names if n not in AXES]
    if unknown or len(set(names)) != len(names) or not {"y", "x"} <= set(names):
        raise AxesError(
            f"{where}: axes {names} must be drawn from t c z y x, each once, with y and x; say axes=... if they are wrong"
        )
    return tuple(names), tuple(units)


_Transforms = tuple[tuple[tuple[float, ...], ...] | None, tuple[tuple[float, ...], ...] | None, bool]


def _transforms(entry: Mapping[str, Any], datasets: Sequence[Mapping[str, Any]], ndim: int, where: str) -> _Transforms:
    """Scales and translations of all levels with the transform of the whole multiscale applied on top."""
    own = [_one_transform(d.get("coordinateTransformations"), ndim, where) for d in datasets]
    outer_scale, outer_move = _one_transform(entry.get("coordinateTransformations"), ndim, where)
    if any(scale is None for scale, _ in own):
        return None, None, False
    outer = outer_scale or (1.0,) * ndim
    shift = outer_move or (0.0,) * ndim
    scales = tuple(tuple(s * o for s, o in zip(scale or (), outer, strict=True)) for scale, _ in own)
    moves = tuple(tuple(m * o + t for m, o, t in zip(move or (0.0,) * ndim, outer, shift, strict=True)) for _, move in own)
    return scales, moves, any(move is not None for _, move in own)


def _one_transform(raw: Any, ndim: int, where: str) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """``(scale, translation)`` of one list of transforms; None where it has none."""
    found: dict[str, tuple[float, ...] | None] = {"scale": None, "translation": None}
    if raw is not None and not isinstance(raw, list):
        raise CorruptImageError(f"{where}: coordinateTransformations must be a list, not {raw!r:.80}")
    for item in raw or []:
        kind = item.get("type") if isinstance(item, Mapping) else None
        if kind not in ("scale", "translation"):
            if kind == "identity":
                continue
            raise CorruptImageError(f"{where}: coordinate transform {kind!r} is not one of scale, translation")
        values = item.get(kind)
        if not isinstance(values, list) or len(values) != ndim or not all(_is_number(v) for v in values):
            raise CorruptImageError(f"{where}: {kind} {values!r:.80} must be {ndim} finite numbers")
        if kind == "scale" and min(values) <= 0:
            raise CorruptImageError(f"{where}: scale {values} must be greater than 0")
        found[kind] = tuple(float(v) for v in values)
    return found["scale"], found["translation"]


def parse_channels(ome: Mapping[str, Any], n: int) -> tuple[Channel, ...]:
    """One :class:`Channel` per index of c, from ``omero`` where it speaks and ``channel i`` where it does not."""
    omero = ome.get("omero")
    listed = omero.get("channels") if isinstance(omero, Mapping) else None
    entries = [e if isinstance(e, Mapping) else {} for e in listed] if isinstance(listed, list) else []
    if n == 1 and not entries:
        return ()
    return tuple(_channel(entries[i] if i < len(entries) else {}, i) for i in range(n))


def inactive_channels(ome: Mapping[str, Any], n: int) -> list[int]:
    """Channels that ``omero`` switches off for display."""
    omero = ome.get("omero")
    listed = omero.get("channels") if isinstance(omero, Mapping) else None
    entries = listed[:n] if isinstance(listed, list) else []
    return [i for i, e in enumerate(entries) if isinstance(e, Mapping) and e.get("active") is False]


def is_rgb(channels: Sequence[Channel], dtype: str) -> bool:
    """Whether three uint8 channels are the samples of one colour picture: red, green, blue and not named otherwise."""
    if dtype != "uint8" or tuple(c.color for c in channels) != _RGB:
        return False
    plain = re.compile(r"(channel[ _:]*)?(\d+)?|r|g|b|red|green|blue", re.IGNORECASE)
    return all(plain.fullmatch(c.name.strip()) for c in channels)


def _channel(entry: Mapping[str, Any], i: int) -> Channel:
    color = entry.get("color")
    hexed = isinstance(color, str) and re.fullmatch(r"#?([0-9a-fA-F]{6})([0-9a-fA-F]{2})?", color)
    return Channel(
        name=str(entry.get("label") or f"channel {i}"),
        color=f"#{hexed.group(1).lower()}" if hexed else None,
        window=_window(entry.get("window")),
        emission_nm=_wave(entry.get("emissionWave")),
        excitation_nm=_wave(entry.get("excitationWave")),
    )


def _window(raw: Any) -> tuple[float, float] | None:
    low, high = (raw.get("start"), raw.get("end")) if isinstance(raw, Mapping) else (None, None)
    if low is None or high is None or not _is_number(low) or not _is_number(high) or low >= high:
        return None
    return float(low), float(high)


def _wave(raw: Any) -> float | None:
    return float(raw) if _is_number(raw) and raw > 0 else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
