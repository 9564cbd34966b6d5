"""``micro-nb index`` and ``micro-nb search``: a searchable folder of images, tiles or objects."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WriteError
from .commands import _print_json, _write

if TYPE_CHECKING:
    import pandas as pd

    from ..tasks.search.retrieve import Index

_SHOWN = ("rank", "score", "y0", "x0", "y1", "x1", "path")


def add_index_options(parser: ArgumentParser) -> None:
    """Options of ``micro-nb index``."""
    parser.add_argument("paths", nargs="+", help="images, or folders of images")
    parser.add_argument("-o", "--out", required=True, metavar="INDEX", help="the folder to write")
    parser.add_argument("--of", choices=("images", "tiles", "objects"), default="images", help="what a row is (default images)")
    parser.add_argument("--model", help="a model folder or hub id (default: the built-in Micro-D1 nano)")
    parser.add_argument("--append", action="store_true", help="add what is new to an index that is there")
    parser.add_argument("--overwrite", action="store_true", help="replace an index that is there")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")


def add_search_options(parser: ArgumentParser) -> None:
    """Options of ``micro-nb search``."""
    parser.add_argument("index", help="a folder that micro-nb index wrote")
    parser.add_argument("query", nargs="?", help="what to look for in words, or the path of an image")
    parser.add_argument("-k", type=int, default=5, help="how many results (default 5)")
    parser.add_argument("--where", metavar="CONDITION", help="on measurements, such as 'area_um2 > 80 and solidity > 0.9'")
    parser.add_argument("--verify", action="store_true", help="check the index and every image instead of searching")
    parser.add_argument("-o", "--out", metavar="PNG", help="also write the thumbnails as PNG")
    parser.add_argument("--model", help="the model the index was built with, where it is not the built-in one")
    parser.add_argument("--json", action="store_true", help="print JSON with all measurements instead of text")


def index(args: Namespace) -> None:
    """Looks at images and keeps what search needs."""
    from ..tasks.search.retrieve import Index

    if args.append and args.overwrite:
        raise WriteError("--append adds to an index and --overwrite replaces it; say one of them")
    if args.append:
        made = Index.open(args.out, model=_model(args.model))
        if made.of != args.of and args.of != "images":
            raise WriteError(f"{args.out}: is an index of {made.of}; --of {args.of} cannot be added to it")
        added = made.append(args.paths)
    else:
        made = Index.build(args.paths, args.out, of=args.of, model=_model(args.model), overwrite=args.overwrite)
        added = len(made.sources)
    if args.json:
        _print_json(
            {
                "index": str(made.folder),
                "of": made.of,
                "rows": len(made),
                "images_added": added,
                "skipped": _records(made.skipped),
            }
        )
        return
    print(f"{len(made):,} {made.of}, {added:,} image{'s' * (added != 1)} added")
    print(made.folder)


def search(args: Namespace) -> None:
    """What answers a query best; or what differs from when the index was written."""
    from ..tasks.search.retrieve import Index

    opened = Index.open(args.index, model=_model(args.model))
    if args.verify:
        _verify(opened, as_json=args.json)
        return
    if not args.query:
        raise ValueError("say what to look for, such as micro-nb search index/ 'crowded small nuclei'")
    result = opened.search(args.query, k=args.k, where=args.where)
    if args.out:
        _write(Path(args.out), opened.show(result).png())
    if args.json:
        _print_json({"query": args.query, "where": args.where, "of": opened.of, "results": _records(result)})
    elif result.empty:
        print("nothing meets the condition" if args.where else "the index is empty")
    else:
        shown = result[[c for c in _SHOWN if c in result.columns]]
        print(shown.to_string(index=False, float_format="{:.4g}".format))
    if args.out:
        print(args.out, file=sys.stderr)


def _verify(opened: Index, *, as_json: bool) -> None:
    problems = opened.verify()
    if as_json:
        _print_json({"ok": problems.empty, "problems": _records(problems)})
    elif problems.empty:
        print(f"all is well: {len(opened):,} {opened.of}")
    if len(problems):
        lines = [f"{p['path']}: {p['problem']}" for p in _records(problems)]
        raise ValueError(f"{len(problems)} differ{'s' * (len(problems) == 1)} from what was written\n" + "\n".join(lines))


def _model(name: str | None) -> Any:
    if name is None:
        return None
    from ..tasks import load_model

    return load_model(name)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    return list(json.loads(table.to_json(orient="records")))
