"""Fine-tuning on a user's own labels: about twenty images, minutes on two cores, a model folder at the end."""

from __future__ import annotations

import copy
import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..errors import WriteError
from ..models.network import fast_bfloat16
from ..progress import track
from ..tasks.embed import embed
from ..tasks.load import load_model, prepared, quiet
from ..tasks.parse import parse
from .checks import CHECK_EVERY, Checks, run, workfolder
from .judging import Compared, Truth
from .labelled import Labelled, read_labelled
from .learner import Tuner, teaching
from .loop import device
from .metrics.instances import Overlap
from .recipe import Recipe
from .training import Training

_SHOWN = 12
"""Labelled images that the point of a new name is taken from."""


def finetune(
    images: Any, labels: Any, *, out: str | os.PathLike[str], base: Any = "nano", name: str = "object", steps: int = 300,
    partial: bool = False, seed: int = 0, batch: int = 4, edge: int = 160,
) -> Training:  # fmt: skip
    """Teaches a model a new kind of object; see :func:`micro_nb.learn.train.train`, which calls this.

    Killed and called again with the same images, labels and settings, it goes on from its last check. Interrupted (Ctrl-C), it
    writes the best model so far.

    Parameters
    ----------
    images, labels, partial : see :func:`micro_nb.learn.labelled.read_labelled`.
    out : the model folder to make; whole or absent. base : a model, or what :func:`micro_nb.tasks.load_model` takes.
    name : what the objects are called; ``parse(img, [name], model=out)`` finds them.
    steps : at most so many; it stops before where the held-out fifth gets no better.
    batch, edge : crops a step, and their pixels.

    Raises
    ------
    WriteError : ``out`` exists.
    """
    target = Path(out)
    if target.exists():
        raise WriteError(f"{target}: already exists; choose another folder for the model")
    pairs = read_labelled(images, labels, partial=partial)
    old: Any = load_model(base) if isinstance(base, str | os.PathLike) else base
    learned_from, held = divided(pairs, seed)
    start = time.perf_counter()
    before = figures(held, old, None, what="checking the base")
    looks_s = (time.perf_counter() - start) / max(len(held), 1) * (len(held) + min(len(learned_from), _SHOWN))
    recipe = Recipe(
        {"mine": 1.0}, name=name, initial="random", diameter=old.config.diameter_px, rate=4e-4, encoder_rate=4e-5,
        warmup=min(20, steps), average=0.98, save_every=CHECK_EVERY, steps=steps, batch=batch, edge=edge, seed=seed,
    )  # fmt: skip
    work = workfolder(target, old, recipe, pairs)
    tuner = Tuner(old.config, old.tile, bfloat16=fast_bfloat16(device()))
    parts = [[p.sample(name, k) for k, p in enumerate(part) if (p.labels > 0).any()] for part in (learned_from, held)]
    loop = teaching(recipe, parts[0], work, learner=tuner)
    checks = Checks.of(parts[1], recipe, tuner.layers, work, loop.step)
    stopped = run(loop, checks, what=f"fine-tuning on {name}", other_s=looks_s)
    model = renewed(old, checks.best or loop.averaged("network."))
    named(model, name, learned_from[:_SHOWN])
    write_model(model, target)
    shutil.rmtree(work, ignore_errors=True)
    after = figures(held, model, [name], what="checking what was learned")
    names = tuple(pair.image.name for pair in held)
    return Training(target, loop.step, loop.seconds, curve(loop.lines, checks.at), before, after, names, stopped)


def divided(pairs: Sequence[Labelled], seed: int) -> tuple[list[Labelled], list[Labelled]]:
    """A fifth of the images for checking, at least one of five; below that all are learned from."""
    order = np.random.default_rng(seed).permutation(len(pairs))
    held = order[: len(pairs) // 5]
    kept = [pair for k, pair in enumerate(pairs) if k not in held]
    return kept, [pairs[k] for k in sorted(held)]


def curve(log: Sequence[Mapping[str, Any]], checked: Mapping[int, float]) -> list[dict[str, Any]]:
    """A row a step that was logged or checked: losses on what is learned from, and ``validation`` on what is held out."""
    rows: dict[int, dict[str, Any]] = {step: {"step": step, "validation": loss} for step, loss in checked.items()}
    for line in log:
        rows[line["step"]] = rows.get(line["step"], {}) | dict(line)
    return [rows[step] for step in sorted(rows)]


def figures(pairs: Sequence[Labelled], model: Any, prompts: Sequence[str] | None, *, what: str = "checking") -> dict[str, float]:
    """AP@0.5 of what ``parse`` finds, mean over images, with counts; what lies where nothing is known is left out."""
    if not pairs:
        return {}
    made = [
        Compared.of(Truth(pair.labels), parse(pair.image, prompts, model=model), None).at(0.5, lenient=True)
        for pair in track(pairs, what, unit="images")
    ]
    ap, found, true = np.array([(m.ap, m.tp + m.fp, m.tp + m.fn) for m in made], float).T
    return {"ap50": float(ap.mean()), "found": float(found.sum()), "true": float(true.sum())}


def renewed(base: Any, weights: Mapping[str, torch.Tensor]) -> Any:
    """A copy of a model with other weights of its tile network, ready to look."""
    model = copy.deepcopy(base)
    model.tile.load_state_dict(dict(weights))
    return prepared(model, base.processor, calibration=copy.deepcopy(base.calibration))


def named(model: Any, name: str, pairs: Sequence[Labelled]) -> None:
    """Gives a model a point for a name: the mean of the labelled objects that it finds, among ``config.extra_concepts``."""
    vectors = [v for pair in track(pairs, f"learning the name {name!r}", unit="images") for v in _vectors(model, pair)]
    if not vectors:  # nothing was found, so nothing can be recognised by it
        return
    mean = np.mean(vectors, axis=0)
    point = (mean / np.linalg.norm(mean)).astype(float).round(6).tolist()
    known = dict(getattr(model.config, "extra_concepts", None) or {})
    model.config.extra_concepts = known | {name.strip().lower(): point}


def _vectors(model: Any, pair: Labelled) -> list[np.ndarray]:
    """Unit vectors of the found objects that are labelled ones."""
    seen = embed(pair.image, model=model)
    labels: Any = seen.found.labels
    overlap = Overlap.of(pair.labels, np.asarray(labels))
    layers = [str(name) for name in labels["layer"].values]
    mine = {(layers[k], int(n)) for k, n in overlap.found[overlap.matched(0.5)[:, 1]]}
    where = zip(seen.found.table["layer"], seen.found.table["label"], strict=True)
    return [v for v, key in zip(seen.objects, where, strict=True) if (str(key[0]), int(key[1])) in mine and key[0] == "object"]


def write_model(model: Any, target: Path) -> None:
    """A folder for ``load_model``, in half precision as the weights of the package; whole or absent."""
    half = {k: v.half() if v.is_floating_point() else v for k, v in model.state_dict().items()}
    target.absolute().parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.absolute().parent) as folder, quiet():
        partial = Path(folder) / "model"
        model.save_pretrained(partial, state_dict=half)
        model.processor.save_pretrained(partial)
        (partial / "calibration.json").write_text(json.dumps(model.calibration), encoding="utf-8")
        partial.replace(target)
