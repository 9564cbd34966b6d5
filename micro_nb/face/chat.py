"""``ChatPanel``: a conversation as a widget with a line to ask in; everything travels over Jupyter's own channel."""

from __future__ import annotations

import base64
import html
from typing import TYPE_CHECKING, Any, Protocol

from ..errors import MicroNBError, MissingExtraError
from ..session.answer import Answer, Turn
from ..session.language import Call
from ..session.session import Session
from ..session.views.html import answer_html, framed, transcript_html
from ..session.views.text import transcript_text

if TYPE_CHECKING:
    import ipywidgets

_ASK = "How many nuclei are in the left half?"
_WAIT = "measuring …"


class Shows(Protocol):
    """What a viewer beside the conversation must do."""

    def show(self, answer: Answer) -> None:
        """Goes to the place of an answer."""


class ChatPanel:
    """A transcript and a line to ask in; under an answer stands what was understood, and other readings are buttons.

    Parameters
    ----------
    chat : the conversation; what is asked here and what is asked with ``chat.ask`` is one conversation.
    viewer : an object whose ``show(answer)`` is called with every answer given here; None for none.

    Raises
    ------
    MissingExtraError : ipywidgets is not installed.

    Examples
    --------
    >>> import numpy as np, micro_nb as mnb
    >>> panel = ChatPanel(mnb.Session(mnb.open_image(np.zeros((8, 8), "uint8")), log=False))
    >>> panel.ask('image("bit_depth")').value
    8
    """

    def __init__(self, chat: Session, viewer: Shows | None = None) -> None:
        if not isinstance(chat, Session):
            raise TypeError(f"ChatPanel takes a Session, not {type(chat).__name__}; make one with mnb.Session(img)")
        try:
            import ipywidgets
        except ImportError:
            raise MissingExtraError("widgets need ipywidgets; try pip install 'micro-nb[notebook]'") from None
        self.chat, self.viewer, self._widgets = chat, viewer, ipywidgets
        self._line = ipywidgets.Text(placeholder=_ASK, continuous_update=False, layout={"width": "100%"})
        self._button = ipywidgets.Button(description="Ask", layout={"width": "80px"})
        self._turns = ipywidgets.VBox([self._shown(turn) for turn in chat])
        self._line.observe(self._typed, names="value")
        self._button.on_click(self._clicked)
        self.widget = ipywidgets.VBox([self._turns, ipywidgets.HBox([self._line, self._button])])

    def ask(self, question: str) -> Answer:
        """Asks, and shows question and answer at the end of the panel."""
        answer = self.chat.ask(question)
        self._turns.children = (*self._turns.children, *map(self._shown, self.chat.turns[len(self._turns.children) :]))
        if self.viewer is not None:
            self.viewer.show(answer)
        return answer

    def _typed(self, change: Any) -> None:
        self._clicked(None)

    def _clicked(self, button: Any) -> None:
        question = self._line.value.strip()
        if question:
            self._guarded(question)

    def _guarded(self, question: str) -> None:
        """Asks, with the line closed until the answer is there."""
        if self._line.disabled:
            return
        self._line.disabled, self._line.placeholder, self._line.value = True, _WAIT, ""
        try:
            self.ask(question)
        except MicroNBError as error:  # shown where the person looks; anything else is a defect, and Jupyter logs it
            self._turns.children = (*self._turns.children, self._html(f"<p>{html.escape(str(error))}</p>"))
        finally:
            self._line.disabled, self._line.placeholder = False, _ASK

    def _shown(self, turn: Turn) -> ipywidgets.Widget:
        """Question and answer, and a button for every other reading."""
        asked = f'<p style="margin:8px 0 2px;font-weight:600">{html.escape(turn.question)}</p>'
        said = self._html(asked + answer_html(turn.answer))
        if not turn.answer.alternatives:
            return said
        return self._widgets.VBox(
            [
                said,
                self._widgets.HBox(
                    [self._reading(calls) for calls in turn.answer.alternatives], layout={"flex_flow": "row wrap"}
                ),
            ]
        )

    def _reading(self, calls: tuple[Call, ...]) -> ipywidgets.Button:
        """A button that asks an expression; of several the first, as a click is one question."""
        button = self._widgets.Button(description=str(calls[0]), tooltip="ask this", layout={"width": "auto"})
        button.on_click(lambda _: self._guarded(str(calls[0])))
        return button

    def _html(self, inner: str) -> ipywidgets.HTML:
        return self._widgets.HTML(framed(inner))

    def __repr__(self) -> str:
        return f"<ChatPanel of {self.chat!r}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """The widget; where no kernel runs, the transcript."""
        kept = {"text/plain": transcript_text(self.chat.turns) or repr(self), "text/html": transcript_html(self.chat.turns)}
        last = next((t.answer.png for t in reversed(self.chat.turns) if t.answer.png), None)
        pictures = {"image/png": base64.b64encode(last).decode()} if last else {}
        return {**self.widget._repr_mimebundle_(), **kept, **pictures}
