"""Micro-D1: the whole network, to be read from top to bottom.

    pixels (B, 3, H, W) ── encoder ── strides 2, 4, 8, 16 ── decoder ─┬─ geometry (B, L, 4, H/2, W/2)
                                                                      └─ features (B, F, H/2, W/2) ─ pooled over an object ─┐
    thumbnail (B, 3, 256, 256) ── global encoder ── tokens (B, 64, D) ──────────── attended by objects ─────────────────────┤
    prompts (B, W, G) ── text tower ── (B, D) ── dot products ── (objects, prompts) ────────────────────────────────────────┘

The tile path is convolutional: what it says of a pixel depends on the ``RADIUS`` pixels around it and on nothing else, so maps
are exact under any tiling. The global path sees the whole image once, small.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from transformers import PreTrainedModel
from transformers.utils.generic import ModelOutput

from .configuration_micro_d1 import MicroD1Config
from .processing_micro_d1 import MicroD1Processor

STAGES = (
    (1, 3, 1, 16, 1),
    (2, 3, 6, 24, 2),
    (2, 5, 6, 40, 2),
    (3, 3, 6, 80, 2),
    (3, 5, 6, 112, 1),
    (4, 5, 6, 192, 2),
    (1, 3, 6, 320, 1),
)
"""EfficientNet-lite0's (Tan & Le 2019; Liu 2020): blocks, kernel, expansion, channels, stride of the first block."""
TILE_STAGES = 5
"""The tile encoder stops at stride 16; the global encoder runs to stride 32."""
STRIDE = 16
SUMMARY = 1280
GEOMETRY = ("foreground", "distance", "offset_y", "offset_x")


class ConvNorm(nn.Sequential):
    """Convolution, batch normalisation with fixed statistics at inference, ReLU6."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, *, stride: int = 1, groups: int = 1, act: bool = True) -> None:
        conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        super().__init__(conv, nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03), *([nn.ReLU6(inplace=True)] if act else []))


class InvertedResidual(nn.Module):
    """Expand, convolve each channel, project; added to the input where shapes allow (Sandler et al. 2018)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, expansion: int, stride: int) -> None:
        super().__init__()
        width = inputs * expansion
        expand = [ConvNorm(inputs, width, 1)] if expansion > 1 else []
        self.body = nn.Sequential(
            *expand, ConvNorm(width, width, kernel, stride=stride, groups=width), ConvNorm(width, outputs, 1, act=False)
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (B, C, H, W)
        return x + self.body(x) if self.residual else self.body(x)


class Encoder(nn.Module):
    """A convolutional pyramid: features at strides 2, 4, 8, 16 and, with seven stages, 32."""

    def __init__(self, stages: int) -> None:
        super().__init__()
        self.stem = ConvNorm(3, 32, stride=2)
        width, built = 32, []
        for blocks, kernel, expansion, outputs, stride in STAGES[:stages]:
            first = InvertedResidual(width, outputs, kernel, expansion, stride)
            rest = [InvertedResidual(outputs, outputs, kernel, expansion, 1) for _ in range(blocks - 1)]
            built.append(nn.Sequential(first, *rest))
            width = outputs
        self.stages = nn.ModuleList(built)

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:  # (B, 3, H, W)
        x, found = self.stem(pixels), []
        for stage, (_, _, _, _, stride) in zip(self.stages, STAGES, strict=False):
            if stride == 2:
                found.append(x)
            x = stage(x)
        return [*found, x]  # strides 2, 4, 8, 16(, 32)


class Decoder(nn.Module):
    """From stride 16 back to stride 2; each step upsamples, adds the encoder's features and mixes them."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        laterals = (112, 40, 24, 16)
        self.lateral = nn.ModuleList(nn.Conv2d(c, w, 1) for c, w in zip(laterals, widths, strict=True))
        self.down = nn.ModuleList(nn.Conv2d(a, b, 1, bias=False) for a, b in pairwise(widths))
        self.mix = nn.ModuleList(nn.Sequential(ConvNorm(w, w), ConvNorm(w, w)) for w in widths)

    def forward(self, pyramid: list[torch.Tensor]) -> list[torch.Tensor]:  # strides 2, 4, 8, 16
        x = self.coarsest(pyramid[3])
        found = [x]
        for k, features in enumerate(reversed(pyramid[:3])):
            x = self.step(k, x, features)
            found.append(x)
        return found[::-1]  # strides 2, 4, 8, 16

    def coarsest(self, features: torch.Tensor) -> torch.Tensor:  # (B, 112, H/16, W/16)
        """Where it begins."""
        found: torch.Tensor = self.mix[0](self.lateral[0](features))
        return found

    def step(self, k: int, coarse: torch.Tensor, features: torch.Tensor) -> torch.Tensor:  # (B, F, h, w), (B, E, 2 h, 2 w)
        """From one stride to the next finer one."""
        up = F.interpolate(self.down[k](coarse), scale_factor=2, mode="bilinear", align_corners=False)
        found: torch.Tensor = self.mix[k + 1](self.lateral[k + 1](features) + up)
        return found


class TileNetwork(nn.Module):
    """Pixels to geometry and embeddings; all that is costly, run once per image."""

    def __init__(self, config: MicroD1Config) -> None:
        super().__init__()
        self.encoder = Encoder(TILE_STAGES)
        self.decoder = Decoder(config.decoder_widths)
        fine = config.decoder_widths[-1]
        self.geometry = nn.Conv2d(fine, len(config.layers) * len(GEOMETRY), 1)
        self.embed = nn.ModuleList(nn.Conv2d(w, config.embed_dim, 1) for w in config.decoder_widths)
        self.layers = len(config.layers)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # (B, 3, H, W), H and W multiples of 16
        fine, *coarse = self.decoder(self.encoder(pixels))
        return self.outlined(self.geometry(fine)), self.embedded(F.avg_pool2d(fine, 2), coarse)

    def outlined(self, geometry: torch.Tensor) -> torch.Tensor:  # (B, L * 4, H/2, W/2)
        """By layers: ``(B, L, 4, H/2, W/2)``."""
        return geometry.reshape(len(geometry), self.layers, len(GEOMETRY), *geometry.shape[2:])

    def embedded(self, fine: torch.Tensor, coarse: list[torch.Tensor]) -> torch.Tensor:  # (B, F, H/4, W/4); strides 4, 8, 16
        """Embeddings of pixels: ``(B, D, H/4, W/4)``."""
        seen: torch.Tensor = self.embed[3](fine) + self.embed[2](coarse[0])
        for k, features in ((1, coarse[1]), (0, coarse[2])):
            seen = seen + F.interpolate(self.embed[k](features), size=seen.shape[2:], mode="bilinear", align_corners=False)
        return seen


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
    geometry : ``(B, L, 4, H/2, W/2)``: foreground logit, distance, offsets y and x, for each layer.
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
    ((1, 3, 4, 32, 48), (1, 128, 16, 24))
    """

    processor: MicroD1Processor
    calibration: dict[str, Any]
    weights_id: str
    eyes: tuple[nn.Module]

    def __init__(self, config: MicroD1Config) -> None:
        super().__init__(config)
        self.tile = TileNetwork(config)
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
