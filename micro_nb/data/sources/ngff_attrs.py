"""The attributes an image is written with (OME-NGFF 0.5), and what of ours in them is taken back on reading.

NGFF demands a colour and a window of every channel. Where an image has none they are assumed, and noted under ``micro_nb``, so
that an assumption never comes back as a fact.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..axes import SPATIAL
from ..source import Channel, ImageInfo

OWN = "micro_nb"
VERSION = "0.5"
_TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
_PALETTE = ("#ffffff", "#00ffff", "#ff00ff", "#ffff00", "#00ff00", "#ff0000", "#0000ff")
_RGB = ("#ff0000", "#00ff00", "#0000ff")


def image_attributes(
    info: ImageInfo, *, paths: Sequence[str], factor: int, name: str, ranges: Sequence[tuple[float, float]] | None
) -> dict[str, Any]:
    """Attributes of an image group.

    Parameters
    ----------
    paths : of the levels, each ``factor`` times coarser in y and x than the one before.
    ranges : smallest and largest grey value per channel, used where a channel has no window; None writes no channels.
    """
    ome: dict[str, Any] = {"version": VERSION, "multiscales": [_multiscale(info, paths, factor, name, "mean")]}
    facts = json.loads(json.dumps(dict(info.facts), default=str))
    own: dict[str, Any] = {"facts": facts, "pixel_size_source": info.pixel_size_source, "rgb": info.rgb}
    if ranges is not None:
        ome["omero"], own["assumed"] = _omero(info, ranges)
    return {"ome": ome, OWN: own}


def label_attributes(info: ImageInfo, *, paths: Sequence[str], factor: int, name: str, layers: Sequence[str]) -> dict[str, Any]:
    """Attributes of a label group that lies at ``labels/<name>`` below its image; ``layers`` names the positions of c."""
    ome = {
        "version": VERSION,
        "multiscales": [_multiscale(info, paths, factor, name, "nearest")],
        "image-label": {"source": {"image": "../../"}},
    }
    return {"ome": ome, OWN: {"layers": list(layers), "pixel_size_source": info.pixel_size_source}}


def own_of(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """What :func:`image_attributes` noted, with anything of the wrong type left out."""
    own = attributes.get(OWN)
    kinds: dict[str, type] = {"facts": dict, "pixel_size_source": str, "rgb": bool, "assumed": list, "layers": list}
    return {k: v for k, v in own.items() if isinstance(v, kinds.get(k, ()))} if isinstance(own, Mapping) else {}


def restore(channels: tuple[Channel, ...], own: Mapping[str, Any]) -> tuple[Channel, ...]:
    """Channels without the colours and windows that were only assumed, unless somebody changed them since."""
    out = []
    for channel, assumed in zip(channels, [*own.get("assumed", []), *[None] * len(channels)], strict=False):
        if isinstance(assumed, Mapping):
            if channel.color is not None and assumed.get("color") == channel.color:
                channel = replace(channel, color=None)
            if channel.window is not None and assumed.get("window") == list(channel.window):
                channel = replace(channel, window=None)
        out.append(channel)
    return tuple(out)


def _multiscale(info: ImageInfo, paths: Sequence[str], factor: int, name: str, how: str) -> dict[str, Any]:
    size = info.pixel_size or {}
    axes: list[dict[str, str]] = []
    for axis in info.axes:
        unit = {"unit": "micrometer"} if axis in SPATIAL and axis in size else {}
        axes.append({"name": axis, "type": _TYPES[axis], **unit})
    datasets = []
    for k, path in enumerate(paths):
        ratio = {"y": float(factor**k), "x": float(factor**k)}
        scale = [size.get(a, 1.0) * ratio.get(a, 1.0) for a in info.axes]
        moved = [size.get(a, 1.0) * (ratio.get(a, 1.0) - 1) / 2 for a in info.axes]  # centres of averaged blocks
        transforms: list[dict[str, Any]] = [{"type": "scale", "scale": scale}]
        if k:
            transforms.append({"type": "translation", "translation": moved})
        datasets.append({"path": path, "coordinateTransformations": transforms})
    told = {"metadata": {"nan": "left out of means"}} if how == "mean" and np.dtype(info.dtype).kind == "f" else {}
    return {"name": name, "axes": axes, "datasets": datasets, "type": how, **told}


def _omero(info: ImageInfo, ranges: Sequence[tuple[float, float]]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    palette = _RGB if info.rgb else _PALETTE
    hidden = info.facts.get("inactive_channels") or ()
    entries, assumed = [], []
    for i, (channel, (low, high)) in enumerate(zip(info.channels, ranges, strict=True)):
        color = channel.color or palette[i % len(palette)]
        start, end = channel.window or (low, high if high > low else low + 1)
        limits = _limits(info.dtype, start, end)
        window = {"min": limits[0], "max": limits[1], "start": start, "end": end}
        entry = {"label": channel.name, "color": color.removeprefix("#").upper(), "window": window, "active": i not in hidden}
        waves = {"emissionWave": channel.emission_nm, "excitationWave": channel.excitation_nm}
        entries.append(entry | {k: v for k, v in waves.items() if v is not None})
        assumed.append(
            ({} if channel.color else {"color": color}) | ({} if channel.window else {"window": [float(start), float(end)]})
        )
    return {"channels": entries}, assumed


def _limits(dtype: np.dtype[Any], low: float, high: float) -> tuple[float, float]:
    if np.dtype(dtype).kind in "ui":
        return float(np.iinfo(dtype).min), float(np.iinfo(dtype).max)
    return min(0.0, float(low)), max(1.0, float(high))
