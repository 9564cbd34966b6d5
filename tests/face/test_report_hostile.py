"""Hostile text in a report, in a browser: what files, persons and models say stays text, with the page's policy and without."""

from __future__ import annotations

import itertools

import lab
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from micro_nb.face.report import report

RUN = "window.hacked=1"
_TAGS = (
    "<img src=x onerror={0}>", "<svg onload={0}>", "<body onload={0}>", "<details open ontoggle={0}>",
    "<video><source onerror={0}>", "<input autofocus onfocus={0}>", "<marquee onstart={0}>", "<script>{0}</script>",
    "<svg><script>{0}</script></svg>", "<iframe srcdoc='<script>parent.{0}</script>'>", "<iframe src='javascript:parent.{0}'>",
    "<object data='javascript:{0}'>", "<embed src='javascript:{0}'>", "<a href='javascript:{0}'>x</a>",
    "<math><a xlink:href='javascript:{0}'>x</a></math>", "<form action='javascript:{0}'><button>x</button></form>",
    "<button onclick={0}>x</button>", "<b onmouseover={0}>x</b>", "<b style='animation-name:x' onanimationstart={0}></b>",
    "<link rel=stylesheet href='javascript:{0}'>", "<meta http-equiv=refresh content='0;javascript:{0}'>",
    "<base href='javascript:{0}//'>", "<template><script>{0}</script></template>",
)  # fmt: skip
_AROUND = ("{0}", "'\">{0}", "</td></table></pre></script></style></textarea>{0}", "<!--{0}-->{0}", "]]>{0}")
PAYLOADS = [around.format(tag.format(RUN)) for around, tag in itertools.product(_AROUND, _TAGS)]
SETUP = f"""
import numpy as np, pandas as pd, micro_nb as mnb
from micro_nb.session.answer import Answer, Turn
mnb.settings.log = False
bad = {PAYLOADS!r}
plane = np.full((60, 80), 90, "uint8")
"""
# Objects' names and columns; channels and metadata of the image card; regions; answers, questions and words of a model; a review;
# text and errors that a cell prints.
SHOWN = (
    "n = len(bad)\nrows = pd.DataFrame({'label': range(n), 'layer': bad, 'name': bad, 'score': 1.0, 'centroid_y_px': 5.0, "
    "'centroid_x_px': 6.0, **{text: text for text in bad}})\nfound = mnb.Objects(rows, None)\nfound",
    "mnb.overview(plane, found, width=300)",
    "viewer = mnb.Viewer(plane, rows, color_by='name')\n"
    "_ = [viewer.add_regions(mnb.Region(1, 1, 9, 9, name=t)) for t in bad[:40]]\nviewer",
    "import tifffile\nfor k in range(0, n, 8):\n    names = bad[k : k + 8]\n    flat = np.zeros((len(names), 16, 16), 'u1')\n"
    "    told = {'axes': 'CYX', 'Name': names[0], 'Channel': {'Name': names}, 'Description': names[0]}\n"
    "    tifffile.imwrite('bad.ome.tif', flat, ome=True, metadata=told)\n"
    "    display(mnb.open_image('bad.ome.tif'))",
    "for text in bad:\n    display(Answer(text, declined=text, remedy=text, worded_by=text))",
    "chat = mnb.Session(mnb.open_image(plane), eyes='floor')\n"
    "chat.turns += [Turn(text, (), Answer(text)) for text in bad]\nmnb.ChatPanel(chat)",
    "review = mnb.BlindReview({bad[0]: bad, bad[1]: bad}, bad[:3], question=bad[2], scale=bad[:4], log='r.jsonl')\nreview",
    "for text in bad:\n    print(text)\nraise ValueError(bad[0])",
)

_LIVE = """() => {
  const all = [...document.body.querySelectorAll('*')];
  const runs = (a) => a.name.startsWith('on') || /^\\s*javascript:/i.test(a.value);
  const attributes = all.flatMap((e) => [...e.attributes].filter(runs).map((a) => `${e.tagName} ${a.name}=${a.value}`));
  const elements = all.filter((e) => e.matches('script, iframe, object, embed, base, link, meta')).map((e) => e.outerHTML);
  return [...attributes, ...elements].slice(0, 9);
}"""


@pytest.mark.skipif(not lab.BROWSERS, reason="no Chromium is installed")
@pytest.mark.parametrize("template", ["page", "paper"])
def test_a_hundred_payloads_stay_text(template, tmp_path):
    assert len(PAYLOADS) >= 100
    cells = [new_code_cell(code) for code in (SETUP, *SHOWN)]
    cells[-1].metadata["tags"] = ["raises-exception"]
    # What an author writes into text cells is markup on purpose, and is cleaned all the same.
    cells += [new_markdown_cell(text, metadata={"tags": ["abstract"] if k % 2 else []}) for k, text in enumerate(PAYLOADS)]
    nb = new_notebook(cells=cells, metadata={"authors": [{"name": text} for text in PAYLOADS]})
    nbformat.write(nb, tmp_path / "n.ipynb")
    page_path = report(tmp_path / "n.ipynb", tmp_path / "n.html", template=template, timeout=500)
    told = []
    with lab.browser(lab.BROWSERS[0]) as chromium:
        for trusting in (False, True):  # as it is, and without the policy that forbids scripts: escaping alone must do
            context = chromium.new_context(bypass_csp=trusting)
            page = context.new_page()
            page.on("dialog", lambda dialog: (told.append(dialog.message), dialog.dismiss()))
            page.on("request", lambda request: told.append(request.url) if request.url.startswith("http") else None)
            page.goto(page_path.as_uri())
            page.wait_for_timeout(1000)
            assert page.evaluate("window.hacked") is None
            found = page.evaluate(_LIVE)
            assert found == []
            shown = page.inner_text("body")
    assert told == []
    assert sum(shown.count(tag.format(RUN)) > 0 for tag in _TAGS) == len(_TAGS), "and all of it can be read"
