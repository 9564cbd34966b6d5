"""``%load_ext micro_nb``: ``%ask`` and ``%%ask`` put a question to an image of the notebook and show the answer."""

from __future__ import annotations

import re
from typing import Any
from weakref import WeakKeyDictionary

from IPython.core.error import UsageError
from IPython.core.magic import no_var_expand

from ..data.image import MicroImage
from ..session.answer import Answer
from ..session.session import Session

_HOW = "%%ask IMAGE_VARIABLE, with the question in the cell, or %ask [IMAGE_VARIABLE] question"
_NAME = re.compile(r"[A-Za-z_]\w*")
_ENDS_ASKING = re.compile(r"(?P<before>\s*(?:\w+\s*=\s*)?)%ask\s+(?P<line>.*\?)\s*\Z")
_BRACED = re.compile(r"\{([^{}]*)\}")


class Asker:
    """Keeps one conversation an image, and finds out which image a question is about."""

    def __init__(self, ipython: Any) -> None:
        self._ipython = ipython
        self._sessions: WeakKeyDictionary[MicroImage, Session] = WeakKeyDictionary()

    @no_var_expand  # IPython would evaluate what stands in braces
    def ask(self, line: str, cell: str | None = None) -> Answer:
        """Answers ``%%ask img`` + cell, ``%ask img question``, ``%ask question``.

        Without a name the image is the one image among the notebook's variables. ``{name}`` in a question stands for the value of
        that variable; expressions are not evaluated.

        Raises
        ------
        UsageError : no question, no such variable, or it is not clear which image is meant.
        """
        first, _, rest = line.strip().partition(" ")
        named = isinstance(self._names.get(first), MicroImage | Session)
        if cell is None:
            question = rest if named else line
        else:
            question = cell
            if line.strip() and not named:
                raise UsageError(f"{line.strip()!r} is not a variable that holds an image; {self._choices()}")
        if not question.strip():
            raise UsageError(f"no question was asked; use {_HOW}")
        session = self._session(self._names[first] if named else self._only_image())
        return session.ask(self.fill(question.strip()))

    def fill(self, question: str) -> str:
        """``question`` with ``{name}`` replaced by the variable's value.

        Raises
        ------
        UsageError : what stands in braces is not the name of a variable.
        """

        def value(found: re.Match[str]) -> str:
            name = found[1].strip()
            if not _NAME.fullmatch(name) or name not in self._names:
                raise UsageError(f"{{{name}}} is not a variable of this notebook; only plain names are filled in")
            return str(self._names[name])

        return _BRACED.sub(value, question)

    @property
    def _names(self) -> dict[str, Any]:
        return self._ipython.user_ns  # type: ignore[no-any-return]

    def _session(self, subject: MicroImage | Session) -> Session:
        if isinstance(subject, Session):
            return subject
        if subject not in self._sessions:
            # A twin over the same pixels: a session that held the image itself would keep it alive for ever.
            self._sessions[subject] = Session(MicroImage(subject.source))
        return self._sessions[subject]

    def _images(self) -> dict[str, MicroImage]:
        return {k: v for k, v in self._names.items() if isinstance(v, MicroImage) and not k.startswith("_")}

    def _choices(self) -> str:
        return f"images here: {', '.join(self._images()) or 'none'}; use {_HOW}"

    def _only_image(self) -> MicroImage:
        different = {id(image): image for image in self._images().values()}
        if len(different) != 1:
            raise UsageError(f"say which image is meant; {self._choices()}")
        return next(iter(different.values()))


def load(ipython: Any) -> None:
    """Registers ``%ask`` and ``%%ask`` in an IPython shell."""
    ipython.register_magic_function(Asker(ipython).ask, magic_kind="line_cell", magic_name="ask")
    if hasattr(ipython, "input_transformers_cleanup") and question_marks not in ipython.input_transformers_cleanup:
        ipython.input_transformers_cleanup.append(question_marks)


def question_marks(lines: list[str]) -> list[str]:
    """Lines ``%ask ...?`` as calls: IPython takes a line that ends with a question mark for a request for help.

    >>> question_marks(["a = %ask img How many?"])
    ["a = get_ipython().run_line_magic('ask', 'img How many?')\\n"]
    """
    if lines and lines[0].lstrip().startswith("%%"):
        return lines
    return [_as_call(found) if (found := _ENDS_ASKING.match(line)) else line for line in lines]


def _as_call(found: re.Match[str]) -> str:
    return f"{found['before']}get_ipython().run_line_magic('ask', {found['line']!r})\n"
