"""A notebook as a paper: its measurements, told by the kernel when all cells have run, and its pages as PDF."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ReportError

LAST_CELL = "from micro_nb.face.paper import tell as _tell\n_tell(dict(globals()))"
_TOLD = "application/vnd.micro-nb.evidence+json"
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
_PATIENCE_S = 120


def tell(names: Mapping[str, Any]) -> None:
    """In the kernel: shows what every conversation and answer among the variables was measured from."""
    from IPython.display import display

    from ..session.answer import Answer
    from ..session.session import Session
    from ..session.views.text import described

    held = [*names.values(), *dict(names.get("Out", {})).values()]
    chats = {id(chat): chat for each in held if isinstance(chat := getattr(each, "chat", each), Session)}.values()
    answers = [turn.answer for chat in chats for turn in chat.turns] + [each for each in held if isinstance(each, Answer)]
    found = {e.id: e for answer in answers for e in answer.evidence}.values()
    facts = [{"quantity": fact.quantity, **described(fact)} for fact in found]
    methods = [chat.methods() for chat in chats if chat.turns]
    missing = sorted({text for m in methods for text in m.missing})
    display({_TOLD: {"methods": [m.text for m in methods], "missing": missing, "facts": facts}, "text/plain": ""}, raw=True)  # type: ignore[no-untyped-call]


def take(nb: Any) -> dict[str, Any]:
    """Takes the last cell out of an executed notebook: what it told, and who wrote what about."""
    outputs = nb.cells.pop().outputs
    nothing: dict[str, Any] = {"methods": [], "missing": [], "facts": []}
    told = next((o.data[_TOLD] for o in outputs if _TOLD in o.get("data", {})), nothing)
    authors = [a if isinstance(a, str) else str(a.get("name", "")) for a in nb.metadata.get("authors", ())]
    said = {tag: _tagged(nb, tag) for tag in ("authors", "abstract")}
    return {**told, "authors": authors or [line for line in said["authors"].splitlines() if line], "abstract": said["abstract"]}


def _tagged(nb: Any, tag: str) -> str:
    """The text of the cells of a tag, which leave the notebook."""
    found = [cell for cell in nb.cells if tag in cell.metadata.get("tags", ())]
    nb.cells = [cell for cell in nb.cells if cell not in found]
    return "\n\n".join(cell.source for cell in found)


def pdf(page: str) -> bytes:
    """A page as Chromium prints it.

    Raises
    ------
    ReportError : there is no Chromium, or it failed.
    """
    browser = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if browser is None:
        raise ReportError(f"a PDF is printed by Chromium, and none of {', '.join(_BROWSERS)} is installed; write .html instead")
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "page.html", Path(folder) / "page.pdf"
        source.write_text(page, encoding="utf-8")
        root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []  # Chromium refuses its sandbox to root
        command = [browser, "--headless", "--disable-gpu", f"--user-data-dir={folder}/profile", "--no-pdf-header-footer", *root,
                   f"--print-to-pdf={made}", source.as_uri()]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE_S, check=False)
        if not made.exists():
            raise ReportError(f"{browser} printed no PDF: {done.stderr.strip()[-300:]}")
        return made.read_bytes()
