"""The project's own promises: one list of dependencies, a light import, layers."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib

import pytest
import yaml
from conftest import ROOT

import micro_nb

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
HEAVY = ("torch", "xarray", "pandas", "zarr", "holoviews", "transformers", "skimage", "numpy", "tifffile", "PIL")


def _requirements(groups):
    extras = PROJECT["optional-dependencies"]
    return {r for group in groups for r in extras[group]} | set(PROJECT["dependencies"])


def _conda_name(requirement):
    name = re.sub(r"\[.*\]", "", requirement)
    return re.sub(r"^torch(?=>)", "pytorch", re.sub(r"^dask(?=>)", "dask-core", name))


def test_environment_yml_lists_what_pyproject_lists():
    groups = re.search(r"\[(.*)\]", PROJECT["optional-dependencies"]["all"][0]).group(1).split(",")
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    pip = next(d for d in listed if isinstance(d, dict))["pip"]
    conda = {d for d in listed if isinstance(d, str)} - {"pip", f"python{PROJECT['requires-python']}"}
    assert conda | set(pip) == {r if r in pip else _conda_name(r) for r in _requirements(groups)}


def test_every_direct_dependency_is_pinned():
    pins = {line.split("==")[0].lower().replace("_", "-") for line in (ROOT / "constraints.txt").read_text().splitlines()}
    wanted = _requirements(g for g in PROJECT["optional-dependencies"] if g != "all")
    names = {re.split(r"[\[>=<]", r)[0].lower() for r in wanted}
    assert names <= pins


def test_import_loads_no_heavy_library():
    code = f"import sys, micro_nb; print([m for m in {HEAVY!r} if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


@pytest.mark.parametrize("name", micro_nb.__all__)
def test_every_public_name_loads_and_is_documented(name):
    value = getattr(micro_nb, name)
    assert name == "__version__" or value.__doc__


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="no attribute 'segmnt'"):
        micro_nb.segmnt  # noqa: B018
