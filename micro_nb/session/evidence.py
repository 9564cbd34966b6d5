"""``Evidence``: one measured fact and everything needed to measure it again."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import version as _installed
from types import MappingProxyType
from typing import Any, Literal

from .. import __version__
from ..data.image import MicroImage
from ..data.open import open_image
from ..data.region import Region
from ..errors import EvidenceError
from ..settings import settings
from .registry import Measurement, Value, get, run

Verdict = Literal["identical", "within tolerance", "differs"]


@dataclass(frozen=True)
class Evidence:
    """One measured fact.

    Attributes
    ----------
    quantity : what was measured, e.g. ``"count of nuclei"``.
    value : number, bool, str, or a tuple of numbers (a box is ``(x0, y0, x1, y1)`` in px); None where nothing could be measured.
    unit : ``"count"``, ``"um"``, ``"um2"``, ``"px"``, ``"px2"``, ``"%"``, ``"per mm2"``, ``""`` ...
    interval : 95 % interval of ``value``, same unit; None where none applies.
    region : the part of the image that was looked at; None for the whole.
    level : pyramid level that was read.
    function : name of the registered tool that measured it.
    parameters : its JSON arguments, thresholds and scales it found included.
    version : of micro_nb.
    image_id : content id of the image; None where no image was needed.
    image : how to open it again (``path`` and the ``pixel_size`` the user gave); empty for arrays in memory.
    weights : hash of the model weights; None without a model.
    environment : threads, dtype, library versions.
    thumbnail : PNG bytes of the place; not part of the identity.
    """

    quantity: str
    value: Value
    unit: str = ""
    interval: tuple[float, float] | None = None
    region: Region | None = None
    level: int = 0
    function: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""
    image_id: str | None = None
    image: Mapping[str, Any] = field(default_factory=dict)
    weights: str | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)
    thumbnail: bytes | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if isinstance(self.value, float) and not math.isfinite(self.value):
            raise EvidenceError(f"{self.quantity}: the measured value is {self.value}; a fact must be finite")
        for name in ("parameters", "environment", "image"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    @property
    def id(self) -> str:
        """Short hash of the fact and its making; equal facts have equal ids."""
        return hashlib.sha256(json.dumps(self._fields(), sort_keys=True, default=str).encode()).hexdigest()[:12]

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without the thumbnail; :meth:`from_dict` reverses it."""
        return {"id": self.id} | self._fields()

    def _fields(self) -> dict[str, Any]:
        d = {k: getattr(self, k) for k in self.__dataclass_fields__ if k != "thumbnail"}
        d |= {"region": asdict(self.region) if self.region else None}
        d |= {name: dict(d[name]) for name in ("parameters", "environment", "image")}
        return d | {name: list(d[name]) for name in ("value", "interval") if isinstance(d[name], tuple)}

    @classmethod
    def from_dict(cls, d: Mapping[str, Any]) -> Evidence:
        """The evidence that :meth:`to_dict` described."""
        d = {k: v for k, v in d.items() if k != "id"}
        tuples = {k: tuple(d[k]) for k in ("value", "interval") if isinstance(d[k], list)}
        return cls(**d | tuples | {"region": Region.from_dict(d["region"]) if d["region"] else None})

    @classmethod
    def of(
        cls, m: Measurement, name: str, img: MicroImage | None, *, region: Region | None, parameters: Mapping[str, Any]
    ) -> Evidence:
        """Ties what tool ``name`` measured on ``img`` with ``parameters`` to everything needed to measure it again."""
        taken = get(name).arguments
        found = {f"found_{k}" if k in taken else k: v for k, v in m.found.items()}
        return cls(
            m.quantity, m.value, m.unit, m.interval, region, m.level, name, {**found, **parameters}, __version__,
            img.content_id if img is not None else None, _how_to_open(img), m.found.get("weights"), environment=_environment(img),
        )  # fmt: skip

    @property
    def arguments(self) -> dict[str, Any]:
        """Of :attr:`parameters`, those that were given to the tool; the others it found."""
        return {k: v for k, v in self.parameters.items() if k in get(self.function).arguments}

    def recompute(self, img: MicroImage | None = None, *, rel_tol: float = 1e-3) -> tuple[Verdict, Evidence]:
        """Measures the same fact again.

        Parameters
        ----------
        img : the image; None opens it again from where it was (:attr:`image`).
        rel_tol : relative difference still called "within tolerance".

        Returns
        -------
        How the two agree, and the new evidence.

        Raises
        ------
        EvidenceError : no tool made this, the image lived in memory and was not given, or it is another image.
        """
        if not self.function:
            raise EvidenceError(f"{self.quantity}: no tool measured this, so it cannot be measured again")
        if img is None and self.image_id is not None:
            img = self._reopen()
        if img is not None and self.image_id is not None and img.content_id != self.image_id:
            raise EvidenceError(
                f"{self.quantity}: was measured on the image {self.image_id}, not on {img.name} ({img.content_id}); "
                "pass the very image or selection it was measured on"
            )
        measured = {m.quantity: m for m in run(self.function, img, region=self.region, **self.arguments)}
        if self.quantity not in measured:
            raise EvidenceError(f"tool {self.function!r} no longer gives {self.quantity!r}; it gives {', '.join(measured)}")
        again = Evidence.of(measured[self.quantity], self.function, img, region=self.region, parameters=self.arguments)
        return self.compare(again, rel_tol=rel_tol), again

    def code(self) -> str:
        """The Python lines that measure this fact again; for an array in memory, ``img`` must be at hand."""
        lines = ["import micro_nb as mnb", "from micro_nb.session.registry import run", ""]
        region = f", region=mnb.{self.region!r}" if self.region else ""
        arguments = "".join(f", {k}={v!r}" for k, v in self.arguments.items())
        if self.image.get("path"):
            lines.append(f"img = mnb.open_image({', '.join(self._opening())})")
        subject = "img" if self.image_id else "None"
        lines.append(f"measured = {{m.quantity: m for m in run({self.function!r}, {subject}{region}{arguments})}}")
        return "\n".join([*lines, f"print(measured[{self.quantity!r}])"])

    def _opening(self) -> list[str]:
        size = self.image.get("pixel_size")
        return [repr(self.image["path"]), *([f"pixel_size={size!r}"] if size else [])]

    def _reopen(self) -> MicroImage:
        if not self.image.get("path"):
            raise EvidenceError(f"{self.quantity}: the image was an array in memory; pass it again: evidence.recompute(img)")
        return open_image(self.image["path"], pixel_size=self.image.get("pixel_size"))

    def compare(self, other: Evidence, *, rel_tol: float = 1e-3) -> Verdict:
        """How a second measurement of the same fact agrees with this one."""
        if self.value == other.value:
            return "identical"
        a, b = (v if isinstance(v, tuple) else (v,) for v in (self.value, other.value))
        numbers = len(a) == len(b) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in a + b)
        close = numbers and all(math.isclose(x, y, rel_tol=rel_tol) for x, y in zip(a, b, strict=True))  # type: ignore[arg-type]
        return "within tolerance" if close else "differs"


def _how_to_open(img: MicroImage | None) -> dict[str, Any]:
    """Path and user-given pixel size; empty where opening the path would not give this image (arrays, selections)."""
    if img is None or img.uri is None:
        return {}
    stated = dict(img.pixel_size) if img.pixel_size and img.pixel_size_source == "argument" else None
    return {"path": img.uri} | ({"pixel_size": stated} if stated else {})


@cache
def _version(name: str) -> str:
    return _installed(name)


def _environment(img: MicroImage | None) -> dict[str, Any]:
    versions = {name: _version(name) for name in ("numpy", "scipy", "scikit-image")}
    return {"threads": settings.threads, **({"dtype": str(img.dtype)} if img is not None else {}), **versions}
