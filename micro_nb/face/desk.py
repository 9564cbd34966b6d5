"""``Desk``: an image, and beside it the conversation about it; one line to start."""

from __future__ import annotations

from typing import Any

from ..data.image import MicroImage
from ..data.open import open_image
from ..session.session import Session
from .chat import ChatPanel
from .live import display_live
from .viewer.viewer import Viewer


class Desk:
    """Viewer and chat side by side, each knowing what happens in the other.

    Parameters
    ----------
    img : a MicroImage, or anything :func:`open_image` opens; or a conversation about one.
    objects : objects that were found before, shown in the viewer and taken by the conversation.
    height : in screen pixels.
    **conversation : as for :class:`Session`: ``eyes``, ``llm``, ``index``, ``log``.

    Attributes
    ----------
    viewer, panel, chat : the parts.

    Examples
    --------
    >>> import numpy as np
    >>> desk = Desk(np.full((40, 60), 7, "uint8"), log=False)
    >>> desk.panel.ask('pixels("max")').value
    7
    """

    def __init__(self, img: Any, objects: Any = None, *, height: int = 520, **conversation: Any) -> None:
        import ipywidgets

        if isinstance(img, Session):
            self.chat = img
            if self.chat.img is None:
                raise TypeError("this conversation is about no image, so there is nothing to look at; give an image")
            image = self.chat.img
        else:
            image = img if isinstance(img, MicroImage) else open_image(img)
            self.chat = Session(image, objects=objects, **conversation)
        self.viewer = Viewer(image, objects, height=height, panel=False)
        self.panel = ChatPanel(self.chat, self.viewer, height=height)
        self.viewer.layout = ipywidgets.Layout(flex="3 1 420px", min_width="0")
        self.panel.layout = ipywidgets.Layout(flex="2 1 300px", min_width="0")
        self._box = ipywidgets.HBox([self.viewer, self.panel], layout={"flex_flow": "row wrap", "align_items": "stretch"})

    def ask(self, question: str) -> Any:
        """Asks, as if it were typed."""
        return self.panel.ask(question)

    def __repr__(self) -> str:
        return f"<Desk: {self.viewer!r}, {self.chat!r}>"

    def _ipython_display_(self) -> None:
        display_live(self._box.model_id, self.viewer, self.panel)
