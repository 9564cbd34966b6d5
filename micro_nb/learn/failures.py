"""Small pictures of the worst images: what is labelled in blue, what was found in yellow."""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from ..data.image import MicroImage
from ..data.open import open_image
from ..render.composite import parse_color
from ..render.contours import LabelLayer, paint_labels
from ..render.frame import Frame
from ..render.look import Look
from .judging import Compared

TRUE, FOUND = parse_color("#4dd8ff"), parse_color("#ffe14d")
_COLORS = 96


@dataclass(frozen=True)
class Failure:
    """One of the worst images: its name, the figure it is ranked by, what happened in words, and a PNG."""

    name: str
    score: float
    words: str
    png: bytes


def picture(img: MicroImage, compared: Compared, *, width: int = 320) -> bytes:
    """A PNG of at most ``width`` px with outlines: labelled in blue, found in yellow on top; few colours, so few bytes."""
    frame = Frame.fit((0, 0, *img.plane_shape), width=width, height=width, max_zoom=2.0)
    drawn = Look.of(img).draw(frame)
    if compared.truth.masks is not None:
        _outline(drawn, np.maximum(compared.truth.masks, 0), TRUE, frame)
    for layer in () if compared.layers is None else compared.layers:
        _outline(drawn, layer, FOUND, frame)
    image = Image.fromarray(drawn)
    _boxes(image, compared, frame)
    out = io.BytesIO()
    image.quantize(_COLORS, dither=Image.Dither.NONE).save(out, "PNG")
    return out.getvalue()


def _outline(drawn: np.ndarray, labels: np.ndarray, color: tuple[int, int, int], frame: Frame) -> None:
    paint_labels(drawn, LabelLayer(open_image(labels.astype(np.int32), axes="yx"), color), frame)


def _boxes(image: Image.Image, compared: Compared, frame: Frame) -> None:
    draw, (sy, sx) = ImageDraw.Draw(image), frame.scale
    for boxes, color in ((compared.truth.boxes, TRUE), (compared.boxes, FOUND)):
        for (y0, x0, y1, x1), name in zip(boxes.boxes, boxes.names, strict=True) if boxes is not None else ():
            if name in compared.classes:
                draw.rectangle((x0 / sx, y0 / sy, max(x0, x1 - 1) / sx, max(y0, y1 - 1) / sy), outline=color)


def words(row: dict[str, object]) -> str:
    """What happened, from a row of the table of images."""
    said = f"{row.get('n_found', '?')} found where {row.get('n_true', '?')} are labelled"
    if "f1" in row:
        precision, recall = (float(str(row[k])) for k in ("precision", "recall"))
        said += f"; precision {precision:.2f}, recall {recall:.2f}"
    return said
