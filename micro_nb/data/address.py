"""How to open an image again, selections and projections included, as JSON and as one line of code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import ImageNotFoundError
from .image import MicroImage
from .open import Restated, open_image
from .source import Source
from .view import Pick, ProjectionView, SourceView

Address = dict[str, Any]


def address_of(img: MicroImage) -> Address | None:
    """What :func:`open_address` needs, JSON values only; None for arrays in memory, which no other process can open.

    Examples
    --------
    >>> import micro_nb as mnb
    >>> address_of(mnb.open_image("sample:cell").isel(y=slice(0, 64)))["steps"]
    [{'take': {'y': [0, 64]}}]
    """
    steps: list[Address] = []
    source: Source = img.source
    while isinstance(source, SourceView | ProjectionView | Restated):
        if not _changes_nothing(source):
            steps.insert(0, _step(source))
        source = source.base
    if source.opened is None and not str(source.uri).startswith("sample:"):
        return None
    path, series, axes = source.opened or (source.uri, 0, None)
    found = {"path": path, "series": series or None, "axes": "".join(axes) if axes else None, "steps": steps}
    return {k: v for k, v in found.items() if v}


def open_address(address: Address | None, *, name: str = "this image") -> MicroImage:
    """The image that :func:`address_of` described.

    Raises
    ------
    ImageNotFoundError : it was an array in memory, or its file is gone.
    """
    if not address:
        raise ImageNotFoundError(f"{name} was an array in memory, so it has no address to open; pass the image itself")
    img = open_image(address["path"], series=address.get("series", 0), axes=address.get("axes"))
    for step in address.get("steps", ()):
        img = _taken(img, step)
    return img


def opening_code(address: Address) -> str:
    """The expression that opens it, for people to read and run.

    >>> opening_code({"path": "a.tif", "steps": [{"take": {"z": 3}}, {"pixel_size": {"y": 0.5, "x": 0.5}}]})
    "mnb.open_image(mnb.open_image('a.tif').isel(z=3), pixel_size={'y': 0.5, 'x': 0.5})"
    """
    given = "".join(f", {k}={address[k]!r}" for k in ("series", "axes") if address.get(k))
    code = f"mnb.open_image({address['path']!r}{given})"
    for step in address.get("steps", ()):
        if "take" in step:
            picks = {axis: _pick(value) for axis, value in step["take"].items()}
            code += f".isel({', '.join(f'{a}={_shown(p)}' for a, p in picks.items())})"
        elif "project" in step:
            code += f".sel(project={step['project']!r})"
        else:
            code = f"mnb.open_image({code}{''.join(f', {k}={v!r}' for k, v in step.items())})"
    return code


def _step(source: SourceView | ProjectionView | Restated) -> Address:
    if isinstance(source, SourceView):
        return {"take": {axis: _json(pick) for axis, pick in source.picks.items()}}
    if isinstance(source, ProjectionView):
        return {"project": source.how, "over": source.axis}
    stated = {"pixel_size": dict(source.sizes) if source.sizes else None, "axes": "".join(source.axes or ())}
    return {k: v for k, v in stated.items() if v}


def _changes_nothing(source: Source) -> bool:
    """Opening drops axes of length one by itself."""
    sizes = source.base.info.sizes if isinstance(source, SourceView) else {}
    return isinstance(source, SourceView) and all(pick == 0 and sizes[axis] == 1 for axis, pick in source.picks.items())


def _json(pick: Pick) -> Any:
    return [pick.start, pick.stop] if isinstance(pick, slice) else {"of": list(pick)} if isinstance(pick, tuple) else pick


def _pick(value: Any) -> Any:
    """What ``isel`` takes, from its JSON."""
    return slice(*value) if isinstance(value, list) else list(value["of"]) if isinstance(value, Mapping) else value


def _taken(img: MicroImage, step: Mapping[str, Any]) -> MicroImage:
    if "take" in step:
        return img.isel(**{axis: _pick(value) for axis, value in step["take"].items()})
    if "project" in step:
        return MicroImage(ProjectionView(img.source, step["over"], step["project"]))
    return open_image(img, pixel_size=step.get("pixel_size"), axes=step.get("axes"))


def _shown(pick: Any) -> str:
    return f"slice({pick.start}, {pick.stop})" if isinstance(pick, slice) else repr(pick)
