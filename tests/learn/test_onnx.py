"""The tile network as ONNX: the same maps in another runtime, for any height and width and any sizes of the network."""

import json

import numpy as np
import pytest
import torch

import micro_nb as mnb
from micro_nb.errors import WriteError
from micro_nb.models.micro_d1 import MicroD1Config, MicroD1Model
from micro_nb.tasks.load import prepared


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    sizes = {"decoder_widths": (24, 16, 16), "embed_dim": 16, "layers": ("object", "nucleus"), "diameter_px": 20.0}
    return prepared(MicroD1Model(MicroD1Config(**sizes, text_width=16, heads=2, text_buckets=256)))


def test_maps_of_another_runtime_are_those_of_torch(model, tmp_path):
    pytest.importorskip("onnxscript")
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(mnb.export(model, tmp_path / "eyes.onnx"))
    for shape in ((1, 3, 64, 96), (2, 3, 160, 80)):
        pixels = torch.rand(shape)
        with torch.inference_mode():
            wanted = model.tile(pixels)
        for found, true in zip(session.run(None, {"pixels": pixels.numpy()}), wanted, strict=True):
            np.testing.assert_allclose(found, true.numpy(), atol=1e-4, rtol=1e-4)
    said = {name: json.loads(value) for name, value in session.get_modelmeta().custom_metadata_map.items()}
    assert (said["layers"], said["diameter_px"], said["weights_id"]) == (["object", "nucleus"], 20.0, model.weights_id)
    assert said["percentiles"] == [0.5, 99.5]


def test_a_file_is_not_overwritten_and_must_be_onnx(model, tmp_path):
    (tmp_path / "a.onnx").touch()
    with pytest.raises(WriteError, match="already exists"):
        mnb.export(model, tmp_path / "a.onnx")
    with pytest.raises(WriteError, match="must end with"):
        mnb.export(model, tmp_path / "a.pt")
