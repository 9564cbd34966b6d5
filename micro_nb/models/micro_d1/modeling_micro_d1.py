"""Micro-D1: the whole network, to be read from top to bottom.

    pixels (B, 3, H, W) ── tile network ─┬─ geometry (B, L, 6, H/2, W/2)
                                         └─ embedding (B, D, H/4, W/4) ──────────────────────── pooled over an object ──────┐
    glances of the picture, strided ── encoder, pooled ── (B, 352) ── how large its objects are (B, 49)
    thumbnail (B, 3, 256, 256) ── global encoder ── tokens (B, 64, D) ──────────── attended by objects ─────────────────────┤
    prompts (B, W, G) ── text tower ── (B, D) ── dot products ── (objects, prompts) ────────────────────────────────────────┘

The tile network (:mod:`micro_nb.models.tile_network`) is convolutional, so its maps are exact under any tiling. The global path
sees the whole image once, small.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers import PreTrainedModel
from transformers.utils.generic import ModelOutput

from ..tile_network import PYRAMID, STAGES, STRIDE, ConvNorm, Encoder, TileNetwork
from .configuration_micro_d1 import MicroD1Config
from .processing_micro_d1 import MicroD1Processor

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


class GlobalEncoder(nn.Module):
    """The whole image, small: 64 tokens that know of each other, and a summary."""

    def __init__(self, config: MicroD1Config) -> None:
        super().__init__()
        self.encoder = Encoder(len(STAGES))
        self.head = ConvNorm(320, SUMMARY, 1)
        self.token = nn.Linear(SUMMARY, config.embed_dim)
        self.mix = nn.TransformerEncoderLayer(
            config.embed_dim,
            config.heads,
            2 * config.embed_dim,
            dropout=0.0,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )

    def look(self, thumbnail: torch.Tensor) -> torch.Tensor:  # (B, 3, T, T)
        """What of the thumbnail does not change while the joint space is trained: ``(B, (T/32)**2, 1280)``."""
        return self.head(self.encoder(thumbnail)[-1]).flatten(2).transpose(1, 2)

    def forward(self, seen: torch.Tensor) -> torch.Tensor:  # (B, N, 1280)
        tokens: torch.Tensor = self.mix(self.token(seen))  # (B, N, D)
        return tokens


class TextTower(nn.Module):
    """Prompts to the joint space. A word is the sum of its hashed character n-grams, so that typos and plurals stay near."""

    def __init__(self, config: MicroD1Config) -> None:
        super().__init__()
        width = config.text_width
        self.grams = nn.Embedding(config.text_buckets, width, padding_idx=0)
        self.mix = nn.TransformerEncoderLayer(
            width, config.heads, 2 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
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

    def __init__(self, config: MicroD1Config) -> None:
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


@dataclass
class MicroD1Output(ModelOutput):  # type: ignore[no-untyped-call]
    """What :class:`MicroD1Model` found.

    Attributes
    ----------
    geometry : ``(B, L, 6, H/2, W/2)``, for each layer: see :data:`micro_nb.models.tile_network.GEOMETRY`.
    embedding : ``(B, D, H/4, W/4)`` pixel embeddings, to be pooled over objects.
    seen : ``(B, 64, 1280)`` features of the thumbnail.
    tokens : ``(B, 64, D)`` global tokens.
    text_embeds : ``(P, D)`` unit vectors of prompts.
    """

    geometry: torch.Tensor | None = None
    embedding: torch.Tensor | None = None
    seen: torch.Tensor | None = None
    tokens: torch.Tensor | None = None
    text_embeds: torch.Tensor | None = None


class MicroD1PreTrainedModel(PreTrainedModel):
    """Loading and saving, as everywhere in transformers."""

    config_class = MicroD1Config
    base_model_prefix = "micro_d1"
    main_input_name = "pixel_values"

    def _init_weights(self, module: nn.Module) -> None:
        """Layers keep the initialisation that torch gives them."""


class MicroD1Model(MicroD1PreTrainedModel):
    """Micro-D1: geometry and embeddings of pixels, global tokens, prompts, in one joint space.

    Attributes
    ----------
    processor, calibration, weights_id, eyes : given by :func:`micro_nb.load_model`: what prepares pictures and prompts, how
        scores become probabilities and p-values, the SHA-256 of the weights, and the tile network made fast.

    Examples
    --------
    >>> model = MicroD1Model(MicroD1Config())
    >>> out = model(pixel_values=torch.zeros(1, 3, 64, 96))
    >>> tuple(out.geometry.shape), tuple(out.embedding.shape)
    ((1, 3, 6, 32, 48), (1, 128, 16, 24))
    """

    processor: MicroD1Processor
    calibration: dict[str, Any]
    weights_id: str
    eyes: tuple[Any]

    def __init__(self, config: MicroD1Config) -> None:
        super().__init__(config)
        self.tile = TileNetwork(config.sizes)
        self.size = SizeHead()
        self.thumb = GlobalEncoder(config)
        self.text = TextTower(config)
        self.joint = JointSpace(config)
        self.post_init()

    def forward(
        self,
        pixel_values: torch.Tensor | None = None,
        thumbnail: torch.Tensor | None = None,
        input_ids: torch.Tensor | None = None,
        return_dict: bool | None = None,
        **kwargs: Any,
    ) -> MicroD1Output | tuple[Any, ...]:
        """Whatever is given is looked at.

        Parameters
        ----------
        pixel_values : ``(B, 3, H, W) float32``, 0 and 1 at the image's percentiles; H and W are multiples of 16.
        thumbnail : ``(B, 3, T, T) float32``, the whole image.
        input_ids : ``(P, W, G) int64``, hashed n-grams of the words of prompts.
        """
        if kwargs:
            raise TypeError(f"MicroD1Model.forward does not know {sorted(kwargs)}")
        out = MicroD1Output()
        if pixel_values is not None:
            if pixel_values.ndim != 4 or pixel_values.shape[1] != 3 or any(n % STRIDE for n in pixel_values.shape[2:]):
                raise ValueError(
                    f"pixel_values must be (B, 3, H, W), H and W multiples of {STRIDE}; got {tuple(pixel_values.shape)}"
                )
            out["geometry"], out["embedding"] = self.tile(pixel_values)
        if thumbnail is not None:
            out["seen"] = self.thumb.look(thumbnail)
            out["tokens"] = self.thumb(out["seen"])
        if input_ids is not None:
            out["text_embeds"] = self.text(input_ids)
        return out if return_dict is not False else out.to_tuple()
