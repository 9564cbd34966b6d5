"""Samples as addresses, so that they open, travel and are measured again like files: ``sample:cell``,
``sample:fluorescence?shape=2048,2048&seed=3``."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields
from urllib.parse import parse_qsl

from ...errors import ImageNotFoundError
from ..image import MicroImage
from .bacteria import bacteria
from .blood import blood
from .fluorescence import fluorescence
from .histology import histology
from .particles import particles
from .scene import Model, Scene
from .scikit import load, names

SCENES: dict[str, Callable[..., Scene]] = {
    "bacteria": bacteria,
    "blood": blood,
    "fluorescence": fluorescence,
    "histology": histology,
    "particles": particles,
}
_SCHEME = "sample:"


def scene_address(model: Model) -> str:
    """The address of a scene: what differs from the generator's defaults, and always shape and seed."""
    usual = SCENES[model.kind](model.shape).model
    parts = [f"shape={model.shape[0]},{model.shape[1]}", f"seed={model.seed}"]
    parts += [
        f"{f.name}={json.dumps(getattr(model, f.name))}"
        for f in fields(model)
        if f.name not in ("shape", "seed") and getattr(model, f.name) != getattr(usual, f.name)
    ]
    return f"{_SCHEME}{model.kind}?{'&'.join(parts)}"


def open_sample(address: str) -> MicroImage:
    """The sample an address names; nothing is downloaded.

    Raises
    ------
    ImageNotFoundError : no such sample, or a parameter its generator does not have; both are listed.

    Examples
    --------
    >>> open_sample("sample:particles?shape=64,80&seed=2").sizes
    {'y': 64, 'x': 80}
    """
    name, _, query = address.removeprefix(_SCHEME).partition("?")
    if name not in SCENES:
        if name not in names():
            raise ImageNotFoundError(f"{address}: no sample is called {name!r}; there are {', '.join((*SCENES, *names()))}")
        return load(name)
    return _scene(name, query, address).image


def _scene(name: str, query: str, address: str) -> Scene:
    known = {f.name for f in fields(SCENES[name]((1, 1)).model)}
    given = dict(parse_qsl(query))
    if unknown := sorted(set(given) - known):
        raise ImageNotFoundError(f"{address}: {name} has no {', '.join(unknown)}; it has {', '.join(sorted(known))}")
    try:
        values = {k: json.loads(v) for k, v in given.items() if k != "shape"}
        shape = tuple(int(n) for n in given.get("shape", "2048,2048").split(","))
        return SCENES[name](shape, **values)
    except (ValueError, TypeError) as error:
        raise ImageNotFoundError(f"{address}: parameters are numbers, e.g. shape=2048,2048&seed=3 ({error})") from None
