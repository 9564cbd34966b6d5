"""How well sessions answer questions about pictures: runs the scoring script that lies beside the checkout.

    python benchmarks/questions.py [--limit 20] [--set unseen]

Sets: ``development``, which lies beside the checkout; ``pictures``, ``stacks``, ``unseen``, ``strangers`` and ``kept``, whose
failures were looked at and mended; ``newcomers``, another author's, looked at after its first run only (docs/figures.md says
what each gave then). All are about the images beside the checkout. Prints turns right by kind and by
data set, exceptions, and numbers in the prose that no evidence holds (must be 0).
"""

from __future__ import annotations

import argparse
import os
import runpy
import sys
import tempfile
from pathlib import Path

OWN = Path(__file__).parent / "questions"
SHARED = Path(os.environ.get("MICRO_NB_SHARED", Path(__file__).parents[2] / "shared"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--limit", type=int, help="conversations to run (default: all)")
    parser.add_argument("--set", default="development", choices=["development", *sorted(p.stem for p in OWN.glob("*.jsonl"))])
    parser.add_argument("--out", default=str(Path(tempfile.gettempdir()) / "questions.json"), help="where the details go")
    asked = parser.parse_args()
    questions = SHARED / "questions" / "dev.jsonl" if asked.set == "development" else OWN / f"{asked.set}.jsonl"
    script, data = SHARED / "questions" / "score.py", SHARED / "data" / "train_val"
    missing = [str(p) for p in (script, questions, data) if not p.exists()]
    if missing:
        sys.exit(f"questions or images are not here: {', '.join(missing)}; set MICRO_NB_SHARED to their folder")
    limit = ["--limit", str(asked.limit)] if asked.limit else []
    sys.argv = [str(script), str(questions), str(data), "--out", asked.out, *limit]
    os.environ.setdefault("MICRO_NB_PROGRESS", "0")
    runpy.run_path(str(script), run_name="__main__")


if __name__ == "__main__":
    main()
