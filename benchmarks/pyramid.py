"""An OME-Zarr 0.5 with its pyramid from a 16,384 x 16,384 uint16 zarr: ``save_image`` next to ome-zarr-py's ``write_image``.

Both read the same array, average 2 x 2, write six levels of 512 chunks in 2048 shards, each in a fresh process, in turn. A third
row is ome-zarr-py as it comes (its own resize, one file a chunk). Peak memory is what the work adds over the imports.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys

from common import BUILD, ROOT, SIZE, plane, show

OURS = "import micro_nb as mnb, micro_nb.data.save, micro_nb.data.sources.zarr, zarrs.pipeline, xarray"
THEIRS = "import dask.array as da, ome_zarr.writer, zarr, skimage.transform; from ome_zarr.scale import Methods"
RUNS = {
    "micro_nb": (OURS, "mnb.save_image({source!r}, {target!r})"),
    "ome-zarr-py, same task": (
        THEIRS,
        "ome_zarr.writer.write_image(da.from_zarr({source!r}), {target!r}, axes='yx', scale_factors=[2, 4, 8, 16, 32],"
        " method=Methods.LOCAL_MEAN, storage_options=dict(chunks=(512, 512), shards=(2048, 2048),"
        " compressors=zarr.codecs.BloscCodec(cname='zstd', clevel=1, shuffle='shuffle', typesize=2)))",
    ),
    "ome-zarr-py, defaults": (
        THEIRS,
        "ome_zarr.writer.write_image(da.from_zarr({source!r}), {target!r}, axes='yx', scale_factors=[2, 4, 8, 16, 32])",
    ),
}


def measured(name: str, source: str) -> tuple[float, ...]:
    """Seconds, CPU seconds, and MiB over the imports, of one run in a fresh process."""
    imports, work = RUNS[name]
    target = BUILD / "pyramid.ome.zarr"
    shutil.rmtree(target, ignore_errors=True)
    script = "\n".join(
        (
            "import resource, time, warnings; warnings.simplefilter('ignore')",
            imports,
            "before, start, cpu = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter(), time.process_time()",
            work.format(source=source, target=str(target)),
            "seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss",
            "print('result', seconds, time.process_time() - cpu, (after - before) / 1024)",
        )
    )
    env = os.environ | {"MICRO_NB_PROGRESS": "0", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=env, cwd=ROOT)
    shutil.rmtree(target, ignore_errors=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return tuple(map(float, done.stdout.rsplit("result", 1)[1].split()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=SIZE)
    parser.add_argument("--repeats", type=int, default=1)
    args = parser.parse_args()
    source = str(plane(args.size))
    taken: dict[str, list[tuple[float, ...]]] = {name: [] for name in RUNS}
    for _ in range(args.repeats):
        for name, results in taken.items():
            results.append(measured(name, source))
    rows = {}
    for name, results in taken.items():
        seconds, cpu = (statistics.median(r[k] for r in results) for k in (0, 1))
        rows[name] = {
            "s": seconds, "CPU s": cpu, "MPx/s": args.size**2 / 1e6 / seconds, "peak MiB": max(r[2] for r in results),
        }  # fmt: skip
    show("pyramid", rows)
    ours = rows["micro_nb"]
    ratios = {name: round(row["s"] / ours["s"], 2) for name, row in rows.items() if name != "micro_nb"}
    cpu_ratios = {name: round(row["CPU s"] / ours["CPU s"], 2) for name, row in rows.items() if name != "micro_nb"}
    print(json.dumps({"benchmark": "pyramid", "ratio": ratios, "cpu_ratio": cpu_ratios, "peak_mib": round(ours["peak MiB"], 1)}))


if __name__ == "__main__":
    main()
