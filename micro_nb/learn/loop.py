"""The one loop that teaches: drawn batches to losses to weights, averaged, logged, and resumed where it was killed."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ..data.atomic import writing_file
from ..progress import Progress
from .recipe import Pace, RecipeError

STATE, LOG = "state.pt", "log.jsonl"
LOG_EVERY = 50


class Loop:
    """Takes steps; made again on the same folder, it goes on from the last checkpoint along the same curve.

    Parameters
    ----------
    model : a module whose call takes a batch and returns named losses, weighed as they are to be summed.
    draw : the batch of a step, a function of the step alone; the next one is drawn while one is learned from.
    pace : how long and how fast. groups : what learns: parameters and their rate, a group each.
    folder : of ``state.pt`` (checkpoint) and ``log.jsonl`` (losses); None keeps nothing.
    recipe : what must be the same when a run goes on.
    what : what is shown while it runs. log_every : steps between lines of the log.

    Raises
    ------
    RecipeError : the folder holds a run of another recipe.
    """

    def __init__(
        self, model: nn.Module, draw: Callable[[int], Any], pace: Pace, groups: Iterable[tuple[Iterable[nn.Parameter], float]], *,
        folder: str | os.PathLike[str] | None = None, recipe: Mapping[str, Any] | None = None, what: str = "training",
        log_every: int = LOG_EVERY,
    ) -> None:  # fmt: skip
        self.model, self.draw, self.pace, self.what, self.log_every = model, draw, pace, what, log_every
        self.folder, self.recipe = None if folder is None else Path(folder), json.loads(json.dumps(dict(recipe or {})))
        learning = [{"params": list(parameters), "base": rate} for parameters, rate in groups]
        self.optimizer = torch.optim.AdamW(learning, lr=0.0, weight_decay=pace.decay, betas=(0.9, 0.98))
        self.average = {k: v.detach().clone().float() for k, v in self._kept().items()}
        self.step, self.seconds = 0, 0.0
        self.lines: list[dict[str, Any]] = []
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._resume(self.folder)

    def _kept(self) -> dict[str, torch.Tensor]:
        """What learning changes: all but frozen parameters."""
        frozen = {k for k, p in self.model.named_parameters() if not p.requires_grad}
        return {k: v for k, v in self.model.state_dict().items() if k not in frozen}

    def run(self) -> Loop:
        """All steps that are left, and a checkpoint."""
        self.advance(self.pace.steps)
        self.save()
        return self

    def advance(self, until: int) -> None:
        """Steps to ``until``, with a checkpoint every ``save_every``."""
        end = min(until, self.pace.steps)
        before, started = self.seconds, time.perf_counter()
        with Progress(self.what, end - self.step, "steps") as progress:
            for batch in self._batches(end):
                losses = self.learn(batch)
                self.step += 1
                self.seconds = before + time.perf_counter() - started
                if self.step % self.log_every == 0 or self.step == self.pace.steps:
                    self._log(losses | {"step": self.step, "rate": round(self.pace.factor(self.step), 4)})
                if self.step % self.pace.save_every == 0:
                    self.save()
                progress.advance()

    def _batches(self, until: int) -> Iterator[Any]:
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(self.draw, self.step) if self.step < until else None
            for step in range(self.step, until):
                batch = waiting.result() if waiting else None
                waiting = pool.submit(self.draw, step + 1) if step + 1 < until else None
                yield batch

    def losses(self, batch: Any) -> dict[str, torch.Tensor]:
        """The losses of a batch, what chance decides in them fixed by the step, with gradients waiting in the weights."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.pace.seed * 1_000_003 + self.step)
            found: dict[str, torch.Tensor] = self.model.train()(batch)
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack(list(found.values())).sum().backward()  # type: ignore[no-untyped-call]
        return found

    def learn(self, batch: Any) -> dict[str, float]:
        """One step; its losses and the norm of the gradient."""
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * self.pace.factor(self.step)
        losses = self.losses(batch)
        norm = nn.utils.clip_grad_norm_([p for group in self.optimizer.param_groups for p in group["params"]], 1.0)
        self.optimizer.step()
        keep = min(self.pace.average, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            for k, v in self._kept().items():
                self.average[k].lerp_(v.float(), 1 - keep)
        return {k: round(float(v.detach()), 4) for k, v in losses.items()} | {"norm": round(float(norm), 3)}

    def seconds_a_step(self) -> float:
        """How long a step takes, from two that change nothing; the first is slower than those to come."""
        batch = self.draw(0)
        for _ in range(2):
            start = time.perf_counter()
            self.losses(batch)
        self.optimizer.zero_grad(set_to_none=True)
        return time.perf_counter() - start

    def averaged(self, part: str = "") -> dict[str, torch.Tensor]:
        """The averaged weights whose names begin with ``part``, without it, in their own kinds, on the CPU."""
        kinds = self.model.state_dict()
        mine = {k: v for k, v in self.average.items() if k.startswith(part)}
        return {k.removeprefix(part): v.to("cpu", kinds[k].dtype).contiguous() for k, v in mine.items()}

    def save(self) -> None:
        """Writes all that a later start needs; whole or not at all."""
        if self.folder is None:
            return
        state = {"model": self._kept(), "average": self.average, "optimizer": self.optimizer.state_dict()}
        with writing_file(self.folder / STATE) as partial:
            torch.save(state | {"step": self.step, "seconds": self.seconds, "recipe": self.recipe}, partial)

    def _log(self, line: dict[str, float]) -> None:
        self.lines.append(line | {"seconds": round(self.seconds, 1)})
        if self.folder is not None:
            with (self.folder / LOG).open("a", encoding="utf-8") as file:
                file.write(json.dumps(self.lines[-1]) + "\n")

    def _resume(self, folder: Path) -> None:
        if not (folder / STATE).exists():
            (folder / LOG).unlink(missing_ok=True)
            return
        state = torch.load(folder / STATE, map_location=device(), weights_only=True)
        said = [f"{k}={v!r} (was {state['recipe'][k]!r})" for k, v in self.recipe.items() if state["recipe"].get(k, v) != v]
        if said:
            raise RecipeError(
                f"{folder / STATE} is of another recipe: {', '.join(said)}; put it back, or train in another folder"
            )
        self.model.load_state_dict(self.model.state_dict() | state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.average, self.step, self.seconds = state["average"], state["step"], state["seconds"]
        self.lines = [line for line in read_log(folder) if line["step"] <= self.step]
        (folder / LOG).write_text("".join(json.dumps(line) + "\n" for line in self.lines), encoding="utf-8")


def read_log(folder: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """The lines of a run's log; a last line that a kill cut short is left out."""
    path = Path(folder) / LOG
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("}\n")]


def write_tensors(tensors: Mapping[str, torch.Tensor], path: Path, about: Mapping[str, str] | None = None) -> Path:
    """Writes a ``.safetensors``; whole or absent."""
    from safetensors.torch import save_file

    with writing_file(path) as partial:
        save_file({k: v.contiguous() for k, v in tensors.items()}, partial, metadata=dict(about or {}))
    return path


def device() -> str:
    """Where it is computed: the first GPU, or the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"
