"""An executed notebook as one HTML page that needs no network, no scripts and no kernel."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import jinja2
import nh3
from markupsafe import Markup
from nbconvert.filters import Highlight2HTML, ansi2html
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from pygments.formatters import HtmlFormatter  # type: ignore[import-untyped]

from ..render.png import FONTS

_TEMPLATES = Path(__file__).parent / "templates"
_HIDE_CELL = {"hide", "hide-cell", "remove-cell", "remove_cell"}
_HIDE_INPUT = {"hide-input", "hide_input", "remove-input", "remove_input", "injected-parameters"}
_OPEN_LINES = 14
# Views that only a kernel or a script can draw; where one stands beside a picture, the page shows the picture.
_NEEDS_KERNEL = re.compile(r"application/(vnd\.jupyter\.widget-view|vnd\.holoviews_(exec|load)|vnd\.bokehjs_(exec|load))")
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_DRAWN = "svg g path rect circle ellipse line polyline polygon text tspan use symbol defs title desc linearGradient stop"
_KEPT = """align alt aria-hidden aria-label border cellpadding cellspacing checked class color colspan cx cy d dir disabled dx dy
    fill fill-opacity for headers height hidden href id lang max min name offset open opacity points preserveAspectRatio r role
    rowspan rx ry scope span src stroke stroke-dasharray stroke-linecap stroke-linejoin stroke-opacity stroke-width style tabindex
    text-anchor title transform type valign value viewBox width x x1 x2 xlink:href xmlns y y1 y2"""
_SVG, _ATTRIBUTES = set(_DRAWN.split()), set(_KEPT.split())
_TAGS = nh3.ALLOWED_TAGS | _SVG | {"style", "label", "input", "button", "section", "main", "meter", "progress", "font"}
_CSS_REMOTE = re.compile(r"@import[^;]*;|url\(\s*[\"']?\s*(?:[a-z]+:)?//[^)]*\)", re.I)
_CAPTION = re.compile(r"^#\|\s*(fig|tbl)-cap\s*:\s*[\"']?(.+?)[\"']?\s*$", re.M)
_CLASSIC_TITLE = re.compile(r"\A\s*#\s+(.+?)\s*#*\s*(?:\n|\Z)")

Kind = Literal["html", "picture", "text", "error", "messages"]


@dataclass(frozen=True)
class Output:
    """One output as the page shows it; ``body`` is text, marked HTML, or a data URI for a picture."""

    kind: Kind
    body: str
    alt: str = ""
    width: int | None = None


def render_page(notebook: Any, *, name: str, folder: Path, facts: Mapping[str, Any], template: str = "page") -> str:
    """The page.

    Parameters
    ----------
    notebook : an executed nbformat 4 notebook.
    name : file name, for the footer and for a title where the notebook has none.
    folder : where pictures named in its text are found; they are embedded.
    facts : ``date``, ``seconds``, ``parameters`` (name -> text) and ``versions`` for header and footer; more for a paper.
    template : ``"page"``, or ``"paper"``, where figures are numbered and no code is shown.
    """
    title, cells = _title(notebook, name), []
    for cell in notebook.cells:
        tags = set(cell.metadata.get("tags", ()))
        if tags & _HIDE_CELL or cell.cell_type == "raw":
            continue
        if cell.cell_type == "markdown":
            if text := _without_title(cell.source, title):
                cells.append({"kind": "markdown", "html": _prose(text, folder, cell.get("attachments", {}))})
        else:
            cells.append(_code(cell, show_input=template == "page" and not tags & _HIDE_INPUT))
    cells = [c for c in cells if c["kind"] == "markdown" or c["code"] or c["outputs"]]
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True)
    css = Markup(_css())
    facts = {**facts, "abstract": _prose(facts["abstract"], folder, {})} if facts.get("abstract") else facts
    return environment.get_template(f"{template}.html.j2").render(title=title, notebook=name, cells=cells, css=css, **facts)


def clean_html(text: str) -> str:
    """``text`` without scripts, frames, event handlers and anything that would be loaded from a network.

    >>> clean_html('<b onclick="x()">ok</b><script src="https://a.b/c.js"></script><img src="https://a.b/c.png">')
    '<b>ok</b><img>'
    """
    return nh3.clean(
        _CSS_REMOTE.sub("", text), tags=_TAGS, attributes={"*": _ATTRIBUTES}, generic_attribute_prefixes={"data-"},
        clean_content_tags={"script", "noscript"}, url_schemes={"http", "https", "mailto", "data"}, attribute_filter=_near,
        link_rel=None,
    )  # fmt: skip


def _near(tag: str, name: str, value: str) -> str | None:
    """An attribute, unless a page would load from a network or leave its kind of content for it."""
    inline = value.strip().lower().startswith("data:image/")
    if name in ("src", "xlink:href") or (name == "href" and tag in _SVG):
        return value if inline or value.startswith("#") else None
    return None if name == "href" and value.strip().lower().startswith("data:") and not inline else value


def _code(cell: Any, *, show_input: bool) -> dict[str, Any]:
    lines = cell.source.strip().splitlines()
    shown = show_input and bool(lines)
    code = Markup(Highlight2HTML(pygments_lexer="ipython3")(cell.source.strip())) if shown else ""  # type: ignore[no-untyped-call]
    return {"kind": "code", "code": code, "first_line": lines[0] if lines else "", "open": len(lines) <= _OPEN_LINES,
            "outputs": list(_outputs(cell.outputs)), "captions": dict(_CAPTION.findall(cell.source))}  # fmt: skip


def _outputs(outputs: Any) -> Iterator[Output]:
    errors = ""
    for output in outputs:
        if output.output_type == "stream" and output.name == "stderr":
            errors += output.text
        elif output.output_type == "stream":
            yield Output("text", _ansi(output.text.rstrip("\n")))
        elif output.output_type == "error":
            yield Output("error", _ansi("\n".join(output.traceback)))
        elif (shown := _rich(output.data, output.get("metadata", {}))) is not None:
            yield shown
    if errors.strip():
        yield Output("messages", _ansi(re.sub(r"[^\n]*\r", "", errors.replace("\r\n", "\n")).strip()))


def _rich(data: Mapping[str, Any], metadata: Mapping[str, Any]) -> Output | None:
    """The best view of one result that stands still: HTML first, but a picture where the HTML would need a kernel."""
    if not any(_text(value).strip() for value in data.values() if isinstance(value, str | list)):
        return None  # a line that vanished, such as that of a model that was loaded
    live = any(_NEEDS_KERNEL.match(kind) for kind in data)
    alt = " ".join(_text(data.get("text/plain", "")).split())[:200]
    if "text/html" in data and not live:
        return Output("html", Markup(clean_html(_text(data["text/html"]))))
    for kind in _PICTURES:
        if kind in data:
            width = metadata.get(kind, {}).get("width") if isinstance(metadata.get(kind), Mapping) else None
            return Output("picture", f"data:{kind};base64,{''.join(_text(data[kind]).split())}", alt, width)
    if "image/svg+xml" in data:
        svg = base64.b64encode(_text(data["image/svg+xml"]).encode()).decode()
        return Output("picture", f"data:image/svg+xml;base64,{svg}", alt)
    if "text/markdown" in data:
        return Output("html", _prose(_text(data["text/markdown"]), Path(), {}))
    if "text/plain" in data and "application/javascript" not in data:
        return Output("text", _text(data["text/plain"]))
    return None


def _ansi(text: str) -> Markup:
    """Text with terminal colours as escaped HTML."""
    return Markup(ansi2html(text))  # type: ignore[no-untyped-call]


def _text(value: Any) -> str:
    return "".join(value) if isinstance(value, list) else str(value)


def _prose(source: str, folder: Path, attachments: Mapping[str, Any]) -> Markup:
    renderer = IPythonRenderer(
        escape=False, allow_harmful_protocols=False, embed_images=True, path=str(folder), attachments=dict(attachments),
        exclude_anchor_links=True,
    )  # fmt: skip
    return Markup(clean_html(MarkdownWithMath(renderer=renderer).render(source)))


def _title(notebook: Any, name: str) -> str:
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and (found := _CLASSIC_TITLE.match(cell.source)):
            return re.sub(r"[*_`]", "", found[1])
    return Path(name).stem.replace("_", " ")


def _without_title(source: str, title: str) -> str:
    found = _CLASSIC_TITLE.match(source)
    return source[found.end() :].strip() if found and re.sub(r"[*_`]", "", found[1]) == title else source.strip()


def _css() -> str:
    css = (_TEMPLATES / "report.css").read_text(encoding="utf-8")
    for mark, weight in (("__REGULAR__", "Regular"), ("__SEMIBOLD__", "SemiBold")):
        css = css.replace(mark, base64.b64encode((FONTS / f"Inter-{weight}.woff").read_bytes()).decode())
    return css + str(HtmlFormatter(style="friendly").get_style_defs(".highlight"))
