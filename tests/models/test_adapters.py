"""Other segmenters behind one interface: any size, seams joined, results independent of the tile, SAM and SAM 2 really loaded."""

import numpy as np
import pandas as pd
import pytest
import torch
from skimage.measure import label
from transformers import Sam2Config, Sam2Model, SamConfig, SamModel

import micro_nb as mnb
from micro_nb.errors import ImageNotFoundError, PlanError
from micro_nb.models.adapters import Instances, Prompts, SamSegmenter, Segmenter
from micro_nb.models.adapters.masks import distinct, painted, stability
from micro_nb.tasks import refine
from micro_nb.tasks.adapted import Working
from micro_nb.tasks.load import WEIGHTS


class Threshold:
    """The smallest adapter there can be."""

    name, weights_id, prompted = "threshold", "", False

    def __init__(self, diameter_px=None, window=96, halo=24, level=0.5):
        self.diameter_px, self.window, self.halo, self.level = diameter_px, window, halo, level

    def segment(self, pixels, prompts=None):
        found = label(pixels.mean(0) > self.level)
        if prompts is None:
            return Instances.of(found, np.linspace(0.5, 1, found.max()))
        out = np.zeros(found.shape, int)
        for k, (y0, x0, y1, x1) in enumerate(prompts.boxes.round().astype(int)):
            out[y0:y1, x0:x1][found[y0:y1, x0:x1] > 0] = k + 1
        return Instances.of(out, np.ones(len(prompts)))


def discs(shape=(300, 410), radius=9, step=37):
    y, x = np.mgrid[: shape[0], : shape[1]]
    return (20 + 200 * (np.hypot(y % step - step // 2, x % step - step // 2) < radius)).astype("uint8")


@pytest.fixture(scope="module")
def plane():
    return mnb.open_image(discs())


def test_an_adapter_needs_no_base_class():
    assert isinstance(Threshold(), Segmenter)
    assert not isinstance(torch.nn.Identity(), Segmenter)


@pytest.mark.parametrize("diameter_px", [None, 9.0, 36.0])
def test_objects_on_seams_are_found_once_and_do_not_depend_on_tile(plane, diameter_px):
    a, b = (mnb.parse(plane, ["disc"], model=Threshold(diameter_px), tile=t, diameter_px=18) for t in (64, 1000))
    assert np.array_equal(a.labels, b.labels)
    pd.testing.assert_frame_equal(a.table, b.table)
    assert len(a) == label(discs() > 100).max()
    assert set(a.table["name"]) == {"disc"}
    assert a.table["score"].between(0.5, 1).all()


def test_the_segmenter_sees_objects_at_the_size_it_prefers(plane):
    assert Working.of(plane, Threshold(36.0), 18.0).zoom == 2
    assert Working.of(plane, Threshold(6.0), 18.0).reduction == 3
    assert Working.of(plane, Threshold(None)).diameter_px is None


def test_without_words_presence_stays_open_and_two_names_are_refused(plane):
    found = mnb.parse(plane, ["disc"], model=Threshold())
    assert found.presence["status"].tolist() == ["not trained on this"]
    assert found.presence["present"].tolist() == [None]
    assert found.made_by["model"] == "threshold"
    with pytest.raises(PlanError, match="knows no words"):
        mnb.parse(plane, ["disc", "ring"], model=Threshold())


def test_objects_go_to_disk_with_an_adapter_too(plane, tmp_path):
    kept = mnb.parse(plane, ["disc"], model=Threshold(), out=tmp_path / "objects.zarr")
    assert np.array_equal(kept.labels, mnb.parse(plane, ["disc"], model=Threshold()).labels)


def test_a_window_of_another_size_is_refused(plane):
    class Wrong(Threshold):
        def segment(self, pixels, prompts=None):
            return Instances.of(np.zeros((3, 3)))

    with pytest.raises(ValueError, match="gave labels"):
        mnb.parse(plane, model=Wrong())


def test_the_floors_objects_are_outlined_anew_and_keep_their_names(plane):
    floor = mnb.Objects.from_labels(plane, mnb.segment(plane))
    floor.table["name"] = "disc"
    again = refine(plane, floor, Threshold(18.0))
    assert len(again) == len(floor)
    assert set(again.table["name"]) == {"disc"}
    assert again.made_by["found_by"]["function"] == "segment"
    assert np.array_equal(np.asarray(again.labels[0]) > 0, discs() > 100)


def test_refining_nothing_gives_nothing(plane):
    floor = mnb.Objects.from_labels(plane, mnb.segment(plane))
    assert len(refine(plane, floor.where(floor.table["label"] < 0), Threshold())) == 0


def test_of_masks_that_say_the_same_the_surest_is_kept():
    masks = np.zeros((4, 20, 20), bool)
    masks[0, :8, :8] = masks[1, :8, :9] = masks[2, 2:5, 2:5] = masks[3, 12:, 12:] = True
    assert distinct(masks, np.array([0.8, 0.9, 0.7, 0.6])).tolist() == [1, 3]
    assert painted(masks[[1, 3]])[0, 0] == 1
    assert stability(np.where(masks, 3.0, -3.0)).tolist() == [1, 1, 1, 1]


def test_prompts_say_what_does_not_fit():
    with pytest.raises(ValueError, match="got neither"):
        Prompts()
    with pytest.raises(ValueError, match="boxes have 2 axes"):
        Prompts(boxes=np.zeros(4))


def small_sam():
    vision = {"hidden_size": 16, "output_channels": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 64,
              "patch_size": 8, "mlp_dim": 16, "window_size": 4, "global_attn_indexes": [1], "num_pos_feats": 4}  # fmt: skip
    decoder = {"hidden_size": 8, "mlp_dim": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "iou_head_hidden_dim": 8}
    prompt = {"hidden_size": 8, "image_size": 64, "patch_size": 8, "mask_input_channels": 4}
    return SamModel(SamConfig(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder))


def small_sam2():
    backbone = {"model_type": "sam2_hiera_det_model", "hidden_size": 8, "image_size": [64, 64], "blocks_per_stage": [1, 1, 2, 1],
                "embed_dim_per_stage": [8, 16, 24, 32], "num_attention_heads_per_stage": [1, 2, 2, 4],
                "window_size_per_stage": [8, 4, 4, 4], "global_attention_blocks": [3],
                "window_positional_embedding_background_size": [4, 4]}  # fmt: skip
    vision = {"backbone_config": backbone, "backbone_channel_list": [32, 24, 16, 8], "fpn_hidden_size": 32,
              "backbone_feature_sizes": [[16, 16], [8, 8], [4, 4]]}  # fmt: skip
    decoder = {"hidden_size": 32, "mlp_dim": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "iou_head_hidden_dim": 8}
    prompt = {"hidden_size": 32, "image_size": 64, "patch_size": 16, "mask_input_channels": 4}
    return Sam2Model(Sam2Config(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder))


@pytest.fixture(scope="module", params=[small_sam, small_sam2])
def folder(request, tmp_path_factory):
    torch.manual_seed(3)
    where = tmp_path_factory.mktemp(request.param.__name__)
    request.param().save_pretrained(where)
    return where


def eager(folder, **options):
    """Random weights are sure of nothing, so every proposal is let through."""
    return SamSegmenter(
        folder, points=6, least_iou=-9, least_stability=0, largest=1, diameter_px=None, window=64, halo=16, **options
    )


def test_sam_finds_by_a_grid_of_points_whatever_the_tile(folder):
    img = mnb.open_image(discs((150, 130)))
    sam = eager(folder)
    a, b = (mnb.parse(img, ["cell"], model=sam, tile=t) for t in (48, 512))
    assert len(a) > 0
    assert np.array_equal(a.labels, b.labels)
    pd.testing.assert_frame_equal(a.table, b.table)
    assert len(sam.weights_id) == 64
    assert a.made_by["weights"] == sam.weights_id


def test_sam_is_not_sure_of_anything_before_it_is_trained(folder):
    sam = SamSegmenter(folder, least_iou=2)
    assert not sam.segment(np.zeros((1, 40, 30), np.float32)).labels.any()


def test_sam_outlines_boxes_and_points_in_any_shape_of_window(folder):
    sam, pixels = eager(folder), np.random.default_rng(0).random((3, 50, 70)).astype(np.float32)
    boxes = Prompts(boxes=np.array([[5, 5, 20, 20], [30, 30, 45, 60]], float))
    points = Prompts(points=np.array([[[10, 10], [40, 60]]], float), inside=np.array([[True, False]]))
    for prompts in (boxes, points, Prompts(boxes=np.zeros((0, 4)))):
        found = sam.segment(pixels, prompts)
        assert found.labels.shape == (50, 70)
        assert found.labels.max() <= len(prompts) == len(found.scores) or not len(prompts)


def test_sam_sees_boxes_where_they_are(folder):
    """Moving the prompt moves what the network is asked for."""
    sam, asked = eager(folder), []
    original = sam.model.forward
    sam.model.forward = lambda **kwargs: asked.append(kwargs) or original(**kwargs)
    try:
        sam.segment(np.zeros((1, 32, 16), np.float32), Prompts(boxes=np.array([[4.0, 2.0, 8.0, 6.0]])))
    finally:
        del sam.model.forward
    assert asked[0]["input_boxes"].tolist() == [[[4, 8, 12, 16]]]  # x first, 64 px for the longer side


def test_objects_that_were_found_are_outlined_by_sam(folder, plane):
    floor = mnb.Objects.from_labels(plane, mnb.segment(plane))
    found = refine(plane, floor, eager(folder, prompts="objects"))
    assert 0 < len(found) <= len(floor)
    assert found.made_by["function"] == "refine"


def test_what_is_no_sam_is_refused(tmp_path):
    with pytest.raises(ImageNotFoundError, match="no SAM model"):
        _ = SamSegmenter(tmp_path).model
    with pytest.raises(ValueError, match="grid"):
        SamSegmenter(tmp_path, prompts="words")


@pytest.mark.skipif(not (WEIGHTS / "nano" / "config.json").is_file(), reason="needs the weights of nano")
def test_micro_d1_names_what_an_adapter_that_is_shown_objects_outlines(tmp_path, monkeypatch):
    monkeypatch.setenv("MICRO_NB_CACHE", str(tmp_path))
    shown = Threshold(20.0, level=0.1)
    shown.prompted = True
    scene = mnb.samples.fluorescence((384, 384), seed=2)
    named = mnb.parse(scene.image, ["nucleus", "platelet"])
    a, b = (mnb.parse(scene.image, ["nucleus", "platelet"], model=shown, tile=t) for t in (100, 1024))
    assert a.presence["status"].tolist() == named.presence["status"].tolist() == ["present", "absent"]
    assert set(a.table["name"]) == {"nucleus"}
    assert 0.8 * len(named) <= len(a) <= len(named)
    assert np.array_equal(a.labels, b.labels)
    assert a.made_by["model"] == "threshold"
    assert a.made_by["found_by"]["model"] == "micro_d1"
