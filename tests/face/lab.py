"""JupyterLab as a person meets it: a server of its own, a notebook, a browser. For tests and benchmarks."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

BROWSERS = [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
_SETTINGS = {
    "@jupyterlab/apputils-extension": {"notification.jupyterlab-settings": {"fetchNews": "false", "checkForUpdates": False}},
    "@jupyterlab/notebook-extension": {"tracker.jupyterlab-settings": {"windowingMode": "none"}},
}


@contextlib.contextmanager
def server(folder: Path) -> Iterator[str]:
    """JupyterLab on a free port, with settings and data in a folder of its own; gives its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = folder / ".settings"
    for plugin, files in _SETTINGS.items():
        for name, content in files.items():
            (settings / plugin).mkdir(parents=True, exist_ok=True)
            (settings / plugin / name).write_text(json.dumps(content))
    env = os.environ | {
        "JUPYTERLAB_SETTINGS_DIR": str(settings), "JUPYTERLAB_WORKSPACES_DIR": str(folder / ".workspaces"),
        "JUPYTER_RUNTIME_DIR": str(folder / ".runtime"), "JUPYTER_CONFIG_DIR": str(folder / ".config"),
        "JUPYTER_DATA_DIR": str(folder / ".data"), "IPYTHONDIR": str(folder / ".ipython"), "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }  # fmt: skip
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--port={port}", f"--notebook-dir={folder}",
        "--IdentityProvider.token=", "--ServerApp.password=", "--ServerApp.disable_check_xsrf=True",
        "--ServerApp.log_level=ERROR",
    ]  # fmt: skip
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(command, env=env, cwd=folder, stdout=log, stderr=log)
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_for(f"{address}/api", process)
            yield address
        finally:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(15)
            process.kill()


def _wait_for(address: str, process: subprocess.Popen[bytes], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError("JupyterLab did not start")
        with contextlib.suppress(OSError):
            urllib.request.urlopen(address, timeout=1).read()
            return
        time.sleep(0.2)
    raise RuntimeError("JupyterLab did not answer")


def notebook(folder: Path, name: str, cells: list[str]) -> Path:
    """A notebook of code cells."""
    path = folder / f"{name}.ipynb"
    nb = new_notebook(cells=[new_code_cell(code) for code in cells])
    nb.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nb, path)
    return path


class Lab:
    """One notebook in a browser page."""

    def __init__(self, page: Any, address: str, path: Path) -> None:
        self.page, self.address, self.path, self.patience = page, address, path, 120_000
        self.errors: list[str] = []
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.goto(f"{address}/lab/tree/{path.name}?reset")
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        page.wait_for_function("document.body.innerText.includes('| Idle')", timeout=60_000)

    def run(self, cell: int) -> None:
        """Runs one cell, and waits until it has."""
        at = self.page.locator(".jp-CodeCell").nth(cell)
        at.locator(".jp-InputArea-editor").click()
        self.page.keyboard.press("Control+Enter")
        self.page.wait_for_function(
            "n => /\\[\\d+\\]/.test(document.querySelectorAll('.jp-CodeCell')[n].querySelector('.jp-InputPrompt').textContent)",
            arg=cell, timeout=self.patience,
        )  # fmt: skip

    def rewrite(self, cell: int, code: str) -> None:
        """Puts other code into a cell and runs it."""
        at = self.page.locator(".jp-CodeCell").nth(cell)
        at.locator(".jp-InputArea-editor").click()
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(code)
        self.page.keyboard.press("Control+Enter")
        self.page.wait_for_timeout(300)
        self.page.wait_for_function(
            "n => /\\[\\d+\\]/.test(document.querySelectorAll('.jp-CodeCell')[n].querySelector('.jp-InputPrompt').textContent)",
            arg=cell, timeout=self.patience,
        )  # fmt: skip

    def output(self, cell: int) -> str:
        """What a cell shows, as text."""
        return str(self.page.locator(".jp-CodeCell").nth(cell).locator(".jp-OutputArea-output").last.inner_text())

    def restart(self) -> None:
        """Restarts the kernel from its menu; outputs are cleared."""
        self.page.locator(".lm-MenuBar-itemLabel", has_text="Kernel").click()
        self.page.locator(".lm-Menu-itemLabel", has_text="Restart Kernel and Clear Outputs").click()
        self.page.locator(".jp-Dialog button", has_text="Restart").click()
        self.page.wait_for_function("document.body.innerText.includes('| Idle')", timeout=60_000)

    def settled(self, n: int = 0, seconds: float = 40) -> None:
        """Waits until a viewer has all it needs."""
        self.page.wait_for_function(
            "n => document.querySelectorAll('.mnb-root')[n]?.mnb?.complete === true", arg=n, timeout=seconds * 1000
        )

    def save(self) -> Any:
        """Saves the notebook and reads it back."""
        before = self.path.stat().st_mtime_ns
        self.page.keyboard.press("Control+s")
        end = time.monotonic() + 15
        while self.path.stat().st_mtime_ns == before and time.monotonic() < end:
            self.page.wait_for_timeout(200)
        return nbformat.read(self.path, as_version=4)


@contextlib.contextmanager
def browser(executable: str) -> Iterator[Any]:
    """A Chromium without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=executable, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()
