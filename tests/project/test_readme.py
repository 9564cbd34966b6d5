"""The README and the pages of docs/ are true: their code runs, their links lead somewhere, the tree is what is there."""

from __future__ import annotations

import re

import pytest
from conftest import ROOT
from project import tree

README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]
MOST_BYTES = 10_000


def _named(page):
    return str(page.relative_to(ROOT))


def _code(page):
    return "\n".join(re.findall(r"^```python\n(.*?)^```", page.read_text(), flags=re.S | re.M))


def _links(page):
    text = re.sub(r"^```.*?^```|`[^`\n]*`", "", page.read_text(), flags=re.S | re.M)
    return re.findall(r"\]\((?!https?://|#)([^)#\s]+)[^)]*\)", text)


def test_the_readme_is_short():
    assert README.stat().st_size <= MOST_BYTES


def test_the_readme_has_a_line_for_every_notebook():
    here = {f"notebooks/{p.name}" for p in (ROOT / "notebooks").glob("*.ipynb")}
    assert here == {link for link in _links(README) if link.endswith(".ipynb")}


def test_the_readme_leads_to_every_page():
    led, todo = set(), [README]
    while todo:
        page = todo.pop()
        led.add(page)
        nearby = ((page.parent / link).resolve() for link in _links(page))
        todo += [p for p in nearby if p in PAGES and p not in led]
    assert led == set(PAGES)


@pytest.mark.parametrize("page", [p for p in PAGES if _code(p)], ids=_named)
def test_its_code_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(_code(page), _named(page), "exec"), {"__name__": "page"})
    assert True


@pytest.mark.parametrize("page", PAGES, ids=_named)
def test_its_links_lead_somewhere(page):
    assert not [link for link in _links(page) if not (page.parent / link).exists()]


def test_every_folder_is_named_and_every_folder_named_is_there():
    told = tree.told()
    assert not [name for name in told if not (ROOT / name).is_dir()]
    assert not sorted(tree.folders() - set(told))
    assert all(told.values())


def test_every_figure_names_a_script_that_is_there():
    commands = re.findall(r"`python (benchmarks/\w+\.py)", (ROOT / "docs" / "figures.md").read_text())
    assert commands
    assert all((ROOT / script).is_file() for script in commands)
