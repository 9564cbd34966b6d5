"""Samples by name, with what scikit-image's documentation says of its images; and samples as addresses, so that they open, travel
and are measured again like files: ``sample:cell``, ``sample:fluorescence?shape=2048,2048&seed=3``."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import numpy as np

from ...errors import ImageNotFoundError, MissingExtraError
from ..image import MicroImage
from ..source import Channel
from ..sources.arrays import ArraySource
from .bacteria import bacteria
from .blood import blood
from .fluorescence import fluorescence
from .histology import histology
from .particles import particles
from .scene import Model, Scene

SCENES: dict[str, Callable[..., Scene]] = {f.__name__: f for f in (bacteria, blood, fluorescence, histology, particles)}
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


@cache
def _images() -> dict[str, dict[str, Any]]:
    """What scikit-image's documentation says of its images, by name."""
    return tomllib.loads(files(__package__).joinpath("scikit.toml").read_text(encoding="utf-8"))


def names(*, bundled: bool | None = None) -> tuple[str, ...]:
    """Names that :func:`load` knows; with ``bundled`` only those that need (False) or need no (True) download.

    >>> "immunohistochemistry" in names(bundled=True)
    True
    """
    return tuple(sorted(n for n in _images() if bundled is None or _is_here(n) == bundled))


def load(name: str, *, download: bool = False) -> MicroImage:
    """One of scikit-image's images of microscopy.

    Parameters
    ----------
    name : see :func:`names`.
    download : whether scikit-image may fetch an image that is not on this machine; nothing is fetched otherwise.

    Raises
    ------
    ImageNotFoundError : an unknown name, or one that needs a download that was not allowed or did not succeed.
    MissingExtraError : a download needs the package pooch.
    """
    if name not in _images():
        raise ImageNotFoundError(f"no sample is called {name!r}; there are {', '.join(names())}")
    if not _is_here(name) and not download:
        raise ImageNotFoundError(
            f"sample {name!r} does not ship with scikit-image; allow fetching it with samples.load({name!r}, download=True), "
            f"or take one that is here: {', '.join(names(bundled=True))}"
        )
    return MicroImage(_source(name, _fetch(name)))


def _fetch(name: str) -> np.ndarray:
    from skimage import data

    try:
        return np.asarray(getattr(data, name)())
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"fetching {name!r} needs pooch; pip install 'micro-nb[samples]' ({error})") from None
    except (OSError, ValueError) as error:  # requests' errors are OSErrors; pooch says ValueError for a wrong hash
        raise ImageNotFoundError(f"sample {name!r} could not be fetched ({error}); check the connection") from None


def _source(name: str, array: np.ndarray) -> ArraySource:
    entry = _images()[name]
    source = ArraySource.of(array, axes=entry["axes"])
    sizes = dict(zip([a for a in "zyx" if a in entry["axes"]], entry.get("pixel_size", ()), strict=False))
    facts = {k: entry[k] for k in ("what", "licence")} | {"source": f"scikit-image {version('scikit-image')}"}
    info = replace(
        source.described, channels=tuple(Channel(**c) for c in entry.get("channels", ())) or source.described.channels,
        facts=facts, pixel_size=sizes or None, pixel_size_source="scikit-image documentation" if sizes else None,
    )  # fmt: skip
    return replace(source, described=info, uri=f"sample:{name}", format="scikit-image sample")


def _is_here(name: str) -> bool:
    """Whether the image lies in scikit-image's package or in its download folder."""
    import skimage
    from skimage import data

    file = str(_images()[name]["file"])
    return any((folder / file).exists() for folder in (Path(skimage.__file__).parent / "data", Path(data.data_dir)))
