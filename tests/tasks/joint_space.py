"""A joint space without a network: every text has a direction of its own, and whatever shows something points its way."""

from __future__ import annotations

import zlib
from types import SimpleNamespace

import numpy as np
import pandas as pd
import torch

from micro_nb.tasks.embed import Embedding
from micro_nb.tiles.objects import Objects

D = 128


def direction(text: str) -> np.ndarray:
    """``(D,)`` unit vector, always the same for a text; random ones are nearly at right angles."""
    v = np.random.default_rng(zlib.crc32(text.encode())).normal(size=D)
    return v / np.linalg.norm(v)


def encode_text(prompts, model=None):
    return np.stack([direction(p) for p in prompts]).astype(np.float32)


def seen(*texts: str, noise: float = 0.5, seed: int = 0) -> np.ndarray:
    """``(n, D)`` unit vectors of things that show the texts (``"a+b"`` shows both)."""
    rng = np.random.default_rng(seed)
    v = np.stack([sum(direction(part) for part in text.split("+")) for text in texts])
    v = v + rng.normal(0, noise / np.sqrt(D), v.shape)
    return v / np.linalg.norm(v, axis=1, keepdims=True)


def model(scale: float = 12.0, bias: float = -5.0):
    log, bias = torch.tensor(scale).log(), torch.tensor(bias)
    return SimpleNamespace(joint=SimpleNamespace(object_scale=log, object_bias=bias, image_scale=log, image_bias=bias))


def table_of(n: int, image_id: str | None = None) -> Objects:
    boxes = {f"bbox_{a}{k}_px": np.arange(n) * 10 + 10 * k for k in (0, 1) for a in "yx"}
    return Objects(
        pd.DataFrame({"label": np.arange(1, n + 1), "layer": "object", "name": "cell", "score": 0.9, **boxes}), image_id=image_id
    )


def embedding(*texts: str, image: str = "blood smear", image_id: str | None = "a", **noise) -> Embedding:
    objects = seen(*texts, **noise)
    nothing = np.zeros((0, D)), np.zeros((0, 4))
    return Embedding(direction(image), *nothing, objects, table_of(len(objects), image_id), None, 1.0, image_id)
