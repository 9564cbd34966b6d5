"""The overview: the first picture of a 16,384 x 16,384 image in a fresh process, and of other parts of it.

Run it with ``.venv/bin/python benchmarks/overview.py``.
"""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import BUILD, ROOT, SIZE, peak_mib, plane, show

IMPORTS = "import micro_nb as mnb, micro_nb.face.overview, micro_nb.data.sources.zarr_source, PIL.PngImagePlugin"
FIRST = "png = mnb.overview(mnb.open_image({path!r})).png"


def pyramid() -> Path:
    """The shared plane as OME-Zarr with its pyramid; made once."""
    import micro_nb as mnb

    path = BUILD / f"plane_{SIZE}.ome.zarr"
    if not path.exists():
        mnb.save_image(mnb.open_image(plane(), pixel_size=0.5), path)
    return path


def first_seconds(path: Path) -> float:
    """Seconds from ``open_image`` to PNG bytes in a process that has imported what it needs."""
    work = FIRST.format(path=str(path))
    script = f"import time\n{IMPORTS}\nt = time.perf_counter()\n{work}\nprint('took', time.perf_counter() - t)"
    env = os.environ | {"MICRO_NB_PROGRESS": "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env, cwd=ROOT, check=True)
    return float(re.findall(r"took (\S+)", done.stdout)[0])


def zooms(view: Any, *, times: int = 12) -> dict[str, float]:
    """Median and worst milliseconds of another part of a view, at scales from the whole image to single pixels."""
    import micro_nb as mnb

    rng, taken = np.random.default_rng(0), []
    for k in range(times + 3):
        wide = SIZE / 2 ** (k % 6)
        x, y = rng.uniform(0, SIZE - wide + 1e-9, 2)
        start = time.perf_counter()
        assert view.zoom(mnb.Region(y, x, y + wide, x + wide)).png
        if k >= 3:
            taken.append((time.perf_counter() - start) * 1e3)
    return {"median ms": statistics.median(taken), "worst ms": max(taken)}


def main() -> None:
    import micro_nb as mnb

    path = pyramid()
    seconds = [first_seconds(path) for _ in range(3)]
    first = {"seconds": statistics.median(seconds), "MiB": peak_mib(IMPORTS, FIRST.format(path=str(path)))}
    img = mnb.open_image(path)
    show("first overview, fresh process", {"PNG from the pyramid": first})
    show("overview of another part", {"image": zooms(mnb.overview(img))})


if __name__ == "__main__":
    main()
