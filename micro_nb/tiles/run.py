"""``map_tiles``: a function over every tile of an image, stitched, resumable, on threads or on a Dask cluster."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import __version__
from ..data.formats import open_source
from ..data.image import MicroImage
from ..data.lazy import SourceArray, level_coords
from ..data.location import Location
from ..data.open import open_image
from ..data.region import Region
from ..data.view import Projection
from ..errors import PlanError, WriteError
from ..progress import Progress
from ..settings import settings
from .bands import Box, Plane
from .identity import identity, name
from .normalise import Kind, Normalisation, fix
from .stitch import shift
from .work import Job, MemoryWriter, evaluate, must_travel, run_blocks, run_on_cluster
from .workfolder import BlockWriter, Layout, WorkFolder

if TYPE_CHECKING:
    import xarray as xr

TileFunction = Callable[[np.ndarray], np.ndarray]
IN_MEMORY_BYTES = 1 << 30


def map_tiles(
    fn: TileFunction,
    img: MicroImage | Any,
    *,
    out: str | os.PathLike[str] | None = None,
    tile: int = 512,
    halo: int = 64,
    client: Any = None,
    threads: int | None = None,
    level: int = 0,
    channels: int | str | list[int | str] | None = None,
    normalise: Kind | Normalisation = "none",
    region: Region | str | None = None,
    dtype: Any = None,
    project: Projection | None = None,
    key: str | None = None,
    overwrite: bool = False,
) -> xr.DataArray:
    """Runs ``fn`` over every tile and puts the cores of its results together.

    With ``out`` nothing is held in memory but a few tiles, and an interrupted run (Ctrl-C, an error, a killed process) goes on
    where it was when it is called again, to the same bytes; called once more when it is finished, it returns at once.

    Parameters
    ----------
    fn : ``(C, H, W)`` with ``H = W = tile + 2 * halo`` -> ``(K, H, W)`` or ``(H, W)``, any dtype. It receives stored grey values
        in the stored dtype, or float32 with ``normalise``. Several threads call it at a time; ``threads=1`` where they must not.
    img : a MicroImage, or what :func:`open_image` takes.
    out : folder of the zarr array to write (sharded, one writer a shard); None returns an array in memory of at most 1 GiB.
    tile, halo : pixels of a core's edge, and read around it; the halo must cover what ``fn`` looks at around a pixel.
    client : a ``dask.distributed.Client``; its workers open the image and write ``out`` themselves, so both must lie where they
        can reach them. The bytes are the same.
    threads : worker threads; ``settings.threads`` without.
    level, channels, normalise, region, project : as in :func:`stream`; the result covers the box of ``region`` alone.
    dtype : of the result; that of the first result without.
    key : identifies ``fn`` where its code and what it holds cannot (a model, say); a run resumes only with the same function.
    overwrite : replace what stands at ``out`` and start over what was begun there.

    Returns
    -------
    ``(k, y, x)`` or ``(y, x)`` with the image's coordinates, lazy over ``out``.

    Raises
    ------
    PlanError : a result has a wrong shape or dtype (the tile is named), or the function cannot be told apart without ``key``.
    WriteError : ``out`` holds something else, or an unfinished run with other parameters; nothing is touched.

    Examples
    --------
    >>> import numpy as np
    >>> settings.progress = False
    >>> ones = map_tiles(lambda tile: tile.max(axis=0), np.ones((40, 30), "uint8"), tile=16, halo=2)
    >>> ones.dims, ones.shape, ones.dtype
    (('y', 'x'), (40, 30), dtype('uint8'))
    """
    plane = Plane.of(open_image(img), level=level, channels=channels, project=project)
    grid = plane.grid(tile=tile, halo=halo, region=region)
    norm = fix(plane, normalise)
    job = Job(fn, plane, grid, None if norm.kind == "none" else norm, grid.box)
    chosen = plane.place(region).at() if region is not None else (slice(0, plane.shape[0]), slice(0, plane.shape[1]))
    if out is None:
        if client is not None:
            raise PlanError("client= needs out='somewhere.zarr': workers on other machines cannot write into this memory")
        array = _in_memory(job, threads, dtype)
        return _with_coords(array, plane, job.box, chosen)
    target = Location.of(out)
    if not target.is_local:
        raise WriteError(f"{target.uri}: map_tiles writes to a local folder; write there, then copy it with fsspec")
    path = target.path.absolute()
    if client is not None:
        must_travel(plane.source)
    parameters = _parameters(job, norm, dtype, key)
    folder = WorkFolder(path, parameters, overwrite=overwrite)
    if not folder.finished:
        _to_folder(job, folder, threads, dtype, client)
    return _with_coords(_lazy(path), plane, job.box, chosen)


def _parameters(job: Job, norm: Normalisation, dtype: Any, key: str | None) -> dict[str, Any]:
    """Everything that decides the bytes of the output."""
    return {
        "image": MicroImage(job.plane.source).content_id, "level": job.grid.level, "tile": job.grid.tile, "halo": job.grid.halo,
        "box": [[s.start, s.stop] for s in job.box], "normalise": norm.to_dict(), "function": identity(job.fn, key=key),
        "dtype": None if dtype is None else np.dtype(dtype).str, "version": __version__,
    }  # fmt: skip


def _layout(job: Job, dtype: Any) -> tuple[Layout, Job]:
    """Runs the first tile to learn what the function returns."""
    first = next(iter(job.grid))
    result = evaluate(job, first)
    kind = np.dtype(result.dtype if dtype is None else dtype).newbyteorder("=")
    if kind.kind not in "buif":
        raise PlanError(f"the function returned dtype {result.dtype}; results must be numbers (bool, integer or float)")
    shape = (*result.shape[:-2], *(s.stop - s.start for s in job.box))
    layout = Layout(shape, kind.str, job.grid.tile)
    return layout, replace(job, layout=layout, known={first.index: result})


def _in_memory(job: Job, threads: int | None, dtype: Any) -> np.ndarray:
    layout, job = _layout(job, dtype)
    size = int(np.prod(layout.shape, dtype=np.int64)) * np.dtype(layout.dtype).itemsize
    if size > IN_MEMORY_BYTES:
        raise PlanError(
            f"the result {layout.shape} {layout.dtype} would take {size / 2**30:.1f} GiB of memory; pass out='result.zarr'"
        )
    writer = MemoryWriter(np.zeros(layout.shape, layout.dtype))
    with _progress(job) as progress, closing(run_blocks(job, job.blocks(), writer, threads or settings.threads)) as work:
        for done in work:
            progress.advance(done.tiles)
    return writer.array


def _to_folder(job: Job, folder: WorkFolder, threads: int | None, dtype: Any, client: Any) -> None:
    layout = folder.take()
    try:
        if layout is None:
            layout, job = _layout(job, dtype)
            folder.begin(layout)
        _fill(replace(job, layout=layout), folder, threads, client)
        folder.finish()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
            raise
        raise WriteError(f"{folder.out}: {error.strerror}; make room, then the same call resumes the run") from error
    except BaseException as error:
        error.add_note(f"What is finished is kept in {folder.folder}; the same call resumes it.")
        raise
    finally:
        folder.release()


def _fill(job: Job, folder: WorkFolder, threads: int | None, client: Any) -> None:
    """Evaluates and writes the blocks that no run has finished."""
    finished = folder.finished_blocks()
    blocks = [block for block in job.blocks() if (block.row, block.col) not in finished]
    with _progress(job) as progress:
        progress.advance(len(job.grid) - sum(len(block.tiles) for block in blocks))
        if client is None:
            work = run_blocks(job, blocks, BlockWriter(folder.data), threads or settings.threads)
        else:
            work = run_on_cluster(client, replace(job, known={}), blocks, folder.data)
        with closing(work):
            for done in work:
                folder.note(done.line)
                progress.advance(done.tiles)


def _progress(job: Job) -> Progress:
    """A bar that says what will be read and how much memory that needs."""
    read = job.grid.tile**2 * len(job.grid) * job.plane.pixel_bytes
    what = f"{name(job.fn)} over tiles (reads {_bytes(read)}, needs about {_bytes(job.memory)} of memory)"
    return Progress(what, len(job.grid), "tiles", scale=job.grid.tile**2 / 1e6, rate_unit="MPx")


def _bytes(n: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if n < 1000:
            return f"{n:.3g} {unit}"
        n /= 1000
    return f"{n:,.3g} TB"


def _lazy(path: Path) -> Any:
    from xarray import Variable
    from xarray.core.indexing import LazilyIndexedArray

    source = open_source(Location.of(path))  # not as an image, which would drop a single k
    return Variable(source.info.axes, LazilyIndexedArray(SourceArray(source, 0)))


def _with_coords(array: Any, plane: Plane, box: Box, chosen: Box) -> xr.DataArray:
    """The result over the chosen box, with the image's coordinates."""
    import xarray as xr

    dims = ("k", "y", "x")[-len(array.shape) :]
    variable = xr.Variable(dims, getattr(array, "_data", array))
    at = level_coords(plane.source.info, plane.level)
    coords = {axis: (axis, at[axis][1][s], at[axis][2]) for axis, s in zip(("y", "x"), box, strict=True)}
    rows, cols = shift(chosen, (box[0].start, box[1].start))
    return xr.DataArray(variable, coords=coords, name="result").isel(y=rows, x=cols)
