"""A logged conversation as a notebook that measures it again, or as JSON. Text of questions and files stays text in both."""

from __future__ import annotations

import json
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
        "turns": [
            {"asked": t.asked, "question": t.question, "calls": [str(c) for c in t.calls], "image": t.image,
             "answer": t.answer.to_dict()}
            for t in logged.turns
        ],
    }  # fmt: skip


def notebook(logged: LoggedSession) -> str:
    """The conversation as text cells, each followed by the code that measures its evidence again."""
    try:
        import nbformat.v4 as nb
    except ImportError:
        raise MissingExtraError("notebooks need nbformat; try pip install 'micro-nb[notebook]', or export to .json") from None
    about = markdown_text(str(logged.image["name"])) if logged.image else "no image"
    begun = f"Session {logged.id}, begun {logged.started}, micro_nb {markdown_text(logged.version)}."
    told = "Under every answer stand its measurements, and the code that measures them again."
    cells = [nb.new_markdown_cell(f"# A conversation about {about}\n\n{begun}\n\n{told}")]  # type: ignore[no-untyped-call]
    cells.append(nb.new_code_cell("import micro_nb as mnb"))  # type: ignore[no-untyped-call]
    shown: str | None = None
    for turn in logged.turns:
        if turn.image and turn.image != shown:
            shown, address = turn.image, logged.images[turn.image]["address"]
            opening = f"img = {opening_code(address)}\nimg" if address else _MEMORY
            cells.append(nb.new_code_cell(opening))  # type: ignore[no-untyped-call]
        said = f"**{markdown_text(turn.question)}**\n\n{answer_markdown(turn.answer)}"
        cells.append(nb.new_markdown_cell(said))  # type: ignore[no-untyped-call]
        cells += [nb.new_code_cell(code)] if (code := _code(turn)) else []  # type: ignore[no-untyped-call]
    return str(nb.writes(nb.new_notebook(cells=cells, metadata=_KERNEL)))  # type: ignore[no-untyped-call]


def _code(turn: LoggedTurn) -> str:
    """The measurements behind an answer, each once; what is no expression is not measured again."""
    return "\n".join(dict.fromkeys(_measuring(e) for e in turn.answer.evidence if "expression" in e.parameters))


def _measuring(e: Evidence) -> str:
    """The lines of ``e.code()`` that measure; import and image stand in cells of their own."""
    opening = e.opening() if "album" in e.parameters else []
    return "\n".join([*opening, e.line(), "for e in answer.evidence:\n    print(e.quantity, e.value, e.unit)"])
