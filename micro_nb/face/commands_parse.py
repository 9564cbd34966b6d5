"""What ``micro-nb parse`` does."""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Any

import micro_nb as mnb

from ..errors import WriteError
from .commands import _channel_of, _plane, _print_json, _stem, _write_table

_IN_MEMORY_PX = 1 << 26


def add_parse_options(parser: ArgumentParser) -> None:
    """Options of ``micro-nb parse``."""
    parser.add_argument("prompt", nargs="*", help="what to find, each in quotes; without any, everything is found and named")
    parser.add_argument(
        "-o", "--out", help="where objects are written: .csv .parquet .geojson .json (COCO) or .zarr, with labels"
    )
    parser.add_argument("--picture", metavar="PNG", help="also write a picture with outlines")
    parser.add_argument("--channel", help="the channel that shows the objects")
    parser.add_argument("--diameter", type=float, metavar="PX", help="typical object diameter, where the estimate is wrong")
    parser.add_argument("--model", help="a model folder or hub id (default: the built-in Micro-D1 nano)")


def parse(args: Namespace) -> None:
    """Objects by prompt."""
    img = _plane(args)
    out = Path(args.out or _stem(img) + ".csv") if args.out or not args.json else None
    if out is not None and out.exists():
        raise WriteError(f"{out}: already exists; choose another name with -o")
    model = mnb.load_model(args.model) if args.model else None
    large = img.plane_shape[0] * img.plane_shape[1] > _IN_MEMORY_PX
    store = out if out is not None and out.suffix == ".zarr" else None
    if large and store is None and not args.json:
        raise WriteError(f"{img.name} is so large that its labels are written to disk: say -o objects.zarr")
    found = mnb.parse(
        img, args.prompt or None, out=store, model=model, channel=_channel_of(args.channel), diameter_px=args.diameter
    )
    if out is not None and store is None:
        _write_table(found.table, out) if out.suffix in (".csv", ".parquet") else found.save(out)
    if args.picture:
        mnb.overview(img, objects=found).save(args.picture)
    if args.json:
        _print_json({
            "presence": json.loads(found.presence.to_json(orient="records")) if found.presence is not None else [],
            **{key: found.made_by.get(key) for key in ("recognised", "scale", "weights")},
            "objects": json.loads(found.table.to_json(orient="records")),
        })  # fmt: skip
    else:
        _say(found, args.prompt)
    for written in filter(None, (out, args.picture)):
        print(written, file=sys.stderr)


def _say(found: mnb.Objects, prompts: list[str]) -> None:
    for kind, what in found.made_by.get("recognised", {}).items():
        print(f"{kind}: {what['name']} ({what['probability']:.2f})")
    assert found.presence is not None
    for row in found.presence.itertuples():
        p = "" if row.p_value is None or row.p_value != row.p_value else f" (p = {row.p_value:.3g})"
        said = f"{row.status}{p}, {row.count:,} objects{_unread(row)}" if prompts else f"{row.count:,}"
        print(f"{row.name}: {said}")


def _unread(row: Any) -> str:
    """What to do about words of a prompt that were not read."""
    if not row.unread:
        return ""
    if not row.read_as:
        return f"; it names several things ({row.unread}): give each as a prompt of its own"
    return f": all of {row.read_as}, as {row.unread!r} was not read; filter them by their measurements"
