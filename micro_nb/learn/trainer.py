"""The training loop: resumable, seeded, in one process or several, from shards and torch alone."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..models.micro_d1.configuration_micro_d1 import MicroD1Config
from ..progress import Progress
from .crops import Batch, Crops
from .initial import start
from .learner import Learner, concepts_of
from .parallel import World, fast_bfloat16, shared
from .recipe import Recipe, RecipeError
from .shards import Sample

STATE, LOG, WEIGHTS, CONCEPTS = "state.pt", "log.jsonl", "tile.safetensors", "concepts.json"
_LOG_EVERY = 50
_MAY_CHANGE = ("steps", "save_every", "name", "data", "initial", "scenes", "split")
"""What may differ when a run goes on: where its data lie, and how long it is."""


class Trainer:
    """Runs a recipe in a folder; started again, it goes on from the last checkpoint with the same batches.

    Parameters
    ----------
    recipe : how to train.
    samples : what to train on.
    out : folder of ``state.pt`` (checkpoint), ``log.jsonl`` (a line every 50 steps) and, at the end, ``tile.safetensors`` (the
        averaged weights of the tile network) and ``concepts.json`` (name -> point of the embedding space).
    learner : a module with ``network`` whose call takes a batch and returns losses; by default a fresh :class:`Learner`.

    Notes
    -----
    Batch ``n`` is a function of the seed and ``n``; a run that was killed and started again takes the steps of one that was not.
    Under ``torchrun`` each process computes its share of every batch, with the gradients of one process.
    """

    def __init__(
        self, recipe: Recipe, samples: Sequence[Sample], out: str | os.PathLike[str], *, learner: nn.Module | None = None
    ) -> None:
        self.recipe, self.out, self.world = recipe, Path(out), World.joined()
        if recipe.batch < self.world.size:
            raise RecipeError(f"batch={recipe.batch} cannot be shared by {self.world.size} processes")
        self.out.mkdir(parents=True, exist_ok=True)
        config = MicroD1Config(**recipe.config)
        self.crops = Crops(
            samples, recipe.weights, config.layers, edge=recipe.edge, diameter=recipe.diameter, spread=recipe.spread,
            seed=recipe.seed, small=recipe.small,
        )  # fmt: skip
        made = learner if learner is not None else fresh(recipe, config, samples, self.world.device)
        self.model: Any = made.to(self.world.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.shared = shared(self.model, self.world)
        self.model = getattr(self.shared, "module", self.shared)
        self.average = {k: v.detach().clone().float() for k, v in self.model.state_dict().items()}
        self.optimizer = torch.optim.AdamW(self._groups(), lr=recipe.rate, weight_decay=recipe.decay, betas=(0.9, 0.98))
        self.step, self.seconds = 0, 0.0
        self._resume()

    def _groups(self) -> list[dict[str, Any]]:
        early = set(map(id, self.model.network.encoder.parameters()))
        late = [p for p in self.model.parameters() if id(p) not in early and p.requires_grad]
        return [
            {"params": late, "base": self.recipe.rate},
            {"params": list(self.model.network.encoder.parameters()), "base": self.recipe.encoder_rate},
        ]

    def rate(self, step: int) -> float:
        """Factor of the learning rates: linear rise, plateau, linear fall."""
        start = self.recipe.steps * (1 - self.recipe.cooldown)
        fall = (self.recipe.steps - step) / max(1.0, self.recipe.steps - start)
        return min(1.0, (step + 1) / self.recipe.warmup, max(0.01, fall))

    def run(self) -> None:
        """Trains to the end and writes the weights."""
        self.advance(self.recipe.steps)
        self.save()
        self.export()

    def advance(self, until: int) -> None:
        """Trains to step ``until``, with a checkpoint every ``save_every`` steps."""
        end = min(until, self.recipe.steps)
        before, started = self.seconds, time.perf_counter()
        with Progress(f"training {self.recipe.name}", end - self.step, "steps") as progress:
            for batch in self._batches(end):
                losses = self.learn(batch)
                self.step += 1
                self.seconds = before + time.perf_counter() - started
                if self.step % _LOG_EVERY == 0 or self.step == self.recipe.steps:
                    self._log(losses)
                if self.step % self.recipe.save_every == 0:
                    self.save()
                progress.advance()

    def _batches(self, until: int) -> Iterator[Batch]:
        """Batches to ``until``; the next is drawn while one is learned from."""

        def draw(step: int) -> Batch:
            return self.crops.batch(step, self.recipe.batch, rank=self.world.rank, ranks=self.world.size)

        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(draw, self.step)
            for step in range(self.step, until):
                batch = waiting.result()
                if step + 1 < until:
                    waiting = pool.submit(draw, step + 1)
                yield batch

    def learn(self, batch: Batch) -> dict[str, float]:
        """One step; its losses and the norm of the gradient."""
        self.shared.train()
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * self.rate(self.step)
        losses: dict[str, torch.Tensor] = self.shared(batch)
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        keep = min(self.recipe.average, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            for k, v in self.model.state_dict().items():
                self.average[k].lerp_(v.float(), 1 - keep)
        return {k: round(float(v.detach()), 4) for k, v in losses.items()} | {"norm": round(float(norm), 3)}

    def averaged(self) -> dict[str, torch.Tensor]:
        """The averaged weights of the tile network, with its own names, on the CPU."""
        mine = {k.removeprefix("network."): v for k, v in self.average.items() if k.startswith("network.")}
        kinds = self.model.network.state_dict()
        return {k: v.to("cpu", kinds[k].dtype).contiguous() for k, v in mine.items()}

    def save(self) -> None:
        """Writes all that a later start needs; whole or not at all."""
        if self.world.rank:
            return
        state = {"model": self.model.state_dict(), "average": self.average, "optimizer": self.optimizer.state_dict()}
        state |= {"step": self.step, "seconds": self.seconds, "recipe": _plain(asdict(self.recipe))}
        partial = self.out / (STATE + ".partial")
        torch.save(state | {"concepts": list(getattr(self.model, "names", ()))}, partial)
        partial.replace(self.out / STATE)

    def export(self) -> None:
        """Writes the averaged weights and the concepts' points."""
        from safetensors.torch import save_file

        if self.world.rank:
            return
        partial = self.out / (WEIGHTS + ".partial")
        save_file(self.averaged(), partial)
        partial.replace(self.out / WEIGHTS)
        points = nn.functional.normalize(self.average["concepts"].cpu(), dim=-1)
        named = {name: [round(v, 5) for v in point] for name, point in zip(self.model.names, points.tolist(), strict=True)}
        (self.out / CONCEPTS).write_text(json.dumps(named), encoding="utf-8")

    def _log(self, losses: dict[str, float]) -> None:
        line = losses | {"step": self.step, "rate": round(self.rate(self.step), 4), "seconds": round(self.seconds, 1)}
        if self.world.rank == 0:
            with (self.out / LOG).open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def _resume(self) -> None:
        path = self.out / STATE
        if not path.exists():
            (self.out / LOG).unlink(missing_ok=True)
            return
        state = torch.load(path, map_location=self.world.device, weights_only=True)
        now = _plain(asdict(self.recipe))
        changed = [k for k, v in state["recipe"].items() if k not in _MAY_CHANGE and k in now and now[k] != v]
        if changed:
            said = ", ".join(f"{k}={now[k]!r} (was {state['recipe'][k]!r})" for k in changed)
            raise RecipeError(f"{path} is of another recipe: {said}; put it back, or train in another folder")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average, self.step, self.seconds = state["average"], state["step"], state.get("seconds", 0.0)
        if self.world.rank == 0:
            kept = [line for line in read_log(self.out) if line["step"] <= self.step]
            (self.out / LOG).write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")


def fresh(recipe: Recipe, config: MicroD1Config, samples: Sequence[Sample], device: str) -> Learner:
    """A learner before its first step."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        learner = Learner(config, concepts_of(samples), bfloat16=recipe.bfloat16 and fast_bfloat16(device))
    start(learner.network, recipe.initial)
    return learner


def read_log(out: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The lines of a run's log; a last line that a kill cut short is left out."""
    path = Path(out) / LOG
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("}\n")]


def _plain(value: Any) -> Any:
    """Tuples as lists, as they come back from a file."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    return [_plain(v) for v in value] if isinstance(value, list | tuple) else value
