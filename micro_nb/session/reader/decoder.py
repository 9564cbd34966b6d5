"""The trained reader: trained on phrasings, kept as fp16 safetensors, decoded only into well-formed queries."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..memory import Context
from ..query import Query
from .form import Law, query_of, row, vocabulary_of
from .network import Network
from .phrasings import sampled
from .pieces import Pieces, words

_LONGEST, _START = 14, 1


@dataclass
class Decoder:
    """A reader of questions.

    Attributes
    ----------
    network, pieces, law : what reads, its tokenizer, and which queries it may write.
    """

    network: Network
    pieces: Pieces
    law: Law

    @torch.no_grad()
    def read(self, text: str, context: Context) -> tuple[Query, float]:
        """The likeliest well-formed query, and its probability; what was said before is not read."""
        self.network.eval()
        numbers = words(text)[1]
        memory, state, mask = self.network.encode(torch.tensor([self.pieces.ids(text) or [1]]))
        prefix: list[str] = []
        token, sure = _START, 0.0
        while len(prefix) < _LONGEST:
            logits, state = self.network.decode(torch.tensor([[token]]), memory, state, mask)
            allowed = torch.tensor(self.law.allowed(prefix, len(numbers)))
            chosen = int(logits[0, 0, allowed].argmax())
            sure += float(logits[0, 0].log_softmax(-1)[allowed[chosen]])
            token = int(allowed[chosen])
            if self.law.vocabulary[token] == "end":
                break
            prefix.append(self.law.vocabulary[token])
        return query_of(prefix, numbers, context.shape), float(torch.tensor(sure).exp())

    def save(self, folder: Path) -> None:
        """Writes ``reader.safetensors`` (fp16) and ``reader.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file({k: v.half().contiguous() for k, v in self.network.state_dict().items()}, folder / "reader.safetensors")
        named = {"characters": self.pieces.characters, "merges": self.pieces.merges, "tokens": self.law.vocabulary}
        (folder / "reader.json").write_text(json.dumps(named), encoding="utf8")

    @classmethod
    def load(cls, folder: Path) -> Decoder:
        """What :meth:`save` wrote."""
        named = json.loads((folder / "reader.json").read_text(encoding="utf8"))
        pieces = Pieces(tuple(named["characters"]), tuple((a, b) for a, b in named["merges"]))
        network = Network(len(pieces.names), len(named["tokens"]))
        network.load_state_dict({k: v.float() for k, v in load_file(folder / "reader.safetensors").items()})
        return cls(network, pieces, Law(named["tokens"]))


def train(families: Sequence[Mapping[str, Any]], *, minutes: float, examples: int = 30_000, seed: int = 0) -> Decoder:
    """A reader trained on phrasings of families ``{"expect", "wordings"}`` for so many minutes of one thread."""
    torch.manual_seed(seed)
    drawn = [(text, r) for text, q in sampled(families, examples, seed) if (r := row(q, words(text)[1])) is not None]
    pieces, tokens = Pieces.learned([t for t, _ in drawn[:6000]]), vocabulary_of([r for _, r in drawn])
    place = {t: k for k, t in enumerate(tokens)}
    data = [(pieces.ids(text), [place[t] for t in r]) for text, r in drawn]
    network = Network(len(pieces.names), len(tokens))
    steps = _fit(network, data, minutes)
    print(f"{len(data)} phrasings, {sum(p.numel() for p in network.parameters())} parameters, {steps} steps")
    return Decoder(network, pieces, Law(tokens))


def _fit(network: Network, data: Sequence[tuple[list[int], list[int]]], minutes: float, batch: int = 64) -> int:
    optimizer = torch.optim.AdamW(network.parameters(), 2e-3, weight_decay=0.01)
    start, step = time.monotonic(), 0
    while (spent := (time.monotonic() - start) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * (1 - spent) + 1e-5
        chosen = [data[int(k)] for k in torch.randint(len(data), (batch,))]
        read, written = _padded([a for a, _ in chosen]), _padded([b for _, b in chosen])
        given = torch.cat([torch.full((batch, 1), _START), written[:, :-1]], dim=1)
        network.train()
        loss = torch.nn.functional.cross_entropy(network(read, given).flatten(0, 1), written.flatten(), ignore_index=0)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        step += 1
    return step


def _padded(rows: Sequence[Sequence[int]]) -> Tensor:
    longest = max(map(len, rows))
    return torch.tensor([[*r, *[0] * (longest - len(r))] for r in rows])
