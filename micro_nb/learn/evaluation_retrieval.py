"""Search and naming by the joint space: recall of text queries over pictures, and image classes without examples."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..analysis.statistics import Estimate
from ..data.open import open_image
from ..errors import CorruptImageError
from ..progress import track
from .metrics.intervals import mean_interval
from .metrics.ranking import hit_at_k, recall_at_k

ImageVector = Callable[[Path], np.ndarray]
"""A picture to its unit vector ``(D,)``."""
TextVectors = Callable[[Sequence[str]], np.ndarray]
"""Words to unit vectors ``(n, D)``."""


@dataclass(frozen=True)
class Query:
    """A search: words, the names of pictures that answer it, and those that nobody judged."""

    words: str
    relevant: frozenset[str]
    ignore: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Retrieval:
    """How well queries find pictures.

    Attributes
    ----------
    queries : a row a query: query, relevant (how many), ``recall@k`` and ``hit@k`` for each k, first (the best picture).
    figures : ``recall@k`` (share of what is relevant among the first k, of k at most) and ``hit@k``, means over queries.
    """

    queries: pd.DataFrame
    figures: Mapping[str, Estimate]


def read_queries(path: str | os.PathLike[str]) -> list[Query]:
    """Queries of a ``.jsonl`` file: a line a query with ``query``, ``relevant`` and perhaps ``ignore``.

    Raises
    ------
    CorruptImageError : a line lacks these.
    """
    lines = [json.loads(line) for line in Path(path).read_text().splitlines() if line.strip()]
    if not all(isinstance(line, dict) and {"query", "relevant"} <= set(line) for line in lines):
        raise CorruptImageError(f"{path}: each line must be a JSON object with query and relevant")
    return [Query(str(v["query"]), frozenset(v["relevant"]), frozenset(v.get("ignore", ()))) for v in lines]


def evaluate_retrieval(
    queries: Sequence[Query],
    images: Sequence[str],
    root: str | os.PathLike[str],
    *,
    model: Any = None,
    embed: ImageVector | None = None,
    encode: TextVectors | None = None,
    ks: Sequence[int] = (1, 5, 10),
) -> Retrieval:
    """Ranks all pictures for every query by cosine similarity.

    Parameters
    ----------
    images : names of the pictures, relative to ``root``; queries name them alike.
    model : a loaded model, its folder or hub id; by default the one of the package.
    embed, encode : something else to evaluate, both together, instead of ``model``.

    Raises
    ------
    ValueError : only one of ``embed`` and ``encode`` was given, or they and ``model``.
    """
    picture, text = _vectors(model, embed, encode)
    seen = np.stack([picture(Path(root) / name) for name in track(list(images), "embedding", unit="images")])
    order = np.argsort(-(text([q.words for q in queries]) @ seen.T), axis=1, kind="stable")
    rows = []
    for query, ranking in zip(queries, order, strict=True):
        ranked = [images[k] for k in ranking if images[k] not in query.ignore]
        row: dict[str, Any] = {"query": query.words, "relevant": len(query.relevant), "first": ranked[0] if ranked else ""}
        row |= {f"recall@{k}": recall_at_k(ranked, query.relevant, k) for k in ks}
        rows.append(row | {f"hit@{k}": hit_at_k(ranked, query.relevant, k) for k in ks})
    table = pd.DataFrame(rows)
    names = [f"{figure}@{k}" for figure in ("recall", "hit") for k in ks]
    return Retrieval(table, {name: mean_interval(table[name].to_numpy(float)) for name in names})


def evaluate_naming(
    folder: str | os.PathLike[str],
    column: str,
    *,
    model: Any = None,
    embed: ImageVector | None = None,
    encode: TextVectors | None = None,
) -> tuple[pd.DataFrame, Estimate]:
    """Names each picture of a folder by the nearest of the classes in a column of index.csv (``image_class``, ``modality``).

    Returns
    -------
    A row an image (image, truth, named, right), and the share that is right with its interval.

    Raises
    ------
    CorruptImageError : index.csv has no such column.
    """
    picture, text = _vectors(model, embed, encode)
    index = pd.read_csv(Path(folder) / "index.csv")
    if column not in index:
        raise CorruptImageError(f"{folder}: index.csv has no column {column!r}; there are {', '.join(map(str, index.columns))}")
    index = index[index[column].notna()]
    classes = sorted(index[column].astype(str).unique())
    seen = np.stack([picture(Path(folder) / str(name)) for name in track(list(index["image"]), "embedding", unit="images")])
    named = [classes[k] for k in (seen @ text(classes).T).argmax(1)]
    truth = index[column].astype(str).to_list()
    right = [a == b for a, b in zip(truth, named, strict=True)]
    table = pd.DataFrame({"image": index["image"].to_list(), "truth": truth, "named": named, "right": right})
    return table, mean_interval(np.asarray(right, float))


def _vectors(model: Any, embed: ImageVector | None, encode: TextVectors | None) -> tuple[ImageVector, TextVectors]:
    if (embed is None) != (encode is None) or (embed is not None and model is not None):
        raise ValueError("give embed= and encode= together and without model=, or neither")
    if embed is not None and encode is not None:
        return embed, encode
    tasks = importlib.import_module("micro_nb.tasks")  # brings torch, so only when a model is evaluated
    loaded = tasks.load_model(model) if isinstance(model, str | os.PathLike) else model or tasks.load_model()
    return (
        lambda path: np.asarray(tasks.embed(open_image(path), model=loaded).image),
        lambda words: np.asarray(tasks.encode_text(list(words), model=loaded)),
    )
