"""Training in several processes (``torchrun``): each takes its share of every batch, and the sum is what one process would do.

Losses are ratios of sums over the whole batch, and normalisation uses the statistics of the whole batch, so gradients do not
depend on how many processes share it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import nn


@dataclass(frozen=True)
class World:
    """Who takes part.

    Attributes
    ----------
    rank, size : which process this is, and of how many.
    device : where it computes.
    """

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    @classmethod
    def joined(cls) -> World:
        """The world that ``torchrun`` describes (``RANK``, ``WORLD_SIZE``, ``MASTER_ADDR``, ...), else one process."""
        size, cuda = int(os.environ.get("WORLD_SIZE", "1")), torch.cuda.is_available()
        device = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if cuda else "cpu"
        if size == 1:
            return cls(device=device)
        if not dist.is_initialized():
            dist.init_process_group("nccl" if cuda else "gloo")
        return cls(dist.get_rank(), size, device)


class _Total(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor) -> torch.Tensor:
        return _summed(x)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> torch.Tensor:
        return _summed(grads[0])


def _summed(x: torch.Tensor) -> torch.Tensor:
    y = x.detach().clone().contiguous()
    dist.all_reduce(y)
    return y


def total(x: torch.Tensor) -> torch.Tensor:
    """Sum over all processes; gradients flow back to each. One process: ``x``."""
    if not (dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1):
        return x
    return cast(torch.Tensor, _Total.apply(x))  # type: ignore[no-untyped-call]


class SharedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalisation with the statistics of all processes; what ``SyncBatchNorm`` is on a GPU, for the CPU."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (B, C, H, W)
        if not self.training:
            return super().forward(x)
        wide = x if x.dtype == self.weight.dtype else x.to(self.weight.dtype)
        count = wide.new_tensor([wide.numel() / wide.shape[1]])
        sums = total(torch.cat([wide.sum((0, 2, 3)), (wide * wide).sum((0, 2, 3)), count]))
        mean, square = sums[:-1].reshape(2, -1) / sums[-1]
        variance = (square - mean * mean).clamp(min=0)
        with torch.no_grad():
            self._remember(mean, variance * sums[-1] / (sums[-1] - 1))
        scale = self.weight * torch.rsqrt(variance + self.eps)
        out: torch.Tensor = wide * scale[:, None, None] + (self.bias - mean * scale)[:, None, None]
        return out.to(x.dtype)

    def _remember(self, mean: torch.Tensor, variance: torch.Tensor) -> None:
        share = self.momentum or 0.1
        for kept, new in ((self.running_mean, mean), (self.running_var, variance)):
            if kept is not None:
                kept.lerp_(new, share)
        if self.num_batches_tracked is not None:
            self.num_batches_tracked += 1


def shared(module: nn.Module, world: World) -> nn.Module:
    """A module ready to be trained by all processes; with one process, the module itself. Names of its weights stay."""
    if world.size == 1:
        return module
    if world.device.startswith("cuda"):
        module = nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
        return nn.parallel.DistributedDataParallel(module, device_ids=[torch.device(world.device).index])
    for part in module.modules():
        if type(part) is nn.BatchNorm2d:
            part.__class__ = SharedBatchNorm2d
    return nn.parallel.DistributedDataParallel(module)


def fast_bfloat16(device: str) -> bool:
    """Whether the device computes in bfloat16 itself; where it is emulated, float32 is faster."""
    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
