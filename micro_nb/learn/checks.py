"""Fine-tuning is checked on images held out, kept for a later start, and ended where it no longer helps or is interrupted."""

from __future__ import annotations

import copy
import hashlib
import json
import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..data.atomic import writing_file
from ..progress import Progress, about
from ..settings import settings
from .crops import Batch, Crops
from .labelled import Labelled
from .learner import outlining
from .loop import Loop, device
from .recipe import Recipe
from .sample import Sample

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
    batches : crops of the held-out images; none where nothing is held out.
    folder : where they are kept for a later start; None keeps them nowhere. at : step -> loss.
    best : weights of the tile network; None where nothing is held out.
    """

    batches: Sequence[Batch]
    folder: Path | None = None
    at: dict[int, float] = field(default_factory=dict)
    best: dict[str, torch.Tensor] | None = None

    @classmethod
    def of(cls, samples: Sequence[Sample], recipe: Recipe, layers: Sequence[str], folder: Path, step: int) -> Checks:
        """Those that a folder holds up to a step, taken up again."""
        crops = Crops.of(recipe, samples, layers, spread=0.1, seed=0) if samples else None
        made = cls([crops.batch(k, 4) for k in range(_CHECKED)] if crops else [], folder)
        if (folder / _CHECKS).exists():
            kept = torch.load(folder / _CHECKS, weights_only=True)
            made.at, made.best = {k: v for k, v in kept["at"].items() if k <= step}, kept["best"]
        return made

    def look(self, loop: Loop) -> bool:
        """Checks the averaged weights, once a step; True where they have not improved for too long."""
        if not self.batches:
            return False
        if loop.step not in self.at:
            weights = loop.averaged("network.")
            self.at[loop.step] = found = self.loss(loop.model.network, weights)
            if found <= min(self.at.values()):
                self.best = weights
            if self.folder is not None:
                with writing_file(self.folder / _CHECKS) as partial:
                    torch.save({"at": self.at, "best": self.best}, partial)
        seen = list(self.at.values())
        return len(seen) > _PATIENCE and min(seen[-_PATIENCE:]) > min(seen)

    def loss(self, network: Any, weights: dict[str, torch.Tensor]) -> float:
        """Of a network with these weights, mean over the batches."""
        network = copy.deepcopy(network).eval()
        network.load_state_dict(weights)
        with torch.inference_mode():
            losses = [outlining(network(b.pixels.to(device()))[0].cpu(), b.targets) for b in self.batches]
        return float(np.mean([sum(float(v) for v in loss.values()) for loss in losses]))


def run(loop: Loop, checks: Checks, *, what: str, other_s: float = 0.0) -> bool:
    """Trains until done or no longer better; whether it was interrupted (Ctrl-C) after it had learned something.

    Parameters
    ----------
    other_s : seconds that naming and checking will take afterwards, for the time that is said beforehand.
    """
    steps = loop.pace.steps
    try:
        expected = loop.seconds_a_step() * (steps - loop.step) * (1 + _CHECK_STEPS / CHECK_EVERY) + other_s
        done = checks.look(loop)
        with Progress(f"{what}, up to {about(expected)}", steps, "steps") as progress:
            progress.advance(loop.step)
            while loop.step < steps and not done:
                before = loop.step
                loop.advance(before + CHECK_EVERY)
                progress.advance(loop.step - before)
                done = checks.look(loop)
    except KeyboardInterrupt:
        if not loop.step:
            raise
        if settings.progress:
            sys.stderr.write(
                f"\nstopped at step {loop.step} of {steps}: writing the best model so far; "
                "interrupted once more, nothing is written, and the same call goes on from the last check\n"
            )
        return True
    return False


def workfolder(target: Path, base: Any, recipe: Recipe, pairs: Sequence[Labelled]) -> Path:
    """The hidden folder beside the model in which an unfinished fine-tuning lies; emptied where that was another one."""
    digest = hashlib.sha256(json.dumps([base.weights_id, vars(recipe)], default=str).encode())
    for pair in pairs:
        digest.update(pair.image.content_id.encode() + np.ascontiguousarray(pair.labels).tobytes())
    folder = target.with_name(f".{target.name}.training")
    mark = folder / _IDENTITY
    if not mark.exists() or mark.read_text() != digest.hexdigest():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        mark.write_text(digest.hexdigest())
    return folder
