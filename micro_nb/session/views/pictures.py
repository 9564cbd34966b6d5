"""The picture of an answer: the objects it speaks of, the one it points at, or the chart of a distribution."""

from __future__ import annotations

import io

from PIL import Image

from ...data.region import Region
from ...errors import MicroNBError
from ...render.histogram import histogram_png
from ...render.overview import Layers, PointLayer, overview_png
from ..answer import Answer
from ..measures.quantities import named
from ..words.printing import unit_words

WIDTH = 420
_SEEN = frozenset(["describe", "recognise", "show", "color"])


def picture(answer: Answer) -> bytes | None:
    """The image with the objects the answer counted, or around the box it names; None for facts no picture shows."""
    if answer.image is None or not answer.calls:
        return None
    chart = chart_of(answer, WIDTH)
    if chart is not None:
        return chart
    try:
        if answer.objects is None:
            plain = answer.calls[0].name in _SEEN or any(
                "objects_in_image" in e.parameters for e in answer.evidence
            )  # of the log: places are lost
            return _small(overview_png(answer.image, width=WIDTH, plain=True)) if plain else None
        return _small(overview_png(answer.image, width=WIDTH, layers=_objects(answer)))
    except MicroNBError:
        return None


def chart_of(answer: Answer, width: int) -> bytes | None:
    """The histogram of the distribution an answer gives; None where it gives none."""
    made = next((e for e in answer.evidence if "histogram" in e.parameters), None)
    if made is None:
        return None
    shown = made.parameters["histogram"]
    quantity = named(str(made.parameters.get("quantity", made.quantity)))
    marks = {name.removeprefix("percentile ") + " %": float(e.value) for e in answer.evidence  # type: ignore[arg-type]
             for name in [e.quantity] if name in ("percentile 10", "percentile 90")}  # fmt: skip
    return histogram_png(
        shown["edges"], shown["counts"], title=quantity, unit=unit_words(made.unit).strip(), marks=marks, width=width
    )


def _objects(answer: Answer) -> Layers:
    """Points on the objects: all that were measured, or the one in the box."""
    assert answer.objects is not None
    y, x = (answer.objects.table[f"centroid_{axis}_px"].to_numpy(float) for axis in "yx")
    box = next((e.value for e in answer.evidence if e.quantity == "box" and isinstance(e.value, tuple)), None)
    if box is not None:
        inside = Region(box[1], box[0], box[3], box[2]).contains(y, x)
        y, x = y[inside], x[inside]
    return Layers(points=(PointLayer(y, x, name="found"),))


def _small(png: bytes) -> bytes:
    """The picture in 128 colours: a thumbnail in a notebook, a third of the bytes."""
    out = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").quantize(128, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    return out.getvalue()
