"""The card of an image: a thumbnail beside its facts. What a notebook shows for a ``MicroImage``."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping
from pathlib import Path

from ..data.image import MicroImage
from .look import Look
from .overview import overview_png

THUMBNAIL = 260
_FACTS = ("objective", "magnification", "na", "microscope", "acquired", "generator", "what", "instrument", "immersion")
_STYLE = (
    "<style>.mnb-card{display:flex;gap:18px;align-items:flex-start;font-size:13px;line-height:1.5;"
    "max-width:900px;padding:4px 0}.mnb-card img{border-radius:6px;max-width:260px;height:auto;flex:none}"
    ".mnb-card h4{margin:0 0 6px;font-size:14px;font-weight:600;overflow-wrap:anywhere}"
    ".mnb-card dl{display:grid;grid-template-columns:max-content 1fr;gap:1px 14px;margin:0}"
    ".mnb-card dt{opacity:.6;font-weight:400}.mnb-card dd{margin:0;overflow-wrap:anywhere}"
    ".mnb-card i{display:inline-block;width:9px;height:9px;border-radius:50%;margin-right:5px;border:1px solid #8886}</style>"
)


def image_card(img: MicroImage) -> dict[str, str | bytes]:
    """A mimebundle: ``text/html`` with the thumbnail and a table of facts, ``image/png``, ``text/plain``.

    Everything that comes from the file is escaped. The thumbnail is read from the pyramid level that suits it.
    """
    png = overview_png(img, width=THUMBNAIL, plain=True)
    rows = "".join(f"<dt>{html.escape(name)}</dt><dd>{value}</dd>" for name, value in _rows(img).items())
    picture = f'<img alt="" src="data:image/png;base64,{base64.b64encode(png).decode()}">'
    card = f'{_STYLE}<div class="mnb-card">{picture}<div><h4>{html.escape(img.name)}</h4><dl>{rows}</dl></div></div>'
    return {"text/html": card, "image/png": png, "text/plain": repr(img)}


def facts(img: MicroImage) -> dict[str, str]:
    """The facts on the card as plain text, in the order they are read; unescaped."""
    h, w = img.plane_shape
    found = {"size": f"{w:,} × {h:,} px"}
    if img.pixel_size:
        size_um = w * img.pixel_size["x"], h * img.pixel_size["y"]
        unit, per = ("mm", 1e3) if min(size_um) >= 1e4 else ("µm", 1.0)
        found["size"] += f" ({size_um[0] / per:,.4g} × {size_um[1] / per:,.4g} {unit})"
    found["pixel size"] = _pixel_size(img)
    others = [f"{axis} {img.sizes[axis]}" for axis in ("t", "c", "z") if axis in img.axes and not (axis == "c" and img.rgb)]
    if others:
        found["axes"] = ", ".join(others)
    levels = len(img.info.levels)
    found["pixels"] = f"{'RGB ' if img.rgb else ''}{img.dtype}, {levels} level{'s' if levels > 1 else ' (no pyramid)'}"
    found |= {name: str(img.metadata[name]) for name in _FACTS if img.metadata.get(name) not in (None, "")}
    found["file"] = img.source.format + _file_size(img.uri)
    if img.labels:
        found["labels"] = ", ".join(img.labels)
    found["content"] = img.content_id[:24] + "…"
    return found


def _rows(img: MicroImage) -> Mapping[str, str]:
    """Facts as HTML, escaped, with the channels and their colours before the file."""
    rows = {name: html.escape(value) for name, value in facts(img).items()}
    if img.rgb or (len(img.channels) == 1 and img.channels[0].name == "channel 0"):
        return rows
    look = Look.of(img)
    shown = [
        f'<i style="background:rgb{color}"></i>{html.escape(channel.name)}'
        for channel, color in zip(look.channels, look.colors, strict=True)
    ]
    more = len(img.channels) - len(shown)
    text = " &nbsp;".join(shown) + (f" &nbsp;and {more} more" if more else "")
    before = {k: rows.pop(k) for k in tuple(rows) if k in ("size", "pixel size", "axes", "pixels")}
    return {**before, "channels": text, **rows}


def _pixel_size(img: MicroImage) -> str:
    if not img.pixel_size:
        return "not known; lengths are in px (pass pixel_size= to open_image)"
    sizes = {axis: f"{um:.4g}" for axis, um in img.pixel_size.items()}
    plane = sizes["x"] if sizes["x"] == sizes["y"] else f"{sizes['x']} × {sizes['y']}"
    depth = f", z {sizes['z']} µm" if "z" in sizes else ""
    return f"{plane} µm{depth}" + (f" ({img.pixel_size_source})" if img.pixel_size_source else "")


def _file_size(uri: str | None) -> str:
    path = Path(uri) if uri and "://" not in uri else None
    if path is None or not path.is_file():
        return ""
    size = float(path.stat().st_size)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            return f", {size:,.3g} {unit}"
        size /= 1000
    return ""
