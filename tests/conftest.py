"""Shared fixtures. Data beside the checkout are used where they are found and are never required."""

from __future__ import annotations

import functools
import hashlib
import http.server
import os
import re
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from micro_nb.settings import settings

ROOT = Path(__file__).parents[1]
os.environ["MICRO_NB_DATA"] = tempfile.mkdtemp(prefix="micro-nb-tests-")  # conversations of tests are not the user's
SHARED = Path(os.environ.get("MICRO_NB_SHARED", ROOT.parent / "shared")) / "data"


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr(settings, "progress", False)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


class _Ranges(http.server.BaseHTTPRequestHandler):
    """Serves files by byte ranges, as object stores do: no listing, ETag of the content, folders are not found."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *args, root: Path, log: list[str], **kwargs):
        self.root, self.log = root, log
        super().__init__(*args, **kwargs)

    def do_HEAD(self):
        self._answer(body=False)

    def do_GET(self):
        self._answer(body=True)

    def _answer(self, *, body: bool) -> None:
        wanted = self.headers.get("Range", "")
        self.log.append(f"{self.command} {self.path} {wanted}".strip())
        path = self.root / self.path.split("?")[0].lstrip("/")
        if not path.is_file():
            return self._send(404, b"", 0, {})
        data = path.read_bytes()
        headers = {"Accept-Ranges": "bytes", "ETag": f'"{hashlib.sha256(data).hexdigest()[:32]}"'}
        match = re.fullmatch(r"bytes=(\d*)-(\d*)", wanted)
        if not match or match.group(0) == "bytes=-":
            return self._send(200, data if body else b"", len(data), headers)
        first, last = match.groups()
        start = int(first) if first else max(len(data) - int(last), 0)
        stop = min(int(last) + 1, len(data)) if first and last else len(data)
        if start >= len(data):
            return self._send(416, b"", 0, {"Content-Range": f"bytes */{len(data)}"})
        part = data[start:stop]
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(data)}"
        self._send(206, part if body else b"", len(part), headers)

    def _send(self, status: int, data: bytes, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


@pytest.fixture
def http_root() -> Iterator[Callable[[Path], str]]:
    """``http_root(folder) -> "http://127.0.0.1:port"``; what was asked is in ``http_root.log`` ("GET /a.tif bytes=0-63")."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def serve(root: Path) -> str:
        handler = functools.partial(_Ranges, root=Path(root), log=serve.log)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    serve.log = []
    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def _s3_endpoint() -> Iterator[str]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def s3_bucket(_s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """``"s3://name"`` of a fresh, empty bucket on a local server, found through the standard AWS environment."""
    import boto3

    for name, value in {
        "AWS_ENDPOINT_URL": _s3_endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    bucket = f"micro-nb-{uuid.uuid4().hex[:12]}"
    boto3.client("s3").create_bucket(Bucket=bucket)
    return f"s3://{bucket}"
