"""What a look at the whole image buys: objects named and images recognised with and without it, small images and large ones.

    python benchmarks/context.py [--images 24] [--side 4] [--seed 0]

Objects see the whole image through 64 global tokens of its thumbnail; the vector of an image is made of the thumbnail and of the
mean and deviation of its pixel embeddings ("detail"). Large images are mosaics of ``side x side`` validation images, of one data
set ("like": one specimen, photographed widely) or of several ("mixed": a slide with several sections). What is near an object
does not change in a mosaic, so its own embedding is that of its image, and the thumbnail alone is new.

Named: share of labelled objects whose most probable trained name is right; kinds of the labelled one, and what it is a kind of,
count as right. Told apart: AUROC over images and the concepts of which it is known whether they are there. 95 % intervals over
images. Data: $MICRO_NB_SHARED or ../shared.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from common import ROOT
from sklearn.metrics import roc_auc_score

from micro_nb.analysis.statistics import bootstrap
from micro_nb.learn.sample import Sample
from micro_nb.models.ontology import ontology
from micro_nb.models.pictures import normalise
from micro_nb.tasks import load_model
from micro_nb.tasks.names import Vocabulary
from micro_nb.tasks.text import encode_text

sys.path.insert(0, str(ROOT / "recipes" / "nano"))
from layout import read_folder
from split import Split
from words.facts import Facts
from words.features import Features, views

DATA = Path(os.environ.get("MICRO_NB_SHARED", ROOT.parent / "shared")) / "data" / "train_val"
CONTEXTS = ("none", "itself", "like", "mixed")


@dataclass(frozen=True)
class Looked:
    """An image, its features, and the square ``(3, T, T)`` that it is in a thumbnail."""

    features: Features
    small: torch.Tensor

    @property
    def dataset(self) -> str:
        return self.features.key.split("/")[0]


def looked(samples: Sequence[Sample], model: Any) -> list[Looked]:
    """The features of plain views, the samples as they are trained on."""
    ready = [s.reduced() for s in samples]
    pairs = zip(ready, views(ready, model, copies=0), strict=True)
    return [Looked(f, small(s.image, model)) for s, f in pairs]


def small(image: np.ndarray, model: Any) -> torch.Tensor:  # (H, W, 3) -> (3, T, T)
    planes = torch.from_numpy(normalise(np.ascontiguousarray(image.transpose(2, 0, 1))))[None]
    return model.processor.thumbnail(planes)[0]


def mosaic(parts: Sequence[Looked], side: int, model: Any) -> np.ndarray:
    """``(M, 1280)`` features of the thumbnail of ``side * side`` images beside one another."""
    tiles = [F.adaptive_avg_pool2d(p.small, p.small.shape[-1] // side) for p in parts]
    rows = [torch.cat(tiles[k : k + side], 2) for k in range(0, len(tiles), side)]
    with torch.inference_mode():
        return model.thumb.look(torch.cat(rows, 1)[None])[0].numpy()


def beside(one: Looked, everything: Sequence[Looked], side: int, rng: np.random.Generator, *, mixed: bool) -> list[Looked]:
    """The image at a place of its own among others of its data set, or of any (each data set alike often)."""
    names = sorted({p.dataset for p in everything}) if mixed else [one.dataset]
    groups = [[p for p in everything if p.dataset == name] for name in names]
    drawn = [groups[int(rng.integers(len(groups)))] for _ in range(side * side)]
    parts = [group[int(rng.integers(len(group)))] for group in drawn]
    parts[int(rng.integers(len(parts)))] = one
    return parts


def right(name: str, truth: str) -> bool:
    known = ontology()
    return name == truth or known.is_a(name, truth) or known.is_a(truth, name)


def named(f: Features, seen: np.ndarray | None, vocabulary: Vocabulary, model: Any) -> float:
    """Share of an image's objects whose most probable name is right, with the tokens of a thumbnail or none."""
    known = [k for k, name in enumerate(f.names) if name in ontology()]
    if not known:
        return float("nan")
    with torch.inference_mode():
        tokens = None if seen is None else model.thumb(torch.from_numpy(seen.astype(np.float32))[None])
        vectors = model.joint.objects(torch.from_numpy(f.pooled[known])[None], tokens)[0].numpy()
    best = vocabulary.log_odds(vectors).argmax(1)
    return float(np.mean([right(vocabulary.concepts[b], f.names[k]) for b, k in zip(best, known, strict=True)]))


def together(parts: Sequence[Looked]) -> tuple[np.ndarray, Facts]:
    """Detail ``(2 D,)`` of a mosaic, and what is there: what any of its images shows."""
    mean, spread = np.split(np.stack([p.features.detail for p in parts]), 2, axis=1)
    deviation = np.sqrt(np.maximum((spread**2 + mean**2).mean(0) - mean.mean(0) ** 2, 0))
    facts = [p.features.facts for p in parts]
    present = frozenset[str]().union(*(f.present for f in facts))
    return np.concatenate([mean.mean(0), deviation]), Facts(
        present, frozenset[str]().union(*(f.unknown for f in facts)) - present
    )


def asked(seen: np.ndarray | None, detail: np.ndarray | None, facts: Facts, words: np.ndarray, names: Sequence[str], model: Any):
    """Cosine and truth of every concept of which it is known whether it is there."""
    with torch.inference_mode():
        parts = [None if x is None else torch.from_numpy(np.asarray(x, np.float32))[None] for x in (seen, detail)]
        cosine = words @ model.joint.images(*parts)[0].numpy()
    known = [k for k, name in enumerate(names) if name not in facts.unknown]
    return cosine[known], np.array([names[k] in facts.present for k in known])


def objects_table(everything: Sequence[Looked], side: int, rng: np.random.Generator, model: Any) -> pd.DataFrame:
    """A row an image: data set, objects, and the share named right in each context."""
    vocabulary, rows = Vocabulary.of(model), []
    for one in everything:
        around = {"none": None, "itself": one.features.seen}
        for context in CONTEXTS[2:]:
            around[context] = mosaic(beside(one, everything, side, rng, mixed=context == "mixed"), side, model)
        found = {c: named(one.features, seen, vocabulary, model) for c, seen in around.items()}
        rows.append({"data set": one.dataset, "objects": len(one.features.names), **found})
    return pd.DataFrame(rows).dropna()


def images_table(everything: Sequence[Looked], side: int, rng: np.random.Generator, model: Any) -> Iterator[tuple[str, list]]:
    """Of each kind of image, what is asked of each with thumbnail and detail, with either alone."""
    names = [n for n in model.calibration["image_concepts"] if n in ontology()]
    words = encode_text(names, model=model)
    for context in CONTEXTS[1:]:
        rows = []
        for one in everything:
            parts = [one] if context == "itself" else beside(one, everything, side, rng, mixed=context == "mixed")
            seen = one.features.seen if context == "itself" else mosaic(parts, side, model)
            detail, facts = together(parts)
            rows.append([asked(s, d, facts, words, names, model) for s, d in ((seen, detail), (None, detail), (seen, None))])
        yield context, rows


def auroc(rows: Sequence[tuple[np.ndarray, np.ndarray]]) -> float:
    score, truth = (np.concatenate(part) for part in zip(*rows, strict=True))
    return float(roc_auc_score(truth, score))


def report_objects(table: pd.DataFrame) -> None:
    print("Objects named right\n\n| data set | images | objects | " + " | ".join(CONTEXTS) + " |\n|---|---:|---:|" + "---:|" * 4)
    for name, mine in table.groupby("data set"):
        shares = " | ".join(f"{mine[c].mean():.3f}" for c in CONTEXTS)
        print(f"| {name} | {len(mine)} | {mine['objects'].sum():,} | {shares} |")
    for context in CONTEXTS[1:]:
        gain = bootstrap((table[context] - table["none"]).to_numpy())
        print(f"\n{context} less none, mean over images: {gain.value:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})")


def report_images(context: str, rows: list, rng: np.random.Generator) -> None:
    """AUROC of thumbnail and detail, and what the thumbnail adds, resampling images."""
    both, detail, thumbnail = ([r[k] for r in rows] for k in range(3))
    gains = []
    for _ in range(200):
        again = rng.integers(len(rows), size=len(rows))
        gains.append(auroc([both[k] for k in again]) - auroc([detail[k] for k in again]))
    low, high = np.quantile(gains, (0.025, 0.975))
    shares = " | ".join(f"{auroc(r):.4f}" for r in (detail, thumbnail, both))
    print(f"| {context} | {len(rows)} | {shares} | {low:+.4f} to {high:+.4f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=24, help="at most so many of a data set")
    parser.add_argument("--side", type=int, default=4, help="images along a mosaic")
    parser.add_argument("--seed", type=int, default=0)
    choice = parser.parse_args()
    model, rng = load_model(), np.random.default_rng(choice.seed)
    report(looked(list(validation(choice.images)), model), choice.side, rng, model)


def validation(most: int) -> Iterator[Sample]:
    """The first validation images of each data set."""
    split = Split.read("nano")
    for name in sorted({dataset for dataset, _ in split.parts}):
        yield from islice((s for s in read_folder(DATA / name) if split.of(s) == "val"), most)


def report(everything: Sequence[Looked], side: int, rng: np.random.Generator, model: Any) -> None:
    """Both tables."""
    report_objects(objects_table(everything, side, rng, model))
    print(
        "\nImages told apart (AUROC)\n\n| image | n | detail alone | thumbnail alone | both | both less detail |\n|---|"
        + "---:|" * 5
    )
    for context, rows in images_table(everything, side, rng, model):
        report_images(context, rows, rng)


if __name__ == "__main__":
    main()
