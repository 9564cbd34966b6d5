"""What a viewer shows, as a figure: for the saved notebook, the report, and every place without a kernel."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from ...data.region import Region
from ...render.composite import composite, parse_color
from ...render.contours import outline
from ...render.contrast import Window
from ...render.figure import Caption, Key, compose, room
from ...render.frame import Frame
from ...render.heat import ValueMap, paint_map
from ...render.look import fit
from .drawings import Drawing
from .pixels import PROJECTED, Pixels
from .shapes import Palette, Shapes

WIDTH = 760
_MOST_BYTES = 170_000
_SELECTED = (255, 255, 255)


@dataclass(frozen=True)
class Shown:
    """How one channel is drawn."""

    k: int
    color: tuple[int, int, int]
    window: Window
    gamma: float = 1.0


@dataclass(frozen=True)
class Overlay:
    """Objects over the picture, with their colours; ``opacity`` of the fill."""

    shapes: Shapes
    palette: Palette
    opacity: float
    contour: bool
    selected: frozenset[int] = frozenset()


def picture_png(
    pixels: Pixels, place: Region, channels: Iterable[Shown], *, t: int, z: int, overlays: Iterable[Overlay] = (),
    drawings: Iterable[Drawing] = (), maps: Iterable[tuple[ValueMap, float]] = (), width: int = WIDTH,
) -> bytes:  # fmt: skip
    """A figure with axes, scale bar, legend and caption, as PNG of at most ``width`` px; small enough for a notebook of many."""
    shown, overlays, drawings, maps = list(channels), list(overlays), list(drawings), list(maps)
    legend = maps[-1][0] if maps else None
    png = b""
    for _ in range(2):
        across = room(width, bar=legend is not None)
        frame = Frame.of_region(place, width=across, height=max(int(across * 0.9), 1))
        picture = _pixels(pixels, frame, shown, t, z)
        for values, opacity in maps:
            paint_map(picture, values, frame, opacity=opacity)
        for overlay in overlays:
            _paint(picture, frame, overlay)
        _draw(picture, frame, drawings)
        caption = _caption(pixels, place, shown, overlays, drawings, t, z)
        figure = compose(picture, frame, pixel_size=pixels.image.pixel_size, caption=caption, values=legend)
        out = io.BytesIO()
        figure.quantize(256 if legend else 160, dither=Image.Dither.NONE).save(out, "PNG", compress_level=6)
        png = out.getvalue()
        if len(png) <= _MOST_BYTES:
            break
        width = max(round(width * math.sqrt(0.85 * _MOST_BYTES / len(png))), 300)
    return png


def _pixels(pixels: Pixels, frame: Frame, shown: list[Shown], t: int, z: int) -> np.ndarray:
    look = pixels.look(t, z)
    if not shown:
        return np.zeros((*frame.shape, 3), np.uint8)
    planes = []
    for channel in shown:
        group = slice(0, 3) if pixels.rgb else slice(channel.k, channel.k + 1)
        values, inner = look.read(group, frame)
        plane = fit(values[channel.k if pixels.rgb else 0], inner, frame.shape, channel.window)
        if channel.gamma != 1:
            plane = (255 * (np.arange(256) / 255) ** channel.gamma + 0.5).astype(np.uint8)[plane]
        planes.append(plane)
    return composite(planes, [c.color for c in shown])


def _paint(picture: np.ndarray, frame: Frame, overlay: Overlay) -> None:
    shapes, colors = overlay.shapes, overlay.palette.colors
    if not len(shapes):
        return
    if not shapes.labels:
        y, x = shapes.places
        rows, cols = frame.to_display(y, x)
        seen = (rows >= 0) & (rows < frame.shape[0]) & (cols >= 0) & (cols < frame.shape[1])
        for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0), (0, 0)):  # a small cross
            at = [np.clip(v[seen].astype(int) + d, 0, n - 1) for v, d, n in zip((rows, cols), (dy, dx), frame.shape, strict=True)]
            picture[tuple(at)] = colors[seen]
        return
    ids = shapes.at(frame)
    inside = ids > 0
    tint = colors[np.where(inside, ids, 1).astype(np.int64) - 1]
    if overlay.opacity:
        mixed = picture * (1 - overlay.opacity) + tint * overlay.opacity
        np.copyto(picture, mixed.astype(np.uint8), where=inside[..., None])
    if overlay.contour:
        np.copyto(picture, tint, where=outline(ids)[..., None])
    if overlay.selected:
        chosen = np.isin(ids, np.array(sorted(overlay.selected), np.uint32) + 1)
        np.copyto(picture, np.array(_SELECTED, np.uint8), where=outline(np.where(chosen, ids, 0))[..., None])


def _draw(picture: np.ndarray, frame: Frame, drawings: list[Drawing]) -> None:
    if not drawings:
        return
    image = Image.fromarray(picture)
    pen = ImageDraw.Draw(image)
    sy, sx = frame.scale
    for d in drawings:
        at = [((x - frame.x0) / sx, (y - frame.y0) / sy) for y, x in d.points]
        if d.kind == "box":
            (xa, ya), (xb, yb) = at[0], at[1]
            pen.rectangle((min(xa, xb), min(ya, yb), max(xa, xb), max(ya, yb)), outline=(255, 210, 63), width=2)
        elif d.kind == "point":
            x, y = at[0]
            pen.ellipse((x - 4, y - 4, x + 4, y + 4), outline=(255, 210, 63), width=2)
        else:
            pen.line([*at, at[0]] if d.kind == "polygon" else at, fill=(255, 210, 63), width=2)
    np.copyto(picture, np.asarray(image))


def _caption(
    pixels: Pixels, place: Region, shown: list[Shown], overlays: list[Overlay], drawings: list[Drawing], t: int, z: int
) -> Caption:
    img = pixels.image
    h, w = img.plane_shape
    facts = f"{w:,} × {h:,} px" + (f" · {img.pixel_size['x']:.4g} µm/px" if img.pixel_size else "")
    unnamed = len(img.channels) == 1 and img.channels[0].name == "channel 0"
    keys = [] if pixels.rgb or unnamed else [Key(img.channels[c.k].name, c.color) for c in shown]
    for overlay in overlays:
        keys += [Key(f"{n:,} {text}", parse_color(color)) for text, color, n in overlay.palette.keys]
    notes = [f"z {'brightest' if z == PROJECTED else z + 1} of {pixels.sizes['z']}"] if pixels.sizes["z"] > 1 else []
    notes += [f"t {t + 1} of {pixels.sizes['t']}"] if pixels.sizes["t"] > 1 else []
    for palette in (o.palette for o in overlays):
        if palette.scale is not None:
            notes.append("{} {:.3g} (violet) to {:.3g} (yellow)".format(palette.by, *palette.scale))
    chosen = sum(len(o.selected) for o in overlays)
    notes += [f"{chosen} selected"] if chosen else []
    notes += [f"{len(drawings)} drawn"] if drawings else []
    if math.prod((place.y1 - place.y0, place.x1 - place.x0)) < 0.98 * h * w:
        notes.insert(0, f"from x {place.x0:,.0f}, y {place.y0:,.0f} px")
    return Caption(img.name, facts, tuple(keys), " · ".join(notes))


def visible_place(shape: tuple[int, int], view: Mapping[str, float] | None) -> Region:
    """What the browser shows, clipped to the plane; the whole plane where it said nothing usable."""
    try:
        return Region(**{k: float((view or {})[k]) for k in ("y0", "x0", "y1", "x1")}).clip(shape)  # type: ignore[arg-type]
    except (KeyError, ValueError, TypeError):
        return Region(0, 0, *shape, name="whole image")
