"""``classify``: which of some labels an image, or each of its objects, shows; from words, from a taxonomy, or from examples."""

from __future__ import annotations

import os
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..data.image import MicroImage
from ..tiles.objects import Objects
from .embed import Embedding
from .fewshot import FewShot, Method
from .load import load_model
from .subjects import Subjects, example_vectors, subjects
from .taxonomy import NONE, Taxonomy
from .zeroshot import ALPHA, score

Tree = Taxonomy | Mapping[str, Any] | str | os.PathLike[str]
_COLUMNS = ("name", "rank", "probability", "abstained", "reason")


def classify(
    what: MicroImage | Objects | Embedding | np.ndarray | Sequence[Any] | str | os.PathLike[str],
    labels: Sequence[str] | None = None, *, taxonomy: Tree | None = None, examples: Mapping[str, Any] | None = None,
    groups: Mapping[str, Sequence[Hashable]] | None = None, embedding: Embedding | None = None, method: Method = "logistic",
    model: Any = None, diameter_px: float | None = None, none_of_these: bool = True, confidence: float = 0.6,
) -> pd.DataFrame:  # fmt: skip
    """Which label fits, how probably, and why none was given where none was.

    Parameters
    ----------
    what : an image, a path, or a list of them (a row an image); an Embedding, or Objects with ``embedding`` (a row an object);
        or unit vectors ``(n, D)``, taken as objects'.
    labels : two or more words that exclude each other.
    taxonomy : instead of labels, classes in ranks: a CSV with a column per rank, a nested dict, ``"blood"``, or a Taxonomy.
    examples : instead of words, class -> examples: images, paths, crops, rows of ``found.table``, Objects, or vectors. With a
        taxonomy the classes are its names.
    groups : class -> what each of its examples belongs to (image, patient); accuracy is then that on groups left out.
    embedding : ``embed(img)`` of the image whose objects, or rows of them, are given.
    method : how examples are used: ``"logistic"`` (regression, the better from five a class) or ``"prototype"`` (nearest mean).
    model : what ``load_model`` gives or takes; the embedded Micro-D1 by default. Vectors with examples need none.
    diameter_px : typical object diameter in pixels of level 0 of the images (and example images), where the estimate should not
        be trusted.
    none_of_these : whether to abstain from what no label fits.
    confidence : in (0, 1]; a label is given where its probability is at least this, else the broader rank where it is.

    Returns
    -------
    A row an image (``image``, ``id``), an object (``label``, ``layer``; the index of ``found.table``) or a vector (``id``), with
    ``name`` and ``rank`` of what fits (``"none of these"``, or None where undecided), its ``probability`` (NaN where examples say
    none), ``p:<label>`` for every label, ``abstained``, and ``reason``: in words, why none or only a broader one was given.
    From words there is ``p:none of these``, and the broadest labels and it sum to 1. From examples there is ``typicality``: how
    often a member of the classes lies as far from their prototypes; below 0.05 it is none of these. ``attrs`` say how it was
    done, and with examples the ``accuracy`` on those left out.

    Raises
    ------
    ValueError, TypeError : labels fewer than two or given twice, a class without examples, vectors of another model, ...

    See Also
    --------
    micro_nb.tasks.zeroshot.score, micro_nb.tasks.fewshot.FewShot : how probabilities come about.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> a, b = np.eye(8)[0] + rng.normal(0, 0.1, (6, 8)), np.eye(8)[1] + rng.normal(0, 0.1, (6, 8))
    >>> table = classify(np.eye(8)[:3], examples={"spiny": a, "round": b})
    >>> table["name"].tolist(), table.attrs["accuracy"]
    (['spiny', 'round', 'none of these'], 1.0)
    """
    _check(labels, taxonomy, examples, groups, confidence)
    if isinstance(what, Embedding) and embedding is None:
        embedding = what
    if isinstance(model, str | os.PathLike):
        model = load_model(model)
    if examples is not None:
        rows = subjects(what, embedding=embedding, model=model, diameter_px=diameter_px)
        vectors = {
            name: example_vectors(given, rows.kind, embedding=embedding, model=model, diameter_px=diameter_px)
            for name, given in examples.items()
        }
        decided = _from_examples(rows, taxonomy, vectors, FewShot(vectors, groups=groups, method=method), method, none_of_these)
    else:
        tree = Taxonomy.flat(labels) if labels is not None else Taxonomy.read(taxonomy if taxonomy is not None else "")
        model = model or load_model()
        rows = subjects(what, embedding=embedding, model=model, diameter_px=diameter_px)
        decided = _from_words(rows, tree, model, none_of_these)
    return _table(rows, decided, float(confidence))


@dataclass(frozen=True)
class _Decided:
    """Probabilities, before confidence is asked for.

    ``probability (n, names)``; ``none (n,)`` bool: none of these; ``why``: in words, where it is none; ``extra``: columns.
    """

    taxonomy: Taxonomy
    probability: np.ndarray
    none: np.ndarray
    none_probability: np.ndarray
    why: list[str]
    extra: dict[str, np.ndarray]
    attrs: dict[str, Any]


def _from_words(rows: Subjects, tree: Taxonomy, model: Any, none_of_these: bool) -> _Decided:
    vectors = _unit(rows.vectors)
    scored = score(vectors, tree, model, kind=rows.kind, none_of_these=none_of_these)
    probability = tree.upward(scored.leaves)
    top = [tree.names.index(name) for name in tree.children[None]]
    none = scored.none > probability[:, top].max(axis=1) if none_of_these else np.zeros(len(vectors), bool)
    why = [
        f"{NONE}: nearest is {tree.names[k]!r} with similarity {near[k]:.2f}; {limit:.2f} is needed (from {scored.null})"
        for near, limit, k in zip(scored.similarity, scored.threshold, scored.similarity.argmax(axis=1), strict=True)
    ]
    attrs = {"method": "words", "kind": rows.kind, "null": scored.null}
    return _Decided(tree, probability, none, scored.none, why, {f"p:{NONE}": scored.none} if none_of_these else {}, attrs)


def _from_examples(
    rows: Subjects, taxonomy: Tree | None, vectors: Mapping[str, np.ndarray], few: FewShot, method: Method, none_of_these: bool
) -> _Decided:
    tree = Taxonomy.flat(vectors) if taxonomy is None else Taxonomy.read(taxonomy).keep(vectors)
    leaves = few.probabilities(rows.vectors)[:, [few.names.index(name) for name in tree.leaves]]
    typical = few.typicality(rows.vectors) if none_of_these else np.full(len(rows.vectors), np.nan)
    why = [f"{NONE}: {p:.1%} of examples lie as far from every class; {ALPHA:.0%} are needed" for p in typical]
    attrs = {
        "method": method, "kind": rows.kind, "examples": {name: len(v) for name, v in vectors.items()},
        "accuracy": few.checked.accuracy, "accuracy_interval": few.checked.interval, "accuracy_per_class": few.checked.per_class,
        "validation": few.checked.how, "validated": few.checked.n, "temperature": few.temperature,
        "null": "distances of examples left out" if few.knows_far else "not asked: too few examples could be left out",
    }  # fmt: skip
    extra = {"typicality": typical} if none_of_these else {}
    return _Decided(tree, tree.upward(leaves), typical < ALPHA, np.full(len(typical), np.nan), why, extra, attrs)


def _table(rows: Subjects, decided: _Decided, confidence: float) -> pd.DataFrame:
    names = decided.taxonomy.names
    each = zip(decided.probability, decided.none, decided.none_probability.tolist(), decided.why, strict=True)
    said = [
        (NONE, None, p_none, True, why) if none else _say(decided.taxonomy, dict(zip(names, p.tolist(), strict=True)), confidence)
        for p, none, p_none, why in each
    ]
    verdict = pd.DataFrame(said, columns=list(_COLUMNS), index=rows.rows.index, dtype=object)
    verdict = verdict.astype({"probability": float, "abstained": bool})
    shares = {f"p:{name}": decided.probability[:, k] for k, name in enumerate(names)} | decided.extra
    table = pd.concat([rows.rows, verdict.iloc[:, :3], pd.DataFrame(shares, index=verdict.index), verdict.iloc[:, 3:]], axis=1)
    table.attrs.update(decided.attrs, confidence=confidence)
    return table


def _say(tree: Taxonomy, p: dict[str, float], confidence: float) -> tuple[str | None, str | None, float, bool, str]:
    """Name, rank, probability, abstained, reason."""
    name = tree.back_off(p, confidence)
    inside = sorted(tree.children[name], key=lambda child: (-p[child], child))
    best = " or ".join(f"{child!r} ({p[child]:.2f})" for child in inside[:2])
    if name is None:
        return None, None, p[inside[0]], True, f"undecided: {best}; {confidence:g} is asked for"
    return name, tree.rank[name], p[name], False, f"no finer: {best}; {confidence:g} is asked for" if inside else ""


def _unit(vectors: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    if (length == 0).any():
        raise ValueError(f"row {int(np.flatnonzero(length[:, 0] == 0)[0])} of the vectors is 0 throughout and has no direction")
    return np.asarray(vectors / length)


def _check(labels: Any, taxonomy: Any, examples: Any, groups: Any, confidence: Any) -> None:
    named = {"labels": labels, "taxonomy": taxonomy, "examples": examples}
    given = [name for name, value in named.items() if value is not None]
    if not given or ("labels" in given and len(given) > 1):
        raise ValueError(
            f"give labels, a taxonomy, or examples (these also with a taxonomy); got {' and '.join(given) or 'none'}"
        )
    if examples is not None and not isinstance(examples, Mapping):
        raise TypeError(f"examples are a mapping from class to examples; got {type(examples).__name__}")
    if groups is not None and examples is None:
        raise ValueError("groups say which examples belong together; there are no examples")
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 < confidence <= 1:
        raise ValueError(f"confidence lies above 0 and up to 1; got {confidence!r}")
