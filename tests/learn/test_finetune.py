from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from PIL import Image
from training_samples import TINY, discs

from micro_nb.data.open import open_image
from micro_nb.errors import AxesError, ImageNotFoundError, WriteError
from micro_nb.learn import checks as checking
from micro_nb.learn import finetune as module
from micro_nb.learn.checks import Checks
from micro_nb.learn.crops import Crops
from micro_nb.learn.finetune import divided, figures, named, renewed, write_model
from micro_nb.learn.labelled import read_labelled
from micro_nb.learn.learner import Tuner
from micro_nb.learn.loop import Loop
from micro_nb.learn.recipe import Recipe
from micro_nb.learn.train import train
from micro_nb.models.micro_d1 import MicroD1Config, MicroD1Model
from micro_nb.models.tile_network import TileNetwork
from micro_nb.tasks.load import load_model, prepared


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Five pictures of discs and their labels."""
    root = tmp_path_factory.mktemp("mine")
    for part in ("images", "labels"):
        (root / part).mkdir()
    for k in range(5):
        sample = discs(k)
        Image.fromarray(sample.image[..., 0]).save(root / "images" / f"{k}.png")
        Image.fromarray(sample.labels["object"].astype(np.uint16)).save(root / "labels" / f"{k}_mask.png")
    return root


@pytest.fixture(scope="module")
def base():
    torch.manual_seed(0)
    return prepared(MicroD1Model(MicroD1Config(**TINY)))


def found(labels: np.ndarray) -> SimpleNamespace:
    """What parse would hand back."""
    table = pd.DataFrame({"label": np.unique(labels[labels > 0]), "layer": "object", "name": "x", "score": 1.0})
    return SimpleNamespace(labels=xr.DataArray(labels[None], dims=("layer", "y", "x"), coords={"layer": ["object"]}), table=table)


def test_images_and_labels_meet_by_their_stems(folders):
    pairs = read_labelled(folders / "images", folders / "labels")
    assert [p.image.name.split(".")[0] for p in pairs] == ["0", "1", "2", "3", "4"]
    assert np.array_equal(pairs[2].labels > 0, discs(2).labels["object"] > 0)


def test_partial_labels_make_background_unknown(folders):
    [pair] = read_labelled([discs(0).image[..., 0]], [discs(0).labels["object"]], partial=True)
    assert set(np.unique(pair.labels)) & {-1, 0} == {-1}


def test_images_and_labels_that_do_not_fit_say_why(folders, tmp_path):
    image, labels = discs(0).image[..., 0], discs(0).labels["object"]
    with pytest.raises(ValueError, match="2 images but 1 label"):
        read_labelled([image, image], [labels])
    with pytest.raises(AxesError, match="of one size, pixel for pixel"):
        read_labelled([image], [labels[:-1]])
    with pytest.raises(AxesError, match="hold fractions"):
        read_labelled([image], [labels / 2])
    with pytest.raises(AxesError, match="picture in colours is no label image"):
        read_labelled([image], [np.stack([labels] * 3, -1)])
    with pytest.raises(ValueError, match=r"masks, classes or pictures.*skimage\.measure\.label"):
        read_labelled([image], [labels > 0])
    with pytest.raises(ValueError, match="has 2 channels; give one or three"):
        read_labelled([open_image(np.stack([image, image]), axes="cyx")], [labels])
    with pytest.raises(ValueError, match="has an object"):
        read_labelled([image], [0 * labels])
    with pytest.raises(ImageNotFoundError, match="no such folder"):
        read_labelled(tmp_path / "nowhere", [labels])


def test_labels_may_be_floats_that_hold_whole_numbers_and_objects_may_have_specks():
    image, labels = discs(0).image[..., 0], discs(0).labels["object"].astype(np.float32)
    labels[0, 0] = labels.max()
    assert read_labelled([image], [labels])[0].labels.max() == labels.max()


def test_a_fifth_is_held_out_and_the_same_fifth_each_time(folders):
    pairs = read_labelled(folders / "images", folders / "labels")
    kept, held = divided(pairs, 0)
    assert (len(kept), len(held)) == (4, 1)
    assert divided(pairs, 0)[1] == held
    assert divided(pairs[:4], 0)[1] == []


def test_what_labels_do_not_speak_of_stays_as_the_base_has_it():
    network = TileNetwork(MicroD1Config(**TINY).sizes)
    tuner = Tuner(MicroD1Config(**TINY), network).train()
    losses = tuner(Crops([discs(1)], {"discs": 1.0}, ("object", "nucleus", "organelle"), edge=64).batch(0, 2))
    assert float(losses["keep"].detach()) == pytest.approx(0, abs=1e-6)
    assert float(losses["embedding"].detach()) == pytest.approx(0, abs=1e-4)
    assert not any("_base" in name for name, _ in tuner.named_parameters())
    assert not any(m.training for m in tuner.network.modules() if isinstance(m, torch.nn.BatchNorm2d))


def test_checking_keeps_the_best_weights_and_stops_when_nothing_improves(monkeypatch):
    checks, stops = Checks([None]), []
    losses = iter([3.0, 1.0, 2.0, 2.0, 2.0, 2.0])
    monkeypatch.setattr(Checks, "loss", lambda *_: next(losses))
    for step in range(6):
        weights = {"mark": step}
        stops.append(
            checks.look(SimpleNamespace(step=step, averaged=lambda part, w=weights: w, model=SimpleNamespace(network=None)))
        )
    assert checks.best["mark"] == 1
    assert stops == [False, False, False, False, False, True]


def test_figures_come_through_parse_and_leave_out_what_is_not_known(folders, monkeypatch):
    pairs = read_labelled(folders / "images", folders / "labels")[:1]
    truth = pairs[0].labels
    monkeypatch.setattr(module, "parse", lambda image, prompts, model: found(truth))
    assert figures(pairs, None, ["x"])["ap50"] == 1.0
    half = np.where(truth % 2 == 0, truth, 0)
    monkeypatch.setattr(module, "parse", lambda image, prompts, model: found(half))
    assert figures(pairs, None, ["x"])["ap50"] == pytest.approx(len(np.unique(half)[1:]) / len(np.unique(truth)[1:]))
    assert figures([], None, None) == {}


def test_a_new_name_gets_the_mean_of_its_objects_as_its_point(base, folders, monkeypatch):
    pair = read_labelled(folders / "images", folders / "labels")[0]
    numbers = np.unique(pair.labels)[1:]
    vectors = np.eye(16, dtype=np.float32)[np.zeros(len(numbers), int)]
    table = pd.DataFrame({"layer": "object", "label": numbers})
    seen = SimpleNamespace(found=SimpleNamespace(labels=found(pair.labels).labels, table=table), objects=vectors)
    monkeypatch.setattr(module, "embed", lambda image, model: seen)
    model = renewed(base, base.tile.state_dict())
    named(model, "My Cells", [pair])
    assert np.allclose(model.config.extra_concepts["my cells"], np.eye(16)[0])
    assert not base.config.extra_concepts


def test_a_written_model_is_loaded_with_its_names(base, tmp_path):
    model = renewed(base, base.tile.state_dict())
    model.config.extra_concepts = {"my cells": [1.0] + [0.0] * 15}
    write_model(model, tmp_path / "mine")
    back = load_model(tmp_path / "mine")
    assert back.config.extra_concepts == {"my cells": [1.0] + [0.0] * 15}
    assert back.weights_id == model.weights_id
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_five_lines_make_a_model_folder_from_folders(base, folders, tmp_path):
    done = train(folders / "images", folders / "labels", base=base, name="disc", steps=2, out=tmp_path / "model")
    assert done.steps == 2
    assert len(done.held_out) == 1
    assert set(done.before) == set(done.after) == {"ap50", "found", "true"}
    assert load_model(done.folder).config.diameter_px == 22
    assert list(done.curve["step"]) == [0, 2]
    assert done.curve["validation"].notna().all()
    with pytest.raises(WriteError, match="already exists"):
        train(folders / "images", folders / "labels", base=base, out=tmp_path / "model")


def stopped_at(monkeypatch, step: int, error: type[BaseException]) -> None:
    """The next step after ``step`` fails."""
    learn = Loop.learn

    def failing(self, batch):
        if self.step >= step:
            raise error
        return learn(self, batch)

    monkeypatch.setattr(Loop, "learn", failing)


def test_the_same_call_goes_on_where_it_was_killed_and_comes_out_the_same(base, folders, tmp_path, monkeypatch):
    monkeypatch.setattr(checking, "CHECK_EVERY", 2)
    monkeypatch.setattr(module, "CHECK_EVERY", 2)
    call = {"base": base, "name": "disc", "steps": 6}
    train(folders / "images", folders / "labels", out=tmp_path / "whole", **call)
    with monkeypatch.context() as patch:
        stopped_at(patch, 5, SystemExit)
        with pytest.raises(SystemExit):
            train(folders / "images", folders / "labels", out=tmp_path / "killed", **call)
    assert [p.name for p in tmp_path.glob("*killed*")] == [".killed.training"]
    taken = []
    monkeypatch.setattr(Loop, "learn", lambda self, batch, real=Loop.learn: taken.append(self.step) or real(self, batch))
    train(folders / "images", folders / "labels", out=tmp_path / "killed", **call)
    assert taken == [4, 5]
    first, second = (load_model(tmp_path / name) for name in ("whole", "killed"))
    assert first.weights_id == second.weights_id
    assert {p.name for p in tmp_path.iterdir()} == {"whole", "killed"}


def test_an_unfinished_run_on_other_labels_is_not_gone_on_with(base, folders, tmp_path):
    pairs = read_labelled(folders / "images", folders / "labels")
    recipe = Recipe({"mine": 1.0})
    work = checking.workfolder(tmp_path / "model", base, recipe, pairs)
    (work / "state.pt").touch()
    assert (checking.workfolder(tmp_path / "model", base, recipe, pairs) / "state.pt").exists()
    assert not (checking.workfolder(tmp_path / "model", base, recipe, pairs[:-1]) / "state.pt").exists()


def test_an_interrupted_fine_tuning_writes_the_best_model_so_far(base, folders, tmp_path, monkeypatch):
    stopped_at(monkeypatch, 3, KeyboardInterrupt)
    done = train(folders / "images", folders / "labels", base=base, name="disc", steps=6, out=tmp_path / "model")
    assert (done.steps, done.stopped) == (3, True)
    assert "interrupted" in str(done)
    assert load_model(tmp_path / "model").config.embed_dim == base.config.embed_dim


def test_interrupted_before_the_first_step_there_is_no_model(base, folders, tmp_path, monkeypatch):
    stopped_at(monkeypatch, 0, KeyboardInterrupt)
    with pytest.raises(KeyboardInterrupt):
        train(folders / "images", folders / "labels", base=base, steps=6, out=tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_how_long_it_will_take_is_said_beforehand(base, folders, tmp_path, monkeypatch):
    said = []

    class Told(checking.Progress):
        def __enter__(self):
            said.append(self.what)
            return super().__enter__()

    monkeypatch.setattr(checking, "Progress", Told)
    train(folders / "images", folders / "labels", base=base, name="disc", steps=2, out=tmp_path / "model")
    assert len(said) == 1
    assert re.fullmatch(r"fine-tuning on disc, up to about \d+ s", said[0])


def test_colour_pictures_may_come_as_arrays_of_either_order():
    labels = np.zeros((20, 30), np.int32)
    labels[4:9, 4:9] = 1
    for shape in ((3, 20, 30), (20, 30, 3)):
        assert read_labelled([np.zeros(shape, np.uint8)], [labels])[0].image.plane_shape == (20, 30)


def test_weights_are_written_in_half_precision(base, tmp_path):
    from safetensors import safe_open

    write_model(base, tmp_path / "model")
    with safe_open(tmp_path / "model" / "model.safetensors", "pt") as file:
        assert {file.get_slice(key).get_dtype() for key in file.keys()} <= {"F16", "I64"}  # noqa: SIM118
