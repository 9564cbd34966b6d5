"""The first picture of a file of every format, in a fresh process that has imported what it needs.

    python benchmarks/formats.py

Seconds from ``open_image`` to PNG bytes of the overview, and the memory it takes over the imports. Files: ``$MICRO_NB_SHARED`` or
``../shared``, the folder ``data/formats``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from common import ROOT

SHARED = Path(os.environ.get("MICRO_NB_SHARED", ROOT.parent / "shared")) / "data" / "formats"
AXES = {"cancer_cell_migration_crop.tif": "tyx"}  # does not say what its planes are
SCRIPT = """
import resource, sys, time
import micro_nb as mnb, micro_nb.face.overview, PIL.PngImagePlugin
for name in {modules!r}:
    try: __import__(name)
    except ImportError: pass
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before, start = peak(), time.perf_counter()
img = mnb.open_image({path!r}, axes={axes!r})
flat = img.isel(**{{a: 0 for a in "tz" if a in img.axes}})
flat = flat.isel(c=slice(0, 3)) if flat.sizes.get("c", 1) > 3 else flat
png = mnb.overview(flat).png
print("took", time.perf_counter() - start, peak() - before, img.source.format.replace(" ", "_"))
"""
MODULES = (
    "micro_nb.data.sources.zarr_source", "micro_nb.data.sources.tiff", "micro_nb.data.sources.library",
    "micro_nb.data.sources.pictures", "pylibCZIrw.czi", "nd2", "pydicom.pixels", "imagecodecs",
)  # fmt: skip


def first_picture(path: Path) -> tuple[float, float, str]:
    """Seconds, MiB, and what the file is."""
    script = SCRIPT.format(path=str(path), axes=AXES.get(path.name), modules=MODULES)
    env = os.environ | {"MICRO_NB_PROGRESS": "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, env=env, check=False)
    found = re.findall(r"took (\S+) (\S+) (\S+)", done.stdout)
    if not found:
        return float("nan"), float("nan"), done.stderr.strip().rsplit("\n", 1)[-1][:120]
    return float(found[0][0]), float(found[0][1]), found[0][2].replace("_", " ")


def main() -> None:
    rows = []
    for path in sorted(p for p in SHARED.iterdir() if p.suffix not in (".md", ".csv")):
        file = next(iter(sorted(path.glob("*.tif*"))), path) if path.is_dir() and path.suffix != ".zarr" else path
        rows.append(first_picture(file))
        print(f"{file.name:42} {rows[-1][2]:28} {rows[-1][0]:6.2f} s {rows[-1][1]:6.0f} MiB", flush=True)
    opened = [row for row in rows if row[0] == row[0]]
    longest, most = max(r[0] for r in opened), max(r[1] for r in opened)
    print(f"{len(opened)} of {len(rows)} opened; longest {longest:.2f} s, most {most:.0f} MiB over imports")


if __name__ == "__main__":
    main()
