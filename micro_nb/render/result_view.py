"""What a notebook shows of a search: thumbnails with rank, score and name, as HTML, PNG and text."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from PIL import Image, ImageDraw

from .png import draw_text, encode_png, printable, shorten

SIDE_PX = 160
"""Width and height of a thumbnail."""
PLACE = ("y0", "x0", "y1", "x1")
"""Columns that say where in its image a row lies, px."""

_ACROSS, _LINE, _GAP = 5, 18, 6
_PALE = (240, 242, 245)
_STYLE = (
    "<style>.mnb-found{display:flex;flex-wrap:wrap;gap:12px;font-size:12px;line-height:1.4}"
    ".mnb-found figure{margin:0;width:160px}"
    ".mnb-found img,.mnb-found .none{width:160px;height:160px;object-fit:contain;background:#8881;border-radius:4px}"
    ".mnb-found figcaption{overflow-wrap:anywhere}.mnb-found small{opacity:.65}</style>"
)


@dataclass(frozen=True)
class ResultView:
    """A result and its thumbnails.

    Attributes
    ----------
    table : as :meth:`~micro_nb.tasks.search.retrieve.Index.search` gives it.
    thumbnails : a JPEG a row; None where there is no picture.
    title : in place of the query.
    """

    table: pd.DataFrame
    thumbnails: Sequence[bytes | None]
    title: str = ""

    @property
    def text(self) -> str:
        """One line a row."""
        lines = [" ".join(filter(None, self._caption(row))) for row in self.table.to_dict("records")]
        return "\n".join([self._heading(), *lines])

    def png(self) -> bytes:
        """The thumbnails on one white sheet, with rank, score and name; a missing one leaves its place pale."""
        across, down = min(_ACROSS, max(len(self.thumbnails), 1)), max(-(-len(self.thumbnails) // _ACROSS), 1)
        wide, tall = SIDE_PX + _GAP, SIDE_PX + 2 * _LINE + _GAP
        sheet = Image.new("RGB", (across * wide - _GAP, down * tall), "white")
        draw = ImageDraw.Draw(sheet)
        for k, (row, jpeg) in enumerate(zip(self.table.to_dict("records"), self.thumbnails, strict=True)):
            x, y = (k % _ACROSS) * wide, (k // _ACROSS) * tall
            picture = Image.open(io.BytesIO(jpeg)) if jpeg else Image.new("RGB", (SIDE_PX, SIDE_PX), _PALE)
            sheet.paste(picture, (x + (SIDE_PX - picture.width) // 2, y + (SIDE_PX - picture.height) // 2))
            for line, words in enumerate(self._caption(row)[:2]):
                draw_text(draw, (x, y + SIDE_PX + (line + 1) * _LINE - 4), shorten(printable(words), SIDE_PX, 11), size=11)
        return encode_png(sheet)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        """``text/html``, ``image/png`` and ``text/plain``; what comes from files and queries is escaped."""
        return {"text/plain": self.text, "text/html": self._html(), "image/png": self.png()}

    def __repr__(self) -> str:
        return self.text

    def _heading(self) -> str:
        said = self.table.attrs.get("query")
        what = self.title or (f"{len(self.table)} found for {said!r}" if said else f"{len(self.table)} rows")
        condition = self.table.attrs.get("where")
        return f"{what}, where {condition}" if condition else what

    def _html(self) -> str:
        figures = "".join(
            f"<figure>{_picture(data)}<figcaption>{_lines(self._caption(row))}</figcaption></figure>"
            for row, data in zip(self.table.to_dict("records"), self.thumbnails, strict=True)
        )
        return f'{_STYLE}<p>{html.escape(self._heading())}</p><div class="mnb-found">{figures}</div>'

    def _caption(self, row: dict[Any, Any]) -> tuple[str, str, str]:
        """Rank and score; name; place."""
        score = row.get("score")
        lead = f"{row['rank']}. {score:.3f}" if row.get("rank") and score == score else ""
        place = ""
        if all(c in row for c in PLACE):
            y0, x0, y1, x1 = (round(float(row[c])) for c in PLACE)
            place = f"y {y0}..{y1}, x {x0}..{x1} px"
        return lead, str(row.get("name", "")), place


def _picture(data: bytes | None) -> str:
    if data is None:
        return '<div class="none"></div>'
    return f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(data).decode()}">'


def _lines(caption: tuple[str, str, str]) -> str:
    lead, name, place = (html.escape(c) for c in caption)
    more = f"<br><small>{place}</small>" if place else ""
    return f"<b>{lead}</b> {name}{more}"
