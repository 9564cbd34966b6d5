"""Classes from words alone: similarities in the joint space to probabilities over a taxonomy and over "none of these"."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
from scipy.special import expit, logsumexp, ndtri, softmax

from ..models.network import MicroD1
from ..models.ontology import ontology
from .taxonomy import Taxonomy
from .text import encode_text

Kind = Literal["object", "image"]
ALPHA = 0.05
"""Share of what fits no label that may still be given one."""

_FEWEST, _NEAR = 20, 0.6
"""At least so many unrelated concepts make a null; one whose words lie this near a label's is not unrelated."""


@dataclass(frozen=True)
class Scored:
    """What words say of ``n`` objects or images.

    Attributes
    ----------
    leaves : ``(n, leaves)`` probabilities, columns as the taxonomy's leaves; with ``none`` a row sums to 1.
    none : ``(n,)`` probability that no label fits; 0 where it was not asked.
    similarity : ``(n, names)`` cosines.
    threshold : ``(n,)`` cosine at which words and none are equally likely.
    null : where the threshold comes from, in words.
    """

    leaves: np.ndarray
    none: np.ndarray
    similarity: np.ndarray
    threshold: np.ndarray
    null: str


def score(
    vectors: np.ndarray, taxonomy: Taxonomy, model: MicroD1, *, kind: Kind = "object", none_of_these: bool = True
) -> Scored:
    """Probabilities of a taxonomy's leaves, and of none of them, from similarities to its words.

    Parameters
    ----------
    vectors : ``(n, D)`` unit vectors of the joint space.
    taxonomy : what to choose from; flat labels are a taxonomy of one rank.
    model : gives the scale and bias from cosine to the log odds that words fit.
    kind : whose scale the vectors are on.

    Notes
    -----
    The log odds ``l`` of a sigmoid model are independent, one a prompt. Labels of one rank exclude each other; independent odds,
    given that at most one holds, are ``P(i) = e^l_i / (e^t + sum e^l)`` and ``P(none) = e^t / (e^t + sum e^l)``. Below the
    top one child of a name does hold: a softmax among siblings, and where the words of none of them fit, they tell nothing and
    what would be ``P(none)`` is shared evenly, so that words the model does not know back off. What a name is worth is the even
    mixture of its own words and of its children (which are mixed evenly), so that neither the number of children nor one
    unknown word decides. Leaves are the product on the way down; a rank is the sum of what it holds.
    ``t``, the log odds of none, is put where what fits no label reaches one with probability 5 %, by each object's own cosines
    with the unrelated concepts of the ontology (median and MAD, as some may fit).
    """
    names = sorted(taxonomy.names)
    prompts = [taxonomy.prompt(name) for name in names]
    words = encode_text(prompts, model=model).astype(float)
    if vectors.shape[1] != words.shape[1]:
        raise ValueError(f"vectors have {vectors.shape[1]} dimensions, prompts {words.shape[1]}: use one model")
    cosine = vectors @ words.T  # (n, names)
    scale, bias = log_odds(model, kind)
    worth = _worth(taxonomy, dict(zip(names, (scale * cosine + bias).T, strict=True)))
    others = encode_text(unrelated(prompts, kind), model=model).astype(float)
    threshold, null = _threshold(vectors, words, others, even=-bias / scale)
    no_words = scale * threshold + bias
    some = _some([worth[name] for name in taxonomy.children[None]], no_words) if none_of_these else np.ones(len(vectors))
    leaves = _down(taxonomy, worth, no_words) * some[:, None]
    order = [names.index(name) for name in taxonomy.names]
    return Scored(leaves, 1 - some, cosine[:, order], threshold, null)


def log_odds(model: MicroD1, kind: Kind) -> tuple[float, float]:
    """Scale and bias from cosine to log odds; Micro-D1 learns the logarithm of the scale."""
    return float(getattr(model.joint, f"{kind}_scale").exp()), float(getattr(model.joint, f"{kind}_bias"))


def unrelated(prompts: Sequence[str], kind: Kind = "object") -> list[str]:
    """Concepts of the ontology that say nothing about any of the prompts: no kind, part, whole or companion of theirs.

    Of objects, concepts that are found as objects; of images, all.

    >>> others = unrelated(["RBC", "platelets"])
    >>> "pollen grain" in others, "target cell" in others
    (True, False)
    """
    known = ontology()
    near = [_related(match.id) for match in map(known.find, prompts) if match is not None]
    return [c for c in known if (kind == "image" or known.layer(c)) and not any(c in group for group in near)]


@lru_cache(maxsize=512)
def _related(concept: str) -> frozenset[str]:
    known = ontology()
    return frozenset(other for other in known if known.related(other, concept))


def _worth(taxonomy: Taxonomy, log_odds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Log odds of each name: its own words and its children, mixed evenly."""
    worth = dict(log_odds)
    for name in reversed(taxonomy.names):
        inside = taxonomy.children[name]
        if inside:
            below = logsumexp([worth[child] for child in inside], axis=0) - np.log(len(inside))
            worth[name] = np.logaddexp(worth[name], below) - np.log(2)
    return worth


def _some(worth: list[np.ndarray], no_words: np.ndarray) -> np.ndarray:
    """``(n,)`` probability that one of them fits."""
    return np.asarray(expit(logsumexp(worth, axis=0) - no_words))


def _down(taxonomy: Taxonomy, worth: dict[str, np.ndarray], no_words: np.ndarray) -> np.ndarray:
    """``(n, leaves)`` probabilities given that one of the labels holds."""
    p: dict[str | None, np.ndarray] = {None: np.ones(1)}
    for name in (None, *taxonomy.names):
        inside = taxonomy.children[name]
        if inside:
            among = [worth[child] for child in inside]
            told = np.ones(1) if name is None else _some(among, no_words)
            shares = told * softmax(np.stack(among), axis=0) + (1 - told) / len(inside)
            p |= {child: p[name] * share for child, share in zip(inside, shares, strict=True)}
    return np.stack([p[leaf] for leaf in taxonomy.leaves], axis=1)


def _threshold(vectors: np.ndarray, words: np.ndarray, others: np.ndarray, *, even: float) -> tuple[np.ndarray, str]:
    """Cosine that the best of ``words`` reaches in 5 % where none fits, by each vector's own cosines with ``others``."""
    others = others[(others @ words.T).max(axis=1) < _NEAR]
    if len(others) < _FEWEST:
        return np.full(len(vectors), even), f"even odds, as only {len(others)} concepts are unrelated"
    cosine = vectors @ others.T  # (n, unrelated)
    middle = np.median(cosine, axis=1)
    spread = 1.4826 * np.median(np.abs(cosine - middle[:, None]), axis=1)
    reach = -ndtri(-np.expm1(np.log1p(-ALPHA) / len(words)))
    return middle + reach * spread, f"similarities to {len(others)} unrelated concepts"
