"""Small labelled pictures for the tests of training."""

from __future__ import annotations

import numpy as np

from micro_nb.learn.learner import export, teaching
from micro_nb.learn.loop import Loop
from micro_nb.learn.recipe import Recipe
from micro_nb.learn.sample import Sample, typical_diameter

TINY = {"decoder_widths": (16, 16, 16), "embed_dim": 16, "heads": 2}


def discs(seed: int, *, edge: int = 96, name: str = "nucleus", dataset: str = "discs", colour: bool = False) -> Sample:
    """Bright discs on dark ground."""
    rng = np.random.default_rng(seed)
    labels, y, x = np.zeros((edge, edge), np.int32), *np.mgrid[:edge, :edge]
    for k in range(1, 9):
        at = rng.uniform(8, edge - 8, 2)
        labels[(np.hypot(y - at[0], x - at[1]) < rng.uniform(6, 10)) & (labels == 0)] = k
    grey = np.where(labels > 0, 180, 40) + rng.normal(0, 8, labels.shape)
    image = np.repeat(grey[..., None], 3, 2) * (np.array([1.0, 0.8, 0.6]) if colour else 1.0)
    names = {"object": {int(k): name for k in np.unique(labels[labels > 0])}}
    pixels = image.clip(0, 255).astype(np.uint8)
    return Sample(
        pixels, {"object": labels, "nucleus": labels}, names, dataset, f"{seed}.png", f"g{seed}", typical_diameter([labels])
    )


def tiny(**changes: object) -> Recipe:
    """A recipe of a few steps on the CPU, the same on every machine."""
    values = {
        "initial": "random",
        "steps": 6,
        "batch": 4,
        "edge": 64,
        "warmup": 2,
        "save_every": 2,
        "bfloat16": False,
        "config": TINY,
    }
    return Recipe({"discs": 1.0}, name="tiny", **(values | changes))


def loop(out: object, **changes: object) -> Loop:
    """The tiny recipe in a folder; every step is logged."""
    made = teaching(tiny(**changes), [discs(1)], out)
    made.log_every = 1
    return made


def run(out: object) -> None:
    """All of the tiny recipe."""
    export(loop(out).run(), out)
