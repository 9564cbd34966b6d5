"""A report as a reader meets it: in a browser, from a file, without a network. Runs where a Chromium is installed."""

from __future__ import annotations

import shutil

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from playwright.sync_api import sync_playwright

from micro_nb.face.report import report

BROWSERS = [path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))]
CODE = (
    "import micro_nb as mnb\nimg = mnb.open_image('sample:immunohistochemistry')\nimg",
    "mnb.overview(img, region='top left', width=400)",
    "mnb.Session(img).ask('How many nuclei are in the left half?')",
)


@pytest.mark.parametrize("browser", BROWSERS[:1])
def test_every_picture_shows_and_nothing_is_asked_of_a_network(browser, tmp_path):
    cells = [new_markdown_cell("# A page"), *(new_code_cell(code) for code in CODE)]
    nbformat.write(new_notebook(cells=cells), tmp_path / "n.ipynb")
    page_path = report(tmp_path / "n.ipynb", tmp_path / "n.html", timeout=120)
    asked = []
    with sync_playwright() as p:
        chromium = p.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        page = chromium.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto(page_path.as_uri())
        widths = page.eval_on_selector_all("img", "images => images.map(i => i.naturalWidth)")
        text = page.inner_text("body")
        chromium.close()
    assert len(widths) == 3
    assert min(widths) > 100
    assert "nuclei in the left half" in text
    assert [url for url in asked if not url.startswith(("file:", "data:"))] == []
