"""Gradients of depthwise convolutions that are put together for speed are those of the plain ones."""

from __future__ import annotations

import pytest
import torch

from micro_nb.models.depthwise import Depthwise


@pytest.mark.parametrize(("kernel", "stride", "shape"), [(3, 1, (12, 16)), (3, 2, (12, 16)), (5, 1, (13, 16)), (5, 2, (16, 12))])
def test_values_and_gradients_are_those_of_a_plain_convolution(kernel: int, stride: int, shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    fast = Depthwise(8, kernel, stride)
    x = torch.randn(2, 8, *shape).to(memory_format=torch.channels_last)
    found = []
    for narrow in (False, True):
        seen = x.clone().requires_grad_()
        fast.weight.grad = None
        with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
            out = fast(seen)
        out.float().square().sum().backward()
        found.append((out.float(), seen.grad, fast.weight.grad))
    for plain, ours in zip(*found, strict=True):
        assert (plain - ours).norm() < 0.02 * plain.norm()
