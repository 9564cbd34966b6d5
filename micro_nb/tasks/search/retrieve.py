"""``Index``: search a folder of images, or the tiles or objects of a huge one, by text, by image, or by a crop."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pandas as pd

from ...data.image import MicroImage
from ...data.region import Region
from ...errors import ImageNotFoundError, MicroNBError
from ...progress import track
from ...render.result_view import PLACE, ResultView
from ...tiles.where import where as meets
from ..load import load_model
from ..text import encode_text
from .concept_space import ConceptSpace
from .query import image_vector, read_text, region_vector, score_text
from .sources import gathered, names_a_file, reopened
from .store import IndexMismatchError, Manifest, Of, Store, check_place
from .terms import View
from .thumbnails import OBJECT_CONTEXT, thumbnail
from .vectors import object_grades

_GRADED = 100_000  # by a text, of more rows than this only the nearest so many are graded by concepts and measurements
_SAMPLE, _OBJECT_SAMPLE = 20_000, 2000  # rows of which the usual cosines are taken
Query = str | os.PathLike[str] | MicroImage | np.ndarray | Region


class Index:
    """A searchable folder. Vectors stay on disk; a search reads them and the table of measurements.

    Examples
    --------
    Build, open and search::

        index = mnb.Index.build("images/", "index/")
        result = index.search("crowded small nuclei, dark background", k=5, where="n_objects > 20")
        index.show(result)
        mnb.Index.build("slide.ome.zarr", "cells/", of="objects").search("small dark nucleus", where="solidity > 0.9")
    """

    def __init__(self, store: Store, *, model: Any = None, images: dict[str, MicroImage] | None = None) -> None:
        self._store, self._model, self._images = store, model, dict(images or {})
        self._read()

    def _read(self) -> None:
        self._rows, self._sources = self._store.vectors(), self._store.sources()
        measured = self._store.table()
        paths = np.array([s["path"] or s["name"] for s in self._sources], object)
        self.table = measured.drop(columns="source").assign(path=paths[measured["source"].to_numpy()])
        self._source_of = measured["source"].to_numpy()
        self._space = ConceptSpace(self._store.manifest.concepts, self._store.concepts())
        self._objects = self._store.exemplars()

    @classmethod
    def build(
        cls, images: Any, folder: str | os.PathLike[str], *, of: Of = "images", model: Any = None,
        diameter_px: float | None = None, overwrite: bool = False,
    ) -> Index:  # fmt: skip
        """Looks at images and writes an index, whole or not at all.

        Parameters
        ----------
        images : a folder (its images, also in folders below), an image or path, or a list of them.
        folder : where the index is written.
        of : what a row is: ``"images"``, ``"tiles"`` or ``"objects"``.
        model : what :func:`micro_nb.load_model` gives; Micro-D1 nano by default.
        diameter_px : typical object diameter in pixels of level 0, where the estimate should not be trusted.
        overwrite : replace an index that is there.

        Raises
        ------
        ImageNotFoundError : there are no images.
        WriteError : the place is taken, or cannot be written.
        MicroNBError : an image that was named cannot be read. Files of a folder that cannot be are passed over, with a warning
            and a note in the manifest.
        """
        if of not in get_args(Of):
            raise ValueError(f"of={of!r} is not one of {', '.join(map(repr, get_args(Of)))}")
        place, model = Path(folder), model if model is not None else load_model()
        check_place(place, overwrite=overwrite)
        space = ConceptSpace.of(model)
        batch, kept, skipped = gathered(images, of, model=model, space=space, diameter_px=diameter_px)
        if not len(batch.table):
            raise ImageNotFoundError(f"nothing to index: no {of} were found in {str(images)[:200]}")
        manifest = Manifest(of, space.vectors.shape[1], model.weights_id, space.concepts, skipped=skipped)
        store = Store.create(place, manifest, space.vectors, batch, overwrite=overwrite)
        return cls(store, model=model, images=kept)

    @classmethod
    def open(cls, folder: str | os.PathLike[str], *, model: Any = None) -> Index:
        """Opens what :meth:`build` wrote; loads no model before it is needed.

        Raises
        ------
        ImageNotFoundError : no index is there.
        CorruptImageError, IndexMismatchError : it cannot be read.
        """
        place = Path(folder).absolute()
        return cls(Store(place, Manifest.read(place)), model=model)

    def append(self, images: Any, *, diameter_px: float | None = None) -> int:
        """Adds images that are not in the index yet, by content; what is there stays byte for byte as it is.

        Parameters
        ----------
        images, diameter_px : as for :meth:`build`.

        Returns
        -------
        How many images were added.

        Raises
        ------
        IndexMismatchError : the index was built with other weights.
        WriteError : it could not be written, or was changed since it was opened.
        """
        model, known = self.model, {s["content_id"] for s in self._sources}
        batch, kept, skipped = gathered(images, self.of, model=model, space=self._space, known=known, diameter_px=diameter_px)
        if len(batch.table):
            self._store = self._store.added(batch, skipped)
            self._images |= kept
            self._read()
        return len(batch.sources)

    def verify(self) -> pd.DataFrame:
        """What differs from when it was written: columns ``path`` and ``problem``; no rows where all is well.

        Every file of the index is hashed; every image is opened and its content id compared. Images that were indexed from memory
        cannot be looked at.
        """
        found = [(str(path), problem) for path, problem in self._store.differences()]
        for source in track(self._sources, "verifying images", unit="images"):
            if source["path"] is None:
                continue
            try:
                if reopened(source).content_id != source["content_id"]:
                    found.append((source["path"], "is not what was indexed (its content id differs); build the index anew"))
            except MicroNBError as error:
                found.append((source["path"], str(error).removeprefix(f"{source['path']}: ")))
        return pd.DataFrame(found, columns=["path", "problem"])

    def search(self, query: Query, k: int = 5, where: str | None = None) -> pd.DataFrame:
        """The ``k`` rows that answer a query best.

        Parameters
        ----------
        query : a text (``"two leukocytes"``, ``"blood smear minus platelets"``); an image (MicroImage, array, ``Path``, or a str
            that names a file), of which an index of objects takes the object at its middle; or a :class:`Region` of the one
            image whose tiles or objects are indexed.
        k : how many at most.
        where : condition on the measurements, e.g. ``"area_um2 > 80 and solidity > 0.9"``; as for :meth:`Objects.filter`.

        Returns
        -------
        Columns ``rank`` (from 1), ``score`` (text 0..1, image -1..1), ``path``, of tiles and objects ``y0 x0 y1 x1`` (px of level
        0), ``name``, ``similarity`` (cosine), of texts ``concepts_score`` and ``measured_score`` (NaN where the text asks for
        none), then the measurements (of objects ``object_score``, which is ``score`` in ``where``). Its index numbers the rows of
        the index; ``attrs`` say what was asked.

        Raises
        ------
        ValueError : the condition or the query cannot be read.
        IndexMismatchError : the index was built with other weights than the model's.
        """
        if k < 1:
            raise ValueError(f"k={k} must be at least 1")
        allowed = np.arange(len(self)) if where is None else np.flatnonzero(meets(self.table, where))
        by_text = isinstance(query, str) and not names_a_file(query)
        scored = self._by_text(str(query), allowed) if by_text else self._by_vector(query, allowed)
        best = scored.sort_values("score", ascending=False, kind="stable").head(k)
        rows, lead = self.table.loc[best.index], ["path", *(c for c in PLACE if c in self.table), "name"]
        measured = rows.drop(columns=lead).rename(columns={"score": "object_score"})  # how sure parsing was, not the search
        result = pd.concat([best[["score"]], rows[lead], best.drop(columns="score"), measured], axis=1)
        result.insert(0, "rank", np.arange(1, len(result) + 1))
        result.attrs = {"query": _said(query), "where": where, "of": self.of}
        return result

    def show(self, result: pd.DataFrame) -> ResultView:
        """A result of :meth:`search` with thumbnails: HTML, PNG and text."""
        return ResultView(result, [self.thumbnail(int(row)) for row in result.index])

    def thumbnail(self, row: int) -> bytes | None:
        """JPEG of a row of the index: the one that was kept, else cut from the image; None where the image is gone."""
        kept = self._store.thumbnail(row)
        if kept is not None:
            return kept
        box = self.table.loc[row, list(PLACE)].to_numpy(float) if PLACE[0] in self.table else None
        try:
            return thumbnail(self._image(row), box, context=OBJECT_CONTEXT if self.of == "objects" else 0.0)
        except MicroNBError:
            return None

    @property
    def of(self) -> Of:
        """What a row is: ``"images"``, ``"tiles"`` or ``"objects"``."""
        return self._store.manifest.of

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self._store.folder

    @property
    def sources(self) -> pd.DataFrame:
        """The images: ``path`` (None in memory), ``name``, ``content_id``, size."""
        return pd.DataFrame(self._sources)

    @property
    def skipped(self) -> pd.DataFrame:
        """Files that were passed over: ``path`` and ``reason``."""
        return pd.DataFrame([dict(s) for s in self._store.manifest.skipped], columns=["path", "reason"])

    @property
    def model(self) -> Any:
        """The model that reads queries; loaded on first use.

        Raises
        ------
        IndexMismatchError : its weights are not those the index was built with.
        """
        if self._model is None:
            self._model = load_model()
        built, now = self._store.manifest.weights, str(self._model.weights_id)
        if built != now:
            raise IndexMismatchError(
                f"{self.folder}: was built with other weights ({built[:12]}) than this model's ({now[:12]}), so they cannot "
                "be compared; build it anew with Index.build(..., overwrite=True), or open it with the model it was built with"
            )
        return self._model

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        images = f" of {len(self._sources):,} image{'s' * (len(self._sources) != 1)}" if self.of != "images" else ""
        return f"<Index of {len(self):,} {self.of}{images} in {self.folder}>"

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        first = self.table.iloc[:10][["name"]].assign(rank=0, score=np.nan)
        return ResultView(first, [self.thumbnail(k) for k in range(len(first))], title=repr(self)[1:-1])._repr_mimebundle_()

    def _by_text(self, text: str, allowed: np.ndarray) -> pd.DataFrame:
        calibration = getattr(self.model, "calibration", None) or {}
        view: View = "object" if self.of == "objects" else "field"
        encode = partial(encode_text, model=self.model)
        query = read_text(text, encode, view=view, vocabulary=calibration.get("object_concepts", ()))
        rows = self._rows.nearest(query.vector, allowed, _GRADED)
        cosine = self._rows.sample(_SAMPLE) @ query.vector
        usual, graded = (float(cosine.mean()), float(cosine.std())), None
        if query.objects is not None and self._objects is not None:
            graded = object_grades(self._objects.take(rows), self._objects.sample(_OBJECT_SAMPLE), query.objects)
        table = self.table.iloc[rows]
        return score_text(query, self._rows.take(rows), table, space=self._space, usual=usual, objects=graded)

    def _by_vector(self, query: Any, allowed: np.ndarray) -> pd.DataFrame:
        if isinstance(query, Region):
            vector = region_vector(query, self.of, self._sources, self.table, self._rows)
        else:
            vector = image_vector(query, self.of, self.model)
        cosine = self._rows.cosines(vector, allowed)
        return pd.DataFrame({"score": cosine, "similarity": cosine}, index=allowed)

    def _image(self, row: int) -> MicroImage:
        source = self._sources[int(self._source_of[row])]
        if source["content_id"] not in self._images:
            self._images[source["content_id"]] = reopened(source)
        return self._images[source["content_id"]]


def _said(query: Query) -> str:
    """A query in words."""
    if isinstance(query, Region):
        return f"y {query.y0:g}..{query.y1:g}, x {query.x0:g}..{query.x1:g} {'µm' if query.unit == 'um' else 'px'}"
    return query.name if isinstance(query, MicroImage) else "an array" if isinstance(query, np.ndarray) else str(query)
