"""Small labelled pictures for the tests of training."""

from __future__ import annotations

import os

import numpy as np
import torch

from micro_nb.learn.recipe import Recipe
from micro_nb.learn.shards import Sample, typical_diameter
from micro_nb.learn.trainer import Trainer, fresh
from micro_nb.models.micro_d1.configuration_micro_d1 import MicroD1Config

TINY = {"decoder_widths": (16, 16, 16, 16), "embed_dim": 16, "heads": 2}


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


def gradients(folder: str) -> None:
    """Writes loss, gradients and statistics of one step, of all processes together; in float64, as rounding is not the matter."""
    os.makedirs(folder, exist_ok=True)
    torch.set_num_threads(1)
    learner = fresh(tiny(), MicroD1Config(**TINY), [discs(1)], "cpu")
    learner.network.double()
    trainer = Trainer(tiny(), [discs(1)], folder, learner=learner)
    batch = trainer.crops.batch(0, 4, rank=trainer.world.rank, ranks=trainer.world.size)
    batch.pixels = batch.pixels.double()
    loss = torch.stack(list(trainer.shared.train()(batch).values())).sum()
    loss.backward()
    if trainer.world.rank == 0:
        grads = {k: p.grad for k, p in trainer.model.named_parameters()}
        norms = {k: v for k, v in trainer.model.state_dict().items() if "running" in k}
        torch.save([loss.item(), grads, norms], os.path.join(folder, "out.pt"))
