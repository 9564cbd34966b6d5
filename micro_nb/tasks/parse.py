"""``parse``: text prompts to instances. The image is looked at once; a prompt then selects among what was seen."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import expit
from xarray.core import indexing

from .. import __version__
from ..analysis.segment import segmented_plane
from ..data.image import MicroImage
from ..data.open import open_image
from ..data.view import Projection
from ..errors import PlanError, WriteError
from ..models.adapters import Segmenter
from ..models.network import MicroD1
from ..tiles.labels import MEMORY_BOUND, layer_array
from ..tiles.objects import Objects
from .adapted import parse_adapted
from .asked import Asked, read
from .load import load_model
from .look.cache import held
from .look.looking import image_vector, look_at, object_vectors
from .look.measured import Drawn, chosen_rows, measured
from .look.seen import Seen
from .names import LEAST, Vocabulary, layers_of
from .presence import Presence, judge, parts, statistic
from .recognise import recognise
from .refine import refine
from .text import encode_text

_LAZY_PX = 1 << 24  # of planes as large as this labels are kept compressed
_ByLayer = dict[str, np.ndarray]
_Chosen = tuple[_ByLayer, _ByLayer, list[Presence]]
"""Of each layer the name of every object, ``""`` where it is left out, and its score; presence of what was asked for."""


def parse(
    img: Any, prompts: str | Sequence[str] | None = None, *, tile: int = 1024, out: str | os.PathLike[str] | None = None,
    model: MicroD1 | Segmenter | None = None, channel: int | str | None = None, diameter_px: float | None = None,
    project: Projection | None = None, client: Any = None,
) -> Objects:  # fmt: skip
    """Finds what prompts name, on a plane of any size; without prompts, everything, and names it.

    Unasked, an object is given a name that training showed in pictures of the modality that this one is recognised as; in
    a grey picture that is recognised as none, and elsewhere, it is called an object.

    Parameters
    ----------
    img : an image or what :func:`micro_nb.open_image` takes.
    prompts : one or several: ``["nucleus", "white blood cell"]``; synonyms, plurals, abbreviations and typos are understood, and
        words around the name ("the DAPI-stained nuclei"). A word that narrows it down ("large nuclei") is not: all nuclei are
        found then, and the word is said to be unread.
    tile : edge of the blocks that objects are measured in; changes speed and memory, never the objects.
    out : a new ``.zarr`` path for the objects, whose labels then stay on disk.
    model : from :func:`micro_nb.load_model`, the built-in one by default; or another segmenter behind
        :class:`~micro_nb.models.adapters.Segmenter`, such as ``SamSegmenter``.
    channel : of several that are not a colour picture; by default a nuclear stain by its name, else the first.
    diameter_px : typical object diameter in pixels of level 0. Where it is not given, glances tell it; a pixel size of the image
        then leaves only sizes that such objects have.
    project : ``"max"`` or ``"mean"`` over a longer z or t.
    client : a ``dask.distributed.Client`` whose workers look, with Micro-D1 in torch, at the image where it lies.

    Returns
    -------
    Objects whose ``table`` has ``label layer name score`` (0..1) and measurements, whose ``labels`` are ``(layer, y, x)``, whose
    ``presence`` has a row a prompt (``name status present p_value count read_as unread``), and whose ``made_by`` says with which
    weights, at which scale, and what modality, stain and specimen were recognised.

    Raises
    ------
    PlanError : ``tile`` below 1, an empty prompt, several prompts for a segmenter that knows no words, or an image in memory that
        the workers of ``client`` cannot open.
    WriteError : ``out`` exists.

    Examples
    --------
    >>> import micro_nb as mnb
    >>> found = mnb.parse(mnb.samples.load("immunohistochemistry"), ["nucleus"])  # doctest: +SKIP
    >>> found.presence.status.tolist()  # doctest: +SKIP
    ['present']
    """
    asked = _checked(prompts, tile, out)
    img, model = open_image(img), model or load_model()
    run: Callable[..., Objects]
    if isinstance(model, Segmenter):
        plane, _ = segmented_plane(img, channel, project)
        run = partial(_adapted, plane, asked, model, tile=tile, diameter_px=diameter_px)
    else:
        plane, seen = look_at(img, model, channel=channel, diameter_px=diameter_px, project=project, client=client)
        run = partial(parse_seen, plane, seen, asked, model, tile=tile)
    if out is None:
        _check_room(plane)
        return run()
    with tempfile.TemporaryDirectory(dir=Path(out).absolute().parent) as folder:
        run(**({"folder": Path(folder)} if isinstance(model, Segmenter) else {"written": True})).save(out)
    return Objects.load(out)


def _checked(prompts: str | Sequence[str] | None, tile: int, out: str | os.PathLike[str] | None) -> list[str] | None:
    """What is asked for as a list, or None for everything; refused before an image is opened where it cannot be answered."""
    if tile < 1:
        raise PlanError(f"tile={tile} must be at least 1")
    asked = [prompts] if isinstance(prompts, str) else None if prompts is None else list(prompts)
    if asked is not None and (not asked or any(not p.strip() for p in asked)):
        raise PlanError(f"prompts={asked} must name something; None finds everything")
    if out is not None and Path(out).exists():
        raise WriteError(f"{out}: already exists; choose another name")
    return asked


def _adapted(
    plane: MicroImage, prompts: Sequence[str] | None, segmenter: Segmenter, *, tile: int, diameter_px: float | None,
    folder: Path | None = None,
) -> Objects:  # fmt: skip
    """Another segmenter finds by itself, or outlines what Micro-D1 finds and names."""
    if not segmenter.prompted:
        return parse_adapted(plane, prompts, segmenter, tile=tile, diameter_px=diameter_px, folder=folder)
    model = load_model()
    plane, seen = look_at(plane, model, diameter_px=diameter_px)
    return refine(plane, parse_seen(plane, seen, prompts, model, tile=tile), segmenter, tile=tile, folder=folder)


def _check_room(plane: MicroImage) -> None:
    height, width = plane.plane_shape
    if height * width * 4 > MEMORY_BOUND:
        raise PlanError(
            f"labels of {plane.name} ({height} x {width}) need {height * width * 4 / 2**30:.1f} GiB a layer, more than is "
            "kept in memory; pass out='objects.zarr' to write them to disk"
        )


def parse_seen(
    plane: MicroImage, seen: Seen, prompts: Sequence[str] | None, model: MicroD1, *, tile: int = 1024, written: bool = False
) -> Objects:
    """Objects of a plane that has been looked at; where they are ``written`` next, their labels are not held in memory."""
    vocabulary = Vocabulary.of(model, coloured=seen.coloured)
    recognised = recognise(image_vector(seen, model), model, seen.thumbnail)
    modality = recognised.get("modality", {}).get("name")
    strange = vocabulary.out_of_place(modality, coloured=seen.coloured)
    if prompts is None:
        names, scores, judged = _everything(seen, vocabulary, model, strange if modality else strange | {""})
    else:
        names, scores, judged = _asked(seen, prompts, vocabulary, model, strange if modality else frozenset())
    layers = [name for name in seen.layers if names[name].any()] or [next(iter(seen.layers))]
    labels, table = _labels(plane, seen, names, layers, written), _table(plane, seen, names, scores, layers, tile)
    presence = pd.DataFrame([asdict(p) for p in judged], columns=[f.name for f in fields(Presence)])
    made_by = {
        "function": "parse", "version": __version__, "prompts": None if prompts is None else list(prompts), **seen.to_dict(),
        "recognised": recognised,
    }  # fmt: skip
    return Objects(table, labels, presence, plane.pixel_size, plane.content_id, made_by)


def _everything(seen: Seen, vocabulary: Vocabulary, model: MicroD1, strange: frozenset[str]) -> _Chosen:
    """Every object by its name; where that is ``strange`` by the next best, else an object, and within objects nothing."""
    names, scores = {}, {}
    familiar = replace(vocabulary, unseen=vocabulary.unseen | strange)
    for layer, objects in seen.layers.items():
        vectors = object_vectors(seen, layer, model)
        found, p = vocabulary.names(vectors, layer)
        instead, likely = familiar.names(vectors, layer)
        called = zip(found, instead, p, strict=True)
        names[layer] = np.array([_called(*each, layer, strange) for each in called], object)
        scores[layer] = np.where(names[layer] == np.array(instead, object), likely, p) * objects.certainty
    if {"nucleus", "object"} <= set(names) and 2 * (names["object"] == "nucleus").sum() > len(names["object"]):
        names["nucleus"][:] = ""  # a nucleus that is the whole object is not listed twice
    every = pd.Series(np.concatenate(list(names.values())))
    counts = every[every != ""].value_counts()
    return names, scores, [Presence(str(n), "present", True, None, int(k), str(n)) for n, k in counts.items()]


def _called(name: str, instead: str, p: float, layer: str, strange: frozenset[str]) -> str:
    """What is like no thing of a layer, yet like some thing, is an object."""
    if name and name not in strange:
        return name
    return instead or ("object" if layer == "object" and (name in strange or p >= LEAST) else "")


def _asked(seen: Seen, prompts: Sequence[str], vocabulary: Vocabulary, model: MicroD1, strange: frozenset[str]) -> _Chosen:
    """What prompts mean; a ``strange`` thing is believed where most objects look like it, for the picture may be mistaken."""
    names: _ByLayer = {layer: np.full(len(objects), "", object) for layer, objects in seen.layers.items()}
    scores, judged = {layer: np.zeros(len(objects)) for layer, objects in seen.layers.items()}, []
    image, vectors = image_vector(seen, model), {layer: object_vectors(seen, layer, model) for layer in seen.layers}
    asked, familiar = [read(prompt, vocabulary) for prompt in prompts], replace(vocabulary, unseen=vocabulary.unseen | strange)
    for one, vector in zip(asked, encode_text([a.words for a in asked], model=model), strict=True):
        known = vocabulary if one.concept in strange else familiar
        layer, objects, odds, presence = _meant(one, vector, image, vectors, known, model, strange)
        judged.append(presence)
        if presence.present is not False:
            score = expit(odds) * seen.layers[layer].certainty
            better = objects & (score > scores[layer])
            names[layer][better], scores[layer][better] = one.prompt, score[better]
    return names, scores, judged


def _meant(
    asked: Asked, vector: np.ndarray, image: np.ndarray, vectors: Mapping[str, np.ndarray], vocabulary: Vocabulary,
    model: MicroD1, strange: frozenset[str],
) -> tuple[str, np.ndarray, np.ndarray, Presence]:  # fmt: skip
    """What one prompt means: which objects of which layer, the log odds of each object there, and whether it is in the image."""
    layer, objects, odds = best_layer(vector, vectors, vocabulary, asked.concept)
    if asked.concept in strange and 2 * objects.sum() <= len(objects):
        objects = np.zeros(len(odds), bool)
    weights = tuple(model.calibration.get("presence", {}).get("weights", (1.0, 1.0)))
    score = statistic(*parts(float(image @ vector), odds[objects], model), weights)
    if not asked.known:
        objects = np.full(len(odds), asked.concept is not None)
    trained = asked.known and not asked.unread
    presence = judge(asked.prompt, score, int(objects.sum()), trained=trained, calibration=model.calibration)
    return layer, objects, odds, replace(presence, read_as=asked.concept or "", unread=", ".join(asked.unread))


def best_layer(
    vector: np.ndarray, vectors: Mapping[str, np.ndarray], vocabulary: Vocabulary, concept: str | None
) -> tuple[str, np.ndarray, np.ndarray]:  # fmt: skip
    """A prompt's layer, which of its objects are meant, log odds of each: whole objects where most are, else where it is most."""
    options = [layer for layer in (layers_of(concept) if concept else ("object",)) if layer in vectors] or [next(iter(vectors))]
    found = [(layer, *vocabulary.matching(vectors[layer], vector, concept, layer)) for layer in options]
    whole = found[0]
    return whole if 2 * whole[1].sum() > len(whole[1]) else max(found, key=lambda f: int(f[1].sum()))


def _labels(plane: MicroImage, seen: Seen, names: _ByLayer, layers: Sequence[str], written: bool) -> xr.DataArray:
    """Labels ``(layer, y, x)`` of the chosen objects, which keep their numbers; drawn when they are first looked at."""
    named = [np.append(False, names[layer] != "") for layer in layers]
    numbers = [shown * np.arange(len(shown), dtype=np.int32) for shown in named]
    labels = [seen.layers[layer].labels for layer in layers]
    out = layer_array(Drawn(labels if written else list(map(held, labels)), numbers), layers, pixel_size=plane.pixel_size)
    large = plane.plane_shape[0] * plane.plane_shape[1] >= _LAZY_PX
    return out if written or large else out.copy(data=indexing.MemoryCachedArray(out.variable._data))  # type: ignore[no-untyped-call]


def _table(
    plane: MicroImage, seen: Seen, names: _ByLayer, scores: _ByLayer, layers: Sequence[str], tile: int
) -> pd.DataFrame:  # fmt: skip
    """Measurements with the names and scores that were chosen."""
    tables = []
    for layer in layers:
        rows = chosen_rows(measured(plane, seen, layer, max(tile, 256)), names[layer] != "", plane)
        at = rows["label"].to_numpy() - 1
        rows["name"] = names[layer][at].tolist()
        rows["score"] = [round(score, 4) for score in scores[layer][at].tolist()]
        tables.append(rows)
    return pd.concat(tables, ignore_index=True)
