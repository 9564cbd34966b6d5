"""The README's tree: a line per file, taken from each module's first docstring line.

``python tests/project/readme_tree.py`` writes it anew; the test in this folder fails when it is not true.
"""

from __future__ import annotations

import ast
import json
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
BEGIN, END = "<!-- tree -->\n```text\n", "```\n<!-- /tree -->"
FOLDERS = ("micro_nb", "notebooks", "benchmarks")
OTHERS = {
    "tests/": "as the package: a folder a layer, and project/ for packaging and this page",
    "pyproject.toml": "dependencies, extras, and the settings of ruff, mypy, pytest and the import contract",
    "constraints.txt": "the exact versions that `make setup` installs",
    "environment.yml": "the same dependencies for conda",
    "Makefile": "demo, test, setup, lab, check, notebooks, bench",
}
WIDTH = 30


def first_line(path: Path) -> str:
    """What a module or notebook says of itself first."""
    if path.suffix == ".ipynb":
        return str("".join(json.loads(path.read_text())["cells"][0]["source"]).splitlines()[0].lstrip("# "))
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return re.split(r"\. (?=[A-Z])", text.split("\n\n")[0].replace("\n", " ").replace("``", "`"))[0].rstrip(".")


def files(folder: str) -> list[Path]:
    """Files of a folder that git tracks or would."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "--", folder], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    return [p for p in (ROOT / name for name in sorted(set(listed))) if p.suffix in (".py", ".ipynb") and p.exists()]


def branch(folder: Path, paths: list[Path], depth: int) -> list[str]:
    """Lines of one folder: its own modules first, then its folders."""
    lines = []
    for path in (p for p in paths if p.parent == folder):
        about = first_line(path)
        if about:
            lines.append(f"{'  ' * depth + path.name:<{WIDTH}} {about}".rstrip())
    for inner in sorted({p.relative_to(folder).parts[0] for p in paths if p.parent != folder}):
        lines.append(f"{'  ' * depth}{inner}/")
        lines += branch(folder / inner, [p for p in paths if folder / inner in p.parents], depth + 1)
    return lines


def tree() -> str:
    """The whole tree as text."""
    lines: list[str] = []
    for folder in FOLDERS:
        lines += [f"{folder}/", *branch(ROOT / folder, files(folder), 1)]
    lines += [f"{name:<{WIDTH}} {about}" for name, about in OTHERS.items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    text = README.read_text()
    start, stop = text.index(BEGIN) + len(BEGIN), text.index(END)
    README.write_text(text[:start] + tree() + text[stop:])


if __name__ == "__main__":
    main()
