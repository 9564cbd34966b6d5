"""Text and tables as Markdown in which nothing is active: no markup, no HTML, no links, no pictures, no formulas."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping

from ..data.image import MicroImage
from ..data.persons import without_persons
from .card import facts

_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;", "@": "&#64;"}
_ACTIVE = re.compile(r"[\\`*_{}\[\]#|~!]|^[-+=]|^\d+(?=[.)](?:\s|$))")
_LINKED = re.compile(r"(?<=\w):(?=//|\w)|(?<=www)\.", re.IGNORECASE)  # what Markdown would turn into links by itself


def markdown_text(text: str) -> str:
    r"""Text as Markdown that shows just this text, on one line.

    >>> print(markdown_text("a *b* <script> ![x](http://y) $z$"))
    a \*b\* &lt;script&gt; \!\[x\](http&#58;//y) &#36;z&#36;
    """
    text = " ".join(text.split())
    text = _ACTIVE.sub(lambda m: f"{m[0]}\\" if m[0].isdigit() else f"\\{m[0]}", text)
    text = "".join(_ENTITIES.get(c, c) for c in text)
    return _LINKED.sub(lambda m: "&#58;" if m[0] == ":" else "&#46;", text)


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table of plain texts."""
    heads = list(heads)
    lines = [heads, ["---"] * len(heads), *([markdown_text(c) for c in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def image_markdown(img: MicroImage) -> str:
    """What is known of an image without reading it: a heading and a list."""
    lines = {**facts(img), "channels": ", ".join(c.name for c in img.channels)}
    listed = "\n".join(f"- {k}: {markdown_text(str(v))}" for k, v in without_persons(lines).items())
    return f"Microscope image {markdown_text(img.name)}\n\n{listed}\n"


def mime(text: str, **pictures: bytes | None) -> Mapping[str, str]:
    """What ``_ai_repr_`` returns (Jupyter enhancement proposal 129): Markdown, and a PNG where one is given."""
    found = {"text/plain": text, "text/markdown": text}
    return found | {f"image/{kind}": base64.b64encode(data).decode() for kind, data in pictures.items() if data}
