"""The tile network of Micro-D1: a pyramid, a separable decoder, geometry from stride 4.

    pixels (B, 3, H, W) ── encoder ── strides 2, 4, 8, 16 ── decoder ─┬─ geometry (B, L, 6, H/2, W/2), by pixel shuffle
                                                                      └─ embedding (B, D, H/4, W/4)

What it says of a pixel depends on the :data:`RADIUS` pixels around it and on nothing else, so maps are exact under any tiling.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from .depthwise import Depthwise

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
"""The tile network's encoder stops at stride 16."""
LAYERS = ("object", "nucleus", "organelle")
"""Layers of geometry: whole objects (a cell, a particle, a nucleus where only nuclei show); nuclei; what lies inside."""
PYRAMID = (16, 24, 40, 112)
"""Channels at strides 2, 4, 8, 16."""
STRIDE = 16
GEOMETRY = ("foreground", "distance", "offset_y", "offset_x", "boundary", "seed")
"""Logit of the foreground, depth 0..1, the way to the centre, logit of the seam between touching objects, logit of a centre."""
OFFSET_UNIT = 16.0
"""Offsets are learned in units of so many map pixels, which lie two network pixels apart."""
RADIUS = 256
"""Pixels around a pixel that can change what is said of it."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of a tile network; the defaults are those of ``nano``.

    Attributes
    ----------
    decoder_widths : channels of the decoder at strides 16, 8 and 4.
    embed_dim : dimensions of the joint space.
    layers : names of the geometry layers.
    diameter_px : the diameter, in the network's pixels, that typical objects are scaled to.
    """

    decoder_widths: tuple[int, ...] = (128, 96, 96)
    embed_dim: int = 128
    layers: tuple[str, ...] = LAYERS
    diameter_px: float = 22.0


class Maps(NamedTuple):
    """What the network says: ``geometry (B, L, 6, H/2, W/2)``, ``embedding (B, D, H/4, W/4)``."""

    geometry: torch.Tensor
    embedding: torch.Tensor


class ConvNorm(nn.Sequential):
    """Convolution, batch normalisation with fixed statistics at inference, ReLU6."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, *, stride: int = 1, groups: int = 1, act: bool = True) -> None:
        alone = groups == inputs == outputs
        conv = (
            Depthwise(inputs, kernel, stride)
            if alone
            else nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        )
        super().__init__(conv, nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03), *([nn.ReLU6(inplace=True)] if act else []))


class InvertedResidual(nn.Module):
    """Expand, convolve each channel, project; added to the input where shapes allow (Sandler et al. 2018)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, expansion: int, stride: int) -> None:
        super().__init__()
        width = inputs * expansion
        expand = [ConvNorm(inputs, width, 1)] if expansion > 1 else []
        each = ConvNorm(width, width, kernel, stride=stride, groups=width)
        self.body = nn.Sequential(*expand, each, ConvNorm(width, outputs, 1, act=False))
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (B, C, H, W)
        found: torch.Tensor = self.body(x)
        return x + found if self.residual else found


class Encoder(nn.Module):
    """A convolutional pyramid: features at strides 2, 4, 8, 16 and, with seven stages, 32."""

    def __init__(self, stages: int = TILE_STAGES) -> None:
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


class Mix(nn.Module):
    """Each channel is convolved by itself, then channels are mixed; added to what came in."""

    def __init__(self, width: int, kernel: int = 3) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvNorm(width, width, kernel, groups=width, act=False), ConvNorm(width, width, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (B, C, h, w)
        found: torch.Tensor = self.body(x)
        return x + found


class Decoder(nn.Module):
    """From stride 16 to stride 4; what was seen at stride 2 joins as four channels for one."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        coarse, middle, fine = widths
        self.lateral = nn.ModuleList(nn.Conv2d(c, w, 1) for c, w in zip(PYRAMID[:0:-1], widths, strict=True))
        self.sharp = nn.Conv2d(4 * PYRAMID[0], fine, 1)
        self.down = nn.ModuleList((nn.Conv2d(coarse, middle, 1, bias=False), nn.Conv2d(middle, fine, 1, bias=False)))
        self.mix = nn.ModuleList(nn.Sequential(Mix(w), Mix(w)) for w in widths)

    def forward(self, pyramid: list[torch.Tensor]) -> list[torch.Tensor]:  # strides 2, 4, 8, 16
        found: list[torch.Tensor] = [self.mix[0](self.lateral[0](pyramid[3]))]
        for k in (0, 1):
            up = F.interpolate(self.down[k](found[-1]), scale_factor=2, mode="bilinear", align_corners=False)
            joined = self.lateral[k + 1](pyramid[2 - k]) + up
            joined = joined + self.sharp(F.pixel_unshuffle(pyramid[0], 2)) if k == 1 else joined
            found.append(self.mix[k + 1](joined))
        return found  # strides 16, 8, 4


class TileNetwork(nn.Module):
    """Pixels to geometry and embeddings; all that is costly, run once per image."""

    def __init__(self, sizes: Sizes | None = None) -> None:
        super().__init__()
        self.sizes = sizes or Sizes()
        layers, fine = len(self.sizes.layers), self.sizes.decoder_widths[2]
        self.encoder, self.decoder = Encoder(), Decoder(self.sizes.decoder_widths)
        self.outline = nn.Sequential(Mix(fine), nn.Conv2d(fine, layers * len(GEOMETRY) * 4, 1))
        self.embed = nn.ModuleList(nn.Conv2d(w, self.sizes.embed_dim, 1) for w in self.sizes.decoder_widths)

    def forward(self, pixels: torch.Tensor) -> Maps:  # (B, 3, H, W), H and W multiples of 16
        features = self.decoder(self.encoder(pixels))
        return Maps(self.outlined(features[2]), self.embedded(features))

    def outlined(self, fine: torch.Tensor) -> torch.Tensor:  # (B, F, H/4, W/4)
        """Geometry, ``(B, L, 6, H/2, W/2)``."""
        found = F.pixel_shuffle(self.outline(fine), 2)
        return found.reshape(found.shape[0], -1, len(GEOMETRY), *found.shape[2:])

    def embedded(self, features: list[torch.Tensor]) -> torch.Tensor:  # strides 16, 8, 4
        """Embeddings of pixels, ``(B, D, H/4, W/4)``."""
        seen: torch.Tensor = self.embed[0](features[0])
        for k in (1, 2):
            seen = self.embed[k](features[k]) + F.interpolate(seen, scale_factor=2, mode="bilinear", align_corners=False)
        return seen
