"""The viewer: what a person waits for in JupyterLab, and what the kernel does meanwhile; a slide of three channels.

Run it with ``.venv/bin/python benchmarks/viewer.py``; ``MICRO_NB_BENCH_SIZE`` is the edge of the slide in px (16,384 by default).
The browser's figures need a Chromium.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from common import BUILD, CHUNK, ROOT, show, structure

sys.path.insert(0, str(ROOT / "tests" / "face"))

EDGE = int(os.environ.get("MICRO_NB_BENCH_SIZE", 16384))
_WATCH = """() => {
  const t = (window.began = performance.now());
  const look = () => {
    const v = document.querySelector('.mnb-root')?.mnb;
    if (v?.tiles.kept.size) window.seen ??= performance.now() - t;
    if (v?.complete) window.whole = performance.now() - t;
    else requestAnimationFrame(look);
  };
  look();
}"""
POINTS, REGIONS, MOVES = 10_000_000, 1000, 24


def slide() -> Path:
    """An OME-Zarr of three channels with its pyramid; made once."""
    import zarr

    import micro_nb as mnb

    path, bare = BUILD / f"slide_{EDGE}.ome.zarr", BUILD / f"slide_{EDGE}.partial.zarr"
    if path.exists():
        return path
    out = zarr.create_array(
        bare, shape=(3, EDGE, EDGE), chunks=(1, CHUNK, CHUNK), dtype="uint16", dimension_names=("c", "y", "x"), overwrite=True
    )
    block = min(4 * CHUNK, EDGE)
    made = [structure(block, seed=k) for k in range(6)]
    for c in range(3):
        for y in range(0, EDGE, block):
            for x in range(0, EDGE, block):
                out[c, y : y + block, x : x + block] = made[(c + y // block + x // block) % len(made)]
    mnb.save_image(mnb.open_image(bare, pixel_size=0.5), path)
    shutil.rmtree(bare)
    return path


def rss_mib() -> float:
    return (
        next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS"))
        / 1024
    )


def kernel(path: Path) -> dict[str, dict[str, Any]]:
    """What the kernel does, without a browser."""
    import micro_nb as mnb
    from micro_nb.face.viewer.pixels import Spec
    from micro_nb.face.viewer.requests import Request, Requests

    viewer = mnb.Viewer(mnb.open_image(path))
    pixels, rng = viewer._pixels, np.random.default_rng(0)
    spec = Spec(0, 0, (0, 1, 2), tuple(c["range"] for c in viewer._channels))

    def anywhere() -> tuple[int, int, int]:
        k = int(rng.integers(0, pixels.steps))
        n = max(1, -(-EDGE // (512 << k)))
        return k, int(rng.integers(0, n)), int(rng.integers(0, n))

    taken, cpu = [], []
    for _ in range(60):
        start, used = time.perf_counter(), time.thread_time()
        pixels.tile(spec, *anywhere())
        taken.append((time.perf_counter() - start) * 1e3)
        cpu.append((time.thread_time() - used) * 1e3)
    ends: list[tuple[float, str]] = []
    queue = Requests(lambda number, end, content, buffers: ends.append((time.perf_counter(), end)))
    start = time.perf_counter()
    queue.ask([Request(k, k, lambda: ({}, [pixels.tile(spec, *anywhere())])) for k in range(60)])
    queue.drop(range(50))
    while queue.waiting:
        time.sleep(0.002)
    seconds, made = time.perf_counter() - start, sum(end == "done" for _, end in ends)
    ended = len(ends)
    before = rss_mib()
    queue.ask([Request(k, k, lambda: ({}, [pixels.tile(spec, *anywhere())])) for k in range(100, 1100)])
    while queue.waiting:
        time.sleep(0.01)
    grown = rss_mib() - before
    points = mnb.Viewer(viewer.image, rng.uniform(0, EDGE, (POINTS, 2)).astype(np.float32))._layers["objects"].shapes
    assert len(points.index)
    panned = []
    for _ in range(40):
        place, start = anywhere(), time.perf_counter()
        points.tile(*place)
        panned.append((time.perf_counter() - start) * 1e3)
    size = sum(len(viewer.get_state()[k]) for k in ("_esm", "_css"))
    return {
        "a tile": {"median ms": statistics.median(taken), "of it CPU": statistics.median(cpu), "worst ms": max(taken)},
        "60 requests, 50 stale": {"ms until none waits": seconds * 1e3, "made": made, "ended": ended},
        "1,000 requests": {"MiB grown": grown},
        f"a tile of {POINTS:,} points": {"median ms": statistics.median(panned), "worst ms": max(panned)},
        "module and style": {"kB": size / 1e3},
    }


def browser(path: Path) -> dict[str, dict[str, Any]]:
    """What a person waits for, in JupyterLab; empty where there is no Chromium."""
    import lab

    if not lab.BROWSERS:
        return {}
    shown: dict[str, dict[str, Any]] = {}
    cells = [
        f"import micro_nb as mnb, numpy as np, micro_nb.face.viewer.viewer\nimg = mnb.open_image({str(path)!r})",
        "viewer = mnb.Viewer(img)\nviewer",
        f"rng = np.random.default_rng(0)\nfor y, x in rng.uniform(0, {EDGE} - 300, ({REGIONS}, 2)):\n"
        "    viewer.add_regions([mnb.Region(y, x, y + 200, x + 200)])",
    ]
    with tempfile.TemporaryDirectory() as name, lab.server(Path(name)) as address, lab.browser(lab.BROWSERS[0]) as chromium:
        page = chromium.new_page(viewport={"width": 1400, "height": 1000})
        notebook = lab.Lab(page, address, lab.notebook(Path(name), "bench", cells))
        notebook.run(0)
        page.evaluate(_WATCH)
        notebook.run(1)
        page.wait_for_function("window.whole")
        prompt = page.evaluate("performance.now() - window.began")
        seen, whole = page.evaluate("[window.seen, window.whole]")
        shown["first picture, from pressing run"] = {
            "seconds": seen / 1e3,
            "all tiles": whole / 1e3,
            "cell ran after": prompt / 1e3,
        }
        shown["tiles of a pan or zoom"] = moves(page, notebook)
        notebook.run(2)
        shown[f"dragging one of {REGIONS:,} regions"] = {"frames a second": frames(page)}
    return shown


def moves(page: Any, notebook: Any) -> dict[str, float]:
    page.evaluate("document.querySelector('.mnb-root').mnb.tiles.took.length = 0")
    rng, views = np.random.default_rng(1), []
    for k in range(MOVES):
        zoom, (y, x) = float(1.2 / 2 ** (k % 5)), rng.uniform(0.2 * EDGE, 0.8 * EDGE, 2)
        took = page.evaluate(
            "([y, x, z]) => new Promise(done => { const v = document.querySelector('.mnb-root').mnb, t = performance.now(); "
            "v.complete = false; v.move([y, x], z); const look = () => v.complete && !v.frame ? done(performance.now() - t) : "
            "requestAnimationFrame(look); requestAnimationFrame(look); })",
            [float(y), float(x), zoom],
        )
        views.append(took)
    each = page.evaluate("document.querySelector('.mnb-root').mnb.tiles.took")
    return {"median ms a tile": statistics.median(each), "median ms a view": statistics.median(views), "tiles": len(each)}


def frames(page: Any) -> float:
    """Frames a second while a corner of a region is dragged and all of them are drawn anew."""
    return float(page.evaluate(
        "() => new Promise(done => { const v = document.querySelector('.mnb-root').mnb; v.fit(); const d = v.drawings; "
        "d.chosen = [...d.shapes.keys()][5]; const s = d.shapes.get(d.chosen), from = s.points.map(p => [...p]); let n = 0; "
        "const t = performance.now(); const step = () => { n++; d.drag({id: s.id, vertex: 2, points: from}, "
        "[from[1][0] + 40 * n, from[1][1] + 40 * n]); v.top(); if (n < 60) requestAnimationFrame(step); else "
        "done(1000 * n / (performance.now() - t)); }; requestAnimationFrame(step); })"
    ))  # fmt: skip


def main() -> None:
    path = slide()
    print(f"load average of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    show(f"viewer, kernel side, {EDGE:,} squared x 3", kernel(path))
    if found := browser(path):
        show(f"viewer in JupyterLab, {EDGE:,} squared x 3", found)


if __name__ == "__main__":
    main()
