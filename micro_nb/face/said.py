"""``Said``: what a command leaves, printed as text or as JSON; and the options that several commands share."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

import micro_nb as mnb

if TYPE_CHECKING:
    from ..data.image import MicroImage


def told(help: str, *short: str, many: bool = False) -> Parameter:
    """An option: what it means, its short name, and whether several values may follow it."""
    return Parameter(help=help, alias=short, consume_multiple=many)


AsJson = Annotated[bool, Parameter(parse=False)]
Overwrite = Annotated[bool, told("replace what exists")]
Model = Annotated[str | None, told("a model folder or hub id (default: the built-in Micro-D1 nano)")]
Channel = Annotated[int | str | None, told("the channel that is looked at")]


@dataclass(frozen=True)
class Said:
    """What a command leaves.

    Attributes
    ----------
    text : for people.
    data : the same for programs; printed with ``--json``.
    written : files, named last; beside JSON they are named on the other stream.
    failure : raised once the rest is printed.
    """

    text: str = ""
    data: Any = None
    written: tuple[Any, ...] = ()
    failure: Exception | None = None

    def print(self, *, as_json: bool) -> None:
        """To standard output."""
        if as_json:
            print(json.dumps(plain(self.data), indent=2, ensure_ascii=False))
        elif self.text:
            print(self.text)
        for path in filter(None, self.written):
            print(path, file=sys.stderr if as_json else sys.stdout)
        if self.failure is not None:
            raise self.failure


def plain(value: Any) -> Any:
    """JSON has no NaN and knows nothing of NumPy and tables."""
    if hasattr(value, "to_json"):
        return json.loads(value.to_json(orient="records"))
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, str | int) else str(value)


@Parameter(name="*")
@dataclass(frozen=True)
class Picture:
    """Which image, and which plane of it."""

    image: Annotated[str, told("a file, a zarr store, or an http(s):// or s3:// address")]
    _: KW_ONLY
    pixel_size: Annotated[float | None, told("µm per pixel; replaces what the file says")] = None
    axes: Annotated[str | None, told("what each dimension means, such as tyx, where the file does not say it")] = None
    series: Annotated[int, told("which image of a file that holds several")] = 0
    t: Annotated[int | None, Parameter(name="-t", help="the time point to take")] = None
    z: Annotated[int | None, Parameter(name="-z", help="the slice to take")] = None
    project: Annotated[Literal["max", "mean"] | None, told("project z and t instead of choosing one")] = None

    def open(self) -> MicroImage:
        """The image, with the planes that were chosen."""
        img = mnb.open_image(self.image, pixel_size=self.pixel_size, axes=self.axes, series=self.series).sel(t=self.t, z=self.z)
        return img.plane(project=self.project) if self.project else img

    def plane(self) -> MicroImage:
        """One plane; a stack is refused with the options that choose one."""
        img = self.open()
        extra = [f"{a} ({img.sizes[a]})" for a in ("t", "z") if a in img.axes]
        if extra:
            raise mnb.errors.AxesError(
                f"{img.name} has {' and '.join(extra)} beside y and x; choose with -t and -z, or say --project max"
            )
        return img
