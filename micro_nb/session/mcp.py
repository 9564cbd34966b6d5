"""The measuring language for other assistants, over the Model Context Protocol: open, look, measure, describe.

``micro-nb mcp FOLDER...`` serves over standard input and output. Nothing is written, no code is run, no network is used, and
only images inside of the folders named at the start are opened. Jupyter's MCP server finds the same four as plain functions
through the entry point ``jupyter_server_mcp.tools``; there the folder is the one the server runs in.
"""

from __future__ import annotations

import base64
import functools
import importlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..data.image import MicroImage
from ..data.open import open_image
from ..errors import EvidenceError, ImageNotFoundError, LanguageError, MicroNBError, MissingExtraError
from ..render.overview import overview_png
from ..settings import settings
from .answer import Answer
from .language import parse
from .measures.documentation import GRAMMAR, LONGEST, listing, schema
from .measures.eyes import MICRO_D1
from .measures.registry import Measure, measures
from .session import Session

_TOOLS = ("open_microscope_image", "look_at_microscope_image", "measure_in_microscope_image", "describe_measuring_language")
TOOLS = [f"{__name__}:{name}" for name in _TOOLS]
_KEPT, _ROWS, _WIDTH, _FACTS = 8, 50, 768, 20
_OF_THE_IMAGE = frozenset(["show", "how", "sure", "why"])
_NETWORK = frozenset(["socket.connect", "socket.getaddrinfo", "socket.gethostbyname"])
_ABOUT = (
    "Measures in microscope images. Call open, then measure with an expression of the language that describe explains; "
    "look shows the picture. Every number comes with its evidence: never state one that no measurement gave."
)


class Bench:
    """Images of some folders, and what measures in them.

    Parameters
    ----------
    folders : what may be opened lies in these.
    eyes : what finds objects, as of a :class:`~micro_nb.session.session.Session`.

    Raises
    ------
    ImageNotFoundError : one of them is no folder.
    """

    def __init__(self, folders: Sequence[str | os.PathLike[str]], *, eyes: Any = None) -> None:
        self.folders = [Path(folder).resolve() for folder in folders]
        for folder in self.folders:
            if not folder.is_dir():
                raise ImageNotFoundError(f"{folder}: is no folder; name folders that hold images")

        @functools.lru_cache(maxsize=_KEPT)
        def session_at(place: Path) -> Session:
            return Session(open_image(place), eyes=eyes or MICRO_D1, log=False)

        self._session_at = session_at

    def open(self, path: str) -> str:
        """Opens a microscope image and says what it is: size, pixel size, channels, format. The path is relative to the served
        folders."""
        img = self._image(path)
        size = dict(img.pixel_size) if img.pixel_size else None
        facts = {
            "image": path, "sizes": img.sizes, "dtype": str(img.dtype), "pixel_size_um": size,
            "channels": [c.name for c in img.channels], "format": img.source.format, "content_id": img.content_id,
        }  # fmt: skip
        return json.dumps(facts, ensure_ascii=False)

    def look(self, image: str) -> Any:
        """A picture of the whole image as PNG, with a scale bar where the pixel size is known."""
        png = overview_png(self._image(image), width=_WIDTH)
        data = {"type": "image", "data": base64.b64encode(png).decode(), "mimeType": "image/png"}
        return importlib.import_module("mcp.types").ImageContent.model_validate(data)

    def measure(self, image: str, expression: str) -> str:
        """Measures what an expression means, for example count("nucleus") or stat("area", "median", "nucleus"): answer, value,
        unit, evidence."""
        if len(expression) > LONGEST:
            raise LanguageError(f"an expression of {len(expression)} characters is too long; at most {LONGEST}")
        call = parse(expression)
        if call.name in measures() and call.name not in {m.name for m in _offered()}:
            why = "it changes the conversation or writes a file; measure in the image"
            raise LanguageError(f"{call.name} is not offered here: {why}")
        return json.dumps(_told(self._session(image).measure(call)), ensure_ascii=False, default=str)

    def describe(self) -> str:
        """The measuring language: its grammar, every measurement with its parameters and an example, and the JSON schema."""
        offered = _offered()
        return f"{GRAMMAR}\n\n{listing(offered)}\n\nThe same as JSON, {json.dumps(schema(offered), ensure_ascii=False)}"

    def _session(self, path: str) -> Session:
        return self._session_at(self._inside(path))

    def _image(self, path: str) -> MicroImage:
        img = self._session(path).img
        assert img is not None
        return img

    def _inside(self, path: str) -> Path:
        """The file or store that a path names, with links followed.

        Raises
        ------
        EvidenceError : it is an address, or lies outside of the folders.
        """
        if ":" in path.replace(":\\", "", 1) or "\0" in path or path.startswith(("//", "\\\\")):
            raise EvidenceError(f"{path[:80]!r} is an address; only files of the served folders are opened")
        places = [(folder / path).resolve() for folder in self.folders]
        place = next((p for p in places if self._holds(p) and p.exists()), None)
        if place is None:
            raise EvidenceError(f"{path[:80]!r} is not in the served folders: {', '.join(f.name for f in self.folders)}")
        if place.is_dir() and not all(self._holds(at.resolve()) for at in place.rglob("*") if at.is_symlink()):
            raise EvidenceError(f"{path[:80]!r} holds links to files outside of the served folders")
        return place

    def _holds(self, place: Path) -> bool:
        return any(place.is_relative_to(folder) for folder in self.folders)


def serve(folders: Sequence[str | os.PathLike[str]], *, eyes: Any = None) -> None:
    """Serves over standard input and output until the client leaves.

    Raises
    ------
    MissingExtraError : the ``mcp`` SDK is not installed.
    ImageNotFoundError : a folder is not there.
    """
    made = server(Bench(folders, eyes=eyes))
    settings.progress = False  # standard output belongs to the protocol
    sys.addaudithook(_no_network)
    made.run("stdio")


def server(bench: Bench) -> Any:
    """The SDK's server with the four tools of a bench."""
    made_by, failed = _sdk()
    made = made_by("micro_nb", instructions=_ABOUT)
    hints = {"readOnlyHint": True, "destructiveHint": False, "openWorldHint": False}
    read_only = importlib.import_module("mcp.types").ToolAnnotations.model_validate(hints)
    for tool in (bench.open, bench.look, bench.measure, bench.describe):
        made.add_tool(_saying_why(tool, failed), name=tool.__name__, annotations=read_only)
    return made


def open_microscope_image(path: str) -> str:
    """Opens a microscope image of the notebook server's folder and says what it is: size, pixel size, channels, format."""
    return _here().open(path)


def look_at_microscope_image(image: str) -> Any:
    """A picture of a microscope image of the notebook server's folder, as PNG."""
    return _here().look(image)


def measure_in_microscope_image(image: str, expression: str) -> str:
    """Measures in a microscope image what an expression means, for example count("nucleus"); describe_measuring_language
    explains them."""
    return _here().measure(image, expression)


def describe_measuring_language() -> str:
    """The language of measure_in_microscope_image: its grammar, every measurement with an example, and the JSON schema."""
    return _here().describe()


@functools.cache
def _here() -> Bench:
    return Bench([Path.cwd()])


def _sdk() -> tuple[Any, Any]:
    """The SDK's server and the error whose words a client reads; version 1 calls the server otherwise."""
    for module, name in (("mcp.server.mcpserver", "MCPServer"), ("mcp.server.fastmcp", "FastMCP")):
        try:
            return getattr(importlib.import_module(module), name), importlib.import_module(f"{module}.exceptions").ToolError
        except ImportError:
            continue
    raise MissingExtraError("serving assistants needs the mcp SDK; try pip install 'micro-nb[mcp]'")


def _saying_why(tool: Any, failed: Any) -> Any:
    """The tool, whose errors reach the client as one sentence."""

    @functools.wraps(tool)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return tool(*args, **kwargs)
        except (MicroNBError, OSError, ValueError) as error:
            raise failed(str(error)) from None

    return guarded


def _told(answer: Answer) -> dict[str, Any]:
    shown = ("quantity", "value", "unit", "interval", "id")
    facts = [{k: getattr(e, k) for k in shown} | {"expression": e.parameters.get("expression")} for e in answer.evidence[:_FACTS]]
    table = {"table": answer.table.head(_ROWS).to_csv()} if answer.table is not None else {}
    code = {"code": answer.evidence[0].code()} if answer.evidence else {}
    declined = {"declined": answer.declined, "remedy": answer.remedy} if answer.declined else {}
    return {"answer": answer.text, "value": answer.value, "unit": answer.unit, **declined, "evidence": facts, **table, **code}


def _offered() -> list[Measure]:
    """What measures; of the conversation only what is about the image."""
    return [m for m in measures().values() if m.group != "talking" or m.name in _OF_THE_IMAGE]


def _no_network(event: str, args: tuple[Any, ...]) -> None:
    if event in _NETWORK:
        raise PermissionError("micro-nb mcp uses no network")
