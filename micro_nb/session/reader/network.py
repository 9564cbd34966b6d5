"""The network: a bidirectional GRU reads pieces, another with attention writes the tokens of a Query."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Network(nn.Module):
    """Encoder and decoder.

    Parameters
    ----------
    pieces, tokens : sizes of the two vocabularies; id 0 is padding in both.
    width : of all states.
    """

    def __init__(self, pieces: int, tokens: int, width: int = 192, dropout: float = 0.2) -> None:
        super().__init__()
        self.read = nn.Embedding(pieces, width, padding_idx=0)
        self.write = nn.Embedding(tokens, width, padding_idx=0)
        self.encoder = nn.GRU(width, width // 2, bidirectional=True, batch_first=True)
        self.decoder = nn.GRU(width, width, batch_first=True)
        self.query, self.drop = nn.Linear(width, width), nn.Dropout(dropout)
        self.out = nn.Sequential(nn.Linear(2 * width, width), nn.Tanh(), nn.Linear(width, tokens))

    def encode(self, pieces: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Memory ``(B, L, W)``, first state ``(1, B, W)`` and mask ``(B, L)`` of piece ids ``(B, L)``."""
        memory, last = self.encoder(self.drop(self.read(pieces)))
        return memory, torch.cat([last[0], last[1]], dim=-1)[None].contiguous(), pieces != 0

    def decode(self, tokens: Tensor, memory: Tensor, state: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Logits ``(B, T, V)`` of the next token after each of ``(B, T)``, and the new state."""
        written, state = self.decoder(self.drop(self.write(tokens)), state)
        weights = (self.query(written) @ memory.transpose(1, 2)).masked_fill(~mask[:, None], -1e9).softmax(-1)
        return self.out(self.drop(torch.cat([written, weights @ memory], dim=-1))), state

    def forward(self, pieces: Tensor, tokens: Tensor) -> Tensor:
        """Logits ``(B, T, V)`` with the tokens given (teacher forcing)."""
        memory, state, mask = self.encode(pieces)
        logits: Tensor = self.decode(tokens, memory, state, mask)[0]
        return logits
