"""``micro-nb deidentify``: a copy of an image without personal data."""

from __future__ import annotations

from argparse import Namespace

from ..data.deidentify import deidentify as clean
from .commands import _print_json


def deidentify(args: Namespace) -> None:
    """Writes the copy and says what it lacks."""
    done = clean(args.image, args.out, overwrite=args.overwrite)
    if args.json:
        _print_json({"path": str(done.path), "removed": done.removed, "kept": done.kept, "note": done.note})
        return
    print(done.path)
    print("removed: " + ("; ".join(done.removed) or "nothing: there was none of what is known to name persons"))
    print("kept: " + "; ".join(done.kept))
    print(f"note: {done.note}")
