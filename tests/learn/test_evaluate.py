"""Evaluating on labelled folders: figures, strata, presence, worse pictures, and refusals."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from conftest import SHARED
from labelled_sets import Oracle, SegmentFloor, boxes_folder, masks_folder
from PIL import Image

import micro_nb as mnb
from micro_nb.errors import CorruptImageError, ImageNotFoundError
from micro_nb.learn import worsened
from micro_nb.learn.asked import presence
from micro_nb.learn.evaluate import evaluate
from micro_nb.learn.judgements import JUDGEMENTS
from micro_nb.learn.labelled_set import read_set
from micro_nb.learn.metrics.instances import average_precision
from micro_nb.learn.trained_on import ContaminationError, Content
from micro_nb.learn.worsened import CURVES, degraded


@pytest.fixture(scope="module")
def plates(tmp_path_factory):
    return masks_folder(tmp_path_factory.mktemp("sets"))


@pytest.fixture(scope="module")
def smears(tmp_path_factory):
    return boxes_folder(tmp_path_factory.mktemp("sets"))


@pytest.fixture(scope="module")
def floor(plates):
    return evaluate(plates, parse=SegmentFloor(), prompts="disc", worsened=1)


def test_the_floor_is_judged_image_by_image_and_on_the_whole(floor, plates):
    assert len(floor.images) == 8
    assert floor.figures["ap50"].value == pytest.approx(floor.images["ap50"].mean())
    assert floor.figures["ap50"].low <= floor.figures["ap50"].value <= floor.figures["ap50"].high
    assert floor.figures["ap50"].value > 0.7
    assert list(floor.images["n_true"]) == list(pd.read_csv(plates / "index.csv")["n_objects"])


def test_strata_are_judged_apart_and_the_worst_is_named(floor):
    kinds = floor.strata[floor.strata["by"] == "type"].set_index("value")
    means = floor.images.groupby("type")["ap50"].mean()
    assert kinds["ap50"].to_dict() == pytest.approx(means.to_dict())
    assert set(floor.strata["by"]) == {"type", "brightness"}  # all discs are of one size
    assert floor.worst is None or floor.worst["ap50"] == pytest.approx(floor.strata["ap50"].min())


def test_worse_pictures_are_judged_level_by_level(floor):
    assert {k: tuple(v["level"]) for k, v in floor.robustness.groupby("kind")} == CURVES
    undone = floor.robustness[
        floor.robustness["level"] == floor.robustness["kind"].map({"brightness": 1.0, "scale": 1.0}).fillna(0)
    ]
    assert undone["figure"].nunique() == 1
    assert floor.robustness_chart()[1:4] == b"PNG"


def test_how_long_worse_pictures_take_is_said_after_the_first(plates, monkeypatch):
    said, asked = [], []
    floor = SegmentFloor()
    monkeypatch.setattr(worsened, "about", lambda seconds: said.append((seconds, len(asked))) or "")
    evaluate(plates, parse=lambda img, prompts: asked.append(img) or floor(img, prompts), prompts="disc", limit=1, worsened=1)
    ((seconds, parses),) = said
    assert seconds > 0
    assert parses == 2  # the picture itself, and the first that is made worse
    assert len(asked) == parses + 13


def test_an_evaluation_shows_itself_as_text_page_picture_and_json(floor):
    shown = floor._repr_mimebundle_()
    assert "AP at IoU 0.5" in shown["text/plain"]
    assert "<table" in shown["text/html"]
    assert shown["image/png"][1:4] == b"PNG"
    read = json.loads(json.dumps(floor.to_dict(), allow_nan=False))
    assert read["figures"]["ap50"]["value"] == floor.figures["ap50"].value
    assert read["figures"]["ap50"]["contaminated"] is False
    assert read["contamination"]["checked"] is False
    assert len(read["images"]) == 8


def test_pictures_of_the_worst_images_are_kept_worst_first(plates):
    found = evaluate(plates, parse=Oracle(lost=2), prompts="disc", failures=3)
    scores = [f.score for f in found.failures]
    assert scores == sorted(scores)
    assert scores == pytest.approx(sorted(found.images["f1"])[:3])
    assert all(f.png[1:4] == b"PNG" and len(f.png) < 60_000 for f in found.failures)


def test_every_judgement_has_its_words_and_compares_something(floor, smears):
    assert all(j.said and j.name == name for name, j in JUDGEMENTS.items())
    boxed = evaluate(smears, parse=Oracle(lost=1))
    told = {JUDGEMENTS[name].compares for found in (floor, boxed) for name in found.figures}
    assert told >= {"masks", "counts", "boxes", "classes"}


def test_lost_objects_lower_each_figure_as_counted_by_hand(plates):
    found = evaluate(plates, parse=Oracle(lost=2), prompts="disc")
    n = found.images["n_true"]
    assert found.images["ap50"].to_numpy() == pytest.approx(((n - 2) / n).to_numpy())
    assert (found.images["count_error"] == -2).all()
    assert found.figures["sq"].value == 1.0


def test_everything_is_looked_for_where_no_prompt_is_known(plates):
    parse = Oracle()
    found = evaluate(plates, parse=parse, limit=2)
    assert parse.asked == [None, None]
    assert found.prompts is None
    assert found.figures["ap50"].value == 1.0
    assert any("Everything was looked for" in note for note in found.notes)


def test_what_was_never_learned_is_judged_by_its_objects_all_the_same(plates):
    found = evaluate(plates, prompts="pollen", limit=1)
    assert found.images["n_true"].sum() > 0


def test_boxes_are_asked_for_by_their_class_and_judged_class_by_class(smears):
    found = evaluate(smears, parse=Oracle(lost=1))
    assert found.prompts == ("white blood cell", "red blood cell")
    table = found.classes.set_index("class")
    assert table.loc["white blood cell", "ap50"] == 1.0
    assert 0.8 < table.loc["red blood cell", "ap50"] < 1.0
    assert found.figures["box_map50"].value == pytest.approx(table["ap50"].mean())


def test_boxes_can_be_restricted_to_a_class_and_renamed(smears):
    assert read_set(smears, prompts=["white blood cell"]).prompts == ["white blood cell"]
    assert read_set(smears, prompts={"WBC": "leukocyte", "RBC": "erythrocyte"}).prompts == ["leukocyte", "erythrocyte"]
    with pytest.raises(ValueError, match=r"'yeast'.*\['RBC', 'WBC'\]"):
        read_set(smears, prompts="yeast")


def test_presence_is_judged_over_modalities_and_within_one(plates, smears):
    sets = [read_set(smears), read_set(plates, prompts="disc")]
    found = presence(sets, Oracle())
    assert list(found.figures["what"]) == ["over modalities", "within a modality", "white blood cell"]
    assert (found.figures["auroc"] == 1).all()
    figures = found.figures.iloc[:2].set_index("kind")
    assert (figures["false_positive_rate"] == 0).all()
    assert figures.loc["within", "n_absent"] == 2  # smears without a white cell
    assert figures.loc["across", "n_absent"] == 8 * 2 + 4
    assert presence(sets[1:], SegmentFloor()) is None


def test_prompts_of_other_folders_are_asked_here_and_ours_there(plates, smears):
    parse = Oracle()
    found = evaluate(plates, parse=parse, prompts="disc", against=[smears], limit=2)
    assert ["white blood cell", "red blood cell"] in parse.asked
    assert set(found.presence.figures["kind"]) == {"across", "within"}


def test_a_picture_of_the_training_list_is_refused_unless_forced(plates, tmp_path):

    rows = [("plates", f"images/{k}.png", Content(plates / f"images/{k}.png").pixels) for k in (1, 3)]
    pd.DataFrame(rows, columns=["dataset", "name", "sha256"]).to_csv(tmp_path / "trained_on.csv", index=False)
    with pytest.raises(ContaminationError, match="trained on 2 of these 8 pictures"):
        evaluate(plates, parse=Oracle(), prompts="disc", trained_on=tmp_path)
    found = evaluate(plates, parse=Oracle(), prompts="disc", trained_on=tmp_path, force=True)
    assert found.contamination.images == ("images/1.png", "images/3.png")
    assert all(f["contaminated"] for f in found.to_dict()["figures"].values())
    assert found.text().count("(!) trained on") == len(found.figures)
    clean = evaluate(plates, parse=Oracle(), prompts="disc", trained_on=tmp_path, limit=1)
    assert clean.contamination.checked
    assert not clean.contaminated


def test_a_model_and_a_parse_together_are_refused(plates):
    with pytest.raises(ValueError, match="not both"):
        evaluate(plates, model="somewhere", parse=Oracle())


def test_folders_without_tables_or_labels_are_refused(tmp_path):
    with pytest.raises(ImageNotFoundError, match=r"index\.csv"):
        evaluate(tmp_path, parse=Oracle())
    pd.DataFrame({"image": ["images/a.png"]}).to_csv(tmp_path / "index.csv", index=False)
    with pytest.raises(CorruptImageError, match="nothing can be compared"):
        evaluate(tmp_path, parse=Oracle())


def test_points_are_found_where_each_lies_in_an_object_of_its_own(tmp_path):
    folder = masks_folder(tmp_path, images=1)
    labels = np.asarray(Image.open(folder / "labels/0.png"))
    at = [np.argwhere(labels == k).mean(0).round().astype(int) for k in range(1, labels.max() + 1)]
    points = pd.DataFrame([("images/0.png", x, y, "a") for y, x in [*at, at[0]]], columns=["image", "x", "y", "class"])
    points.to_csv(folder / "points.csv", index=False)
    pd.DataFrame({"image": ["images/0.png"]}).to_csv(folder / "index.csv", index=False)
    found = evaluate(folder, parse=Oracle(), prompts="disc")
    assert found.main == "point_recall"
    assert found.figures["point_recall"].value == pytest.approx(len(at) / (len(at) + 1))


@pytest.mark.parametrize("kind", sorted(CURVES))
@pytest.mark.parametrize("shape", [(40, 60), (3, 40, 60)])
def test_worse_pictures_keep_their_dtype_and_change_what_they_should(rng, kind, shape):
    pixels = rng.integers(0, 255, shape).astype(np.uint8)
    worse = degraded(pixels, kind, CURVES[kind][-1])
    assert worse.dtype == pixels.dtype
    assert worse.shape == ((*shape[:-2], 60, 90) if kind == "scale" else shape)
    assert not np.array_equal(worse.ravel()[:100], pixels.ravel()[:100])
    with pytest.raises(ValueError, match="rust"):
        degraded(pixels, "rust", 1.0)


@pytest.mark.skipif(not (SHARED / "train_val").exists(), reason="the shared data are not here")
def test_every_shared_data_set_can_be_read_and_the_floor_is_as_good_as_the_benchmark_says():
    sets = {
        p.name: read_set(p) for p in sorted((SHARED / "train_val").iterdir()) if p.name not in ("captioned", "chula_rbc_disease")
    }
    asked = {name: s.prompts for name, s in sets.items()}
    assert asked["dsb2018"] == ["nucleus"]
    assert asked["bccd"] == ["white blood cell", "red blood cell", "platelet"]
    assert asked["ampis_powder_sem"] == ["powder particle", "satellite"]
    unlabelled = [i for i in sets["ampis_powder_sem"].images if i.label is None]
    assert len(unlabelled) == 4
    assert all(list(i.boxes.judged) == ["satellite"] for i in unlabelled)
    found = evaluate(SHARED / "train_val" / "dsb2018", parse=SegmentFloor(), limit=1, failures=0)
    first = sets["dsb2018"].images[0]
    assert found.images["ap50"][0] == average_precision(first.masks(), mnb.segment(first.open()).values)
