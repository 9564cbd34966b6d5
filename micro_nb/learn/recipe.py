"""Recipes: all that decides how a model comes out, in one file."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ..errors import MicroNBError, MissingExtraError
from .shards import Sample, read_shards
from .split import Split

RECIPES = Path(__file__).parent / "recipes"
RUNS = Path("runs")
"""Where runs are kept that are given no place."""


class RecipeError(MicroNBError, ValueError):
    """A recipe cannot be followed."""


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes
    ----------
    weights : share of each source in a batch; a source is a data set, ``dataset/type`` or ``generated/KIND``.
    name : what the result is called.
    data : folders of labelled data sets, or of shards of them; relative to the working directory, else to the recipe.
    scenes : kind of generated scene -> how many; see :mod:`micro_nb.learn.scenes`.
    split : a split of the package or a file; its ``train`` part is trained on. None: everything is.
    initial : ``imagenet``, ``random``, or a file, see :func:`micro_nb.learn.initial.start`.
    steps, batch, edge : length of the run, crops a step, pixels of a crop.
    diameter, spread : object diameters in crops, px: centre and width of their log-normal distribution.
    small : share of crops that are drawn about an object much smaller than its image's typical one, in the scale of that object.
    rate, encoder_rate, decay : learning rates of the new and the pre-trained parts, weight decay (AdamW).
    warmup, cooldown : steps of linear rise; share of the steps over which the rate falls to 0 at the end.
    average : decay of the exponential moving average of the weights, which is what is kept.
    seed : of weights and crops.
    save_every : steps between checkpoints.
    bfloat16 : compute in bfloat16 where the machine has it.
    config : sizes of the network, see ``MicroD1Config``.
    """

    weights: Mapping[str, float]
    name: str = "mine"
    data: Sequence[str] = ()
    scenes: Mapping[str, int] = field(default_factory=dict)
    split: str | None = None
    initial: str = "imagenet"
    steps: int = 7000
    batch: int = 8
    edge: int = 256
    diameter: float = 22.0
    spread: float = 0.35
    small: float = 0.0
    rate: float = 1.5e-3
    encoder_rate: float = 7e-4
    decay: float = 0.02
    warmup: int = 200
    cooldown: float = 0.4
    average: float = 0.998
    seed: int = 0
    save_every: int = 250
    bfloat16: bool = True
    config: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "save_every", "warmup"):
            if getattr(self, name) < 1:
                raise RecipeError(f"{name}={getattr(self, name)} must be at least 1")
        if self.edge < 32 or self.edge % 16:
            raise RecipeError(f"edge={self.edge} must be a multiple of 16 from 32 on: the network halves it four times")
        if not self.weights or min(self.weights.values()) <= 0:
            raise RecipeError(f"weights={dict(self.weights)} must name at least one source, each with a positive share")

    @classmethod
    def load(cls, path: str | os.PathLike[str], **changes: Any) -> Recipe:
        """A recipe of the package (``"nano"``) or a YAML file.

        Parameters
        ----------
        changes : values that replace the file's.

        Raises
        ------
        RecipeError : the file does not exist or names what no recipe has.
        """
        file, found = entries(path, tuple(f.name for f in fields(cls)), changes)
        if "weights" not in found:
            raise RecipeError(f"{file}: weights are missing: the share of each source in a batch")
        recipe = cls(**found)
        return replace(recipe, data=tuple(_found(place, file.parent) for place in recipe.data))

    def samples(self) -> list[Sample]:
        """The images to train on: the training part of the data, and the generated scenes."""
        found = [s for place in self.data for s in read_data(place)]
        if self.split is not None:
            found = Split.read(self.split).take(found, "train")
        if self.scenes:
            from .scenes import generated  # it needs more than shards do

            found += generated(self.scenes, seed=self.seed)
        return found


def entries(path: str | os.PathLike[str], known: Sequence[str], changes: Mapping[str, Any]) -> tuple[Path, dict[str, Any]]:
    """The file of a recipe and what it says, with changes.

    Raises
    ------
    RecipeError : the file does not exist, or names what is not among ``known``.
    """
    file = _file(path)
    found = _yaml(file) | dict(changes)
    if unknown := sorted(set(found) - set(known)):
        raise RecipeError(f"{file}: {', '.join(unknown)} is no part of a recipe; there is {', '.join(known)}")
    return file, found


def teaches_language(source: Any) -> bool:
    """Whether a recipe, or the file of one, teaches a language model: it names the model as ``language``."""
    return "language" in _yaml(_file(source)) if isinstance(source, str | os.PathLike) else hasattr(source, "language")


def read_data(place: str | os.PathLike[str]) -> Iterator[Sample]:
    """Samples of a folder of shards, or of labelled data sets; reduced alike."""
    if any(Path(place).glob("*.npz")):
        yield from read_shards(place)
        return
    from .layout import read_folder  # it needs more than shards do

    for sample in read_folder(place):
        yield sample.reduced()


def _found(place: str, beside: Path) -> str:
    here = [p for p in (Path(place), beside / place) if p.is_dir()]
    if not here:
        raise RecipeError(
            f"data: {place} is no folder here nor beside the recipe; say where it is, such as data=[path/to/train_val]"
        )
    return str(here[0])


def _file(path: str | os.PathLike[str]) -> Path:
    """A recipe of the package by its name, or a file."""
    file = RECIPES / f"{os.fspath(path)}.yaml"
    file = file if file.is_file() else Path(path)
    if not file.is_file():
        known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.yaml")))
        raise RecipeError(f"{path}: no such recipe; give a .yaml file, or one of the package: {known}")
    return file


def _yaml(file: Path) -> dict[str, Any]:
    try:
        import yaml
    except ImportError:
        raise MissingExtraError("recipes are YAML files; try pip install 'micro-nb[models]'") from None
    found = yaml.safe_load(file.read_text(encoding="utf-8"))
    if not isinstance(found, dict):
        raise RecipeError(f"{file}: a recipe is a mapping of names to values, this is {type(found).__name__}")
    return found
