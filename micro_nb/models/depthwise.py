"""Depthwise convolutions whose gradients are fast on a processor in bfloat16, where some of PyTorch's take most of a step.

Gradients of a 5 x 5 kernel are put together from those of four 3 x 3 kernels over shifted pictures; gradients of the picture of a
strided convolution are taken in float32. Values are those of :class:`torch.nn.Conv2d`, to rounding.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import nn


class Depthwise(nn.Conv2d):
    """``Conv2d(width, width, kernel, stride, padding=kernel // 2, groups=width, bias=False)``."""

    def __init__(self, width: int, kernel: int, stride: int = 1) -> None:
        super().__init__(width, width, kernel, stride, kernel // 2, groups=width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # (B, C, H, W)
        if x.device.type == "cpu" and torch.is_autocast_enabled("cpu") and torch.is_grad_enabled():
            return _Convolved.apply(x.bfloat16(), self.weight.bfloat16(), self.stride[0])  # type: ignore[no-any-return, no-untyped-call]
        return super().forward(x)


class _Convolved(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, weight: torch.Tensor, stride: int) -> torch.Tensor:  # type: ignore[override]
        ctx.save_for_backward(x, weight)
        ctx.stride = stride
        return F.conv2d(x, weight, None, stride, weight.shape[-1] // 2, 1, len(weight))

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None, None]:  # type: ignore[override]
        (x, weight), stride = ctx.saved_tensors, ctx.stride
        grad = grad.contiguous(memory_format=torch.channels_last)
        of_x = of_weight = None
        if ctx.needs_input_grad[0]:
            exact = torch.bfloat16 if stride == 1 else torch.float32
            like = torch.empty_like(x, dtype=exact)
            of_x = _gradients(grad.to(exact), like, weight.to(exact), stride, weight.shape[-1] // 2, 0).to(x.dtype)
        if ctx.needs_input_grad[1]:
            of_weight = _of_weight(grad, x, weight, stride)
        return of_x, of_weight, None


def _of_weight(grad: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, stride: int) -> torch.Tensor:
    if weight.shape[-1] != 5:
        return _gradients(grad, x, weight, stride, weight.shape[-1] // 2, 1)
    found = torch.zeros_like(weight)
    framed = F.pad(x, (2, 2, 2, 2))
    height, width = ((n - 1) * stride + 3 for n in grad.shape[2:])
    small = weight[:, :, :3, :3].contiguous()
    for top in (0, 2):
        for left in (0, 2):
            part = framed[:, :, top : top + height, left : left + width].contiguous(memory_format=torch.channels_last)
            found[:, :, top : top + 3, left : left + 3] = _gradients(grad, part, small, stride, 0, 1)
    return found


def _gradients(grad: torch.Tensor, x: torch.Tensor, weight: torch.Tensor, stride: int, padding: int, of: int) -> torch.Tensor:
    """Of the picture (0) or of the weights (1)."""
    wanted = [of == 0, of == 1, False]
    strides, paddings = [stride, stride], [padding, padding]
    return torch.ops.aten.convolution_backward(  # type: ignore[no-any-return]
        grad, x, weight, None, strides, paddings, [1, 1], False, [0, 0], len(weight), wanted
    )[of]
