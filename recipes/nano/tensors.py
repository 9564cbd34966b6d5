"""Reading and writing ``.safetensors`` with NumPy and torch alone."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import torch

_KINDS = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64, "I32": torch.int32}
_NAMES = {kind: name for name, kind in _KINDS.items()}


def load(path: str | os.PathLike[str]) -> dict[str, torch.Tensor]:
    """Tensors of a file, by name."""
    data = Path(path).read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    found = {}
    for name, about in json.loads(data[8:start]).items():
        if name != "__metadata__":
            low, high = about["data_offsets"]
            flat = torch.from_numpy(np.frombuffer(data, np.uint8, high - low, start + low).copy())
            found[name] = flat.view(_KINDS[about["dtype"]]).reshape(about["shape"])
    return found


def save(tensors: dict[str, torch.Tensor], path: str | os.PathLike[str]) -> None:
    """Writes tensors; the file is whole or absent."""
    header, parts, at = {}, [], 0
    for name, tensor in sorted(tensors.items()):
        data = tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
        header[name] = {"dtype": _NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [at, at + len(data)]}
        parts.append(data)
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    target = Path(path)
    partial = target.with_suffix(".partial")
    partial.write_bytes(len(text).to_bytes(8, "little") + text + b"".join(parts))
    partial.replace(target)
