"""The viewer and the chat as a person meets them: JupyterLab in a browser. Runs where a Chromium is installed."""

from __future__ import annotations

import io
from ast import literal_eval

import lab
import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.skipif(not lab.BROWSERS, reason="no Chromium is installed")

SETUP = """
import numpy as np, xarray as xr, pandas as pd, micro_nb as mnb
mnb.settings.log = False
rng = np.random.default_rng(0)
pixels = rng.normal(300, 20, (2, 4, 600, 800))
labels = np.zeros((600, 800), "i4")
for k in range(12):
    y, x = 60 + 180 * (k // 4), 60 + 190 * (k % 4)
    pixels[0, :, y : y + 60, x : x + 60] += 2000
    labels[y : y + 60, x : x + 60] = k + 1
pixels[1, :, 300:, :] += 900
pixels[:, 3] += 500
img = mnb.open_image(pixels.astype("u2"), axes="czyx", pixel_size={"z": 1.0, "y": 0.5, "x": 0.5})
plane = img.isel(z=0, c=0)
found = mnb.Objects.from_labels(plane, xr.DataArray(labels, dims=("y", "x")))
"""
_VIEWER = "viewer = mnb.Viewer(plane, found, height=400)\nviewer"
PAYLOADS = [
    "<script>window.hacked=1</script>", "<img src=x onerror=window.hacked=1>",
    "<svg onload=window.hacked=1>",
    "'\"><b onmouseover=window.hacked=1>", "<iframe srcdoc='<script>parent.hacked=1</script>'>", "javascript:window.hacked=1",
    "<a href='javascript:window.hacked=1'>x</a>", "<style>*{background:url(javascript:window.hacked=1)}</style>",
    "${window.hacked=1}", "{{constructor.constructor('window.hacked=1')()}}",
    "<math><mi xlink:href='javascript:window.hacked=1'>",
    "<details open ontoggle=window.hacked=1>", "<input autofocus onfocus=window.hacked=1>",
    "</textarea><script>window.hacked=1</script>", "<!--<script>-->window.hacked=1", "<body onload=window.hacked=1>",
    "<video><source onerror=window.hacked=1>", "<object data='javascript:window.hacked=1'>",
    "%3Cscript%3Ewindow.hacked=1%3C/script%3E", "&lt;script&gt;window.hacked=1&lt;/script&gt;",
    "<marquee onstart=window.hacked=1>",
]  # fmt: skip
HOSTILE = f"""
bad = {PAYLOADS!r}
rows = pd.DataFrame({{"label": range(1, 13), "layer": "object", "name": bad[:12], "score": 1.0, bad[1]: bad[:12],
                     "centroid_y_px": np.linspace(50, 550, 12), "centroid_x_px": np.linspace(50, 750, 12)}})
desk = mnb.Desk(img.isel(z=0), rows, eyes="floor", height=420)
for k, channel in enumerate(desk.viewer._channels):
    channel["name"] = bad[k]
for k, text in enumerate(bad):
    desk.viewer.add_regions(mnb.Region(10 + k, 10, 60 + k, 90, name=text))
    desk.ask(text)
    desk.viewer.tell("notice", text=text)
    desk.panel.tell("notice", text=text)
desk
"""


@pytest.fixture(scope="module")
def at(tmp_path_factory):
    """A function that opens a notebook of some cells; server and browser serve the whole module."""
    folder = tmp_path_factory.mktemp("lab")
    with lab.server(folder) as address, lab.browser(lab.BROWSERS[0]) as chromium:
        pages = []

        def opened(name, *cells):
            page = chromium.new_page(viewport={"width": 1400, "height": 1000})
            pages.append(page)
            notebook = lab.Lab(page, address, lab.notebook(folder, name, [SETUP, *cells]))
            notebook.run(0)
            return notebook

        yield opened
        for page in pages:
            page.close()


def stage(notebook, n=0):
    return notebook.page.locator(".mnb-stage").nth(n).bounding_box()


def screen(notebook, y, x):
    """Where a place of the image lies in the page."""
    sx, sy = notebook.page.evaluate("([y, x]) => document.querySelector('.mnb-root').mnb.toScreen([y, x])", [y, x])
    box = stage(notebook)
    return box["x"] + sx, box["y"] + sy


def shot(notebook):
    """What the picture shows, ``(y, x, 3)``."""
    return np.asarray(Image.open(io.BytesIO(notebook.page.locator(".mnb-stage").first.screenshot())).convert("RGB"))


def state(notebook, expression):
    return notebook.page.evaluate(f"(() => {{ const v = document.querySelector('.mnb-root').mnb; return {expression}; }})()")


def test_looking_about(at):
    notebook = at("look", "viewer = mnb.Viewer(img, height=400)\nviewer", "viewer.view, viewer._display['z']")
    page = notebook.page
    notebook.run(1)
    notebook.settled()
    assert shot(notebook).max() > 100, "there is a picture"
    assert "µm" in page.locator(".mnb-scale").inner_text()
    x, y = screen(notebook, 90, 90)
    page.mouse.move(x, y)
    page.wait_for_function("/channel 0 2[,]?\\d\\d\\d/.test(document.querySelector('.mnb-status').innerText)")
    before = state(notebook, "v.zoom")
    page.mouse.wheel(0, -600)
    notebook.settled()
    assert state(notebook, "v.zoom") > 1.5 * before
    y1, x1 = state(notebook, f"v.toImage({x} - v.stage.getBoundingClientRect().left, {y} - v.stage.getBoundingClientRect().top)")
    assert abs(y1 - 90) < 2
    assert abs(x1 - 90) < 2, "what is under the pointer stays there"
    center = state(notebook, "v.center")
    page.mouse.down()
    page.mouse.move(x + 80, y + 40, steps=4)
    page.mouse.up()
    assert state(notebook, "v.center")[1] < center[1]
    page.keyboard.press("0")
    notebook.settled()
    bright = shot(notebook).astype(int)
    page.keyboard.press("2")
    page.wait_for_timeout(300)
    assert shot(notebook).astype(int).sum() < bright.sum(), "a channel less"
    page.keyboard.press("]")
    page.wait_for_timeout(200)
    notebook.settled()
    notebook.run(2)
    assert notebook.output(2).rstrip(")").endswith("3"), "the kernel knows the slice: the middle one and one more"
    assert notebook.errors == []


def test_objects_are_hovered_selected_and_corrected(at):
    chosen = "list(viewer.selected['label']), len(viewer.objects)"
    notebook = at("objects", _VIEWER, chosen, "viewer.select(where='label > 9')['label'].tolist()")
    page = notebook.page
    notebook.run(1)
    notebook.settled()
    page.mouse.move(*screen(notebook, 90, 90))
    page.wait_for_selector(".mnb-tip:not([hidden])")
    assert "900 µm²" in page.locator(".mnb-tip").inner_text()
    page.mouse.click(*screen(notebook, 90, 90))
    page.keyboard.down("Shift")
    page.mouse.click(*screen(notebook, 90, 280))
    page.keyboard.up("Shift")
    page.wait_for_selector("text=2 selected")
    notebook.run(2)
    assert notebook.output(2) == "([1, 2], 12)"
    page.locator(".mnb-acts button", has_text="merge").click()
    page.wait_for_selector("text=1 selected")
    page.keyboard.press("Escape")
    notebook.run(2)
    assert notebook.output(2).endswith("11)")
    page.locator(".mnb-acts button", has_text="undo").click()
    page.wait_for_selector("text=Objects: 12")
    notebook.run(3)
    page.wait_for_selector("text=3 selected")
    assert notebook.errors == []


def test_shapes_are_drawn_changed_and_deleted(at):
    told = "[(d.kind, d.name) for d in viewer._drawings.values()]"
    notebook = at(
        "draw", "viewer = mnb.Viewer(plane, height=400)\nviewer", told, "[[round(v) for v in r.box] for r in viewer.regions]"
    )
    page = notebook.page
    notebook.run(1)
    notebook.settled()

    def drag(a, b):
        page.mouse.move(*a)
        page.mouse.down()
        page.mouse.move(*b, steps=4)
        page.mouse.up()

    page.get_by_label("draw a box (b)").click()
    drag(screen(notebook, 100, 100), screen(notebook, 200, 250))
    page.get_by_label("draw a polygon (p)").click()
    for place in ((300, 300), (300, 400), (400, 400)):
        page.mouse.click(*screen(notebook, *place))
    page.keyboard.press("Enter")
    page.get_by_label("draw a line (l)").click()
    drag(screen(notebook, 450, 100), screen(notebook, 500, 300))
    page.get_by_label("draw a point (o)").click()
    page.mouse.click(*screen(notebook, 500, 500))
    page.wait_for_selector("text=Drawn: 4")
    notebook.run(2)
    assert literal_eval(notebook.output(2)) == [(kind, f"{kind} 1") for kind in ("box", "polygon", "line", "point")]
    page.mouse.click(*screen(notebook, 100, 175))  # its upper edge
    drag(screen(notebook, 200, 250), screen(notebook, 260, 350))  # its lower right corner
    page.wait_for_timeout(300)
    notebook.run(3)
    assert np.allclose(literal_eval(notebook.output(3))[0], [100, 100, 260, 350], atol=3)
    page.locator(".mnb-stage").first.focus()
    page.keyboard.press("Delete")
    page.wait_for_selector("text=Drawn: 3")
    with page.expect_download() as download:
        page.locator("button", has_text="save ImageJ ROIs").click()
    assert download.value.suggested_filename == "regions.zip"
    assert notebook.errors == []


def test_a_conversation_beside_the_picture(at):
    notebook = at(
        "desk", "desk = mnb.Desk(plane, found, height=420)\ndesk", "[(t.question, t.answer.value) for t in desk.chat.turns]"
    )
    page = notebook.page
    notebook.run(1)
    notebook.settled()
    line = page.locator(".mnb-ask")
    line.fill('count("object")')
    line.press("Enter")
    page.wait_for_selector(".mnb-n")
    assert page.evaluate("document.activeElement.className") == "mnb-ask", "the focus stays in the line"
    page.locator(".mnb-n", has_text="12").click()
    page.wait_for_selector(".mnb-card2")
    card = page.locator(".mnb-card2").inner_text()
    assert 'count("object")' in card
    assert "import micro_nb as mnb" in card
    page.get_by_label("draw a box (b)").click()
    page.mouse.move(*screen(notebook, 30, 30))
    page.mouse.down()
    page.mouse.move(*screen(notebook, 150, 400), steps=4)
    page.mouse.up()
    page.wait_for_selector("text=is box 1")
    line.fill('count(obj("object", where="this"))')
    line.press("Enter")
    page.wait_for_function("document.querySelectorAll('.mnb-turn').length === 2 && !document.querySelector('.mnb-dots')")
    line.press("ArrowUp")
    line.press("ArrowUp")
    assert line.input_value() == 'count("object")'
    notebook.run(2)
    assert [value for _, value in literal_eval(notebook.output(2))] == [12, 2]
    page.wait_for_timeout(2500)
    saved = notebook.save()
    kept = "".join(str(o.get("data", {})) for o in saved.cells[1].outputs)
    assert "image/png" in kept
    assert "in the marked region" in kept
    assert notebook.errors == []


def test_planes_slide_viewers_are_linked_and_two_fingers_pinch(at):
    movie = "movie = mnb.open_image(rng.integers(0, 999, (5, 3, 300, 400)).astype('u2'), axes='tzyx', pixel_size=0.5)\n"
    notebook = at(
        "planes", movie + "a = mnb.Viewer(movie, height=300)\na", "b = mnb.Viewer(movie, height=300)\nb", "mnb.link(a, b)",
        "a._display['t'], a._display['z'], [round(v) for v in a.view.box] == [round(v) for v in b.view.box]",
    )  # fmt: skip
    page = notebook.page
    for cell in (1, 2, 3):
        notebook.run(cell)
    notebook.settled()
    notebook.settled(1)
    slider = page.locator(".mnb-planes input[type=range]").first
    slider.focus()
    page.keyboard.press("End")
    page.wait_for_function("document.querySelector('.mnb-planes').innerText.includes('5 of 5')")
    assert page.evaluate("document.querySelectorAll('.mnb-root')[1].mnb.plane.t") == 4, "the linked one follows"
    page.locator(".mnb-planes input[type=checkbox]").first.check()
    notebook.settled()
    before, box, fingers = state(notebook, "v.zoom"), stage(notebook), page.context.new_cdp_session(page)
    y, x = box["y"] + 150, box["x"] + 200
    for kind, apart in (("touchStart", 30), ("touchMove", 60), ("touchMove", 90), ("touchEnd", None)):
        points = [] if apart is None else [{"x": x - apart, "y": y, "id": 1}, {"x": x + apart, "y": y, "id": 2}]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    page.wait_for_timeout(600)
    assert state(notebook, "v.zoom") == pytest.approx(3 * before, rel=0.05)
    assert page.evaluate("document.querySelectorAll('.mnb-root')[1].mnb.zoom") == pytest.approx(3 * before, rel=0.05)
    notebook.run(4)
    assert notebook.output(4) == "(4, -1, True)"
    assert notebook.errors == []


def test_a_map_has_a_legend_and_is_read_under_the_cursor(at):
    grid = "viewer = mnb.Viewer(plane, height=400)\nviewer.add_map(np.array([[0.25, 1.5], [np.nan, 0.75]]), name='doubt (%)')"
    notebook = at("maps", grid, "viewer._maps['doubt (%)'].opacity")
    page = notebook.page
    notebook.run(1)
    notebook.settled()
    assert "doubt (%)" in page.locator(".mnb-panel").inner_text()
    page.mouse.move(*screen(notebook, 100, 700))
    page.wait_for_function("/doubt \\(%\\) 1.5/.test(document.querySelector('.mnb-status').innerText)")
    page.mouse.move(*screen(notebook, 580, 100))
    page.wait_for_function("/doubt \\(%\\) –/.test(document.querySelector('.mnb-status').innerText)")
    seen = shot(notebook).astype(int)
    page.get_by_label("opacity of doubt (%)").focus()
    page.keyboard.press("Home")
    page.wait_for_timeout(400)
    clear = shot(notebook).astype(int)
    assert np.abs(seen - clear).max() > 60
    assert np.ptp(clear[100:300, 100:300], axis=2).max() < 12, "grey again"
    notebook.run(2)
    assert notebook.output(2) == "0.0"
    assert notebook.errors == []


def test_a_measurement_is_stopped_by_its_button(at):
    slow = (
        "import time\nfrom micro_nb.progress import Progress\nchat = mnb.Session(plane, log=False)\n"
        "def ask(question, **how):\n    with Progress('looking', 9000, 'tiles') as work:\n"
        "        for _ in range(9000):\n            time.sleep(0.02)\n            work.advance()\n"
        "chat.ask = ask\nmnb.ChatPanel(chat)"
    )
    notebook = at("stop", slow)
    page = notebook.page
    notebook.run(1)
    line = page.locator(".mnb-ask")
    line.fill("How many?")
    line.press("Enter")
    page.wait_for_function("/looking/.test(document.querySelector('.mnb-work').innerText)")
    page.locator(".mnb-work button").click()
    page.wait_for_selector("text=Stopped.")
    assert notebook.errors == []


def test_a_review_is_done_by_keys_alone(at):
    code = (
        "review = mnb.BlindReview({'first': [(plane, labels), 'text A'], 'second': [(plane, labels), 'text B']}, ['Ada', 'Ben'], "
        "compare=True, log='keys.jsonl')\nreview"
    )
    notebook = at("review", code, "review.table[['rater', 'case', 'note']].values.tolist()")
    page = notebook.page
    notebook.run(1)
    page.locator(".mnb-review select").select_option("Ben")
    page.wait_for_selector(".mnb-thing")
    assert "first" not in page.locator(".mnb-review").inner_text()
    page.keyboard.press("ArrowRight")
    page.wait_for_function("document.querySelector('.mnb-review').innerText.includes('1 of 2')")
    page.get_by_label("remark").fill("both alike 1 2 3")
    page.keyboard.press("Enter")
    page.keyboard.press("2")
    page.wait_for_selector("text=All is judged")
    notebook.run(2)
    assert [r[:2] for r in literal_eval(notebook.output(2))] == [["Ben", 1], ["Ben", 2]]
    assert "both alike 1 2 3" in notebook.output(2)
    assert notebook.errors == []


def test_after_a_reload_it_lives_and_without_a_kernel_a_picture_stands(at):
    notebook = at("reload", _VIEWER)
    page = notebook.page
    notebook.run(1)
    notebook.settled()
    page.wait_for_timeout(500)
    assert (
        page.locator(".jp-OutputArea-output img").count() == 0 or not page.locator(".jp-OutputArea-output img").first.is_visible()
    )
    notebook.save()
    page.reload()
    page.wait_for_selector(".mnb-root:not([hidden])", timeout=60_000)
    notebook.settled()
    page.evaluate("fetch('/api/kernels').then(r => r.json()).then(all => Promise.all(all.map(k => fetch('/api/kernels/' + k.id, "
                  "{method: 'DELETE'}))))")  # fmt: skip
    page.wait_for_timeout(1500)
    page.goto("about:blank")
    page.goto(f"{notebook.address}/lab/tree/reload.ipynb?reset")
    page.wait_for_selector(".jp-OutputArea-output img", timeout=60_000)
    picture = page.locator(".jp-OutputArea-output img").first
    assert picture.is_visible()
    assert picture.evaluate("i => i.naturalWidth") > 300
    assert (
        page.locator("text=Error displaying widget").count() == 0
        or not page.locator("text=Error displaying widget").first.is_visible()
    )


def test_after_a_restart_of_the_kernel_the_conversation_goes_on(at):
    cells = ("import pathlib", "desk = mnb.Desk(plane, found, height=420, log=pathlib.Path('talk.sqlite').absolute())\ndesk")
    notebook = at("restart", *cells, "[t.question for t in desk.chat.turns], desk.chat.id")
    page, ask = notebook.page, 'count("object")'
    notebook.run(1)
    notebook.run(2)
    notebook.settled()
    assert page.locator("text=Go on from").count() == 0, "nothing was asked before"
    page.locator(".mnb-ask").fill(ask)
    page.locator(".mnb-ask").press("Enter")
    page.wait_for_selector(".mnb-n")
    notebook.run(3)
    before = literal_eval(notebook.output(3))
    notebook.restart()
    for cell in range(3):
        notebook.run(cell)
    notebook.settled()
    page.locator("button", has_text="Go on from").click()
    page.wait_for_selector(".mnb-n")
    assert ask in page.locator(".mnb-q").inner_text()
    page.locator(".mnb-n", has_text="12").click()
    page.wait_for_selector(".mnb-card2")
    notebook.run(3)
    assert literal_eval(notebook.output(3)) == before, "code sees what was asked before"
    assert set(notebook.errors) <= {"Cannot send"}, "what JupyterLab says of widgets whose kernel is gone"


def test_hostile_text_is_shown_as_text(at):
    notebook = at("hostile", HOSTILE)
    page = notebook.page
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    notebook.run(1)
    notebook.settled()
    page.locator("button[aria-label^=channels]").click()
    page.wait_for_timeout(500)
    page.locator(".mnb-stage").first.focus()
    page.keyboard.press("0")
    notebook.settled()
    page.mouse.move(*screen(notebook, 550.5, 750.5))
    page.wait_for_selector(".mnb-tip:not([hidden])")
    assert page.evaluate("window.hacked") is None
    assert page.locator(".mnb-root script, .mnb-root iframe, .mnb-root object, .mnb-root svg[onload]").count() == 0
    assert page.locator(".mnb-q").first.inner_text() == PAYLOADS[0]
    assert page.locator(".mnb-tip").inner_text().count("window.hacked=1") >= 1
    assert asked == []
