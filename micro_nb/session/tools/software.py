"""The tool that states what measures: versions, and the name of the weights."""

from __future__ import annotations

import platform
from importlib.metadata import version

from ... import __version__
from ...data.image import MicroImage
from ..registry import Measurement, tool

_LIBRARIES = ("numpy", "scipy", "scikit-image")
_WEIGHTS_SHOWN = 12


@tool("software", quantity="versions of the software", needs_image=False)
def software(img: MicroImage | None = None, *, weights: str = "") -> tuple[Measurement, ...]:
    """Versions of micro_nb, Python and the libraries that measure, and the beginning of a hash of model weights."""
    versions = {"micro_nb": __version__, "Python": platform.python_version()} | {name: version(name) for name in _LIBRARIES}
    measured = tuple(Measurement(f"version of {name}", number) for name, number in versions.items())
    return measured + ((Measurement("weights of the model", weights[:_WEIGHTS_SHOWN]),) if weights else ())
