"""Hearing over corpus size: python recipes/reader/curve.py --encoder FOLDER

The first call of a turn, chosen by a linear layer on the frozen vectors of the pre-trained encoder (of the question, and of
what was said
before), from ever more of the corpus; scored on each held-out lot. It costs minutes, and shows whether more sentences would help.
"""

from __future__ import annotations

import argparse
import json
import random
from pathlib import Path

import numpy as np
import torch
from corpus import HELD_OUT, Example, lots
from sklearn.linear_model import LogisticRegression
from train import started, vocabulary_of

from micro_nb.session.reader.network import Network, Shape

SIZES = (1250, 2500, 5000, 10_000, 20_000, 33_000)


def main() -> None:
    """Prints the share of first calls that are right, by size and held-out lot."""
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--encoder", type=Path, required=True)
    p.add_argument("--seed", type=int, default=0)
    options = p.parse_args()
    taught = [e for t in lots() if t.author not in HELD_OUT for e in t.examples()]
    held = {letter: [e for t in lots([letter]) for e in t.examples()] for letter in HELD_OUT}
    vocabulary = vocabulary_of(taught, options.encoder)
    network = started(Network(Shape(len(vocabulary.names), vocabulary.written)), vocabulary, options.encoder).eval()

    def features(examples: list[Example]) -> np.ndarray:
        texts = [(e.question, str(e.before[0][0]) if e.before and e.before[0] else "") for e in examples]
        out = [np.concatenate([vectors[q], vectors[b]]) for q, b in texts]
        return np.stack(out)

    everything = [*taught, *(e for es in held.values() for e in es)]
    texts = sorted(
        {t for e in everything for t in (e.question, str(e.before[0][0]) if e.before and e.before[0] else "")}, key=len
    )
    vectors: dict[str, np.ndarray] = {}
    for k in range(0, len(texts), 128):
        rows = [vocabulary.row(t).ids for t in texts[k : k + 128]]
        ids = torch.tensor([[*r, *[0] * (max(map(len, rows)) - len(r))] for r in rows])
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            made = network.embed(network.encode(ids, torch.zeros_like(ids))).float().numpy()
        vectors |= dict(zip(texts[k : k + 128], made, strict=True))
    order = random.Random(options.seed).sample(taught, len(taught))
    for size in SIZES:
        some = order[:size]
        fitted = LogisticRegression(C=20.0, max_iter=300).fit(features(some), [e.calls[0].name for e in some])
        shares = {
            lot: round(float(np.mean(fitted.predict(features(es)) == [e.calls[0].name for e in es])), 3)
            for lot, es in held.items()
        }
        print(json.dumps({"turns": len(some), **shares}), flush=True)


if __name__ == "__main__":
    main()
