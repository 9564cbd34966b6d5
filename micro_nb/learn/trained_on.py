"""Whether pictures were trained on: the list a model carries, and leaks between two folders by content and by thumbnail."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
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
COLUMNS = ("dataset", "name", "sha256")
_THUMBNAIL = 16
_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
Places = str | os.PathLike[str] | Iterable[str | os.PathLike[str]]


class ContaminationError(MicroNBError, ValueError):
    """A figure would be computed on pictures that the model was trained on."""


@dataclass(frozen=True)
class Content:
    """What a picture is, whatever its name."""

    path: Path

    @cached_property
    def file(self) -> str:
        """SHA-256 of the file."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @cached_property
    def read(self) -> np.ndarray:
        """All of it."""
        return np.asarray(open_image(self.path).read())

    @cached_property
    def pixels(self) -> str:
        """SHA-256 of shape and pixels, which survive another compression."""
        return pixel_hash(self.read)

    @cached_property
    def thumbnail(self) -> np.ndarray:
        """``(16, 16) float32`` grey means with mean 0 and unit length; zeros where there is no structure."""
        pixels = self.read
        while pixels.ndim > 2:
            pixels = pixels.mean(axis=-1 if pixels.shape[-1] in (3, 4) else 0)
        grey = Image.fromarray(np.ascontiguousarray(pixels, np.float32))
        small = np.asarray(grey.resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX), np.float32)
        centred = small - small.mean()
        length = float(np.linalg.norm(centred))
        return centred / length if length > 1e-3 * max(1.0, float(np.abs(small).max())) else np.zeros_like(small)


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
        name = "nano" if model is None else os.fspath(model) if isinstance(model, str | os.PathLike) else model_name(model)
        place = WEIGHTS / name if name and (WEIGHTS / name).is_dir() else Path(name)
        path = place if place.suffix == ".csv" else place / LIST_NAME
        if not name or not path.exists():
            return cls(None, f"{path if name else type(model).__name__}: there is no list of training pictures")
        table = pd.read_csv(path, dtype=str)
        if not set(COLUMNS) <= set(table):
            raise CorruptImageError(f"{path}: needs the columns {', '.join(COLUMNS)}; it has {list(table.columns)}")
        return cls(table, str(path))

    def holds(self, paths: Sequence[Path]) -> np.ndarray:
        """Which pictures are on the list, ``(n,) bool``."""
        listed = set() if self.table is None else set(self.table["sha256"].str.lower())
        return np.array([bool(listed) and (c.file in listed or c.pixels in listed) for c in map(Content, paths)], bool)

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
    old, new = (_contents(places) for places in (train, test))
    files, pixels = ({getattr(s, k): s.path for s in reversed(old)} for k in ("file", "pixels"))
    known = np.stack([s.thumbnail for s in old])
    poses = np.stack([np.rot90(flip, k, axes=(1, 2)) for flip in (known, known[:, :, ::-1]) for k in range(4)])
    rows = []
    for seen in new:
        far = 1 - (poses * seen.thumbnail).sum((2, 3)).max(0)
        nearest = int(far.argmin())
        if seen.file in files:
            rows.append((seen.path, files[seen.file], "same file", 0.0))
        elif seen.pixels in pixels:
            rows.append((seen.path, pixels[seen.pixels], "same pixels", 0.0))
        elif far[nearest] < distance:
            rows.append((seen.path, old[nearest].path, "looks the same", float(far[nearest])))
    return pd.DataFrame([(str(a), str(b), c, d) for a, b, c, d in rows], columns=["test", "train", "kind", "distance"])


def _contents(places: Places) -> list[Content]:
    """Of each picture; only hashes and thumbnails are kept."""
    if isinstance(places, str | os.PathLike):
        root = Path(places) / "images" if (Path(places) / "images").is_dir() else Path(places)
        places = sorted(p for p in root.rglob("*") if p.suffix.lower() in _PICTURES)
        if not places:
            raise ImageNotFoundError(f"{root}: no pictures ({', '.join(_PICTURES)}) here")
    found = [Content(Path(p)) for p in places]
    for one in track(found, "looking for leaks", unit="pictures"):
        _ = one.file, one.pixels, one.thumbnail
        del one.__dict__["read"]
    return found
