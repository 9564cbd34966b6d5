"""What the benchmarks share: a generated 16,384 x 16,384 input, interleaved timing, and peak memory in a fresh process."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "bench"
SIZE, CHUNK = 16384, 512


def plane(size: int = SIZE, *, width: int | None = None) -> Path:
    """A bare zarr v3 array ``(y, x)`` uint16 in 512 x 512 chunks, blosc-zstd at about 2:1; made once under ``build/bench``."""
    import zarr
    from zarr.codecs import BloscCodec

    width = width or size
    path = BUILD / f"plane_{size}x{width}.zarr"
    if path.exists():
        return path
    temp = path.with_suffix(".partial")
    shutil.rmtree(temp, ignore_errors=True)
    out = zarr.create_array(
        temp, shape=(size, width), chunks=(CHUNK, CHUNK), dtype="uint16", dimension_names=("y", "x"),
        compressors=BloscCodec(cname="zstd", clevel=3, shuffle="shuffle", typesize=2),
    )  # fmt: skip
    edge = 4 * CHUNK
    for y in range(0, size, edge):
        for x in range(0, width, edge):
            rows, cols = min(edge, size - y), min(edge, width - x)
            out[y : y + rows, x : x + cols] = structure(edge, seed=y * 31 + x)[:rows, :cols]
    temp.rename(path)
    return path


def structure(edge: int, *, seed: int) -> np.ndarray:
    """``(edge, edge)`` uint16: smooth blobs with camera noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.gamma(2.0, 250.0, (edge // 32 + 2, edge // 32 + 2))
    at = np.arange(edge) / 32
    low, part = at.astype(int), (at % 1).astype(np.float32)
    rows = coarse[low] * (1 - part)[:, None] + coarse[low + 1] * part[:, None]
    smooth = rows[:, low] * (1 - part) + rows[:, low + 1] * part
    noise = rng.standard_normal((edge, edge), dtype=np.float32)
    return np.clip(smooth + 100 + noise * 24, 0, 65535).astype(np.uint16)


def interleaved(runs: Mapping[str, Callable[[], Any]], *, repeats: int = 3) -> dict[str, float]:
    """Median seconds of each run; the runs take turns, so that whatever else the machine does hits all of them alike."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(s) for name, s in seconds.items()}


def peak_mib(imports: str, work: str) -> float:
    """MiB that ``work`` adds to the peak resident memory of a fresh process after ``imports`` (both are Python source)."""
    script = (
        "def _peak():\n    return next(int(l.split()[1]) for l in open('/proc/self/status') if l.startswith('VmHWM'))\n"
        + f"{imports}\n_before = _peak()\n{work}\nprint('peak', (_peak() - _before) / 1024)"
    )  # VmHWM and not ru_maxrss, which a child inherits from its parent
    env = os.environ | {"MICRO_NB_PROGRESS": "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env, cwd=ROOT)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return float(done.stdout.rsplit("peak ", 1)[1])


def show(title: str, rows: Mapping[str, Mapping[str, Any]]) -> None:
    """A table for people, then the same as one line of JSON."""
    columns = list(dict.fromkeys(key for row in rows.values() for key in row))
    width = max(map(len, rows)) + 2
    print(f"\n{title}\n" + " " * width + "".join(f"{c:>18}" for c in columns))
    for name, row in rows.items():
        cells = (f"{row[c]:>18,.3g}" if isinstance(row.get(c), float) else f"{row.get(c, '')!s:>18}" for c in columns)
        print(f"{name:<{width}}" + "".join(cells))
    print(json.dumps({title: rows}))
