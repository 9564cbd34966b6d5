"""What the commands about learning do: ``micro-nb evaluate``. They load when they are used, as those of ``commands``."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path

from ..errors import WriteError


def add_evaluate_options(parser: ArgumentParser) -> None:
    """Options of ``evaluate``."""
    parser.add_argument("data_dir", help="a labelled folder: index.csv, images/ and labels/, boxes.csv or points.csv")
    parser.add_argument("--prompts", nargs="+", metavar="WORDS", help="what is labelled; or CLASS=WORDS, labels=WORDS for masks")
    parser.add_argument("--model", help="a model folder or hub id (default: the one of the package)")
    parser.add_argument("--limit", type=int, metavar="N", help="at most so many images, evenly spaced")
    parser.add_argument("--against", nargs="+", default=[], metavar="DIR", help="other folders, whose prompts are absent here")
    parser.add_argument("--robustness", action="store_true", help="also judge 8 images blurred, noisy, dark, bright, resized")
    parser.add_argument("--worsened", type=int, default=0, metavar="N", help="the same for N images")
    parser.add_argument("--force", action="store_true", help="evaluate on images that were trained on; the figures are marked")
    parser.add_argument("-o", "--out", help="also write the evaluation as a page, .html")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def evaluate(args: Namespace) -> None:
    """Figures of a model on a labelled folder."""
    from ..learn.evaluate import evaluate as judged

    found = judged(
        args.data_dir,
        model=args.model,
        prompts=prompts(args.prompts),
        limit=args.limit,
        against=args.against,
        robustness=args.robustness,
        worsened=args.worsened,
        force=args.force,
    )
    if args.out:
        _write_page(Path(args.out), found._repr_html_(), found.name)
    if args.json:
        print(json.dumps(found.to_dict(), indent=2, ensure_ascii=False, allow_nan=False))
    else:
        print(found.text())
    if args.out:
        print(args.out, file=sys.stderr)


def prompts(words: list[str] | None) -> list[str] | dict[str, str] | None:
    """Prompts of the command line: words, or ``class=words`` for classes of boxes and ``labels=words`` for label images.

    >>> prompts(["RBC=red blood cell", "labels=nucleus"])
    {'RBC': 'red blood cell', 'labels': 'nucleus'}
    """
    if not words:
        return None
    pairs = [word.partition("=") for word in words]
    named = [bool(equals) for _, equals, _ in pairs]
    if any(named) and not all(named):
        raise ValueError(f"--prompts {' '.join(words)}: write either words alone, or class=words for all of them")
    return {name: text for name, _, text in pairs} if all(named) else words


def _write_page(path: Path, body: str, title: str) -> None:
    import html

    from ..data.atomic import writing_file

    if path.suffix != ".html":
        raise WriteError(f"{path}: the page of an evaluation is written as .html")
    with writing_file(path) as partial:
        partial.write_text(f"<!doctype html><meta charset='utf-8'><title>{html.escape(title)}</title>{body}")
