"""The tile network compiled by OpenVINO, for large planes: the same maps in less time, where the extra ``fast`` is installed.

It is compiled once for a set of weights and kept in the cache folder, with how long a window took each way on this machine; the
slower of the two is not used.
"""

from __future__ import annotations

import json
import tempfile
import timeit
from collections.abc import Callable
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch

from ...data.atomic import writing_file
from ...models.network import MicroD1
from ...progress import loading
from ...settings import settings
from .eyes import Eyes, Plain
from .network import looking

LEAST_PX = 1 << 21
"""Smaller planes are seen before the network is compiled."""
_SIDE, _TRIES = 768, 3
_FILE = "tile.xml"


class Compiled:
    """A tile network that OpenVINO runs; called as :class:`~micro_nb.tasks.look.eyes.Eyes` are."""

    def __init__(self, model: Path, threads: int) -> None:
        import openvino

        self.name = f"openvino {openvino.__version__.split('-')[0]}"
        hints = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        self.run = openvino.Core().compile_model(model, "CPU", hints)

    def __call__(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:  # (B, 3, H, W)
        """Geometry ``(B, L, 6, H/2, W/2)`` and embedding ``(B, D, H/4, W/4)``, ``float32``."""
        found = self.run.create_infer_request().infer([pixels.float().contiguous().numpy()])
        geometry, embedding = (torch.from_numpy(value) for value in found.values())
        return geometry, embedding


def faster(model: MicroD1, pixels: int, folder: Path) -> Compiled | None:
    """The network of a model for a plane of so many pixels, compiled into ``folder``, where that is the faster of the two."""
    if pixels < LEAST_PX or not find_spec("openvino"):
        return None
    return _faster(model.eyes[0], folder / "fast" / model.weights_id[:32], settings.threads)


@lru_cache(maxsize=2)
def _faster(eyes: Eyes, folder: Path, threads: int) -> Compiled | None:
    note = folder / f"{threads}.json"
    try:
        with loading("compiling Micro-D1"):
            if not folder.is_dir():
                _convert(eyes, folder)
            compiled = Compiled(folder / _FILE, threads)
            if not note.is_file():
                seconds = {"openvino": _seconds(compiled), "torch": _seconds(eyes)}
                with writing_file(note) as partial:
                    partial.write_text(json.dumps(seconds), encoding="utf-8")
            seconds = json.loads(note.read_text(encoding="utf-8"))
        return compiled if seconds["openvino"] < seconds["torch"] else None
    except (OSError, RuntimeError, ValueError, KeyError):  # a full or read-only disk, or a damaged file, must not cost the answer
        return None


def _convert(eyes: Eyes, folder: Path) -> None:
    """Writes the network as OpenVINO's, for any height and width."""
    import openvino
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    front = FrontEndManager().load_by_framework("pytorch")  # and not openvino.convert_model, which reports its use
    decoder = TorchScriptPythonDecoder(Plain(eyes.network), example_input=(torch.rand(1, 3, 128, 160),))
    model = front.convert(front.load(decoder))
    model.reshape([1, 3, -1, -1])
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as partial:
        openvino.save_model(model, Path(partial) / "new" / _FILE, compress_to_fp16=False)
        (Path(partial) / "new").rename(folder)


def _seconds(run: Callable[[torch.Tensor], Any]) -> float:
    """Of a window, the least of a few tries."""
    with looking(torch.rand(1, 3, _SIDE, _SIDE)) as pixels:
        return min(timeit.repeat(lambda: run(pixels), number=1, repeat=_TRIES))
