"""``Evidence``: one measured fact and everything needed to measure it again."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib.metadata import version
from types import MappingProxyType
from typing import Any, Literal

from .. import __version__
from ..data.image import MicroImage
from ..data.open import open_image
from ..data.region import Region
from ..errors import EvidenceError
from ..settings import settings
from .language import Call, parse
from .measures.evaluation import evaluate
from .measures.eyes import FLOOR, METHOD, MICRO_D1
from .measures.measurement import Measurement, Value
from .measures.scene import Scene

Verdict = Literal["identical", "within tolerance", "differs"]
SOFTWARE = ("numpy", "scipy", "scikit-image")


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
    function : name of the measurement that it comes from.
    parameters : ``expression``, which means it, and the thresholds, scales and sizes that were found on the way; JSON values.
    version : of micro_nb.
    image_id : content id of the image; None where no image was needed.
    image : how to open it again (``path`` and the ``pixel_size`` the user gave); empty for arrays in memory.
    weights : hash of the model weights; None without a model.
    environment : threads, dtype, library versions; ``cautions`` about the image's values, where it has any.
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
        """JSON-ready; :meth:`from_dict` reverses it."""
        return {"id": self.id} | self._fields()

    def _fields(self) -> dict[str, Any]:
        d = {k: getattr(self, k) for k in self.__dataclass_fields__} | {"region": asdict(self.region) if self.region else None}
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
        cls,
        m: Measurement,
        call: Call,
        img: MicroImage | None,
        *,
        region: Region | None = None,
        marked: Region | None = None,
        images: Mapping[str, MicroImage] = MappingProxyType({}),
        groups: Mapping[str, Sequence[str]] = MappingProxyType({}),
    ) -> Evidence:
        """Ties what an expression measured on ``img`` to everything needed to measure it again.

        Parameters
        ----------
        images, groups : of a session about several images those that the fact stands on, by name, and the conditions they
        belong to.
        """
        album = {name: {"content_id": i.content_id, **_how_to_open(i)} for name, i in images.items()}
        members = {name: list(of) for name, of in groups.items()}
        held = {"marked": asdict(marked) if marked is not None else None, "album": album, "groups": members}
        told = {"expression": str(call), **{k: v for k, v in held.items() if v}}
        about = (img.content_id if img is not None else None, _how_to_open(img), m.found.get("weights"), _environment(img))
        found = json.loads(json.dumps(dict(m.found), default=_as_json))
        what = (m.quantity, m.value, m.unit, m.interval, region, m.level, call.name)
        return cls(*what, {**told, **found}, __version__, *about)

    @property
    def call(self) -> Call:
        """The expression that means it.

        Raises
        ------
        EvidenceError : none is recorded: it was stated, not measured, or by a version that had no expressions.
        """
        if "expression" not in self.parameters:
            how = f"by {self.function!r} of an earlier version" if self.function else "by nothing: it was stated in the question"
            raise EvidenceError(f"{self.quantity}: was measured {how}, so it cannot be measured again; ask the question anew")
        return parse(str(self.parameters["expression"]))

    def recompute(
        self, img: MicroImage | Mapping[str, MicroImage] | None = None, *, rel_tol: float = 1e-3
    ) -> tuple[Verdict, Evidence]:
        """Measures the same fact again.

        Parameters
        ----------
        img : the image, or images of which it takes those it stands on; what is not given is opened again from where it was.
        rel_tol : relative difference still called "within tolerance".

        Returns
        -------
        How the two agree, and the new evidence.

        Raises
        ------
        EvidenceError : nothing measured this, the image lived in memory and was not given, or it is another image.
        """
        call = self.call
        if self.parameters.get("method") == "objects given":
            raise EvidenceError(f"{self.quantity}: the objects were given to the session; make one with them and ask again")
        images = self._images(list(img.values()) if isinstance(img, Mapping) else [img] if img is not None else [])
        about = next((name for name, i in images.items() if i.content_id == self.image_id), None)
        result = evaluate(call, self._scene(images, about))
        facts = {m.quantity: m for r in reversed(result.every()) for m in r.measured}
        if self.quantity not in facts:
            raise EvidenceError(f"{call} no longer gives {self.quantity!r}; it gives {', '.join(facts)}")
        again = Evidence.of(facts[self.quantity], call, images[about] if about is not None else None, region=self.region)
        return self.compare(again, rel_tol=rel_tol), again

    def _images(self, given: Sequence[MicroImage]) -> dict[str, MicroImage]:
        """The images it stands on, by name: those that are given, others opened again."""
        alone = {"": {"content_id": self.image_id, **self.image}} if self.image_id is not None else {}
        wanted: Mapping[str, Mapping[str, Any]] = self.parameters.get("album") or alone
        found = {}
        for name, how in wanted.items():
            image = next((i for i in given if i.content_id == how["content_id"]), None)
            if image is None and given and len(wanted) == 1:
                other = f"not on {given[0].name} ({given[0].content_id}); pass the very image or selection it was measured on"
                raise EvidenceError(f"{self.quantity}: was measured on the image {how['content_id']}, {other}")
            if image is None and not how.get("path"):
                raise EvidenceError(f"{self.quantity}: the image was an array in memory; pass it again: evidence.recompute(img)")
            image = image or open_image(how["path"], pixel_size=how.get("pixel_size"))
            found[name or image.name] = image
        return found

    def _scene(self, images: Mapping[str, MicroImage], about: str | None) -> Scene:
        told, tiles = self.parameters, self.parameters.get("tiles_drawn")
        return Scene(
            images,
            about,
            told.get("eyes", FLOOR),
            marked=Region.from_dict(told["marked"]) if "marked" in told else None,
            groups={name: tuple(members) for name, members in told.get("groups", {}).items()},
            standing=tuple(told.get("standing", ())),
            tiles=tiles if isinstance(tiles, int) else None,
        )

    def code(self) -> str:
        """The Python lines that measure this fact again; for an array in memory, ``img`` (or ``images``) must be at hand."""
        return "\n".join(["import micro_nb as mnb", "", *self.opening(), self.line(), "print(answer.value, answer.unit)"])

    def line(self) -> str:
        """Of :meth:`code` the one that measures."""
        subject = "images" if self.parameters.get("album") else "img" if self.image_id else ""
        floor = self.parameters.get("method") == METHOD
        eyes = self.parameters.get("eyes", FLOOR if floor else None)
        given = ", ".join(filter(None, (subject, f"eyes={eyes!r}" if eyes and eyes != MICRO_D1 else "", "log=False")))
        marked, standing = self.parameters.get("marked"), self.parameters.get("standing")
        held = f", region=mnb.Region.from_dict({dict(marked)!r})" if marked and "this" in str(self.call) else ""
        held += f", having={list(standing)!r}" if standing else ""
        return f"answer = mnb.Session({given}).measure({str(self.call)!r}{held})"

    def opening(self) -> list[str]:
        """Of :meth:`code` the lines that open what it was measured on; none for arrays in memory."""
        images: Mapping[str, Mapping[str, Any]] = self.parameters.get("album") or {}
        if images and all(how.get("path") for how in images.values()):
            opened = {name: _open_code(how) for name, how in images.items()}
            for group, members in self.parameters.get("groups", {}).items():
                opened[group] = f"[{', '.join(opened.pop(m) for m in members)}]"
            return [f"images = {{{', '.join(f'{name!r}: {code}' for name, code in opened.items())}}}"]
        return [f"img = {_open_code(self.image)}"] if self.image.get("path") and not images else []

    def compare(self, other: Evidence, *, rel_tol: float = 1e-3) -> Verdict:
        """How a second measurement of the same fact agrees with this one."""
        if self.value == other.value:
            return "identical"
        a, b = (v if isinstance(v, tuple) else (v,) for v in (self.value, other.value))
        numbers = len(a) == len(b) and all(isinstance(v, int | float) and not isinstance(v, bool) for v in a + b)
        close = numbers and all(math.isclose(x, y, rel_tol=rel_tol) for x, y in zip(a, b, strict=True))  # type: ignore[arg-type]
        return "within tolerance" if close else "differs"


def _as_json(value: Any) -> Any:
    """JSON values only; what is none is written as text."""
    if hasattr(value, "item"):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple | set) else str(value)


def _open_code(how: Mapping[str, Any]) -> str:
    size = f", pixel_size={how['pixel_size']!r}" if how.get("pixel_size") else ""
    return f"mnb.open_image({how['path']!r}{size})"


def _how_to_open(img: MicroImage | None) -> dict[str, Any]:
    """Path and user-given pixel size; empty where opening the path would not give this image (arrays, selections)."""
    if img is None or img.uri is None:
        return {}
    stated = dict(img.pixel_size) if img.pixel_size and img.pixel_size_source == "argument" else None
    return {"path": img.uri} | ({"pixel_size": stated} if stated else {})


_version = cache(version)


def _environment(img: MicroImage | None) -> dict[str, Any]:
    about = {"dtype": str(img.dtype), "cautions": list(img.info.cautions)} if img is not None else {}
    return {"threads": settings.threads, **{k: v for k, v in about.items() if v}, **{name: _version(name) for name in SOFTWARE}}
