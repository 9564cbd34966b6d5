"""Calibration of presence: what prompts score on validation images that do and do not show what they name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from micro_nb.data.image import MicroImage
from micro_nb.data.open import open_image
from micro_nb.learn.sample import Sample
from micro_nb.models.micro_d1 import MicroD1Model
from micro_nb.models.ontology import ontology
from micro_nb.progress import Progress
from micro_nb.tasks.look.looking import image_vector, look_at, object_vectors
from micro_nb.tasks.names import Vocabulary
from micro_nb.tasks.parse import best_layer
from micro_nb.tasks.presence import ALPHA, parts, statistic
from micro_nb.tasks.text import encode_text

from .facts import Facts

_NULL = 2000
_WIDE = {"microscopy", "light microscopy", "electron microscopy"}
_ENOUGH = 100
"""With so many prompts asked of images of the same modality, where it is hardest to say no, these alone are the null."""


@dataclass(frozen=True)
class Asked:
    """One prompt asked of one validation image.

    Attributes
    ----------
    dataset, concept : where it was asked and what for.
    image_odds, object_odds : see :func:`micro_nb.tasks.presence.parts`.
    count : objects found.
    present : the truth.
    hard : whether images of this modality do show the concept elsewhere.
    """

    dataset: str
    concept: str
    image_odds: float
    object_odds: float
    count: int
    present: bool
    hard: bool


def ask(images: Iterable[tuple[str, MicroImage, Facts]], model: MicroD1Model) -> list[Asked]:
    """Asks every trained object concept of every image, where the answer is known.

    Parameters
    ----------
    images : data set, image, facts; see :func:`opened`.
    """
    vocabularies = [Vocabulary.of(model, coloured=coloured) for coloured in (False, True)]
    concepts = list(vocabularies[0].concepts)
    words = encode_text(concepts, model=model)
    everything = list(images)
    shown = {(d, c) for d, _, f in everything for c in f.present}
    found = []
    with Progress("asking validation images", len(everything), "images") as progress:
        for dataset, image, facts in everything:
            _, seen = look_at(image, model)
            whole = image_vector(seen, model)
            vectors = {layer: object_vectors(seen, layer, model) for layer in seen.layers}
            alike = {d for d, _, other in everything if _modality(other) & _modality(facts)}
            for concept, word in zip(concepts, words, strict=True):
                if concept in facts.unknown:
                    continue
                _, meant, odds = best_layer(word, vectors, vocabularies[seen.coloured], concept)
                score = parts(float(whole @ word), odds[meant], model)
                hard = concept not in facts.present and any((d, concept) in shown for d in alike)
                found.append(Asked(dataset, concept, *score, int(meant.sum()), concept in facts.present, hard))
            progress.advance()
    return found


def opened(sample: Sample) -> MicroImage:
    """A training image as a user would open it: grey where its channels are equal."""
    grey = (sample.image[..., 0] == sample.image[..., 1]).all() and (sample.image[..., 0] == sample.image[..., 2]).all()
    return open_image(sample.image[..., 0]) if grey else open_image(sample.image, axes="yxc")


def _modality(facts: Facts) -> frozenset[str]:
    """What an image was taken with, as narrowly as it is known."""
    known = ontology()
    return frozenset(c for c in facts.present if known[c].kind == "modality") - _WIDE


def calibrated(asked: Sequence[Asked], *, seed: int = 0) -> dict[str, Any]:
    """Weights of image and objects, and the null, for ``model.calibration["presence"]``."""
    x = np.array([[a.image_odds, a.object_odds] for a in asked])
    y = np.array([a.present for a in asked])
    fitted = LogisticRegression(class_weight="balanced").fit(x, y)
    weights = tuple(float(w) for w in np.maximum(fitted.coef_[0], 0.01))
    rng = np.random.default_rng(seed)
    scores = np.array([statistic(float(row[0]), float(row[1]), weights) for row in x])
    hard = np.flatnonzero([not a.present and a.hard for a in asked])
    easy = np.flatnonzero([not a.present and not a.hard for a in asked])
    chosen = hard if len(hard) >= _ENOUGH else np.concatenate([hard, easy])
    null = np.sort(scores[rng.choice(chosen, min(_NULL, len(chosen)), replace=False)])
    return {"weights": list(weights), "null": [round(float(v), 4) for v in null], "alpha": ALPHA}


def figures(asked: Sequence[Asked], calibration: dict[str, Any]) -> pd.DataFrame:
    """AUROC over all images and over those of the same modality, false positives and misses at the threshold, a row each."""
    weights = tuple(calibration["weights"])
    null = np.array(calibration["null"])
    rows = []
    for name, mine in (("over modalities", list(asked)), ("within a modality", [a for a in asked if a.hard or a.present])):
        scores = np.array([statistic(a.image_odds, a.object_odds, weights) for a in mine])
        truth = np.array([a.present for a in mine])
        p = (1 + len(null) - np.searchsorted(null, scores)) / (1 + len(null))
        said = (p <= ALPHA) & np.array([a.count > 0 for a in mine])
        rows.append({
            "": name, "asked": len(mine), "AUROC": roc_auc_score(truth, scores) if 0 < truth.sum() < len(truth) else np.nan,
            "false positives": float(said[~truth].mean()) if (~truth).any() else np.nan,
            "misses": float((~said[truth]).mean()) if truth.any() else np.nan,
        })  # fmt: skip
    return pd.DataFrame(rows)
