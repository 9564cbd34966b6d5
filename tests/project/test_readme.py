"""The README is true: its tree, its code, its links."""

from __future__ import annotations

import re

import pytest
from conftest import ROOT
from project import readme_tree

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.S)


def test_the_tree_lists_what_is_there():
    assert readme_tree.BEGIN + readme_tree.tree() + readme_tree.END in README, "run python tests/project/readme_tree.py"


@pytest.mark.parametrize("code", BLOCKS)
def test_its_code_runs(code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert True


@pytest.mark.parametrize("target", re.findall(r"\]\((?!https?://)([^)#]+)\)", README))
def test_its_links_lead_somewhere(target):
    assert (ROOT / target).exists()
