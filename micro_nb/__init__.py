"""micro_nb: open any microscope image in a notebook, see it, stream it, measure it, ask it.

    import micro_nb as mnb
    img = mnb.open_image("slide.ome.zarr")

Names load on first use, so ``import micro_nb`` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .settings import settings as settings  # now: loaded later, the module of this name would hide the object

__version__ = "0.1.0"

_HOME = {
    "open_image": ".data.open", "MicroImage": ".data.image", "Region": ".data.region", "save_image": ".data.save",
    "samples": ".data.samples", "settings": ".settings", "errors": ".errors",
    "TileGrid": ".tiles.plan", "stream": ".tiles.stream", "TileDataset": ".tiles.dataset", "map_tiles": ".tiles.run",
    "Objects": ".tiles.objects",
    "quality": ".analysis.quality", "segment": ".analysis.segment", "measure": ".analysis.measure",
    "sample_objects": ".analysis.sampling",
    "load_model": ".tasks", "parse": ".tasks", "classify": ".tasks", "embed": ".tasks", "explain": ".tasks", "Index": ".tasks",
    "train": ".learn.train", "evaluate": ".learn.evaluate", "export": ".learn.export",
    "Session": ".session.session", "Evidence": ".session.evidence", "Answer": ".session.answer",
    "overview": ".face.overview", "report": ".face.report", "ChatPanel": ".face.chat",
    "Viewer": ".face.viewer.viewer", "link": ".face.viewer.viewer",
    "Desk": ".face.desk", "BlindReview": ".face.review",
}  # fmt: skip
_MODULES = {"samples", "errors"}

__all__ = [*sorted(_HOME), "__version__"]


def __getattr__(name: str) -> Any:
    try:
        module = importlib.import_module(_HOME[name], __name__)
    except KeyError:
        raise AttributeError(f"module 'micro_nb' has no attribute {name!r}") from None
    value = module if name in _MODULES else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


def load_ipython_extension(ipython: Any) -> None:
    """``%load_ext micro_nb``: adds the ``%%ask`` cell magic."""
    importlib.import_module(".face.magics", __name__).load(ipython)


if TYPE_CHECKING:
    from . import errors as errors
    from .data import samples as samples
    from .data.image import MicroImage as MicroImage
    from .data.open import open_image as open_image
    from .data.region import Region as Region
