"""What the global tokens buy: objects of validation images named with and without a look at the whole image.

python benchmarks/context.py

Accuracy of the most probable trained name, over labelled objects of the validation images, each data set by itself; names that
are kinds of the labelled one, or that it is a kind of, count as right. Data: $MICRO_NB_SHARED or ../shared.
"""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from common import ROOT

from micro_nb.learn.features import Features, views
from micro_nb.learn.joint import samples_of
from micro_nb.learn.split import Split
from micro_nb.models.ontology import ontology
from micro_nb.tasks import load_model
from micro_nb.tasks.names import Vocabulary

DATA = Path(os.environ.get("MICRO_NB_SHARED", ROOT.parent / "shared")) / "data" / "train_val"


def right(name: str, truth: str) -> bool:
    known = ontology()
    return name == truth or known.is_a(name, truth) or known.is_a(truth, name)


def accuracy(f: Features, vocabulary: Vocabulary, model, *, tokens: bool) -> list[bool]:
    seen = torch.from_numpy(f.seen.astype(np.float32))[None]
    with torch.inference_mode():
        vectors = model.joint.objects(torch.from_numpy(f.pooled)[None], model.thumb(seen) if tokens else None)[0].numpy()
    best = vocabulary.log_odds(vectors).argmax(1)
    pairs = zip(best, f.names, strict=True)
    return [right(vocabulary.concepts[k], truth) for k, truth in pairs if truth in ontology()]


def main() -> None:
    model = load_model()
    vocabulary = Vocabulary.of(model)
    _, held = samples_of(DATA, Split.read("nano"))
    found: dict[str, tuple[list[bool], list[bool]]] = defaultdict(lambda: ([], []))
    for f in views([s.reduced() for s in held], model, copies=0):
        for k, tokens in enumerate((False, True)):
            found[f.key.split("/")[0]][k].extend(accuracy(f, vocabulary, model, tokens=tokens))
    print("| data set | objects | without tokens | with |\n|---|---:|---:|---:|")
    for name, (without, with_) in found.items():
        print(f"| {name} | {len(with_):,} | {np.mean(without):.3f} | {np.mean(with_):.3f} |")


if __name__ == "__main__":
    main()
