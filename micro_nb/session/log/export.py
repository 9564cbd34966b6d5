"""A logged conversation as a notebook that measures it again, or as JSON. Text of questions and files stays text in both."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...data.address import opening_code
from ...data.atomic import writing_file
from ...errors import LogError, MissingExtraError
from ...render.markdown import markdown_text
from ..evidence import Evidence
from ..views.text import answer_markdown
from .book import LoggedSession, LoggedTurn

_KERNEL = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
_SETUP = "import micro_nb as mnb"
_MEMORY = "img = ...  # was an array in memory: put it here, as mnb.open_image(array)"


def export(logged: LoggedSession, out: Path) -> Path:
    """Writes ``.ipynb`` or ``.json``, whole or not at all.

    Raises
    ------
    LogError : another suffix.
    WriteError : the system refused.
    """
    if out.suffix not in (".ipynb", ".json"):
        raise LogError(f"{out}: a session is exported as .ipynb or .json")
    text = notebook(logged) if out.suffix == ".ipynb" else json.dumps(to_dict(logged), indent=1, ensure_ascii=False, default=str)
    with writing_file(out) as partial:
        partial.write_text(text, encoding="utf-8")
    return out


def to_dict(logged: LoggedSession) -> dict[str, Any]:
    """JSON-ready: everything the log knows of the conversation."""
    return {
        "session": logged.id, "started": logged.started, "micro_nb": logged.version, "eyes": logged.eyes,
        "images": {key: dict(about) for key, about in logged.images.items()},
        "turns": [_turn(t) for t in logged.turns],
    }  # fmt: skip


def _turn(t: LoggedTurn) -> dict[str, Any]:
    said = {"calls": [str(c) for c in t.calls], "image": t.image, "answer": t.answer.to_dict()}
    return {"asked": t.asked, "question": t.question, **said}


def notebook(logged: LoggedSession) -> str:
    """The conversation as text cells, each followed by the code that measures its evidence again."""
    try:
        import nbformat
        from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
    except ImportError:
        raise MissingExtraError("notebooks need nbformat; try pip install 'micro-nb[notebook]', or export to .json") from None
    cells = [new_markdown_cell(_title(logged)), new_code_cell(_SETUP)]  # type: ignore[no-untyped-call]
    shown: str | None = None
    for turn in logged.turns:
        if turn.image and turn.image != shown:
            shown = turn.image
            cells.append(new_code_cell(_opening(logged.images[shown])))  # type: ignore[no-untyped-call]
        cells.append(new_markdown_cell(f"**{markdown_text(turn.question)}**\n\n{answer_markdown(turn.answer)}"))  # type: ignore[no-untyped-call]
        code = _code(turn)
        cells += [new_code_cell(code)] if code else []  # type: ignore[no-untyped-call]
    book = new_notebook(cells=cells, metadata=_KERNEL)  # type: ignore[no-untyped-call]
    return str(nbformat.writes(book))  # type: ignore[no-untyped-call]


def _title(logged: LoggedSession) -> str:
    about = markdown_text(str(logged.image["name"])) if logged.image else "no image"
    return (
        f"# A conversation about {about}\n\nSession {logged.id}, begun {logged.started}, "
        f"micro_nb {markdown_text(logged.version)}.\n\n"
        "Under every answer stand its measurements, and the code that measures them again."
    )


def _opening(about: Mapping[str, Any]) -> str:
    address = about["address"]
    return f"img = {opening_code(address)}\nimg" if address else _MEMORY


def _code(turn: LoggedTurn) -> str:
    """The measurements behind an answer, each once."""
    return "\n".join(dict.fromkeys(code for e in turn.answer.evidence if (code := _measuring(e))))


def _measuring(e: Evidence) -> str:
    """The lines of ``e.code()`` that measure; import and image stand in cells of their own. Nothing for what is no expression."""
    if "expression" not in e.parameters:
        return ""
    opening = e.opening() if "album" in e.parameters else []
    return "\n".join([*opening, e.line(), "for e in answer.evidence:\n    print(e.quantity, e.value, e.unit)"])
