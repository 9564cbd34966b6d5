"""Fine-tuning's loop: checked on images held out, kept for a later start, ended where it no longer helps or is interrupted."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..progress import Progress, about
from ..settings import settings
from .crops import Batch, Crops
from .labelled import Labelled
from .losses import geometry_loss
from .recipe import Recipe
from .trainer import Trainer

CHECK_EVERY = 25
_PATIENCE, _CHECKED = 4, 6
_IDENTITY, _CHECKS = "identity.txt", "checks.pt"
_CHECK_STEPS = 1.5
"""What a check costs, in steps."""


@dataclass
class Checks:
    """Loss on the same crops of held-out images every time, and the weights that did best there.

    Attributes
    ----------
    folder : where they are kept for a later start; None keeps them nowhere.
    at : step -> loss.
    best : weights of the tile network; None where nothing is held out.
    """

    samples: Sequence[Any]
    recipe: Recipe
    layers: tuple[str, ...]
    folder: Path | None = None
    at: dict[int, float] = field(default_factory=dict)
    best: dict[str, torch.Tensor] | None = None

    def look(self, trainer: Trainer) -> bool:
        """Checks the averaged weights, once a step; True where they have not improved for too long."""
        if not self.samples:
            return False
        if trainer.step not in self.at:
            weights = trainer.averaged()
            self.at[trainer.step] = found = self._loss(trainer, weights)
            if found <= min(self.at.values()):
                self.best = weights
            self._save()
        seen = list(self.at.values())
        return len(seen) > _PATIENCE and min(seen[-_PATIENCE:]) > min(seen)

    def resume(self, step: int) -> None:
        """Takes up what was kept up to a step."""
        path = self.folder / _CHECKS if self.folder is not None else None
        if path is not None and path.exists():
            kept = torch.load(path, weights_only=True)
            self.at, self.best = {k: v for k, v in kept["at"].items() if k <= step}, kept["best"]

    def _save(self) -> None:
        if self.folder is not None:
            partial = self.folder / f"{_CHECKS}.partial"
            torch.save({"at": self.at, "best": self.best}, partial)
            partial.replace(self.folder / _CHECKS)

    def _loss(self, trainer: Trainer, weights: dict[str, torch.Tensor]) -> float:
        network = copy.deepcopy(trainer.model.network).eval()
        network.load_state_dict(weights)
        with torch.inference_mode():
            losses = [geometry_loss(network(b.pixels.to(trainer.world.device))[0].cpu(), b.targets) for b in self._batches()]
        return float(np.mean([sum(float(v) for v in loss.values()) for loss in losses]))

    def _batches(self) -> list[Batch]:
        if not hasattr(self, "_drawn"):
            r = self.recipe
            crops = Crops(self.samples, r.weights, self.layers, edge=r.edge, diameter=r.diameter, spread=0.1)
            self._drawn = [crops.batch(k, 4) for k in range(_CHECKED)]
        return self._drawn


def run(trainer: Trainer, checks: Checks, *, other_s: float = 0.0) -> bool:
    """Trains until done or no longer better.

    Parameters
    ----------
    other_s : seconds that naming and checking will take afterwards, for the time that is said beforehand.

    Returns
    -------
    Whether it was interrupted (Ctrl-C) after it had learned something.
    """
    try:
        _advance(trainer, checks, other_s)
    except KeyboardInterrupt:
        if not trainer.step:
            raise
        if settings.progress:
            sys.stderr.write(
                f"\nstopped at step {trainer.step} of {trainer.recipe.steps}: writing the best model so far; "
                "interrupted once more, nothing is written, and the same call goes on from the last check\n"
            )
        return True
    return False


def _advance(trainer: Trainer, checks: Checks, other_s: float) -> None:
    steps = trainer.recipe.steps
    expected = step_seconds(trainer) * (steps - trainer.step) * (1 + _CHECK_STEPS / CHECK_EVERY) + other_s
    done = checks.look(trainer)
    with Progress(f"fine-tuning on {trainer.recipe.name}, up to {about(expected)}", steps, "steps") as progress:
        progress.advance(trainer.step)
        while trainer.step < steps and not done:
            before = trainer.step
            trainer.advance(before + CHECK_EVERY)
            progress.advance(trainer.step - before)
            done = checks.look(trainer)


def step_seconds(trainer: Trainer) -> float:
    """How long a step takes, from two that change nothing; the first is slower than those to come."""
    batch = trainer.crops.batch(0, trainer.recipe.batch)
    for _ in range(2):
        start = time.perf_counter()
        torch.stack(list(trainer.model.train()(batch).values())).sum().backward()  # type: ignore[no-untyped-call]
    trainer.optimizer.zero_grad(set_to_none=True)
    return time.perf_counter() - start


def workfolder(target: Path, base: Any, recipe: Recipe, pairs: Sequence[Labelled]) -> Path:
    """The hidden folder beside the model in which an unfinished fine-tuning lies; emptied where that was another one."""
    digest = hashlib.sha256(json.dumps([base.weights_id, asdict(recipe)], default=str).encode())
    for pair in pairs:
        digest.update(pair.image.content_id.encode() + np.ascontiguousarray(pair.labels).tobytes())
    folder = target.with_name(f".{target.name}.training")
    mark = folder / _IDENTITY
    if not mark.exists() or mark.read_text() != digest.hexdigest():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        mark.write_text(digest.hexdigest())
    return folder
