"""The tile network as it looks: the same maps in less time and memory.

Normalisations are part of their convolutions, and what is wide (the expansions of the encoder's blocks) is computed in strips of
rows that stay in the processor's cache; a whole window holds narrow features alone.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ...models.network import SizeHead
from ...models.tile_network import ConvNorm, TileNetwork

STRIP_BYTES = 16 << 20
"""About what the widest features of a strip take."""
_MARGIN = 2
"""Rows of the result that a strip computes beyond its own, so that its convolutions see what they would see in the whole."""


class Eyes(nn.Module):
    """A copy of a :class:`TileNetwork` that gives the same maps, to the rounding of ``float32``."""

    def __init__(self, network: TileNetwork) -> None:
        super().__init__()
        self.network = fused(network)

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # (B, 3, H, W)
        """Geometry ``(B, L, 6, H/2, W/2)`` and embedding ``(B, D, H/4, W/4)``."""
        features = self.network.decoder(self.pyramid(pixels))
        return self.network.outlined(features[2]), self.network.embedded(features)

    def glance(self, pixels: torch.Tensor) -> torch.Tensor:  # (B, 3, H, W)
        """Texture ``(B, 352)``, for :class:`~micro_nb.models.network.SizeHead`."""
        return SizeHead.pooled(self.pyramid(pixels))

    def pyramid(self, pixels: torch.Tensor) -> list[torch.Tensor]:  # (B, 3, H, W)
        """What the encoder sees at strides 2, 4, 8, 16."""
        encoder = self.network.encoder
        (x,) = in_strips(lambda part: (encoder.stages[0](encoder.stem(part)),), (pixels,), width=10)
        found = [x]
        for stage in encoder.stages[1:]:
            for block in stage.children():
                (x,) = in_strips(lambda part, block=block: (block(part),), (x,), width=6)
            found.append(x)
        return [found[0], found[1], found[2], found[4]]


class Plain(nn.Module):
    """A tile network whose maps are a plain tuple, for other programs."""

    def __init__(self, network: TileNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # (B, 3, H, W)
        maps = self.network(pixels)
        return maps.geometry, maps.embedding


def in_strips(
    run: Callable[..., tuple[torch.Tensor, ...]], inputs: tuple[torch.Tensor, ...], *, width: float
) -> list[torch.Tensor]:
    """Convolutions over the rows of ``inputs``, a strip at a time.

    Parameters
    ----------
    run : parts of the inputs ``(B, C, h, W)`` to parts of the results; a row of the result depends on rows near it.
    inputs : their rows, and those of the results, are multiples of the rows of the smallest, or of half of them where it is one
        input with an even number of rows, which may be looked at by every second row.
    width : how many times as much memory as the first input the widest features take.
    """
    least = min(t.shape[2] for t in inputs)
    units = least // 2 if len(inputs) == 1 and least % 2 == 0 else least
    per_unit = inputs[0].numel() * inputs[0].element_size() * width / units
    step = max(4 * _MARGIN, int(STRIP_BYTES / per_unit))
    if step + 2 * _MARGIN >= units:
        return list(run(*inputs))
    found: list[torch.Tensor] = []
    for top in range(0, units, step):
        low, high, end = max(0, top - _MARGIN), min(units, top + step + _MARGIN), min(units, top + step)
        parts = run(*(t[:, :, low * (t.shape[2] // units) : high * (t.shape[2] // units)] for t in inputs))
        for k, part in enumerate(parts):
            rows = part.shape[2] / (high - low)
            if top == 0:
                shape = (len(part), part.shape[1], round(units * rows), part.shape[3])
                found.append(torch.empty(shape, dtype=part.dtype, memory_format=torch.channels_last))
            inside = slice(round((top - low) * rows), round((end - low) * rows))
            found[k][:, :, round(top * rows) : round(end * rows)] = part[:, :, inside]
    return found


def fused(network: TileNetwork) -> TileNetwork:
    """A copy of the tile network whose normalisations are part of its convolutions, ready to look."""
    copy = deepcopy(network).eval()
    for block in [m for m in copy.modules() if isinstance(m, ConvNorm)]:
        block[0] = fuse_conv_bn_eval(block[0], block[1])  # type: ignore[type-var, arg-type]
        block[1] = nn.Identity()
    return copy.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
