import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from micro_nb.errors import ReportError, WriteError
from micro_nb.face.page import clean_html
from micro_nb.face.report import inject_parameters, report


def write(path, *cells):
    nbformat.write(new_notebook(cells=list(cells)), path)
    return path


def tagged(source, *tags):
    return new_code_cell(source, metadata={"tags": list(tags)})


LOADS = re.compile(r"<(?:img|script|link|iframe|source|video)[^>]*\s(?:src|href)\s*=\s*[\"']?(?:https?:)?//", re.I)


def test_a_notebook_becomes_one_page_that_stands_alone(tmp_path):
    (tmp_path / "note.txt").write_text("read from the notebook's folder")
    notebook = write(
        tmp_path / "n.ipynb",
        new_markdown_cell("# Cells *counted*\n\nwith **care** ![x](https://example.org/x.png)"),
        tagged("n = 3\nname = 'a'", "parameters"),
        new_code_cell("print(open('note.txt').read(), n, name)"),
        new_code_cell("import sys; print('aside', file=sys.stderr)"),
        tagged("print('never ' + 'shown')", "hide"),
        tagged("print('shown', 'alone')", "hide-input"),
        new_code_cell(
            "from IPython.display import publish_display_data as show\n"
            "still = {'image/png': 'iVBORw0KGgo=', 'text/plain': 'still'}\n"
            "show({**still, 'application/vnd.jupyter.widget-view+json': {'model_id': 'x'}, 'text/html': 'LIVE-WIDGET'})\n"
            "show({'text/html': '<b>kept</b><script>evil()</script><img src=\"//evil.example/x.png\">'})\n"
            "show({'text/plain': '<i>plain</i>'})"
        ),
    )
    page = report(notebook, tmp_path / "n.html", parameters={"n": 7}, keep_notebook=True).read_text()
    assert "<title>Cells counted</title>" in page
    assert "read from the notebook&#39;s folder 7 a" in page or "read from the notebook's folder 7 a" in page
    assert "never shown" not in page
    assert "shown alone" in page
    assert "&#39;shown&#39;, &#39;alone&#39;" not in page
    assert "<summary>messages</summary>" in page
    assert 'src="data:image/png;base64,iVBORw0KGgo="' in page
    assert '<div class="out rich">LIVE-WIDGET' not in page
    assert "<b>kept</b>" in page
    assert "<script" not in page
    assert "&lt;i&gt;plain" in page
    assert not LOADS.search(page)
    assert "default-src 'none'" in page
    assert nbformat.read(tmp_path / "n.executed.ipynb", as_version=4).cells[2].execution_count
    assert nbformat.read(notebook, as_version=4).cells[2].execution_count is None, "the notebook itself is not changed"


def test_a_failing_cell_fails_loudly_and_leaves_no_page(tmp_path):
    notebook = write(tmp_path / "n.ipynb", new_markdown_cell("# x"), new_code_cell("a = 1"), new_code_cell("b = a / 0\nb"))
    with pytest.raises(ReportError, match=r"cell 3 of 3 failed with ZeroDivisionError(.|\n)*b = a / 0(.|\n)*n.failed.ipynb"):
        report(notebook, tmp_path / "n.html")
    assert not (tmp_path / "n.html").exists()
    kept = nbformat.read(tmp_path / "n.failed.ipynb", as_version=4)
    assert kept.cells[1].execution_count == 1
    assert sorted(p.name for p in tmp_path.iterdir()) == ["n.failed.ipynb", "n.ipynb"]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"m": 1}, "'m' is not known; the notebook has n, size"),
        ({"n": object()}, "must be a number"),
        ({"n": float("nan")}, "n = nan"),
    ],
)
def test_a_parameter_that_cannot_be_set_is_refused_by_name(parameters, message):
    nb = new_notebook(cells=[tagged("n = 1\nsize: float = 2.0", "parameters")])
    with pytest.raises(ReportError, match=message):
        inject_parameters(nb, parameters, "n.ipynb")
    assert len(nb.cells) == 1


def test_parameters_without_a_tagged_cell_are_refused():
    with pytest.raises(ReportError, match="tagged 'parameters'"):
        inject_parameters(new_notebook(cells=[new_code_cell("n = 1")]), {"n": 2}, "n.ipynb")


def test_parameters_are_written_as_literals():
    nb = new_notebook(cells=[tagged("a = b = c = None", "parameters"), new_code_cell("a")])
    nb.cells[0].source = "a = 1\nb = 2\nc = 3"
    inject_parameters(nb, {"a": "x'); evil(", "b": [1, (2.5, None)], "c": {"k": True}}, "n.ipynb")
    assert nb.cells[1].source == "a = \"x'); evil(\"\nb = [1, (2.5, None)]\nc = {'k': True}"


@pytest.mark.parametrize("text", ["", "not json", "[1, 2]", '{"cells": 3}'])
def test_a_file_that_is_no_notebook_is_said_so(tmp_path, text):
    (tmp_path / "n.ipynb").write_text(text)
    with pytest.raises(ReportError, match=r"n\.ipynb"):
        report(tmp_path / "n.ipynb", tmp_path / "n.html")


def test_a_missing_notebook_or_folder_is_said_so(tmp_path):
    with pytest.raises(ReportError, match="no such notebook"):
        report(tmp_path / "n.ipynb", tmp_path / "n.html")
    notebook = write(tmp_path / "n.ipynb", new_code_cell("1"))
    with pytest.raises(WriteError, match="does not exist"):
        report(notebook, tmp_path / "no" / "n.html")


@pytest.mark.parametrize(
    "hostile",
    ["<script>x</script>", "<SCRIPT src=//a.b></SCRIPT >", "<script>unclosed", '<img src="https://a.b/c">', "<img src=//a.b/c>",
     "<a href='#' onclick='x()'>t</a>", '<p style="background:url(http://a.b/c)">t</p>', "<iframe src=x></iframe>",
     '<link rel=stylesheet href="x.css">', "<style>@import url(//a.b);</style>"],
)  # fmt: skip
def test_nothing_in_an_output_runs_or_loads(hostile):
    cleaned = clean_html(hostile).lower()
    for trace in ("<script", "a.b", "onclick", "<iframe", "<link"):
        assert trace not in cleaned


def test_a_widget_leaves_its_controls_and_the_picture_it_showed_however_large(tmp_path):
    code = (
        "import os\nfrom ipywidgets import interact\nfrom IPython.display import Image\n"
        "@interact(place=['left', 'right'])\ndef show(place='right'):\n"
        "    return Image(b'\\x89PNG' + os.urandom(2_000_000), format='png')"
    )
    page = report(write(tmp_path / "n.ipynb", new_code_cell(code)), tmp_path / "page.html", timeout=60).read_text()
    assert "place: right" in page
    assert page.count("data:image/png;base64,") == 1


def test_a_line_that_vanished_leaves_no_empty_box(tmp_path):
    code = "view = display({'text/plain': 'loading'}, raw=True, display_id=True)\nview.update({'text/plain': ''}, raw=True)"
    cells = [new_code_cell(code, metadata={"tags": ["hide-input"]}), new_code_cell("'kept'", metadata={"tags": ["hide-input"]})]
    page = report(write(tmp_path / "n.ipynb", *cells), tmp_path / "page.html", timeout=60).read_text()
    assert "loading" not in page
    assert page.count("<pre") == 1
    assert "kept" in page
