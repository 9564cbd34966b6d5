"""Fine-tuning's learner: new labels are learned, and what they do not speak of stays as the base model has it."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from ..models.micro_d1.configuration_micro_d1 import MicroD1Config
from ..models.micro_d1.modeling_micro_d1 import TileNetwork
from .crops import Batch
from .losses import geometry_loss
from .targets import KNOWN

_KEEP_GEOMETRY, _KEEP_EMBEDDING = 0.5, 2.0


class Tuner(nn.Module):
    """A tile network that starts from another's weights and is held to it where nothing is known (Li & Hoiem 2016).

    Layers without labels, pixels that are not known and the embeddings, which prompts are matched with, are pulled to what the
    base says of the same crop. Statistics of normalisation stay the base's, as a few images say too little of them.

    Parameters
    ----------
    base : the network to start from; it is not changed.
    """

    def __init__(self, config: MicroD1Config, base: nn.Module, *, bfloat16: bool = False) -> None:
        super().__init__()
        self.network = TileNetwork(config)
        self.network.load_state_dict({k: v.float() for k, v in base.state_dict().items()})
        teacher = TileNetwork(config)
        teacher.load_state_dict(self.network.state_dict())
        self._base = (teacher.eval().requires_grad_(False),)  # in a tuple: its weights are not of this module
        self.layers, self.narrow = tuple(config.layers), bfloat16

    def train(self, mode: bool = True) -> Tuner:
        """As always, but normalisation keeps its statistics."""
        super().train(mode)
        for part in self.network.modules():
            if isinstance(part, nn.BatchNorm2d):
                part.eval()
        return self

    def forward(self, batch: Batch) -> dict[str, torch.Tensor]:
        """Losses of a batch."""
        device = next(self.network.parameters()).device
        pixels = batch.pixels.to(device, memory_format=torch.channels_last)
        targets = batch.targets.to(device)
        teacher = self._base[0].to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.narrow):
            geometry, seen = self.network(pixels)
            with torch.no_grad():
                old_geometry, old_seen = teacher(pixels)
        losses = geometry_loss(geometry.float(), targets)
        kept = 1 - targets[:, :, KNOWN]
        drift = F.mse_loss(_said(geometry.float()), _said(old_geometry.float()), reduction="none").sum(2) * kept
        losses["keep"] = _KEEP_GEOMETRY * drift.sum() / kept.sum().clamp(min=1)
        turned = 1 - F.cosine_similarity(seen.float(), old_seen.float(), dim=1)
        return losses | {"embedding": _KEEP_EMBEDDING * turned.mean()}


def _said(geometry: torch.Tensor) -> torch.Tensor:
    """Foreground as a probability, so that how sure the base was beyond doubt does not matter; the rest as it is."""
    return torch.cat([torch.sigmoid(geometry[:, :, :1]), geometry[:, :, 1:]], dim=2)
