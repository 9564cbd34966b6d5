"""``report``: executes a notebook and makes one self-contained HTML page of it."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import os
import platform
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import nbformat
from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from traitlets.config import Config

from .. import __version__
from ..errors import ReportError, WriteError
from ..progress import Progress
from .overview import write
from .page import render_page
from .paper import LAST_CELL, pdf, take
from .widgets import WidgetClient

_LIBRARIES = ("numpy", "scikit-image", "torch", "zarr", "xarray", "tifffile")
_FAILURES = (CellExecutionError, CellTimeoutError, DeadKernelError)


def report(
    notebook: str | os.PathLike[str], out: str | os.PathLike[str], *, parameters: Mapping[str, Any] | None = None,
    template: Literal["page", "paper"] = "page", kernel: str | None = None, timeout: float | None = None,
    keep_notebook: bool = False,
) -> Path:  # fmt: skip
    """Executes ``notebook`` from top to bottom and writes one HTML file that needs no network and no kernel, or a PDF of it.

    Cells tagged ``hide`` or ``remove-cell`` are left out, ``hide-input`` or ``remove-input`` hides the code. Where a live widget
    stood, its picture stands. The notebook's own file is not changed.

    Parameters
    ----------
    notebook : an ``.ipynb`` file; it runs in its own folder.
    out : the ``.html`` file, replaced only when the page is complete; or a ``.pdf``, where Chromium is installed.
    parameters : values set after the cell tagged ``parameters``, for names which that cell assigns; numbers, strings, bools,
        None, and lists, tuples and dicts of these.
    template : ``"page"``, the notebook as it is; or ``"paper"``: title, authors and abstract (the notebook's metadata
        ``authors``, or cells tagged ``authors`` and ``abstract``), numbered figures whose captions are lines ``#| fig-cap: ...``
        of the cells, no code, a methods paragraph, and as appendix every measurement that was made in conversation, with its
        place, function, parameters, version and content id.
    kernel : name of an installed Jupyter kernel; default the notebook's if it is installed, else this Python.
    timeout : seconds a cell may take; None for no limit.
    keep_notebook : also write the executed notebook, beside ``out`` with the suffix ``.executed.ipynb``.

    Returns
    -------
    The path of the page.

    Raises
    ------
    ReportError : a cell failed (the message names it; what ran so far is kept as ``out`` with the suffix ``.failed.ipynb``),
        the kernel did not start, the file is no notebook, or a parameter is unknown.
    WriteError : ``out`` cannot be written.
    """
    source, target = Path(notebook), Path(out)
    nb = _read(source)
    inject_parameters(nb, parameters or {}, source.name)
    if template == "paper":
        nb.cells.append(nbformat.v4.new_code_cell(LAST_CELL))  # type: ignore[no-untyped-call]
    if not target.parent.is_dir():
        raise WriteError(f"{target}: the folder {target.parent} does not exist")
    start = time.perf_counter()
    try:
        _execute(nb, source, kernel=kernel, timeout=timeout, bars=template == "page")
    except _FAILURES as error:
        failed = target.with_suffix(".failed.ipynb")
        write(failed, _dumped(nb), failed.suffix)
        raise ReportError(f"{_explain(nb, source, error)}\nwhat ran so far is in {failed}") from None
    date, seconds = datetime.now().astimezone().strftime("%-d %B %Y, %H:%M"), f"{time.perf_counter() - start:.0f} s"
    set_to = {name: repr(value) for name, value in (parameters or {}).items()}
    facts = {"date": date, "seconds": seconds, "parameters": set_to, "versions": _versions()}
    facts |= take(nb) if template == "paper" else {}
    page = render_page(nb, name=source.name, folder=source.parent, facts=facts, template=template)
    data = pdf(page) if target.suffix == ".pdf" else page.encode()
    write(target, data, target.suffix.lower())
    if keep_notebook:
        write(target.with_suffix(".executed.ipynb"), _dumped(nb), ".ipynb")
    return target


def inject_parameters(nb: Any, parameters: Mapping[str, Any], name: str) -> None:
    """Adds a cell that sets ``parameters`` after the one tagged ``parameters``, in place.

    Raises
    ------
    ReportError : no such cell, a name it does not assign (the known ones are listed), or a value that is no plain literal.
    """
    if not parameters:
        return
    at = next((k for k, cell in enumerate(nb.cells) if "parameters" in cell.metadata.get("tags", ())), None)
    if at is None:
        raise ReportError(f"{name}: parameters {', '.join(parameters)} were given, but no cell is tagged 'parameters'")
    known = _assigned(nb.cells[at].source)
    for key, value in parameters.items():
        if key not in known:
            raise ReportError(f"{name}: parameter {key!r} is not known; the notebook has {', '.join(known) or 'none'}")
        if not _is_literal(value):
            raise ReportError(
                f"{name}: parameter {key} = {value!r} ({type(value).__name__}) must be a number, string, bool, None, "
                "or a list, tuple or dict of these"
            )
    lines = "\n".join(f"{key} = {value!r}" for key, value in parameters.items())
    cell = nbformat.v4.new_code_cell(lines, metadata={"tags": ["injected-parameters"]})  # type: ignore[no-untyped-call]
    nb.cells.insert(at + 1, cell)


def _assigned(source: str) -> list[str]:
    names: list[str] = []
    for node in ast.parse(source).body:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        names += [target.id for target in targets if isinstance(target, ast.Name)]
    return names


def _is_literal(value: Any) -> bool:
    try:
        return type(ast.literal_eval(repr(value))) is type(value)
    except (ValueError, SyntaxError):  # not a number is none, either
        return False


def _read(path: Path) -> Any:
    try:
        return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    except FileNotFoundError:
        raise ReportError(f"{path}: no such notebook") from None
    except Exception as error:  # nbformat raises its own and json's, and plain ones for files that are no JSON object
        raise ReportError(f"{path}: not a readable notebook ({type(error).__name__}: {str(error)[:200]})") from error


def _dumped(nb: Any) -> bytes:
    return str(nbformat.writes(nb)).encode()  # type: ignore[no-untyped-call]


def _execute(nb: Any, source: Path, *, kernel: str | None, timeout: float | None, bars: bool) -> None:
    env = {**os.environ, **({} if bars else {"MICRO_NB_PROGRESS": "0"})}
    codes = [k for k, cell in enumerate(nb.cells) if cell.cell_type == "code"]
    with Progress(f"running {source.name}", len(codes), "cells") as progress, tempfile.TemporaryDirectory() as sockets:
        where = {"metadata": {"path": str(source.parent.absolute())}}
        client = WidgetClient(
            nb, timeout=timeout, kernel_name=kernel or _kernel_of(nb), config=_transport(sockets), resources=where,
            on_cell_executed=lambda **_: progress.advance(),
        )  # fmt: skip
        # In a thread of its own, so that it works the same under a running event loop (a notebook that makes reports).
        with ThreadPoolExecutor(1) as pool:
            try:
                pool.submit(lambda: asyncio.run(client.async_execute(env=env))).result()
                client.settle()
            except NoSuchKernel as error:
                raise ReportError(f"{source}: no kernel {error.name!r} is here; leave kernel out to use this Python") from None


def _transport(folder: str) -> Config:
    """Sockets in the file system where there are any: no port is opened for an execution that nobody else takes part in."""
    return Config({"KernelManager": {"transport": "ipc", "ip": f"{folder}/kernel"}} if os.name == "posix" else {})


def _kernel_of(nb: Any) -> str:
    named = nb.metadata.get("kernelspec", {}).get("name", "python3")
    try:
        KernelSpecManager().get_kernel_spec(named)
    except NoSuchKernel:
        return "python3"
    return str(named)


def _explain(nb: Any, source: Path, error: Exception) -> str:
    """Which cell failed, how it begins, and why."""
    at = next((k for k, cell in enumerate(nb.cells) if _failed(cell)), None)
    if at is None:
        running = [k for k, cell in enumerate(nb.cells) if cell.cell_type == "code" and cell.get("execution_count") is None]
        at = running[0] if running else len(nb.cells) - 1
    lines = nb.cells[at].source.strip().splitlines()
    excerpt = "\n".join(f"    {line[:120]}" for line in lines[:6]) + ("\n    ..." if len(lines) > 6 else "")
    if isinstance(error, CellExecutionError):
        reason = f"{error.ename}: {error.evalue}"
    else:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return f"{source}: cell {at + 1} of {len(nb.cells)} failed with {reason}\n{excerpt}"


def _failed(cell: Any) -> bool:
    if cell.cell_type != "code" or "raises-exception" in cell.metadata.get("tags", ()):
        return False
    return any(output.output_type == "error" for output in cell.outputs)


def _versions() -> str:
    found = [f"micro_nb {__version__}", f"Python {platform.python_version()}"]
    for library in _LIBRARIES:
        with contextlib.suppress(PackageNotFoundError):
            found.append(f"{library} {version(library)}")
    return " · ".join(found) + f" · {platform.system()} {platform.machine()}"
