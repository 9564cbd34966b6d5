"""The tree of folders in docs/architecture.md: a line a folder, read back as paths."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "architecture.md"
CODE = (".py", ".ipynb")


def told() -> dict[str, str]:
    """Folders that the page names, as paths from the root, each with what is said of it."""
    text = re.search(r"<!-- tree -->\n```text\n(.*?)```", PAGE.read_text(), flags=re.S)
    assert text, f"{PAGE}: no tree between <!-- tree --> and <!-- /tree -->"
    found: dict[str, str] = {}
    above: list[str] = []
    for line in text[1].splitlines():
        name, _, about = line.strip().partition("/")
        depth = (len(line) - len(line.lstrip())) // 2
        above = [*above[:depth], name]
        found["/".join(above)] = about.strip()
    return found


def folders() -> set[str]:
    """Folders with Python or notebooks that git tracks or would; of the tests only the first, as they mirror the package."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    holding = {str(Path(name).parent) for name in listed if name.endswith(CODE) and (ROOT / name).exists()}
    return {"tests" if f.startswith("tests/") else f for f in holding} - {"."}
