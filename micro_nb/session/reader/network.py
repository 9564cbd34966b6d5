"""The network: an encoder reads the sentence and what was said before, a decoder writes the tokens of the expressions.

The encoder has the layout of BERT (Devlin et al., NAACL 2019), so that it begins as a pre-trained sentence encoder
(all-MiniLM-L6-v2);
the decoder mixes writing with copying from what was read (pointer-generator: See et al., ACL 2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

PAD_ID = 0


@dataclass(frozen=True)
class Shape:
    """Sizes of the network: of the vocabulary, of its first part that may be written without being copied, of all states, of
    heads, of layers,
    of feed-forward layers, of the longest row."""

    vocabulary: int
    written: int
    width: int = 384
    heads: int = 12
    encoder_layers: int = 6
    decoder_layers: int = 3
    encoder_inner: int = 1536
    decoder_inner: int = 768
    longest: int = 160


class Memory(NamedTuple):
    """What was read: states ``(B, S, W)``, ids ``(B, S)``, and which of them are there ``(B, S)``."""

    states: Tensor
    ids: Tensor
    there: Tensor


Past = list[tuple[Tensor, Tensor]]
"""Keys and values of what was written, by layer."""


class Attention(nn.Module):
    """Scaled dot products of several heads; keys and values may come from elsewhere, or from steps before."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))

    def split(self, x: Tensor) -> Tensor:
        """``(B, L, W)`` as ``(B, heads, L, W / heads)``."""
        return x.view(*x.shape[:-1], self.heads, -1).transpose(1, 2)

    def project(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Keys and values of ``(B, L, W)``, by head."""
        return self.split(self.key(x)), self.split(self.value(x))

    def forward(self, x: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        """``(B, L, W)``; ``mask`` is true where a key may be looked at, ``(B, 1 or L, S)``."""
        seen = None if mask is None else mask[:, None]
        mixed = F.scaled_dot_product_attention(self.split(self.query(x)), keys, values, seen)
        return self.out(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class EncoderLayer(nn.Module):
    """Attention and feed-forward, each with the sum normalised behind it."""

    def __init__(self, shape: Shape, drop: float) -> None:
        super().__init__()
        self.attention = Attention(shape.width, shape.heads)
        self.norm, self.last_norm = (nn.LayerNorm(shape.width, eps=1e-12) for _ in range(2))
        self.up, self.down = nn.Linear(shape.width, shape.encoder_inner), nn.Linear(shape.encoder_inner, shape.width)
        self.drop = nn.Dropout(drop)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """``(B, S, W)`` from the same, where ``mask`` ``(B, 1, S)`` is true."""
        x = self.norm(x + self.drop(self.attention(x, *self.attention.project(x), mask)))
        return self.last_norm(x + self.drop(self.down(F.gelu(self.up(x)))))  # type: ignore[no-any-return]


class DecoderLayer(nn.Module):
    """Attention to what was written, then to what was read, then feed-forward; each normalised before it."""

    def __init__(self, shape: Shape, drop: float) -> None:
        super().__init__()
        self.own, self.read = Attention(shape.width, shape.heads), Attention(shape.width, shape.heads)
        self.norms = nn.ModuleList(nn.LayerNorm(shape.width) for _ in range(3))
        self.up, self.down = nn.Linear(shape.width, shape.decoder_inner), nn.Linear(shape.decoder_inner, shape.width)
        self.drop = nn.Dropout(drop)

    def forward(
        self, x: Tensor, past: tuple[Tensor, Tensor] | None, causal: Tensor | None, read: tuple[Tensor, Tensor], there: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """``(B, T, W)``, and the keys and values of all that was written so far."""
        y = self.norms[0](x)
        keys, values = self.own.project(y)
        if past is not None:
            keys, values = torch.cat([past[0], keys], dim=2), torch.cat([past[1], values], dim=2)
        x = x + self.drop(self.own(y, keys, values, causal))
        x = x + self.drop(self.read(self.norms[1](x), *read, there[:, None]))
        return x + self.drop(self.down(F.gelu(self.up(self.norms[2](x))))), (keys, values)


class Network(nn.Module):
    """Encoder and decoder over one vocabulary.

    Parameters
    ----------
    shape : sizes.
    drop : share of activations left out while training.
    """

    def __init__(self, shape: Shape, drop: float = 0.1) -> None:
        super().__init__()
        self.shape = shape
        self.words = nn.Embedding(shape.vocabulary, shape.width, padding_idx=PAD_ID)
        self.places, self.parts = nn.Embedding(shape.longest, shape.width), nn.Embedding(2, shape.width)
        self.norm, self.drop = nn.LayerNorm(shape.width, eps=1e-12), nn.Dropout(drop)
        self.encoder = nn.ModuleList(EncoderLayer(shape, drop) for _ in range(shape.encoder_layers))
        self.steps = nn.Embedding(shape.longest, shape.width)
        self.decoder = nn.ModuleList(DecoderLayer(shape, drop) for _ in range(shape.decoder_layers))
        self.out_norm, self.out = nn.LayerNorm(shape.width), nn.Linear(shape.width, shape.width)
        self.bias = nn.Parameter(torch.zeros(shape.written))
        self.point, self.pointed = nn.Linear(shape.width, shape.width), nn.Linear(shape.width, shape.width)
        self.copies = nn.Linear(shape.width, 1)
        self.sentence = nn.Linear(shape.width, shape.width)

    def encode(self, ids: Tensor, parts: Tensor) -> Memory:
        """Reads ids ``(B, S)``; ``parts`` are 0 for the sentence and 1 for what was said before."""
        there = ids != PAD_ID
        at = torch.arange(ids.shape[1], device=ids.device)
        x = self.drop(self.norm(self.words(ids) + self.places(at) + self.parts(parts)))
        for layer in self.encoder:
            x = layer(x, there[:, None])
        return Memory(x, ids, there)

    def embed(self, memory: Memory) -> Tensor:
        """Unit vectors ``(B, W)`` of what the sentences mean; near where the meanings are."""
        own = memory.there[..., None].to(memory.states.dtype)
        return F.normalize(self.sentence((memory.states * own).sum(1) / own.sum(1)), dim=-1)

    def forward(self, memory: Memory, written: Tensor, targets: Tensor) -> Tensor:
        """Log-probabilities ``(B, T)`` of ``targets``, each behind what was written before it; without a row of all others."""
        x, _ = self.states(written, memory)
        logits, scores, gate = self.heads(x, memory)
        own = logits.log_softmax(-1).gather(-1, targets.clamp_max(self.shape.written - 1)[..., None])[..., 0]
        own = own.masked_fill(targets >= self.shape.written, -1e4)
        same = memory.ids[:, None] == targets[..., None]
        copied = scores.masked_fill(~same, -1e4).logsumexp(-1)
        return torch.logaddexp(F.logsigmoid(-gate) + own, F.logsigmoid(gate) + copied)

    def step(self, written: Tensor, memory: Memory, past: Past | None = None) -> tuple[Tensor, Past]:
        """Log-probabilities ``(B, V)`` of what follows the last of ``written`` ``(B, T)``, and the state for the next step."""
        x, new = self.states(written, memory, past)
        logits, scores, gate = self.heads(x[:, -1:], memory)
        writing = F.pad(
            F.logsigmoid(-gate)[..., None] + logits.log_softmax(-1), (0, self.shape.vocabulary - self.shape.written), value=-1e4
        )
        at = memory.ids[:, None]
        shared = torch.zeros_like(writing).scatter_add(-1, at, scores.exp())
        return torch.logaddexp(writing, F.logsigmoid(gate)[..., None] + shared.clamp_min(1e-9).log())[:, 0], new

    def states(self, written: Tensor, memory: Memory, past: Past | None = None) -> tuple[Tensor, Past]:
        """States ``(B, T, W)`` behind each of ``written``, and the keys and values of all that was written."""
        done = past[0][0].shape[2] if past else 0
        steps = torch.arange(done, done + written.shape[1], device=written.device)
        x = self.drop(self.words(written) + self.steps(steps))
        causal = (
            None if written.shape[1] == 1 else torch.ones(len(steps), len(steps), dtype=torch.bool, device=x.device).tril()[None]
        )
        new = []
        for k, layer in enumerate(self.decoder):
            assert isinstance(layer, DecoderLayer)
            x, kept = layer(x, past[k] if past else None, causal, layer.read.project(memory.states), memory.there)
            new.append(kept)
        return self.out_norm(x), new

    def heads(self, x: Tensor, memory: Memory) -> tuple[Tensor, Tensor, Tensor]:
        """Logits of writing ``(B, T, written)``, log-weights of copying ``(B, T, S)``, and the gate between them ``(B, T)``."""
        logits = F.linear(self.out(x), self.words.weight[: self.shape.written], self.bias).float()
        scores = (self.point(x) @ self.pointed(memory.states).transpose(1, 2)).float() * self.shape.width**-0.5
        return logits, scores.masked_fill(~memory.there[:, None], -1e4).log_softmax(-1), self.copies(x).float()[..., 0]
