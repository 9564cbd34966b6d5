"""A notebook as a paper: who, what, figures with numbers, methods, every measurement; and as PDF."""

from __future__ import annotations

import re
import shutil

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from micro_nb.errors import ReportError
from micro_nb.face import paper
from micro_nb.face.report import report

CODE = """
import numpy as np, micro_nb as mnb
y, x = np.mgrid[:96, :128]
pixels = sum(120 * ((y - b) ** 2 + (x - a) ** 2 < 90) for a, b in ((25, 25), (70, 30), (100, 70))).astype("uint8")
img = mnb.open_image(pixels, pixel_size=0.5)
chat = mnb.Session(img, eyes="floor", log=False)
"""


def markdown(text, *tags):
    return new_markdown_cell(text, metadata={"tags": list(tags)})


@pytest.fixture
def notebook(tmp_path):
    cells = [
        markdown("# Three <discs>"), markdown("Ada Lovelace\nBen Trovato", "authors"), markdown("We count *discs*.", "abstract"),
        new_code_cell(CODE), new_code_cell("#| fig-cap: All three of them.\nmnb.overview(img, width=300)"),
        new_code_cell("chat.ask('count(\"nucleus\")')"), new_code_cell("#| tbl-cap: Sizes.\nmnb.measure(img, mnb.segment(img))"),
        new_code_cell("mnb.overview(img, region='left half', width=300)"),
    ]  # fmt: skip
    nbformat.write(new_notebook(cells=cells), tmp_path / "n.ipynb")
    return tmp_path / "n.ipynb"


def test_a_paper_has_all_its_parts(notebook, tmp_path):
    page = report(notebook, tmp_path / "n.html", template="paper", keep_notebook=True, timeout=120).read_text()
    text = " ".join(re.sub(r"<style.*?</style>|<[^>]+>", " ", page, flags=re.S).split())
    for said in ("Three &lt;discs&gt;", "Ada Lovelace; Ben Trovato", "Abstract We count discs .", "Figure 1. All three of them.",
                 "Table 1. Sizes.", "Figure 2. Overview of", "Methods The image", "Appendix A. Evidence",
                 "Appendix B. Environment", "count(&#34;nucleus&#34;)"):  # fmt: skip
        assert said in text, said
    assert "I count 3 nuclei" in text
    assert re.search(r"<td class=\"image\">sampled:[0-9a-f]{64}</td>", page), "the whole content id"
    assert "chat.ask(" not in page, "no code"
    assert "finding objects" not in text, "no progress bars"
    assert len(nbformat.read(tmp_path / "n.executed.ipynb", as_version=4).cells) == 6, "as it was, without what the paper took"


@pytest.mark.skipif(not shutil.which("chromium"), reason="no Chromium is installed")
def test_a_page_is_printed_by_chromium():
    assert paper.pdf("<h1>One page</h1>").startswith(b"%PDF")


def test_without_chromium_it_is_said(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(ReportError, match=r"write \.html instead"):
        paper.pdf("<h1>One page</h1>")
