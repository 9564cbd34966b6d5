"""``load_model``: Micro-D1 from the package, a folder or a hub."""

from __future__ import annotations

import hashlib
import json
import os
import pkgutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from ..errors import ImageNotFoundError
from ..models.network import MicroD1
from ..models.pictures import Preparation
from ..progress import loading
from .look.eyes import Eyes

WEIGHTS = Path(__file__).parent.parent / "models" / "weights"
CALIBRATION = "calibration.json"


def load_model(name: str | os.PathLike[str] = "nano") -> MicroD1:
    """Micro-D1, ready to look.

    Parameters
    ----------
    name : ``"nano"``, whose weights are in the package; a folder that ``save_pretrained`` wrote; or a hub id (``"who/what"``),
        which is fetched over the network. A model is loaded once a process.

    Returns
    -------
    The model in evaluation mode with ``processor``, ``calibration`` (see :mod:`micro_nb.tasks.presence`) and ``weights_id``, the
    SHA-256 of its weights.

    Raises
    ------
    ImageNotFoundError : nothing is there; says what is.
    """
    text = os.fspath(name)
    folder = WEIGHTS / text if (WEIGHTS / text / "config.json").is_file() else Path(text)
    if folder.exists() and not (folder / "config.json").is_file():
        raise ImageNotFoundError(f"{folder}: no config.json here; a model folder is what save_pretrained writes")
    if not folder.exists() and text.count("/") != 1:
        built_in = ", ".join(sorted(p.parent.name for p in WEIGHTS.glob("*/config.json"))) or "none"
        raise ImageNotFoundError(f"{text!r} is neither a folder nor a hub id (who/what); built in: {built_in}")
    weights = folder / "model.safetensors"
    return _loaded(str(folder) if folder.exists() else text, weights.stat().st_mtime_ns if weights.is_file() else 0)


@lru_cache(maxsize=4)
def _loaded(where: str, stamp: int) -> MicroD1:
    with loading("loading Micro-D1"):
        model: Any = MicroD1.read(Path(where)) if Path(where).is_dir() else None
        if model is None:  # by way of transformers, which take seconds to import
            whole = pkgutil.resolve_name("micro_nb.models.micro_d1:MicroD1Model")
            with quiet():
                model = whole.from_pretrained(where, dtype=torch.float32, use_safetensors=True)
        told = Path(where) / CALIBRATION
        return prepared(model, calibration=json.loads(told.read_text(encoding="utf-8")) if told.is_file() else {})


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars of transformers: a small model loads before one is read, and a report would keep them for ever."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


def prepared(model: MicroD1, processor: Preparation | None = None, *, calibration: dict[str, Any] | None = None) -> MicroD1:
    """A model in evaluation mode with its processor, calibration and ``weights_id``; also for a model made in memory."""
    model.eval().requires_grad_(False)
    model.eyes = (Eyes(model.tile),)  # a tuple, so that it is no part of what is saved
    config = model.config
    model.processor = processor or Preparation(config.thumbnail_px, config.text_buckets, config.text_grams, config.text_words)
    model.calibration = calibration or {}
    model.heard = {}
    model.weights_id = weights_id(model)
    return model


def weights_id(model: torch.nn.Module) -> str:
    """SHA-256 of all weights, as stored in half precision."""
    digest = hashlib.sha256()
    for key, value in sorted(model.state_dict().items()):
        digest.update(key.encode())
        kind = torch.float16 if value.is_floating_point() else value.dtype
        digest.update(value.detach().to(kind).contiguous().numpy().tobytes())
    return digest.hexdigest()
