"""``train``: a recipe, or a user's own images and labels."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import WriteError
from .learner import export, teaching
from .loop import STATE
from .recipe import RUNS, Recipe
from .training import Training


def train(
    source: Any, labels: Any = None, *, out: str | os.PathLike[str] | None = None, resume: bool = False,
    changes: Mapping[str, Any] | None = None, base: Any = "nano", name: str = "object", steps: int | None = None,
    partial: bool = False, seed: int = 0,
) -> Training:  # fmt: skip
    """Trains from a recipe, or fine-tunes on labelled images.

    Parameters
    ----------
    source : a recipe (a YAML file, the name of one in the package, or a :class:`~micro_nb.learn.recipe.Recipe`); or, with
        ``labels``, images: a folder or a list of paths, MicroImages and arrays.
    labels : a folder of label images with the stems of the images, or a list: a whole number for each object, 0 background, -1
        not known.
    out : where to write; ``runs/NAME`` by default. A recipe's run folder, or the folder of the fine-tuned model.
    resume : go on with the run that ``out`` holds. It takes the same steps as if it had never stopped. Fine-tuning needs no
        word: the same call goes on from where it was killed, and Ctrl-C ends it early with the best model so far.
    changes : values that replace the recipe's, such as ``{"batch": 4}``; recipes alone.
    base, name, partial, seed : fine-tuning alone: the model to start from, what the objects are called, whether background
        outside of labels is not known, and which images are held out.
    steps : length; of a fine-tuning at most (default 300).

    Returns
    -------
    Training, with the curve and, after fine-tuning, AP@0.5 on a held-out fifth before and after.

    Raises
    ------
    RecipeError : the recipe cannot be followed.
    WriteError : ``out`` holds something already, and ``resume`` was not said.
    ImageNotFoundError, AxesError, ValueError : images and labels do not fit together; says how.

    Examples
    --------
    >>> import micro_nb as mnb  # five lines from labels to a model
    >>> done = mnb.train("images/", "labels/", base="nano", name="my cells", out="my_model/")  # doctest: +SKIP
    >>> print(done)  # doctest: +SKIP
    >>> model = mnb.load_model("my_model/")  # doctest: +SKIP
    >>> mnb.parse("new.tif", ["my cells"], model=model).table  # doctest: +SKIP
    >>> mnb.train("scenes", changes={"steps": 500})  # a recipe  # doctest: +SKIP
    """
    if labels is None:
        return _follow(source, out, resume, dict(changes or {}) | ({"steps": steps} if steps else {}))
    if changes:
        raise ValueError("changes= is for recipes; fine-tuning takes base, name, steps, partial and seed")
    from .finetune import finetune  # it looks through parse, which recipes do not need

    target = Path(out) if out is not None else RUNS / "_".join(name.split())
    return finetune(source, labels, out=target, base=base, name=name, steps=steps or 300, partial=partial, seed=seed)


def _follow(source: Any, out: Any, resume: bool, changes: dict[str, Any]) -> Training:
    recipe = replace(source, **changes) if isinstance(source, Recipe) else Recipe.load(source, **changes)
    folder = Path(out) if out is not None else RUNS / recipe.name
    if (folder / STATE).exists() and not resume:
        raise WriteError(f"{folder} holds a run; go on with it by resume=True, or choose another folder with out=")
    loop = teaching(recipe, recipe.samples(), folder).run()
    export(loop, folder)
    return Training(folder, loop.step, loop.seconds, loop.lines)
