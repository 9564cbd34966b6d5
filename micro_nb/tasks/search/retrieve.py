"""``Index``: search a folder of images, or the tiles or objects of a huge one, by text, by image, or by a crop."""

from __future__ import annotations

import os
import pkgutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...data.atomic import writing_file
from ...data.image import MicroImage
from ...data.region import Region
from ...errors import ImageNotFoundError, MicroNBError
from ...progress import track
from ...tiles.where import where as meets
from .concept_space import ConceptSpace
from .exemplars import Asked, best_cosines
from .manifest import IndexMismatchError, Manifest, Of
from .query import TextQuery, read_text, sampled, score_text, text_encoder, usual_cosine
from .query_vector import image_vector, region_vector
from .result_view import ResultView
from .rows import PLACE
from .sources import gathered, names_a_file, reopened
from .store import NEAREST, Store, check_place
from .thumbnails import OBJECT_CONTEXT, thumbnail
from .vectors import EXACT_BELOW, Approximate, candidates, need_faiss
from .words import View

_OF: tuple[Of, ...] = ("images", "tiles", "objects")
_LEAST_CANDIDATES, _OBJECT_SAMPLE = 2000, 2000
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
        self._near, self._objects = self._approximate(), self._store.exemplars()

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
        if of not in _OF:
            raise ValueError(f"of={of!r} is not one of {', '.join(map(repr, _OF))}")
        place, model = Path(folder), model if model is not None else _load_model()
        check_place(place, overwrite=overwrite)
        space = ConceptSpace.of(model)
        batch, opened, skipped = gathered(images, of, model=model, space=space, diameter_px=diameter_px)
        if not len(batch.table):
            raise ImageNotFoundError(f"nothing to index: no {of} were found in {str(images)[:200]}")
        if len(batch.table) >= EXACT_BELOW:
            need_faiss(len(batch.table))
        manifest = Manifest(of, batch.vectors.shape[1], model.weights_id, space.concepts, skipped=skipped)
        index = cls(Store.create(place, manifest, space.vectors, batch, overwrite=overwrite), model=model, images=opened)
        index._cover()
        return index

    @classmethod
    def open(cls, folder: str | os.PathLike[str], *, model: Any = None) -> Index:
        """Opens what :meth:`build` wrote; loads no model before it is needed.

        Raises
        ------
        ImageNotFoundError : no index is there.
        CorruptImageError, IndexMismatchError : it cannot be read.
        """
        return cls(Store.open(Path(folder).absolute()), model=model)

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
        known = {s["content_id"] for s in self._sources}
        batch, opened, skipped = gathered(
            images, self.of, model=self.model, space=self._space, known=known, diameter_px=diameter_px
        )
        if len(batch.table):
            self._store = self._store.added(batch, skipped)
            self._images |= opened
            self._read()
            self._cover()
        return len(batch.sources)

    def verify(self) -> pd.DataFrame:
        """What differs from when it was written: columns ``path`` and ``problem``; no rows where all is well.

        Every file of the index is hashed; every image is opened and its content id compared. Images that were indexed from memory
        cannot be looked at.
        """
        found = [line.split(": ", 1) for line in self._store.differences()]
        for source in track(self._sources, "verifying images", unit="images"):
            if source["path"] is None:
                continue
            try:
                if reopened(source).content_id != source["content_id"]:
                    found.append([source["path"], "is not what was indexed (its content id differs); build the index anew"])
            except MicroNBError as error:
                found.append([source["path"], str(error).removeprefix(f"{source['path']}: ")])
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
        allowed = None if where is None else meets(self.table, where).to_numpy(bool)
        if isinstance(query, str) and not names_a_file(query):
            scored = self._by_text(query, k, allowed)
        else:
            scored = self._by_vector(self._vector(query), k, allowed)
        best = scored.sort_values("score", ascending=False, kind="stable").head(k)
        measured = self.table.loc[best.index].drop(columns=["path", "name", *(c for c in PLACE if c in self.table)])
        measured = measured.rename(columns={"score": "object_score"})  # how sure parsing was of an object, not the search
        lead = self.table.loc[best.index, ["path", *(c for c in PLACE if c in self.table), "name"]]
        result = pd.concat([best[["score"]], lead, best.drop(columns="score"), measured], axis=1)
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
            self._model = _load_model()
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
        return ResultView(first, [self.thumbnail(k) for k in range(len(first))], title=repr(self)[1:-1]).bundle()

    def _by_text(self, text: str, k: int, allowed: np.ndarray | None) -> pd.DataFrame:
        calibration = getattr(self.model, "calibration", None) or {}
        view: View = "object" if self.of == "objects" else "field"
        query = read_text(text, text_encoder(self.model), view=view, vocabulary=calibration.get("object_concepts", ()))
        rows = candidates(self._rows, self._near, query.vector, max(_LEAST_CANDIDATES, 50 * k), allowed)
        usual = usual_cosine(lambda chosen: self._rows.cosines(query.vector[None], chosen)[:, 0], len(self._rows))
        return self._scored(query, rows, usual)

    def _scored(self, query: TextQuery, rows: np.ndarray, usual: tuple[float, float]) -> pd.DataFrame:
        table, graded = self.table.iloc[rows], self._graded(query, rows)
        found = score_text(query, self._rows.take(rows), table, space=self._space, usual=usual, objects=graded)
        columns = {"score": found.score, "similarity": found.similarity}
        columns |= {"concepts_score": found.concepts, "measured_score": found.measured}
        return pd.DataFrame(columns, index=rows)

    def _graded(self, query: TextQuery, rows: np.ndarray) -> np.ndarray | None:
        """How far the objects of some rows are what a text names."""
        if query.objects is None or self._objects is None:
            return None
        some = sampled(len(self._rows), _OBJECT_SAMPLE)
        asked = Asked.over(query.objects, best_cosines(self._objects.take(some), query.objects))
        return asked.grades(self._objects.take(rows))

    def _by_vector(self, vector: np.ndarray, k: int, allowed: np.ndarray | None) -> pd.DataFrame:
        rows = candidates(self._rows, self._near, vector, max(_LEAST_CANDIDATES, 4 * k), allowed)
        cosine = self._rows.cosines(vector[None], rows)[:, 0]
        return pd.DataFrame({"score": cosine, "similarity": cosine}, index=rows)

    def _vector(self, query: Any) -> np.ndarray:
        if isinstance(query, Region):
            return region_vector(query, self.of, self._sources, self.table, self._rows)
        return image_vector(query, self.of, self.model)

    def _image(self, row: int) -> MicroImage:
        source = self._sources[int(self._source_of[row])]
        if source["content_id"] not in self._images:
            self._images[source["content_id"]] = reopened(source)
        return self._images[source["content_id"]]

    def _approximate(self) -> Approximate | None:
        path = self.folder / NEAREST
        return Approximate.read(path, len(self._rows)) if path.is_file() and len(self._rows) >= EXACT_BELOW else None

    def _cover(self) -> None:
        """Rows that faiss does not know are compared one by one; once they are many, it learns all anew."""
        known = len(self._near) if self._near is not None else 0
        if len(self) - known < EXACT_BELOW:
            return
        self._near = Approximate.build(self._rows)
        with writing_file(self.folder / NEAREST) as partial:
            self._near.write(partial)


def _said(query: Query) -> str:
    """A query in words."""
    if isinstance(query, Region):
        return f"y {query.y0:g}..{query.y1:g}, x {query.x0:g}..{query.x1:g} {'µm' if query.unit == 'um' else 'px'}"
    return query.name if isinstance(query, MicroImage) else "an array" if isinstance(query, np.ndarray) else str(query)


def _load_model() -> Any:
    return pkgutil.resolve_name("micro_nb.tasks:load_model")()
