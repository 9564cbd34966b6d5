"""Recipes: all that decides how a model comes out, in one file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ..errors import MicroNBError, MissingExtraError
from .sample import Sample

RECIPES = Path(__file__).parent / "recipes"
RUNS = Path("runs")
"""Where runs are kept that are given no place."""


class RecipeError(MicroNBError, ValueError):
    """A recipe cannot be followed."""


@dataclass(frozen=True, kw_only=True)
class Pace:
    """How long and how fast.

    Attributes
    ----------
    steps : length of the run.
    warmup, cooldown : steps over which rates rise linearly; share of the steps over which they fall to 0 at the end.
    decay : of the weights (AdamW). average : decay of the moving average of the weights; 0 keeps the last ones.
    save_every : steps between checkpoints. seed : of whatever is drawn.
    """

    steps: int
    warmup: int = 1
    cooldown: float = 0.4
    decay: float = 0.02
    average: float = 0.0
    save_every: int = 250
    seed: int = 0

    def factor(self, step: int) -> float:
        """Of the rates: linear rise, plateau, linear fall."""
        fall = (self.steps - step) / max(1.0, self.steps * self.cooldown)
        return min(1.0, (step + 1) / self.warmup, max(0.01, fall))


@dataclass(frozen=True, kw_only=True)
class Recipe(Pace):
    """How to train a tile network.

    Attributes
    ----------
    weights : share of each source in a batch; a source is a data set, ``dataset/type`` or ``generated/KIND``.
    name : what the result is called.
    data : labelled folders (:func:`micro_nb.learn.labelled_set.read_set`), or folders of them; relative to the working directory,
        else to the recipe.
    scenes : kind of generated scene -> how many; see :mod:`micro_nb.learn.scenes`.
    initial : ``imagenet``, ``random``, or a file, see :func:`micro_nb.learn.initial.start`.
    batch, edge : crops a step, pixels of a crop.
    diameter, spread : object diameters in crops, px: centre and width of their log-normal distribution.
    rate, encoder_rate : learning rates of the new and the pre-trained parts.
    bfloat16 : compute in bfloat16 where the machine has it. config : sizes of the network, see ``MicroD1Config``.
    """

    weights: Mapping[str, float] = field(kw_only=False)
    name: str = "mine"
    data: Sequence[str] = ()
    scenes: Mapping[str, int] = field(default_factory=dict)
    initial: str = "imagenet"
    steps: int = 7000
    batch: int = 8
    edge: int = 256
    diameter: float = 22.0
    spread: float = 0.35
    rate: float = 1.5e-3
    encoder_rate: float = 7e-4
    warmup: int = 200
    average: float = 0.998
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
        """A recipe of the package (``"scenes"``) or a YAML file, with values that replace the file's.

        Raises
        ------
        RecipeError : the file does not exist or names what no recipe has.
        """
        file, found = entries(path, tuple(f.name for f in fields(cls)), changes)
        if "weights" not in found:
            raise RecipeError(f"{file}: weights are missing: the share of each source in a batch")
        recipe = cls(**found)
        places = {p: next((here for here in (Path(p), file.parent / p) if here.is_dir()), None) for p in recipe.data}
        if lost := [p for p, here in places.items() if here is None]:
            raise RecipeError(
                f"data: {', '.join(lost)} is no folder here nor beside the recipe; say where it is: data=[path/to/labelled]"
            )
        return replace(recipe, data=tuple(map(str, places.values())))

    def samples(self) -> list[Sample]:
        """The images to train on: those of the data, and the generated scenes."""
        from .labelled import read_folder
        from .scenes import generated

        return [*(s for place in self.data for s in read_folder(place)), *generated(self.scenes, seed=self.seed)]

    def fixed(self) -> dict[str, Any]:
        """What must not differ when a run goes on: all but where its data lie, and how long it is."""
        may_change = ("steps", "save_every", "name", "data", "initial", "scenes")
        return {k: v for k, v in vars(self).items() if k not in may_change}


def entries(path: str | os.PathLike[str], known: Sequence[str], changes: Mapping[str, Any]) -> tuple[Path, dict[str, Any]]:
    """The file of a recipe and what it says, with changes.

    Raises
    ------
    RecipeError : the file does not exist, or names what is not among ``known``.
    """
    file = RECIPES / f"{os.fspath(path)}.yaml"
    file = file if file.is_file() else Path(path)
    if not file.is_file():
        of_package = ", ".join(sorted(p.stem for p in RECIPES.glob("*.yaml")))
        raise RecipeError(f"{path}: no such recipe; give a .yaml file, or one of the package: {of_package}")
    try:
        import yaml
    except ImportError:
        raise MissingExtraError("recipes are YAML files; try pip install 'micro-nb[models]'") from None
    said = yaml.safe_load(file.read_text(encoding="utf-8"))
    if not isinstance(said, dict):
        raise RecipeError(f"{file}: a recipe is a mapping of names to values, this is {type(said).__name__}")
    found = said | dict(changes)
    if unknown := sorted(set(found) - set(known)):
        raise RecipeError(f"{file}: {', '.join(unknown)} is no part of a recipe; there is {', '.join(known)}")
    return file, found
