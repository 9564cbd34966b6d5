"""OME-NGFF metadata (0.1 to 0.6) as plain values: axes, levels, pixel size, channels. Knows JSON, not zarr and not pixels."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import AxesError, CorruptImageError, UnsafeImageError
from ..axes import AXES, SPATIAL, canonical, is_length_unit, positive, to_seconds, to_um
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
        None where the file gives none (NGFF before 0.4), or none that can be used.
    cautions : what was not understood, in sentences.
    """

    version: str
    name: str
    paths: tuple[str, ...]
    axes: tuple[str, ...]
    units: tuple[str | None, ...]
    scales: tuple[tuple[float, ...] | None, ...]
    translations: tuple[tuple[float, ...] | None, ...]
    cautions: tuple[str, ...] = ()

    def pixel_size(self) -> tuple[dict[str, float], str] | None:
        """µm per pixel of level 0 and what says so; None unless y and x carry a length unit."""
        if self.scales[0] is None:
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

    def interval_s(self) -> float | None:
        """Seconds between time points; None where no time unit says so."""
        at = self.axes.index("t") if "t" in self.axes else -1
        unit = self.units[at] if at >= 0 else None
        return to_seconds(self.scales[0][at], unit) if unit and self.scales[0] is not None else None

    def levels(self, shapes: Sequence[tuple[int, ...]], chunks: Sequence[tuple[int, ...]]) -> tuple[Level, ...]:
        """Levels in canonical axis order from the stored shapes and chunks."""
        order = [self.axes.index(a) for a in canonical(self.axes)]
        out = []
        for k, (shape, chunk) in enumerate(zip(shapes, chunks, strict=True)):
            scales, moves = zip(*(self._place(k, i, shape[i], shapes[0][i]) for i in order), strict=True)
            read = tuple(max(1, min(chunk[i], shape[i])) for i in order)
            out.append(Level(tuple(shape[i] for i in order), read, scales, moves))
        return tuple(out)

    def _place(self, level: int, axis: int, n: int, n0: int) -> tuple[float, float]:
        """Scale and edge translation of a level along one axis, in pixels of level 0."""
        if level == 0 or n == n0:
            return 1.0, 0.0
        own, first = self.scales[level], self.scales[0]
        ratio = own[axis] / first[axis] if own and first else 0.0
        if abs(n * ratio - n0) > max(ratio, 1.0):  # the file states no scale, or one that its own shapes deny
            ratio = float(round(n0 / n)) if abs(n * round(n0 / n) - n0) <= round(n0 / n) else n0 / n
        moves = [(m or (0.0,) * len(self.axes))[axis] for m in self.translations]
        if not any(self.translations) or first is None:
            # Most writers average blocks and state no translation: their levels share the outer edge, not the first centre.
            return ratio, 0.0
        moved = (moves[level] - moves[0]) / first[axis]
        return ratio, round(moved - (ratio - 1) / 2, 9)


def ome_of(attributes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The NGFF part of a group's attributes: under ``ome`` since 0.5, at the root before."""
    inner = attributes.get("ome")
    return inner if isinstance(inner, Mapping) else attributes


def parse_multiscale(ome: Mapping[str, Any], index: int, where: str, *, axes: tuple[str, ...] | None = None) -> Multiscale:
    """Entry ``index`` of ``multiscales``; ``axes`` replaces what the file says of them. What is only about places degrades to a
    caution.

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
    paths = tuple(p.removeprefix("./") if isinstance(p, str) else p for p in paths)
    if not all(isinstance(p, str) and p for p in paths):
        raise CorruptImageError(f"{where}: a dataset of multiscales[{index}] has no path: {paths!r:.120}")
    axes, units = _axes_of(entry, where, axes)
    placed, cautions = _transforms(entry, len(axes))
    cautions += [
        f"axis {a} is in {u!r}, which is no length known here; its pixel size is not used"
        for a, u in zip(axes, units, strict=True)
        if a in SPATIAL and u is not None and not is_length_unit(u)
    ]
    scales = tuple(p[0] if p else None for p in placed)
    moves = tuple(p[1] if p else None for p in placed)
    version = str(ome.get("version") or entry.get("version") or "0.4")
    return Multiscale(version, str(entry.get("name") or ""), paths, axes, units, scales, moves, tuple(cautions))  # type: ignore[arg-type]


def _stored_axes(raw: Any, where: str) -> tuple[tuple[str, ...], tuple[str | None, ...]]:
    """Names and units as they are listed."""
    if not isinstance(raw, list):
        raise CorruptImageError(f"{where}: axes must be a list, not {raw!r:.80}")
    names, units = [], []
    for entry in raw:
        d = {"name": entry} if isinstance(entry, str) else entry
        if not isinstance(d, Mapping) or not isinstance(d.get("name"), str):
            raise CorruptImageError(f"{where}: axis {entry!r:.80} has no name")
        names.append(_BY_TYPE.get(str(d.get("type")), d["name"].lower()))
        units.append(d.get("unit") if isinstance(d.get("unit"), str) else None)
    return tuple(names), tuple(units)


def _axes_of(
    entry: Mapping[str, Any], where: str, axes: tuple[str, ...] | None
) -> tuple[tuple[str, ...], tuple[str | None, ...]]:
    """Axes and units of a multiscale: of its own coordinate system since 0.6, its list before; ``axes`` replaces the names."""
    raw = entry.get("axes")
    systems = {s.get("name"): s.get("axes") for s in _mappings(entry.get("coordinateSystems"))}
    if systems:
        outputs = [_end(t.get("output")) for t in _mappings(_mappings(entry.get("datasets"))[0].get("coordinateTransformations"))]
        raw = next((systems[o] for o in outputs if o in systems), next(iter(systems.values())))
    if axes is None and raw is None:  # NGFF 0.1 and 0.2
        return AXES, (None,) * 5
    if axes is None:
        names, units = _stored_axes(raw, where)
        if set(names) - set(AXES) or len(set(names)) != len(names) or not {"y", "x"} <= set(names):
            said = f"axes {list(names)} must be drawn from t c z y x, each once, with y and x; say axes=... if they are wrong"
            raise AxesError(f"{where}: {said}")
        return names, units
    try:
        units = _stored_axes(raw, where)[1] if raw is not None else ()
    except CorruptImageError:
        units = ()
    return axes, units if len(units) == len(axes) else (None,) * len(axes)


def _mappings(raw: Any) -> list[Mapping[str, Any]]:
    return [m for m in raw if isinstance(m, Mapping)] if isinstance(raw, list) else []


def _end(raw: Any) -> str | None:
    """The coordinate system that a transform starts or ends in, by name."""
    named = raw.get("name") if isinstance(raw, Mapping) else raw
    return named if isinstance(named, str) else None


_Placed = tuple[tuple[float, ...], tuple[float, ...] | None]
"""Scale of each axis, and translation where one is stated."""


def _transforms(entry: Mapping[str, Any], ndim: int) -> tuple[list[_Placed | None], list[str]]:
    """Scale and translation of each level, None where it states none that can be used, and why not.

    A transform of the whole multiscale is applied on top, unless it leads to another, named coordinate system: that places the
    image among others and changes no pixel's size.
    """
    said: list[str] = []
    own = [_placed(d.get("coordinateTransformations"), ndim, f"level {d['path']!r}", said) for d in entry["datasets"]]
    listed: Any = entry.get("coordinateTransformations")
    apart = [t for t in _mappings(listed) if _end(t.get("output")) is not None and t.get("type") != "identity"]
    if apart:
        kinds = ", ".join(f"{t.get('type')} to {_end(t.get('output'))!r}" for t in apart)
        said.append(f"its place in another coordinate system ({kinds}) is not applied: pixels are as stored")
        listed = [t for t in listed if t not in apart]
    if not listed:
        return own, said
    outer = _placed(listed, ndim, "the whole image", said)
    if outer is None:
        return own, said
    return [_after(level, outer) if level is not None else None for level in own], said


def _after(first: _Placed, then: _Placed) -> _Placed:
    """One transform after the other."""
    (s, m), (scale, move) = first, then
    zero = (0.0,) * len(s)
    moved = tuple(a * b + c for a, b, c in zip(m or zero, scale, move or zero, strict=True)) if m or move else None
    return tuple(a * b for a, b in zip(s, scale, strict=True)), moved


def _placed(raw: Any, ndim: int, whose: str, said: list[str]) -> _Placed | None:
    """A list of transforms as one scale and translation; None where it has none, or (said in a sentence) none of this kind."""
    if not raw:
        return None
    done: _Placed = ((1.0,) * ndim, None)
    for item in raw if isinstance(raw, list) else [None]:
        step = _step(item, ndim)
        if step is None:
            kind = item.get("type") if isinstance(item, Mapping) else item
            said.append(
                f"the coordinate transform of {whose} ({kind!r:.40}) is not a plain scale and translation and is not used"
            )
            return None
        done = _after(done, step)
    return done


def _step(item: Any, ndim: int) -> _Placed | None:
    kind = item.get("type") if isinstance(item, Mapping) else None
    if kind == "identity":
        return (1.0,) * ndim, None
    if kind == "sequence":
        return _placed(item.get("transformations"), ndim, "", [])
    values = item.get(kind) if kind in ("scale", "translation") else None
    if not isinstance(values, list) or len(values) != ndim or not all(_is_number(v) for v in values):
        return None
    numbers = tuple(float(v) for v in values)
    if kind == "translation":
        return (1.0,) * ndim, numbers
    return (numbers, None) if min(numbers) > 0 else None


def parse_channels(ome: Mapping[str, Any], n: int) -> tuple[Channel, ...]:
    """One :class:`Channel` per index of c, from ``omero`` where it speaks and ``channel i`` where it does not."""
    entries = _omero(ome)
    if (n == 1 and not entries) or len(entries) > n:
        return ()
    return tuple(_channel(entries[i] if i < len(entries) else {}, i) for i in range(n))


def surplus_channels(ome: Mapping[str, Any], n: int) -> list[str]:
    """A caution where ``omero`` describes more channels than there are: which of them are there is not known."""
    many = len(_omero(ome))
    said = f"omero describes {many} channels where the image has {n}; its names and colours are not used"
    return [said] if many > n else []


def inactive_channels(ome: Mapping[str, Any], n: int) -> list[int]:
    """Channels that ``omero`` switches off for display."""
    return [i for i, e in enumerate(_omero(ome)[:n]) if e.get("active") is False]


def _omero(ome: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What ``omero`` says of each channel; an entry that is none says nothing."""
    omero = ome.get("omero")
    listed = omero.get("channels") if isinstance(omero, Mapping) else None
    return [e if isinstance(e, Mapping) else {} for e in listed] if isinstance(listed, list) else []


def is_rgb(channels: Sequence[Channel], dtype: str) -> bool:
    """Whether three uint8 channels are the samples of one colour picture: red, green, blue and not named otherwise."""
    if dtype != "uint8" or tuple(c.color for c in channels) != _RGB:
        return False
    plain = re.compile(r"(channel[ _:]*)?(\d+)?|r|g|b|red|green|blue", re.IGNORECASE)
    return all(plain.fullmatch(c.name.strip()) for c in channels)


def _channel(entry: Mapping[str, Any], i: int) -> Channel:
    color = entry.get("color")
    hexed = isinstance(color, str) and re.fullmatch(r"#?([0-9a-fA-F]{6})([0-9a-fA-F]{2})?", color)
    waves = (positive(entry.get(kind)) for kind in ("emissionWave", "excitationWave"))
    name, shown = str(entry.get("label") or f"channel {i}"), f"#{hexed.group(1).lower()}" if hexed else None
    return Channel(name, shown, _window(entry.get("window")), *waves)


def _window(raw: Any) -> tuple[float, float] | None:
    low, high = (raw.get("start"), raw.get("end")) if isinstance(raw, Mapping) else (None, None)
    if low is None or high is None or not _is_number(low) or not _is_number(high) or low >= high:
        return None
    return float(low), float(high)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
