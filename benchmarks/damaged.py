"""Damaged files of every format, many of them: each gives pixels or an error of ours that names the file.

    python benchmarks/damaged.py [--cases 50000] [--only czi,tif]

Files are those that ``tests/data/test_fuzz_formats.py`` makes, one each of CZI, HDF5 and Imaris beside, and the smaller sample
files where they are found. Each is damaged ``cases / files`` times, case k by random numbers of seed k; a child process of at
most 6 GiB of address space opens it, reads a corner and hashes it. What ends the child, or lasts longer than a minute, is
counted, and the next child goes on behind it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

from common import ROOT

sys.path[:0] = [str(ROOT / "tests" / "data"), str(ROOT / "tests")]
MOST_BYTES, SECONDS, MOST_SIZE = 6 << 30, 60, 1_700_000


def sources(folder: Path) -> list[Path]:
    """The files that are damaged."""
    import test_fuzz_formats as made
    import test_library_sources as library

    for name, write in made.MADE.items():
        write(folder / name)
    library.write_czi(folder / "a.czi", library.STACK[:1, :2, :2])
    library.write_hdf5(folder / "a.h5")
    library.write_imaris(folder / "a.ims", library.STACK[:1, :, :2])
    real = [p for p in made.SHARED.glob("formats/*.*") if p.suffix in (*made.SUFFIXES, ".czi") and p.stat().st_size < MOST_SIZE]
    return sorted(folder.iterdir()) + sorted(real)


def child(source: Path, first: int, last: int, state: Path) -> None:
    """Looks at the cases ``first`` to ``last``; what came out so far is in ``state``."""
    from test_fuzz_formats import damaged, look

    from micro_nb.errors import MicroNBError

    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES,) * 2)
    warnings.simplefilter("ignore")
    data, path, out = source.read_bytes(), state.parent / f"bad {source.name}", Counter[str]()
    for k in range(first, last):
        state.write_text(json.dumps([k, out]))
        path.write_bytes(damaged(data, random.Random(k)))
        try:
            look(path)
            out["pixels"] += 1
        except MicroNBError as error:
            out["our error" if path.name in str(error) else "our error without the name"] += 1
        except Exception as error:
            out[f"{type(error).__name__} at seed {k}"] += 1
    out["MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    state.write_text(json.dumps([last, out]))


def damage(source: Path, cases: int, folder: Path) -> Counter[str]:
    """What became of the cases of one file."""
    total, first, state = Counter[str](), 0, folder / "state.json"
    while first < cases:
        state.write_text(json.dumps([first, {}]))
        run = [sys.executable, __file__, "--child", str(source), str(first), str(cases), str(state)]
        at, ended = _watch(subprocess.Popen(run, env=os.environ | {"MICRO_NB_THREADS": "1"}, stderr=subprocess.DEVNULL), state)
        found: dict[str, Any] = json.loads(state.read_text())[1]
        total["MiB"] = max(total["MiB"], found.pop("MiB", 0))
        total.update(found)
        if at < cases:
            total[f"{ended} at seed {at}"] += 1
        first = at + 1
    return total


def _watch(process: subprocess.Popen[bytes], state: Path) -> tuple[int, str]:
    """The case a child ended at, and how."""
    at, since = -1, time.monotonic()
    while process.poll() is None:
        time.sleep(0.2)
        text = state.read_text()
        now = json.loads(text)[0] if text.endswith("]") else at
        at, since = now, since if now == at else time.monotonic()
        if time.monotonic() - since > SECONDS:
            process.kill()
            process.wait()
            return at, "hang"
    return int(json.loads(state.read_text())[0]), f"signal {-process.returncode}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=50_000)
    parser.add_argument("--only", default="", help="parts of names, separated by commas")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as made, tempfile.TemporaryDirectory() as work:
        files = [f for f in sources(Path(made)) if any(part in f.name for part in options.only.split(","))]
        for file in files:
            print(f"{file.name:44} {dict(damage(file, max(1, options.cases // len(files)), Path(work)))}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), Path(sys.argv[5]))
    else:
        main()
