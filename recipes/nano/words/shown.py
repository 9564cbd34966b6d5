"""The training pictures that vouch for what an image is said to be: their thumbnails, and how far likeness can be believed.

    python -m words.shown DATA MODEL

Writes ``shown.npz`` into the model folder, and the key ``recognition`` of its calibration. How far a likeness is believed is
fitted by leaving out, for each training picture, once all pictures of its own group, as of another slide, and once all of its own
source, as of another laboratory; sources weigh alike.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression
from split import Split

from micro_nb.learn.sample import Sample
from micro_nb.models.micro_d1 import MicroD1Model
from micro_nb.models.ontology import ontology
from micro_nb.models.pictures import normalise
from micro_nb.progress import track
from micro_nb.tasks.load import CALIBRATION, load_model
from micro_nb.tasks.recognise import KINDS
from micro_nb.tasks.shown import FILE, Shown

from .build import samples_of
from .facts import Facts, facts_of

_AXES = 128


@dataclass(frozen=True)
class Picture:
    """A training picture: mean features ``(F,)`` of its thumbnail, what is known of it, its group (a slide) and its source."""

    features: np.ndarray
    facts: Facts
    group: str
    source: str


def picture_of(sample: Sample, model: MicroD1Model) -> Picture:
    """A sample as its thumbnail shows it. A captioned picture is a source of its own, with all of its specimen."""
    planes = torch.from_numpy(normalise(np.ascontiguousarray(sample.image.transpose(2, 0, 1))))[None]
    with torch.inference_mode():
        seen = model.thumb.look(model.processor.thumbnail(planes))[0].numpy().astype(np.float16)
    part = sample.facts.get("specimen") or (sample.facts.get("modality", "") if sample.dataset == "dsb2018" else "")
    return Picture(
        seen.astype(np.float32).mean(0), facts_of(sample), f"{sample.dataset}/{sample.group}", f"{sample.dataset}/{part}"
    )


def shown(pictures: Sequence[Picture]) -> Shown:
    """What vouches for concepts, its lines fitted."""
    features = np.stack([p.features for p in pictures])
    sources = np.array([p.source for p in pictures])
    centre = np.mean([features[sources == s].mean(0) for s in np.unique(sources)], axis=0)
    weight = np.sqrt([1 / np.sum(sources == s) for s in sources])[:, None]
    axes = np.linalg.svd((features - centre) * weight, full_matrices=False)[2][:_AXES].astype(np.float16).astype(np.float32)
    places = (features - centre) @ axes.T
    places /= np.maximum(np.linalg.norm(places, axis=1, keepdims=True), 1e-9)
    concepts = tuple(c.id for c in ontology().values() if c.kind in KINDS and any(c.id in p.facts.present for p in pictures))
    present = np.array([[c in p.facts.present for c in concepts] for p in pictures])
    plain = Shown(centre, axes, places, concepts, present, {})
    return Shown(centre, axes, places, concepts, present, lines(plain, pictures))


def lines(plain: Shown, pictures: Sequence[Picture]) -> dict[str, tuple[float, float]]:
    """Of each kind slope and intercept of the log odds that what likeness says first is right; none where it never errs."""
    said = pd.DataFrame(_statements(plain, pictures), columns=["kind", "way", "source", "ahead", "right"])
    weight = 1 / said.groupby(["kind", "way", "source"])["right"].transform("size")
    found = {}
    for kind, mine in said.groupby("kind"):
        if mine["right"].nunique() < 2:
            continue
        fitted = LogisticRegression(C=100).fit(mine[["ahead"]], mine["right"], sample_weight=weight[mine.index])
        found[str(kind)] = (round(float(fitted.coef_[0, 0]), 3), round(float(fitted.intercept_[0]), 3))
    return found


def _statements(plain: Shown, pictures: Sequence[Picture]) -> Iterator[tuple[str, str, str, float, bool]]:
    """Of every picture, without its group and without its source, what likeness would say on the way down."""
    groups, sources = (np.array([getattr(p, part) for p in pictures]) for part in ("group", "source"))
    cosine = plain.pictures @ plain.pictures.T
    for k, one in enumerate(pictures):
        for way, same in (("group", groups == one.group), ("source", sources == one.source)):
            ahead = plain.ahead(np.where(same, -1.0, cosine[k]))
            there = plain.present[~same].any(0)
            for kind in KINDS:
                for place, right in _way_down(kind, ahead, there, plain.concepts, one.facts):
                    yield kind, way, one.source, float(ahead[place]), right


def _way_down(
    kind: str, ahead: np.ndarray, there: np.ndarray, concepts: Sequence[str], facts: Facts
) -> Iterator[tuple[int, bool]]:  # fmt: skip
    """Concepts from wide to narrow, the likeliest at each step, and whether each holds; to the first of which it does not."""
    known = ontology()
    mine = {c: k for k, c in enumerate(concepts) if known[c].kind == kind and there[k]}
    choices = [c for c in mine if not set(known.ancestors(c)) & set(mine)]
    while choices:
        best = max(choices, key=lambda c: ahead[mine[c]])
        if best in facts.unknown and not (facts.caption and kind == "specimen"):  # captions name it, and seldom the stain
            return
        yield mine[best], best in facts.present
        if best not in facts.present:
            return
        choices = [c for c in mine if best in known[c].parents]


def write(found: Shown, folder: str | os.PathLike[str]) -> None:
    """``shown.npz``, and how it is believed, into a model folder whose name the calibration keeps."""
    place = Path(folder)
    arrays: dict[str, Any] = {name: getattr(found, name).astype(np.float16) for name in ("centre", "axes", "pictures")}
    np.savez_compressed(place / FILE, **arrays, concepts=np.array(found.concepts), present=found.present)
    calibration = json.loads((place / CALIBRATION).read_text("utf-8"))
    calibration["recognition"] = {"shown": place.name, "lines": {k: list(v) for k, v in found.lines.items()}}
    (place / CALIBRATION).write_text(json.dumps(calibration), encoding="utf-8")


def main() -> None:
    """Command line."""
    import argparse

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", help="folder of the data sets")
    parser.add_argument("model", help="model folder")
    args = parser.parse_args()
    model = load_model(args.model)
    train, _ = samples_of(args.data, Split.read("nano"))
    found = shown([picture_of(s, model) for s in track(train, "looking at training pictures", unit="pictures")])
    write(found, args.model)
    print(json.dumps(found.lines))


if __name__ == "__main__":
    main()
