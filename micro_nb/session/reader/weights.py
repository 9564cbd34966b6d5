"""The reader's weights on disk: safetensors with matrices as bytes and one scale a row, about a quarter of their size."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor

from .network import Network, Shape
from .vocabulary import Vocabulary

FOLDER = Path(__file__).parent / "weights"
_SMALL = 4096


def save(network: Network, vocabulary: Vocabulary, folder: Path) -> None:
    """Writes ``reader.safetensors``, ``vocabulary.txt`` and ``reader.json``."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    state: dict[str, Tensor] = {}
    for name, w in network.state_dict().items():
        state |= (
            _packed(name, w.detach().float()) if w.ndim == 2 and w.numel() > _SMALL else {name: w.detach().half().contiguous()}
        )
    save_file(state, folder / "reader.safetensors")
    (folder / "vocabulary.txt").write_text("\n".join(vocabulary.names) + "\n", encoding="utf8")
    (folder / "reader.json").write_text(json.dumps({"shape": asdict(network.shape)}, indent=1) + "\n", encoding="utf8")


def load(folder: Path = FOLDER) -> tuple[Network, Vocabulary]:
    """The reader that :func:`save` wrote."""
    from safetensors.torch import load_file

    shape = Shape(**json.loads((folder / "reader.json").read_text(encoding="utf8"))["shape"])
    names = tuple((folder / "vocabulary.txt").read_text(encoding="utf8").split("\n")[:-1])
    stored = load_file(folder / "reader.safetensors")
    with torch.device("meta"):
        network = Network(shape)
    state = {
        k: _unpacked(w, stored[f"{k}.scale"]) if f"{k}.scale" in stored else w.float()
        for k, w in stored.items()
        if not k.endswith(".scale")
    }
    network.load_state_dict(state, assign=True)
    return network.eval(), Vocabulary(names, shape.written)


def _packed(name: str, w: Tensor) -> dict[str, Tensor]:
    """Rows as signed bytes of their own scale."""
    scale = (w.abs().amax(1, keepdim=True) / 126).clamp_min(1e-7).half()
    return {name: (w / scale.float()).round().clamp(-127, 127).to(torch.int8).contiguous(), f"{name}.scale": scale.contiguous()}


def _unpacked(w: Tensor, scale: Tensor) -> Tensor:
    return w.float() * scale.float()
