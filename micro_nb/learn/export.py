"""``export``: the tile network of Micro-D1 as ONNX, for programs that have no torch."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .. import __version__
from ..data.atomic import writing_file
from ..errors import MissingExtraError, WriteError
from ..models.network import MicroD1
from ..models.pictures import PERCENTILES
from ..models.tile_network import GEOMETRY, OFFSET_UNIT, STRIDE
from ..tasks.load import load_model
from ..tasks.look.eyes import Plain, fused

_EXAMPLE = (4 * STRIDE, 6 * STRIDE)


def export(model: MicroD1 | str | os.PathLike[str], path: str | os.PathLike[str]) -> Path:
    """Writes the tile network of a model, which is all that is costly in a look, as ONNX; the file is whole or absent.

    Parameters
    ----------
    model : from :func:`micro_nb.load_model`, or what that takes.
    path : a new ``.onnx`` file.

    Returns
    -------
    The file. Its input ``pixels (B, 3, H, W) float32`` is 0 and 1 at a picture's percentiles, H and W multiples of 16, objects
    about ``diameter_px`` wide. Its outputs are ``geometry (B, L, 6, H/2, W/2)``, see
    :data:`micro_nb.models.tile_network.GEOMETRY`, and ``embedding (B, D, H/4, W/4)``. Its metadata say, as JSON: ``layers``,
    ``geometry``, ``diameter_px``, ``percentiles``, ``offset_unit_px``, ``multiple_of_px``, ``decoder_widths``, ``weights_id`` and
    ``micro_nb``.

    Raises
    ------
    WriteError : the file exists, or its name does not end with ``.onnx``.
    MissingExtraError : ``onnx`` and ``onnxscript`` are not installed.

    Examples
    --------
    >>> import micro_nb as mnb
    >>> mnb.export("nano", "micro_d1.onnx")  # doctest: +SKIP
    PosixPath('micro_d1.onnx')
    """
    target = Path(path)
    if target.suffix != ".onnx" or target.exists():
        raise WriteError(f"{target}: " + ("already exists; choose another name" if target.exists() else "must end with .onnx"))
    if not (find_spec("onnx") and find_spec("onnxscript")):
        raise MissingExtraError("writing ONNX needs onnx and onnxscript; try pip install 'micro-nb[export]'")
    whole: Any = model if isinstance(model, nn.Module) else load_model(model)
    size = torch.export.Dim.AUTO
    program: Any = torch.onnx.export(
        Plain(fused(whole.tile)).eval(), (torch.rand(2, 3, *_EXAMPLE),), input_names=["pixels"],
        output_names=["geometry", "embedding"], dynamic_shapes=({0: size, 2: size, 3: size},), dynamo=True, verbose=False,
    )  # fmt: skip
    program.model.metadata_props.update({name: json.dumps(value) for name, value in _described(whole).items()})
    with writing_file(target) as partial:
        program.save(partial)
    return target


def _described(model: MicroD1) -> dict[str, Any]:
    """What must be known to use the tile network of a model, JSON values."""
    sizes = model.config.sizes
    return {
        "layers": list(sizes.layers), "geometry": list(GEOMETRY), "diameter_px": sizes.diameter_px,
        "percentiles": list(PERCENTILES), "offset_unit_px": OFFSET_UNIT, "multiple_of_px": STRIDE,
        "decoder_widths": list(sizes.decoder_widths), "weights_id": model.weights_id, "micro_nb": __version__,
    }  # fmt: skip
