"""From trained eyes to a whole model: the joint space is aligned, presence calibrated, and everything written as a model folder.

    python -m words.build RUN DATA OUT --shards work/nano/shards work/nano/scenes

``RUN`` is a training folder with the tile network, ``DATA`` the folder of data sets, ``OUT`` the model folder; the shards are
those of the training.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from layout import read_folder
from safetensors.torch import load_file
from sets import NEWER
from shards import read_shards
from split import Split

from micro_nb.learn.initial import imagenet_weights, load_imagenet
from micro_nb.learn.sample import Sample
from micro_nb.models.micro_d1 import MicroD1Config, MicroD1Model
from micro_nb.models.ontology import ontology
from micro_nb.tasks.load import CALIBRATION, prepared

from .align import Aligner, Aligning
from .facts import facts_of
from .features import concepts_seen, views
from .pictures import captioned, diseases
from .presence import ask, calibrated, figures, opened
from .sizes import glanced, right, some
from .sizes import train as train_sizes

_UNLABELLED = {"captioned": captioned, "chula_rbc_disease": diseases}
TRAINED_ON = "trained_on.csv"
COLOURED = 12.0
"""Least difference of the colours of a picture, of 255, on average: grey pictures saved in colour have next to none."""


def samples_of(data: str | os.PathLike[str], split: Split) -> tuple[list[Sample], list[Sample]]:
    """For training and for validation: all labelled data sets by the split, and pictures without masks, all for training."""
    root = Path(data)
    labelled = [*read_folder(root), *newer(root)]
    pictures = [s for name, read in _UNLABELLED.items() if (root / name / "index.csv").is_file() for s in read(root / name)]
    parts = {id(s): s.facts.get("part") or split.of(s) for s in labelled}
    held = [s for s in labelled if parts[id(s)] == "val"]
    return [s for s in labelled if parts[id(s)] == "train"] + pictures, held


def newer(root: Path) -> Iterator[Sample]:
    """Samples of the data sets that are not in the frozen split; their facts say what they are for."""
    for name, read in NEWER.items():
        for s in read(root / name) if (root / name / "index.csv").exists() else ():
            image = np.ascontiguousarray(np.broadcast_to(np.atleast_3d(s.image), (*s.image.shape[:2], 3)))
            said = {"part": s.part, "modality": s.kind}
            yield Sample(image, s.labels, s.names, s.dataset, s.name, s.group, s.diameter_px, said)


def with_eyes(run: str | os.PathLike[str]) -> MicroD1Model:
    """A model with the tile network of a training folder and the global encoder of ImageNet, its joint space untrained."""
    torch.manual_seed(0)
    model = MicroD1Model(MicroD1Config())
    weights = load_file(Path(run) / "tile.safetensors")
    model.tile.load_state_dict({k: weights[k] for k in model.tile.state_dict()})
    load_imagenet(model.thumb.encoder, imagenet_weights())
    load_head(model, imagenet_weights())
    return prepared(model)


def size(model: MicroD1Model, shards: Sequence[Path]) -> dict[str, float]:
    """Trains the size head; source of held-out pictures -> share of them whose diameter is said right."""
    parts = [some(read_shards(*shards), part) for part in ("train", "val")]
    train_sizes(model, glanced(parts[0], model, changed=1))
    return right(glanced(parts[1], model), model)


def load_head(model: MicroD1Model, path: str | os.PathLike[str]) -> None:
    """The last convolution of EfficientNet-lite0, from 320 to 1280 channels."""
    theirs = torch.load(path, map_location="cpu", weights_only=True)
    conv, norm = model.thumb.head[0], model.thumb.head[1]
    conv.load_state_dict({"weight": theirs["_conv_head.weight"]})
    norm.load_state_dict({k: theirs[f"_bn1.{k}"] for k in norm.state_dict()})


def build(
    run: str | os.PathLike[str],
    data: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    shards: Sequence[Path] = (),
    aligning: Aligning | None = None,
    copies: int = 1,
) -> dict[str, Any]:
    """Aligns, calibrates and writes a model.

    Parameters
    ----------
    run : folder of a finished training of the tile network.
    data : folder of the data sets it was trained on.
    out : model folder; written whole at the end.
    shards : of the training, from which it learns how large objects are.
    aligning, copies : how the joint space is trained, and on how many changed views of each image beside the plain one.

    Returns
    -------
    Figures on the validation images, as written to ``out/figures.json``.
    """
    train, held = samples_of(data, Split.read("nano"))
    model = with_eyes(run)
    sized = size(model, shards)
    seen = views([s.reduced() for s in train], model, copies=copies)
    losses = Aligner(model, seen, aligning).run()
    objects, images = concepts_seen(seen)
    objects = [o for o in objects if o != "uncategorised"]
    model.calibration = {"object_concepts": objects, "image_concepts": images, "grey_only": grey_only(train, objects)}
    model.calibration["shown_in"] = shown_in(train, objects)
    asked = ask(((s.dataset, opened(s), facts_of(s)) for s in held), model)
    model.calibration["presence"] = calibrated(asked)
    found = {
        "presence": figures(asked, model.calibration["presence"]).round(4).to_dict("records"),
        "sizes": sized,
        "loss": losses[-1],
    }
    write(model, out, train, found, Path(data))
    return found


def grey_only(samples: Sequence[Sample], objects: Sequence[str]) -> list[str]:
    """Which names of objects no coloured picture shows."""
    coloured = [s for s in samples if float(np.ptp(s.image, axis=2).mean()) > COLOURED]
    shown = {name for s in coloured for names in s.names.values() for name in names.values()}
    return [name for name in objects if name not in shown]


def shown_in(samples: Sequence[Sample], objects: Sequence[str]) -> dict[str, list[str]]:
    """Name of an object -> modalities of the pictures that show it."""
    known, found = ontology(), {name: set[str]() for name in objects}
    for sample in samples:
        said = {c for c in facts_of(sample).present if known[c].kind == "modality"}
        narrowest = {c for c in said if not said & set(known.descendants(c))}
        for name in {name for names in sample.names.values() for name in names.values()} & set(found):
            found[name] |= narrowest
    return {name: sorted(modalities) for name, modalities in found.items() if modalities}


def write(model: MicroD1Model, out: str | os.PathLike[str], train: Sequence[Sample], found: dict[str, Any], data: Path) -> None:
    """The model folder: configuration, weights in half precision, processor, calibration, what it was trained on."""
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    processor, calibration = model.processor, model.calibration
    half = MicroD1Model(MicroD1Config.from_dict(model.config.to_dict()))
    half.load_state_dict(model.state_dict())
    half.half().save_pretrained(folder)  # type: ignore[no-untyped-call]
    processor.save_pretrained(folder)
    (folder / CALIBRATION).write_text(json.dumps(calibration), encoding="utf-8")
    (folder / "figures.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    with (folder / TRAINED_ON).open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(("dataset", "name", "sha256"))
        rows.writerows((s.dataset, s.name, hashlib.sha256((data / s.dataset / s.name).read_bytes()).hexdigest()) for s in train)


def main() -> None:
    """Command line."""
    import argparse

    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("run", "data", "out"):
        parser.add_argument(name)
    parser.add_argument("--shards", type=Path, nargs="+", default=[Path("work/nano/shards"), Path("work/nano/scenes")])
    args = parser.parse_args()
    print(json.dumps(build(args.run, args.data, args.out, shards=args.shards), indent=1))


if __name__ == "__main__":
    main()
