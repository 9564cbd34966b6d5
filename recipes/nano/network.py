"""The tile network of Micro-D1 nano, third weights: the pyramid as it was, a separable decoder, geometry at stride 4.

    pixels (B, 3, H, W) ── encoder ── strides 2, 4, 8, 16 ── decoder ─┬─ geometry (B, L, 6, H/2, W/2), by pixel shuffle
                                                                      ├─ size (B, L, 2, H/16, W/16)
                                                                      └─ embedding (B, D, H/4, W/4)

What it says of a pixel depends on the :data:`RADIUS` pixels around it and on nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from depthwise import Depthwise
from torch import nn

STAGES = ((1, 3, 1, 16, 1), (2, 3, 6, 24, 2), (2, 5, 6, 40, 2), (3, 3, 6, 80, 2), (3, 5, 6, 112, 1))
"""EfficientNet-lite0's (Tan & Le 2019; Liu 2020) to stride 16: blocks, kernel, expansion, channels, stride of the first."""
PYRAMID = (16, 24, 40, 112)
"""Channels at strides 2, 4, 8, 16."""
STRIDE = 16
GEOMETRY = ("foreground", "distance", "offset_y", "offset_x", "boundary", "seed")
"""Logit of the foreground, depth 0..1, the way to the centre, logit of the seam between touching objects, logit of a centre."""
SIZE = ("diameter", "there")
"""log2 of the diameter over ``diameter_px``, and the logit that an object is there."""
RADIUS = 256
"""Pixels around a pixel that can change what is said of it."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of the network.

    Attributes
    ----------
    widths : channels of the decoder at strides 16, 8 and 4.
    embed_dim : dimensions of the joint space.
    layers : names of the geometry layers.
    diameter_px : the diameter, in the network's pixels, that typical objects are scaled to.
    """

    widths: tuple[int, int, int] = (96, 64, 48)
    embed_dim: int = 128
    layers: tuple[str, ...] = ("object", "nucleus", "organelle")
    diameter_px: float = 22.0


class Seen(NamedTuple):
    """What the network says: ``geometry (B, L, 6, H/2, W/2)``, ``size (B, L, 2, H/16, W/16)``, ``embedding (B, D, H/4, W/4)``."""

    geometry: torch.Tensor
    size: torch.Tensor
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
        return x + self.body(x) if self.residual else self.body(x)


class Encoder(nn.Module):
    """A convolutional pyramid; its tensors have the names and shapes of Micro-D1's."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvNorm(3, 32, stride=2)
        width, built = 32, []
        for blocks, kernel, expansion, outputs, stride in STAGES:
            first = InvertedResidual(width, outputs, kernel, expansion, stride)
            rest = [InvertedResidual(outputs, outputs, kernel, expansion, 1) for _ in range(blocks - 1)]
            built.append(nn.Sequential(first, *rest))
            width = outputs
        self.stages = nn.ModuleList(built)

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:  # (B, 3, H, W)
        x, found = self.stem(pixels), []
        for stage, (_, _, _, _, stride) in zip(self.stages, STAGES, strict=True):
            if stride == 2:
                found.append(x)
            x = stage(x)
        return [*found, x]  # strides 2, 4, 8, 16


class Mix(nn.Module):
    """Each channel is convolved by itself, then channels are mixed; added to what came in."""

    def __init__(self, width: int, kernel: int = 3) -> None:
        super().__init__()
        self.body = nn.Sequential(ConvNorm(width, width, kernel, groups=width, act=False), ConvNorm(width, width, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (B, C, h, w)
        return x + self.body(x)


class Decoder(nn.Module):
    """From stride 16 to stride 4; what was seen at stride 2 joins as four channels for one."""

    def __init__(self, widths: tuple[int, int, int]) -> None:
        super().__init__()
        coarse, middle, fine = widths
        self.lateral = nn.ModuleList(nn.Conv2d(c, w, 1) for c, w in zip(PYRAMID[:0:-1], widths, strict=True))
        self.sharp = nn.Conv2d(4 * PYRAMID[0], fine, 1)
        self.down = nn.ModuleList((nn.Conv2d(coarse, middle, 1, bias=False), nn.Conv2d(middle, fine, 1, bias=False)))
        self.mix = nn.ModuleList(nn.Sequential(Mix(w), Mix(w)) for w in widths)

    def forward(self, pyramid: list[torch.Tensor]) -> list[torch.Tensor]:  # strides 2, 4, 8, 16
        found = [self.mix[0](self.lateral[0](pyramid[3]))]
        for k in (0, 1):
            up = F.interpolate(self.down[k](found[-1]), scale_factor=2, mode="bilinear", align_corners=False)
            joined = self.lateral[k + 1](pyramid[2 - k]) + up
            joined = joined + self.sharp(F.pixel_unshuffle(pyramid[0], 2)) if k == 1 else joined
            found.append(self.mix[k + 1](joined))
        return found  # strides 16, 8, 4


class TileNetwork(nn.Module):
    """Pixels to geometry, sizes and embeddings; all that is costly, run once per image."""

    def __init__(self, sizes: Sizes | None = None) -> None:
        super().__init__()
        self.sizes = sizes or Sizes()
        layers, (coarse, _, fine) = len(self.sizes.layers), self.sizes.widths
        self.encoder, self.decoder = Encoder(), Decoder(self.sizes.widths)
        self.outline = nn.Sequential(Mix(fine), nn.Conv2d(fine, layers * len(GEOMETRY) * 4, 1))
        self.size = nn.Conv2d(coarse, layers * len(SIZE), 1)
        self.embed = nn.ModuleList(nn.Conv2d(w, self.sizes.embed_dim, 1) for w in self.sizes.widths)

    def forward(self, pixels: torch.Tensor) -> Seen:  # (B, 3, H, W), H and W multiples of 16
        features = self.decoder(self.encoder(pixels))
        geometry = F.pixel_shuffle(self.outline(features[2]), 2).unflatten(1, (-1, len(GEOMETRY)))
        return Seen(geometry, self.size(features[0]).unflatten(1, (-1, len(SIZE))), self.embedded(features))

    def embedded(self, features: list[torch.Tensor]) -> torch.Tensor:  # strides 16, 8, 4
        """Embeddings of pixels ``(B, D, H/4, W/4)``."""
        seen = self.embed[0](features[0])
        for k in (1, 2):
            seen = self.embed[k](features[k]) + F.interpolate(seen, scale_factor=2, mode="bilinear", align_corners=False)
        return seen

    def glance(self, pixels: torch.Tensor) -> torch.Tensor:  # (B, 3, H, W)
        """Sizes alone ``(B, L, 2, H/16, W/16)``: a strided picture tells how large its objects are."""
        coarse = self.decoder.mix[0](self.decoder.lateral[0](self.encoder(pixels)[3]))
        return self.size(coarse).unflatten(1, (-1, len(SIZE)))


def load_encoder(network: TileNetwork, weights: dict[str, torch.Tensor]) -> int:
    """Fills the encoder from tensors of Micro-D1 (``tile.encoder.*``) or of a training; how many were found."""
    stored = {k.removeprefix("tile.").removeprefix("encoder."): v for k, v in weights.items() if "encoder." in k}
    mine = network.encoder.state_dict()
    found = {k: stored[k].to(v.dtype) for k, v in mine.items() if k in stored and stored[k].shape == v.shape}
    network.encoder.load_state_dict(mine | found)
    return len(found)
