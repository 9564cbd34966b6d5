"""scikit-image's sample images by name, with the axes, scale, channels and licence that its documentation states."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ImageNotFoundError, MissingExtraError
from ..image import MicroImage
from ..source import Channel
from ..sources.arrays import ArraySource


@dataclass(frozen=True)
class _Entry:
    """What scikit-image's documentation says of one image."""

    axes: str
    what: str
    licence: str
    file: str
    pixel_size: tuple[float, ...] | None = None  # µm, in the order of the z, y, x that ``axes`` holds
    channels: tuple[Channel, ...] = ()


_RGB = "yxc"
_CELLS = (Channel("membrane", "#ff4dd2"), Channel("nuclei", "#4d8dff"))
_KIDNEY = tuple(Channel(f"{nm} nm", c, None, float(nm)) for nm, c in ((450, "#4d8dff"), (515, "#33d17a"), (605, "#ff5a4d")))
_PUBLIC, _NONE = "CC0", "no known copyright restrictions"
_IMAGES = {
    "immunohistochemistry": _Entry(
        _RGB, "colonic glands: FHL2 by DAB, haematoxylin counterstain (CMMI)", _NONE, "ihc.png"
    ),
    "cell": _Entry("yx", "quantitative phase of a cell in saline (Müller et al. 2018)", _PUBLIC, "cell.png", (0.107, 0.107)),
    "microaneurysms": _Entry("yx", "detail of a retina with lesions (HRF database)", _PUBLIC, "microaneurysms.png"),
    "retina": _Entry(_RGB, "fundus photograph of a human retina (Häggström 2014)", _PUBLIC, "retina.jpg"),
    "human_mitosis": _Entry("yx", "human cells undergoing mitosis (Moffat et al. 2006)", _PUBLIC, "mitosis.tif"),
    "cells3d": _Entry(
        "zcyx", "cells in 3D, membranes and nuclei (Allen Institute for Cell Science)", "not stated", "cells3d.tif",
        (0.29, 0.26, 0.26), _CELLS,
    ),
    "kidney": _Entry("zyxc", "mouse kidney, confocal (G. Buckley)", _PUBLIC, "kidney.tif", (1.25, 1.24, 1.24), _KIDNEY),
    "lily": _Entry("yxc", "stem of lily of the valley, confocal (G. Buckley)", _PUBLIC, "lily.tif", (1.24, 1.24)),
    "skin": _Entry(_RGB, "dermis and epidermis with a naevus, H&E, 10x (Kilbad)", "public domain", "skin.jpg"),
    "protein_transport": _Entry("tcyx", "protein re-localising to the nuclear envelope", "not stated", "protein_transport.tif"),
    "nickel_solidification": _Entry("tyx", "X-radiographs of a solidifying nickel alloy", "not stated", "solidification.tif"),
    "palisades_of_vogt": _Entry("tyx", "palisades of Vogt in vivo", "not stated", "palisades_of_vogt.tif"),
}  # fmt: skip


def names(*, bundled: bool | None = None) -> tuple[str, ...]:
    """Names that :func:`load` knows; with ``bundled`` only those that need (False) or need no (True) download.

    >>> "immunohistochemistry" in names(bundled=True)
    True
    """
    return tuple(sorted(n for n in _IMAGES if bundled is None or _is_here(n) == bundled))


def load(name: str, *, download: bool = False) -> MicroImage:
    """One of scikit-image's images of microscopy.

    Parameters
    ----------
    name : see :func:`names`.
    download : whether scikit-image may fetch an image that is not on this machine; nothing is fetched otherwise.

    Raises
    ------
    ImageNotFoundError : an unknown name, or one that needs a download that was not allowed or did not succeed.
    MissingExtraError : a download needs the package pooch.
    """
    if name not in _IMAGES:
        raise ImageNotFoundError(f"no sample is called {name!r}; there are {', '.join(names())}")
    if not _is_here(name) and not download:
        raise ImageNotFoundError(
            f"sample {name!r} does not ship with scikit-image; allow fetching it with samples.load({name!r}, download=True), "
            f"or take one that is here: {', '.join(names(bundled=True))}"
        )
    return MicroImage(_source(name, _fetch(name)))


def _fetch(name: str) -> np.ndarray:
    from skimage import data

    try:
        return np.asarray(getattr(data, name)())
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"fetching {name!r} needs pooch; pip install 'micro-nb[samples]' ({error})") from None
    except (OSError, ValueError) as error:  # requests' errors are OSErrors; pooch says ValueError for a wrong hash
        raise ImageNotFoundError(f"sample {name!r} could not be fetched ({error}); check the connection") from None


def _source(name: str, array: np.ndarray) -> ArraySource:
    entry = _IMAGES[name]
    source = ArraySource.of(array, axes=entry.axes)
    spatial = [a for a in "zyx" if a in entry.axes]
    facts: dict[str, Any] = {"what": entry.what, "licence": entry.licence, "source": f"scikit-image {version('scikit-image')}"}
    info = replace(
        source.described, channels=entry.channels or source.described.channels, facts=facts,
        pixel_size=dict(zip(spatial, entry.pixel_size, strict=True)) if entry.pixel_size else None,
        pixel_size_source="scikit-image documentation" if entry.pixel_size else None,
    )  # fmt: skip
    return replace(source, described=info, uri=f"sample:{name}", format="scikit-image sample")


def _is_here(name: str) -> bool:
    """Whether the image lies in scikit-image's package or in its download folder."""
    import skimage
    from skimage import data

    file = _IMAGES[name].file
    return (Path(skimage.__file__).parent / "data" / file).exists() or (Path(data.data_dir) / file).exists()
