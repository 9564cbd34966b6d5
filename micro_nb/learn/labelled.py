"""Images and label images of a user, in any form, as training samples."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..data.image import MicroImage
from ..data.open import open_image
from ..errors import AxesError, ImageNotFoundError
from .labelled_set import read_set
from .sample import UNKNOWN, Sample, eight_bit, relabelled, typical_diameter

_ENDS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".zarr", ".npy")
_LARGEST = 65000
_ASTRAY = 0.25
"""Objects lie in one piece each. Where a larger share of what is labelled lies apart, the numbers are not those of objects."""


@dataclass(frozen=True)
class Labelled:
    """An image and what is labelled in it.

    Attributes
    ----------
    image : a plane. labels : ``(y, x) int32``; 0 background, -1 not known.
    """

    image: MicroImage
    labels: np.ndarray

    def sample(self, name: str, number: int | str, *, dataset: str = "mine", facts: Mapping[str, str] | None = None) -> Sample:
        """For training; every object is called ``name``."""
        names = {"object": {int(k): name for k in np.unique(self.labels[self.labels > 0])}}
        picture, stem = eight_bit(np.asarray(self.image.read())), f"{number} {self.image.name}"
        wide = typical_diameter([self.labels])
        return Sample(picture, {"object": self.labels}, names, dataset, stem, stem, wide, dict(facts or {})).reduced()


def read_folder(place: str | os.PathLike[str]) -> Iterator[Sample]:
    """Samples of a labelled folder, or of each one in a folder of them: its images with label images.

    Raises
    ------
    ImageNotFoundError : there is no index.csv.
    """
    here = Path(place)
    within = [] if (here / "index.csv").exists() else sorted(p.parent for p in here.glob("*/index.csv"))
    for folder in within or [here]:
        data = read_set(folder)
        for k, item in enumerate(data.images):
            if (labels := item.masks(data.notes.rim_px)) is not None:
                pair = Labelled(item.open(), relabelled(labels))
                yield pair.sample(item.prompt or "object", k, dataset=data.name, facts=item.facts)


def read_labelled(images: Any, labels: Any, *, partial: bool = False) -> list[Labelled]:
    """Pairs of images and label images.

    Parameters
    ----------
    images : a folder, or a list of paths, MicroImages and arrays ``(y, x)``, ``(3, y, x)`` or ``(y, x, 3)``.
    labels : a folder whose files have the same stems as the images (``a.png``, ``a.tif``; also ``a_label.png``, ``a_mask.png``),
        or a list in the order of the images: whole numbers, one for each object, 0 background, -1 not known.
    partial : background is not known either, as only some objects were labelled.

    Raises
    ------
    ImageNotFoundError : a folder holds nothing, or an image has no labels.
    AxesError : sizes differ, or labels are no whole numbers in one plane.
    ValueError : the lists differ in length, no object is labelled at all, or objects have no numbers of their own.
    """
    left, right = _listed(images), _listed(labels)
    if isinstance(labels, str | os.PathLike):
        right = _partners(left, right)
    if len(left) != len(right):
        raise ValueError(f"{len(left)} images but {len(right)} label images; give one for each image, in the same order")
    found = [_pair(image, lab, partial=partial) for image, lab in zip(left, right, strict=True)]
    if not any((pair.labels > 0).any() for pair in found):
        raise ValueError(f"none of {len(found)} label images has an object (a number above 0)")
    labelled, apart = (sum(some) for some in zip(*(_apart(pair.labels) for pair in found), strict=True))
    if apart > _ASTRAY * labelled:
        raise ValueError(
            f"{apart / labelled:.0%} of what is labelled in {len(found)} label images shares its number with another object: "
            "these are masks, classes or pictures; give each object a number of its own, e.g. skimage.measure.label(mask > 0), "
            "and part objects that touch"
        )
    return found


def _apart(labels: np.ndarray) -> tuple[int, int]:
    """Labelled pixels, and how many of them lie outside the largest connected piece of their number."""
    from skimage import measure

    known = np.maximum(labels, 0)
    parts = np.asarray(measure.label(known, background=0, connectivity=2))  # type: ignore[no-untyped-call]
    part, first = np.unique(parts, return_index=True)
    areas = np.bincount(parts.ravel())[1:]
    largest = np.zeros(int(known.max(initial=0)) + 1, int)
    np.maximum.at(largest, known.ravel()[first[part > 0]], areas)
    return int(areas.sum()), int(areas.sum() - largest.sum())


def _listed(things: Any) -> list[Any]:
    if isinstance(things, str | os.PathLike):
        folder, what = Path(things), "no pictures in this folder" if Path(things).is_dir() else "no such folder"
        found: list[Any] = sorted(p for p in folder.glob("*") if p.suffix.lower() in _ENDS)
        if not found:
            raise ImageNotFoundError(f"{folder}: {what} ({', '.join(_ENDS)})")
        return found
    if not isinstance(things, Sequence):
        raise TypeError(f"images and labels are a folder or a list; got {type(things).__name__}")
    return list(things)


def _partners(images: Sequence[Any], labels: Sequence[Path]) -> list[Path]:
    by_stem, out = {_stem(p): p for p in labels}, []
    for image in images:
        name = str(image) if isinstance(image, str | os.PathLike) else getattr(image, "name", "")
        if _stem(Path(name)) not in by_stem:
            raise ImageNotFoundError(f"no labels for {name or 'an array'}: labels/ needs a file of the same stem; or give lists")
        out.append(by_stem[_stem(Path(name))])
    return out


def _stem(path: Path) -> str:
    return re.sub(r"_(label|mask)s?$", "", path.name.split(".")[0].lower())


def _pair(image: Any, labels: Any, *, partial: bool) -> Labelled:
    plane = _opened(image).plane()
    if plane.sizes.get("c", 1) not in (1, 3):
        raise ValueError(f"{plane.name} has {plane.sizes['c']} channels; give one or three: open_image(...).sel(c=...)")
    numbered = relabelled(np.maximum(_whole_numbers(labels, plane).astype(np.int64), UNKNOWN))
    if numbered.max(initial=0) > _LARGEST:
        raise ValueError(f"labels of {plane.name} hold {numbered.max()} objects; at most {_LARGEST} an image")
    return Labelled(plane, np.where((numbered == 0) & partial, np.int32(UNKNOWN), numbered))


def _whole_numbers(labels: Any, plane: MicroImage) -> np.ndarray:
    """Labels as they were given, once they fit the image; floats are taken where they hold whole numbers, as Fiji writes them."""
    lab = labels if isinstance(labels, np.ndarray) else np.squeeze(np.asarray(_opened(labels).read()))
    said = f"labels of {plane.name} are {lab.dtype} {lab.shape}"
    if lab.ndim != 2:
        raise AxesError(
            f"{said}, not one plane {plane.plane_shape}: a picture in colours is no label image; export a number for each object"
        )
    if lab.shape != plane.plane_shape:
        raise AxesError(f"{said}, but the image is {plane.plane_shape}: they must be of one size, pixel for pixel")
    if lab.dtype.kind not in "iubf" or (lab.dtype.kind == "f" and not (np.isfinite(lab) & (lab == np.round(lab))).all()):
        raise AxesError(f"{said} and hold fractions: they must be whole numbers, 0 for background and one for each object")
    return lab


def _opened(thing: Any) -> MicroImage:
    """An image; a bare array of three axes is ``(3, y, x)`` or, where its last axis is the one of three, ``(y, x, 3)``."""
    if isinstance(thing, str | os.PathLike) and Path(thing).suffix == ".npy":
        thing = np.load(thing, allow_pickle=False)
    if isinstance(thing, np.ndarray) and thing.ndim == 3 and 3 in (thing.shape[0], thing.shape[-1]):
        return open_image(thing, axes="cyx" if thing.shape[0] == 3 else "yxc")
    return open_image(thing)
