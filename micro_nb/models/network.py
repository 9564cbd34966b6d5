"""Micro-D1: the whole network, to be read from top to bottom; it needs torch, and no transformers.

    pixels (B, 3, H, W) ── tile network ─┬─ geometry (B, L, 6, H/2, W/2)
                                         └─ embedding (B, D, H/4, W/4) ──────────────────────── pooled over an object ──────┐
    glances of the picture, strided ── encoder, pooled ── (B, 352) ── how large its objects are (B, 49)
    thumbnail (B, 3, 256, 256) ── global encoder ── tokens (B, 64, D) ──────────── attended by objects ─────────────────────┤
    prompts (B, W, G) ── text tower ── (B, D) ── dot products ── (objects, prompts) ────────────────────────────────────────┘

The tile network (:mod:`micro_nb.models.tile_network`) is convolutional, so its maps are exact under any tiling. The global path
sees the whole image once, small.
"""

from __future__ import annotations

import json
import os
import pkgutil
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import nn

from .pictures import Preparation
from .tile_network import PYRAMID, STAGES, ConvNorm, Encoder, Sizes, TileNetwork


def fast_bfloat16(place: str = "cpu") -> bool:
    """Whether bfloat16 is faster than float32: on a GPU that has it, with matrix units (AMX), and with AVX-512 but on Intel's."""
    if place.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    has: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(has.get("amx_bf16") or (has.get("avx512_bf16") and "Intel" not in has.get("cpu_name", "")))


@dataclass
class Settings:
    """What a ``config.json`` says, see :class:`~micro_nb.models.micro_d1.MicroD1Config`."""

    decoder_widths: tuple[int, ...]
    embed_dim: int
    layers: tuple[str, ...]
    diameter_px: float
    thumbnail_px: int
    text_buckets: int
    text_width: int
    text_grams: int
    text_words: int
    heads: int
    text_config: dict[str, Any] | None
    extra_concepts: dict[str, list[float]]

    @classmethod
    def read(cls, folder: Path) -> Settings | None:
        """Those of a model in a folder; None where it is more than a :class:`MicroD1`, or of another version."""
        said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        names = [f.name for f in fields(cls)]
        if said.get("architectures") != ["MicroD1Model"] or not set(names) <= set(said):
            return None
        own: dict[str, Any] = {name: tuple(said[name]) if isinstance(said[name], list) else said[name] for name in names}
        return cls(**own)

    @property
    def sizes(self) -> Sizes:
        """Of the tile network."""
        return Sizes(self.decoder_widths, self.embed_dim, self.layers, self.diameter_px)

    def to_dict(self) -> dict[str, Any]:
        """As ``MicroD1Config`` takes them."""
        return asdict(self)


SUMMARY = 1280


class SizeHead(nn.Module):
    """How large the objects of a glance are, from its texture: mean and deviation of the encoder's features at each stride.

    Every glance at a picture, more strided than the one before, says how probable each size is; together they are surer than any.
    """

    OCTAVES = tuple(k / 4 for k in range(-24, 25))
    """log2 of a typical diameter over the one that the tile network knows."""

    middle: torch.Tensor
    spread: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        features = 2 * sum(PYRAMID[1:])
        self.register_buffer("middle", torch.zeros(features))
        self.register_buffer("spread", torch.ones(features))
        said = nn.Linear(128, len(self.OCTAVES))
        self.layers = nn.Sequential(nn.Dropout(0.2), nn.Linear(features, 128), nn.ReLU(), nn.Dropout(0.3), said)

    @staticmethod
    def pooled(pyramid: list[torch.Tensor]) -> torch.Tensor:  # strides 2, 4, 8, 16
        """``(B, 352)``: what is looked at."""
        parts = [f.float().flatten(2) for f in pyramid[1:]]
        return torch.cat([v for f in parts for v in (f.mean(2), f.std(2))], 1)

    def forward(self, pooled: torch.Tensor) -> torch.Tensor:  # (B, 352)
        """Log probabilities ``(B, 49)`` of :attr:`OCTAVES`."""
        found: torch.Tensor = self.layers((pooled - self.middle) / self.spread).log_softmax(1)
        return found


def _mixing(width: int, heads: int) -> nn.TransformerEncoderLayer:
    """Tokens ``(B, N, width)`` that come to know of each other."""
    return nn.TransformerEncoderLayer(width, heads, 2 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True)


class GlobalEncoder(nn.Module):
    """The whole image, small: 64 tokens that know of each other, and a summary."""

    def __init__(self, config: Settings) -> None:
        super().__init__()
        self.encoder = Encoder(len(STAGES))
        self.head = ConvNorm(320, SUMMARY, 1)
        self.token = nn.Linear(SUMMARY, config.embed_dim)
        self.mix = _mixing(config.embed_dim, config.heads)

    def look(self, thumbnail: torch.Tensor) -> torch.Tensor:  # (B, 3, T, T)
        """What of the thumbnail does not change while the joint space is trained: ``(B, (T/32)**2, 1280)``."""
        found: torch.Tensor = self.head(self.encoder(thumbnail)[-1])
        return found.flatten(2).transpose(1, 2)

    def forward(self, seen: torch.Tensor) -> torch.Tensor:  # (B, N, 1280)
        tokens: torch.Tensor = self.mix(self.token(seen))  # (B, N, D)
        return tokens


class TextTower(nn.Module):
    """Prompts to the joint space. A word is the sum of its hashed character n-grams, so that typos and plurals stay near."""

    def __init__(self, config: Settings) -> None:
        super().__init__()
        width = config.text_width
        self.grams = nn.Embedding(config.text_buckets, width, padding_idx=0)
        self.mix = _mixing(width, config.heads)
        self.out = nn.Sequential(nn.Linear(width, config.embed_dim), nn.GELU(), nn.Linear(config.embed_dim, config.embed_dim))

    def forward(self, input_ids: torch.Tensor) -> torch.Tensor:  # (P, W, G) int64, 0 where there is no n-gram
        count = (input_ids > 0).sum(2, keepdim=True)  # (P, W, 1)
        words = self.grams(input_ids).sum(2) / count.clamp(min=1).sqrt()  # (P, W, E)
        empty = count[..., 0] == 0
        empty = empty & ~empty.all(1, keepdim=True)
        mixed = self.mix(words, src_key_padding_mask=empty)
        mean = mixed.masked_fill(empty[..., None], 0).sum(1) / (~empty).sum(1, keepdim=True)
        return F.normalize(self.out(mean), dim=-1)  # (P, D)


class JointSpace(nn.Module):
    """Objects and images into the space of the prompts."""

    def __init__(self, config: Settings) -> None:
        super().__init__()
        width = config.embed_dim
        self.norm = nn.LayerNorm(width)
        self.object = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.attend = nn.MultiheadAttention(width, config.heads, batch_first=True)
        self.summary = nn.Sequential(nn.LayerNorm(SUMMARY), nn.Linear(SUMMARY, width))
        self.detail = nn.Sequential(nn.LayerNorm(2 * width), nn.Linear(2 * width, width))
        self.image = nn.Sequential(nn.GELU(), nn.Linear(width, width))
        self.object_scale, self.object_bias = nn.Parameter(torch.tensor(2.3)), nn.Parameter(torch.tensor(-3.0))
        self.image_scale, self.image_bias = nn.Parameter(torch.tensor(2.3)), nn.Parameter(torch.tensor(-3.0))

    def objects(self, pooled: torch.Tensor, tokens: torch.Tensor | None = None) -> torch.Tensor:  # (B, N, D), (B, M, D)
        """Unit vectors ``(B, N, D)`` of the objects of images; without ``tokens`` nothing but the object itself is looked at."""
        x = self.object(pooled)
        if tokens is not None:
            context, _ = self.attend(self.norm(x), tokens, tokens, need_weights=False)
            x = x + context
        return F.normalize(x, dim=-1)

    def images(self, seen: torch.Tensor | None, detail: torch.Tensor | None) -> torch.Tensor:  # (B, M, 1280), (B, 2 D)
        """Unit vectors of images from their thumbnails, or from the mean and the deviation of their pixel embeddings, or both."""
        parts = ([self.summary(seen.mean(1))] if seen is not None else []) + ([self.detail(detail)] if detail is not None else [])
        return F.normalize(self.image(torch.stack(parts).mean(0)), dim=-1)


class MicroD1(nn.Module):
    """Micro-D1 as it is loaded to look: the parts of a :class:`~micro_nb.models.micro_d1.MicroD1Model`.

    Attributes
    ----------
    config : :class:`Settings`, or the model's configuration.
    processor, calibration, weights_id, eyes, heard : given by :func:`micro_nb.load_model`: what prepares pictures and prompts,
        how scores become probabilities and p-values, the SHA-256 of the weights, the tile network made fast, and points of the
        last prompts.
    """

    config: Any
    processor: Preparation
    calibration: dict[str, Any]
    weights_id: str
    eyes: tuple[Any]
    heard: dict[tuple[str, ...], np.ndarray]

    def __init__(self, config: Settings | None = None) -> None:
        super().__init__()
        if config is not None:
            self.config = config
            self.build(config)

    def build(self, config: Any) -> None:
        """Its parts."""
        self.tile = TileNetwork(config.sizes)
        self.size = SizeHead()
        self.thumb = GlobalEncoder(config)
        self.text = TextTower(config)
        self.joint = JointSpace(config)

    @classmethod
    def read(cls, folder: Path) -> MicroD1 | None:
        """The model that ``save_pretrained`` wrote, in ``float32``; None where that takes transformers."""
        weights, config = folder / "model.safetensors", Settings.read(folder)
        if config is None or not weights.is_file():
            return None
        with torch.random.fork_rng(devices=[]):  # no weight drawn here is kept; on "meta" drawing them costs seconds of imports
            model = cls(config)
        tensors = {k: v.float() if v.is_floating_point() else v for k, v in load_file(weights).items()}
        model.load_state_dict(tensors, assign=True)
        return model

    def pretrained(self) -> Any:
        """The same weights as a :class:`~micro_nb.models.micro_d1.MicroD1Model` of transformers."""
        whole = pkgutil.resolve_name("micro_nb.models.micro_d1:MicroD1Model")  # brings transformers, so when it is asked for
        model = whole(whole.config_class(**self.config.to_dict()))
        model.load_state_dict(self.state_dict())
        return model.eval()

    def save_pretrained(self, save_directory: str | os.PathLike[str], **kwargs: Any) -> None:
        """Writes configuration and weights, as transformers does."""
        self.pretrained().save_pretrained(save_directory, **kwargs)
