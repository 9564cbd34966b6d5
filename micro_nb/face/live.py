"""``Live``: what every widget of ours shares: messages over Jupyter's own channel, and a picture that stays where no kernel runs.

The kernel holds the data, the browser asks. No pixels travel as widget state, so a saved notebook stays small.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from ..errors import MicroNBError, MissingExtraError
from .mime import LIVE, VIEW

try:
    import anywidget
except ImportError:
    raise MissingExtraError("widgets need anywidget; try pip install 'micro-nb[notebook]'") from None

_log = logging.getLogger(__name__)
_WEB = Path(__file__).parent / "web"
_SETTLED_S = 1.2
# Where the widget cannot come to life its place stays empty, and the picture below stands alone.
_MARK = '<span id="{name}"></span><style>.jp-OutputArea-child:has(#{name}){{display:none}}</style>'
_DEAD = "<style>.jp-OutputArea-child:has(+ .jp-OutputArea-child #{name}):not(:has(.mnb-root)){{display:none}}</style>"


@cache
def web(*names: str) -> str:
    """Files of the folder ``web``, one after another: the modules of a widget as one text."""
    return "\n".join((_WEB / name).read_text(encoding="utf-8") for name in names)


class Live(anywidget.AnyWidget):  # type: ignore[misc]
    """A widget whose browser side asks by messages ``{"type": ...}`` and is answered the same way."""

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._name = f"mnb-{uuid.uuid4().hex[:12]}"
        self._shown: Any = None
        self._timer: threading.Timer | None = None
        self._lock = threading.RLock()
        self.on_msg(self._received)

    def handlers(self) -> Mapping[str, Callable[[Mapping[str, Any]], Any]]:
        """Kind of message -> what is done with it."""
        return {}

    def still(self) -> dict[str, Any]:
        """What stands in the place where no kernel runs: a mimebundle with ``image/png`` or ``text/html``, and ``text/plain``."""
        return {"text/plain": repr(self)}

    def tell(self, kind: str, buffers: Sequence[bytes] = (), **content: Any) -> None:
        """Sends a message to the browser."""
        if self.comm is not None:
            self.send({"type": kind, **content}, list(buffers))

    def settle(self) -> None:
        """Renews the still picture once nothing changed for a moment, so that the saved notebook keeps what was seen."""
        if self._shown is None:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = threading.Timer(_SETTLED_S, self._renew)
        self._timer.daemon = True
        self._timer.start()

    def _renew(self) -> None:
        try:
            self._shown.update(self.still(), raw=True)
        except Exception:  # a picture for later is no reason to disturb a person now
            _log.exception("the still picture could not be renewed")

    def _received(self, widget: Any, content: Any, buffers: Any) -> None:
        if not isinstance(content, Mapping):
            return
        act = self.handlers().get(str(content.get("type")))
        if act is None:
            return
        try:
            with self._lock:
                act(content)
        except (MicroNBError, ValueError, LookupError, TypeError) as error:
            if not isinstance(error, MicroNBError | ValueError):
                _log.exception("message %s failed", content.get("type"))
            self.tell("notice", text=str(error))

    def _ipython_display_(self) -> None:
        display_live(self.model_id, self)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        return {**data, **self.still()}, metadata


def display_live(model_id: str, *widgets: Live) -> None:
    """Shows a widget, and after it the still picture of each of those it holds, which is hidden while they live."""
    from IPython.display import display

    view = {VIEW: {"version_major": 2, "version_minor": 0, "model_id": model_id}, "text/plain": ""}
    display(view, raw=True, metadata={LIVE: True})  # type: ignore[no-untyped-call]
    for k, widget in enumerate(widgets):
        mark = (_MARK if k else _MARK + _DEAD).format(name=widget._name)
        display({"text/html": mark, "text/plain": ""}, raw=True, metadata={LIVE: True})  # type: ignore[no-untyped-call]
        widget._shown = display(widget.still(), raw=True, display_id=widget._name)  # type: ignore[no-untyped-call]
