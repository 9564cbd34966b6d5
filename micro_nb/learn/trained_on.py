"""Whether pictures were trained on: the list a model carries, and leaks between two folders by content and by thumbnail."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from ..data.open import open_image
from ..errors import CorruptImageError, ImageNotFoundError, MicroNBError
from ..progress import track

LIST_NAME = "trained_on.csv"
WEIGHTS = Path(__file__).parents[1] / "models" / "weights"
_COLUMNS = ("dataset", "name", "sha256")
_THUMBNAIL = 16
_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
Places = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


class ContaminationError(MicroNBError, ValueError):
    """A figure would be computed on pictures that the model was trained on."""


def content_hashes(path: str | os.PathLike[str]) -> dict[str, str]:
    """What a picture is, whatever its name: SHA-256 of its file, and of its pixels, which survive another compression.

    Returns
    -------
    ``file``: of the bytes. ``pixels``: of shape and pixels as uint8 or wider integers; three equal channels count as one.
    """
    data = Path(path).read_bytes()
    return {"file": hashlib.sha256(data).hexdigest(), "pixels": pixel_hash(np.asarray(open_image(path).read()))}


def pixel_hash(pixels: np.ndarray) -> str:
    """SHA-256 of decoded pixels ``(y, x)``, ``(c, y, x)`` or ``(y, x, c)``; three equal channels count as one."""
    for axis in (0, -1):
        if pixels.ndim == 3 and pixels.shape[axis] in (3, 4):
            first = pixels.take([0], axis=axis)
            if (pixels.take([1, 2], axis=axis) == first).all():
                pixels = first.squeeze(axis)
                break
    if pixels.ndim == 3 and pixels.shape[-1] in (3, 4):
        pixels = np.moveaxis(pixels, -1, 0)
    digest = hashlib.sha256(f"{pixels.shape} {pixels.dtype.str}".encode())
    digest.update(np.ascontiguousarray(pixels).tobytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class TrainedOn:
    """The list of pictures that a model was trained on.

    Attributes
    ----------
    table : columns dataset, name, sha256 (of the file's bytes or of :func:`pixel_hash`); None where the model carries no list.
    source : where it comes from, in words.
    """

    table: pd.DataFrame | None
    source: str

    @classmethod
    def of(cls, model: Any = None) -> TrainedOn:
        """The list in a model's folder: a path or name, a loaded model, or None for the model of the package."""
        place = _folder("nano" if model is None else model)
        path = None if place is None else (place if place.suffix == ".csv" else place / LIST_NAME)
        if path is None or not path.exists():
            return cls(None, f"{path or type(model).__name__}: there is no list of training pictures")
        table = pd.read_csv(path, dtype=str)
        if not set(_COLUMNS) <= set(table):
            raise CorruptImageError(f"{path}: needs the columns {', '.join(_COLUMNS)}; it has {list(table.columns)}")
        return cls(table, str(path))

    def holds(self, paths: Sequence[Path]) -> np.ndarray:
        """Which pictures are on the list, ``(n,) bool``."""
        if self.table is None:
            return np.zeros(len(paths), bool)
        listed = set(self.table["sha256"].str.lower())
        return np.array([bool(listed & set(content_hashes(p).values())) for p in paths], bool)

    def check(self, paths: Sequence[Path], *, force: bool, what: str) -> np.ndarray:
        """As :meth:`holds`, and refuses where any is on the list.

        Raises
        ------
        ContaminationError : some are, and ``force`` was not said.
        """
        held = self.holds(paths)
        if held.any() and not force:
            first = next(p.name for p, bad in zip(paths, held, strict=True) if bad)
            raise ContaminationError(
                f"{what}: the model was trained on {int(held.sum())} of these {len(held)} pictures ({first}, ...; see "
                f"{self.source}), so figures on them say nothing of new pictures; evaluate on others, or say force=True to "
                "have them marked"
            )
        return held


def _folder(model: Any) -> Path | None:
    name = os.fspath(model) if isinstance(model, str | os.PathLike) else model_name(model)
    if not name:
        return None
    return WEIGHTS / name if (WEIGHTS / name).is_dir() else Path(name)


def model_name(model: Any) -> str:
    """The folder or hub id that a model was loaded from; empty where it was made in memory."""
    return str(getattr(model, "name_or_path", "") or getattr(getattr(model, "config", None), "_name_or_path", "") or "")


def leaks(train: Places, test: Places, *, distance: float = 0.05) -> pd.DataFrame:
    """Pictures of a test set that are, or look like, pictures of a training set.

    Parameters
    ----------
    train, test : a folder (its ``images/`` where it has one), or paths of pictures.
    distance : thumbnails of ``16 x 16`` grey pixels are compared, each brought to mean 0 and variance 1, turned and mirrored in
        all 8 ways; the distance is 1 minus their correlation, 0..2. Below this a pair is reported. Pictures without structure
        are compared by content alone.

    Returns
    -------
    A row a test picture that leaks: ``test``, ``train`` (paths), ``kind`` (``"same file"``, ``"same pixels"``,
    ``"looks the same"``) and ``distance``; the worst kind and the nearest picture of each.

    Raises
    ------
    ImageNotFoundError : a folder holds no pictures.
    """
    old, new = ([_Seen.of(p) for p in track(_pictures(places), "looking for leaks", unit="pictures")] for places in (train, test))
    files, pixels = ({getattr(s, k): s.path for s in reversed(old)} for k in ("file", "pixels"))
    far, nearest = _distances(old, new)
    rows = []
    for k, seen in enumerate(new):
        if seen.file in files:
            rows.append((seen.path, files[seen.file], "same file", 0.0))
        elif seen.pixels in pixels:
            rows.append((seen.path, pixels[seen.pixels], "same pixels", 0.0))
        elif far[k] < distance:
            rows.append((seen.path, old[nearest[k]].path, "looks the same", float(far[k])))
    return pd.DataFrame([(str(a), str(b), c, d) for a, b, c, d in rows], columns=["test", "train", "kind", "distance"])


@dataclass(frozen=True)
class _Seen:
    path: Path
    file: str
    pixels: str
    thumbnail: np.ndarray

    @classmethod
    def of(cls, path: Path) -> _Seen:
        pixels = np.asarray(open_image(path).read())
        file = hashlib.sha256(path.read_bytes()).hexdigest()
        return cls(path, file, pixel_hash(pixels), thumbnail(pixels))


def thumbnail(pixels: np.ndarray) -> np.ndarray:
    """``(16, 16) float32`` grey means of a picture with mean 0 and unit length; zeros where it has no structure."""
    while pixels.ndim > 2:
        pixels = pixels.mean(axis=-1 if pixels.shape[-1] in (3, 4) else 0)
    grey = Image.fromarray(np.ascontiguousarray(pixels, np.float32))
    small = np.asarray(grey.resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX), np.float32)
    centred = small - small.mean()
    length = float(np.linalg.norm(centred))
    return centred / length if length > 1e-3 * max(1.0, float(np.abs(small).max())) else np.zeros_like(small)


def _distances(old: Sequence[_Seen], new: Sequence[_Seen]) -> tuple[np.ndarray, np.ndarray]:
    """Of each new picture: the distance to the nearest old one, and which that is."""
    known = np.stack([s.thumbnail for s in old])
    asked = np.stack([s.thumbnail.ravel() for s in new])
    best = np.full((len(new), len(old)), -1.0, np.float32)
    for flip in (known, known[:, :, ::-1]):
        for turns in range(4):
            turned = np.rot90(flip, turns, axes=(1, 2)).reshape(len(old), -1)
            np.maximum(best, asked @ turned.T, out=best)
    return 1 - best.max(1), best.argmax(1)


def _pictures(places: Places) -> list[Path]:
    if not isinstance(places, str | os.PathLike):
        return [Path(p) for p in places]
    root = Path(places)
    inner = root / "images" if (root / "images").is_dir() else root
    found = sorted(p for p in inner.rglob("*") if p.suffix.lower() in _PICTURES)
    if not found:
        raise ImageNotFoundError(f"{inner}: no pictures ({', '.join(_PICTURES)}) here")
    return found
