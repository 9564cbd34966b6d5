"""What ``micro-nb train`` does."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any

from .commands import _print_json


def add_train_options(parser: ArgumentParser) -> None:
    """Options of ``micro-nb train``."""
    parser.add_argument("recipe", help="a .yaml file, or the name of a recipe of the package (scenes)")
    parser.add_argument("-o", "--out", help="the folder of the run (default runs/NAME)")
    parser.add_argument("--resume", action="store_true", help="go on with the run that the folder holds")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="replace a value, such as steps=100")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def train(args: Namespace) -> None:
    """A run of a recipe."""
    from ..learn.train import train as run  # torch

    done = run(args.recipe, out=args.out, resume=args.resume, changes=dict(_change(text) for text in args.set))
    if args.json:
        _print_json(done.to_dict())
    else:
        print(done)


def _change(text: str) -> tuple[str, Any]:
    import yaml

    from ..learn.recipe import RecipeError

    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise RecipeError(f"--set {text!r}: write it as name=value, such as steps=100")
    return name, yaml.safe_load(value)
