"""The tile network in strips: the same maps."""

from __future__ import annotations

import pytest
import torch

from micro_nb.models.micro_d1 import MicroD1Config, MicroD1Model
from micro_nb.tasks.load import prepared
from micro_nb.tasks.look import eyes as module
from micro_nb.tasks.look.eyes import Eyes, in_strips
from micro_nb.tasks.look.network import run


@pytest.fixture(scope="module")
def model() -> MicroD1Model:
    torch.manual_seed(0)
    return MicroD1Model(MicroD1Config()).eval()


@pytest.mark.parametrize("shape", [(16, 16), (48, 640), (400, 96), (208, 304), (432, 32)])
@pytest.mark.parametrize("strip", [1, 1 << 18, 1 << 40])
def test_maps_are_those_of_the_whole_network(
    model: MicroD1Model, shape: tuple[int, int], strip: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STRIP_BYTES", strip)
    pixels = torch.rand(1, 3, *shape, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        whole, fast = model.tile(pixels), Eyes(model.tile)(pixels.to(memory_format=torch.channels_last))
    for ours, theirs in zip(fast, whole, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def test_a_glance_is_the_texture_of_the_pyramid(model: MicroD1Model) -> None:
    eyes, pixels = Eyes(model.tile), torch.rand(1, 3, 64, 80)
    with torch.inference_mode():
        textures = eyes.glance(pixels)
        torch.testing.assert_close(textures, model.size.pooled(model.tile.encoder(pixels)), rtol=1e-4, atol=1e-4)
    assert textures.shape == model.size.middle[None].shape


def test_a_strip_sees_the_rows_around_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STRIP_BYTES", 1)
    rows = torch.arange(64.0).reshape(1, 1, 64, 1)
    (found,) = in_strips(lambda part: (torch.nn.functional.avg_pool2d(part, (5, 1), (2, 1), (2, 0)),), (rows,), width=1)
    torch.testing.assert_close(found, torch.nn.functional.avg_pool2d(rows, (5, 1), (2, 1), (2, 0)))


@pytest.mark.parametrize("fast", [False, True])
def test_maps_are_finished_with_and_without_bfloat16(fast: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": fast})
    torch.manual_seed(0)
    maps, embedding = run(prepared(MicroD1Model(MicroD1Config())).eyes[0], torch.rand(1, 3, 64, 64))
    assert maps.shape == (12, 32, 32)
    assert embedding.shape == (128, 16, 16)
    assert ((maps[::4] >= 0) & (maps[::4] <= 1)).all()
