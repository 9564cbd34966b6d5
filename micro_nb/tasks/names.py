"""Which object is what: dot products of objects with prompts, each prompt against the concepts that it could be mistaken for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.special import expit

from ..models.network import MicroD1
from ..models.ontology import ontology
from .text import encode_text

LEAST = 0.3
_BEHIND = 4.5  # an object is never given a name that is less probable than this
_ALIKE = ("same", "is a")
_BOTH = {"nucleus": ("object", "nucleus")}
"""Concepts that stand in more than one layer: a nucleus is the whole object where only nuclei show."""


def layers_of(concept: str) -> tuple[str, ...]:
    """Layers in which objects of a concept are looked for; whole objects for a name that the ontology does not have."""
    known = ontology().find(concept)
    return ("object",) if known is None else _BOTH.get(known.id, (ontology().layer(known.id) or "object",))


@dataclass(frozen=True)
class Vocabulary:
    """The object concepts that a model was trained to tell apart.

    Attributes
    ----------
    concepts : their names in the ontology, and names that a model was fine-tuned on.
    vectors : ``(C, D)`` unit vectors.
    scale, bias : cosine to log odds.
    unseen : concepts that pictures of this kind do not show, which no object here is called by.
    shown_in : concept -> modalities of the training pictures that show it.
    """

    concepts: tuple[str, ...]
    vectors: np.ndarray
    scale: float
    bias: float
    unseen: frozenset[str] = frozenset()
    shown_in: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, model: MicroD1, *, coloured: bool = False) -> Vocabulary:
        """That of a model; for a ``coloured`` picture without the concepts that it was only shown in grey ones."""
        extra = tuple(getattr(model.config, "extra_concepts", None) or {})
        concepts = (*model.calibration.get("object_concepts", ()), *extra)
        joint = model.joint
        vectors = encode_text(list(concepts), model=model)
        grey = frozenset(model.calibration.get("grey_only", ()) if coloured else ())
        scale, bias, shown_in = float(joint.object_scale.exp()), float(joint.object_bias), model.calibration.get("shown_in", {})
        return cls(concepts, vectors, scale, bias, grey, shown_in)

    @cached_property
    def place(self) -> dict[str, int]:
        """Concept -> row."""
        return {name: k for k, name in enumerate(self.concepts)}

    def out_of_place(self, modality: str | None, *, coloured: bool) -> frozenset[str]:
        """Concepts that were only shown in pictures unlike this one, so that nothing here should be given their names unasked.

        ``modality`` is what the picture was recognised as, None where it was not: of a grey one nothing is known then, while a
        ``coloured`` one tells more of what it shows than its modality does.
        """
        if modality is None:
            return frozenset() if coloured else frozenset(self.shown_in)
        known = ontology()
        return frozenset(c for c, shown in self.shown_in.items() if not any(known.related(m, modality) in _ALIKE for m in shown))

    def log_odds(self, objects: np.ndarray, prompts: np.ndarray | None = None) -> np.ndarray:
        """``(N, P)`` of objects ``(N, D)`` and prompts ``(P, D)``, by default the concepts."""
        odds = np.asarray(objects @ (self.vectors if prompts is None else prompts).T * self.scale + self.bias)
        if prompts is None and self.unseen:
            odds[:, [k for k, name in enumerate(self.concepts) if name in self.unseen]] = -np.inf
        return odds

    def names(self, objects: np.ndarray, layer: str) -> tuple[list[str], np.ndarray]:
        """The name of each object of a layer, ``""`` where it has none there, and its probability."""
        if not len(objects) or not self.concepts:
            return [""] * len(objects), np.zeros(len(objects))
        odds = self.log_odds(objects)
        best = self._best(odds, layer)
        p = expit(odds[np.arange(len(best)), best])
        fits = [layer in layers_of(self.concepts[k]) for k in best]
        return [self.concepts[k] if ok and sure >= LEAST else "" for k, ok, sure in zip(best, fits, p, strict=True)], p

    def matching(
        self, objects: np.ndarray, prompt: np.ndarray, concept: str | None, layer: str = "object"
    ) -> tuple[np.ndarray, np.ndarray]:
        """Which of ``objects (N, D)`` a prompt ``(D,)`` means, and the log odds of each.

        An object is meant where the prompt is probable and no concept that is neither kind nor part of its kind is more so.
        """
        odds = self.log_odds(objects, prompt[None])[:, 0]
        if concept in self.unseen:
            return np.zeros(len(odds), bool), odds
        holds = layer == "object" and concept is not None and _is_cell(concept)  # its nucleus is rightly seen in the whole
        parts = [k for k, name in enumerate(self.concepts) if holds and name == "nucleus"]
        rivals = [k for k, name in enumerate(self.concepts) if k not in parts and not self._kin(name, concept)]
        others = self.log_odds(objects)
        meant = (expit(odds) >= LEAST) & (odds >= others[:, rivals].max(1, initial=-np.inf))
        if parts:  # what looks like the part must look like the whole as well, and not much less
            meant &= (odds >= 0) & (odds >= others[:, parts].max(1) - _BEHIND)
        return meant, odds

    def _best(self, odds: np.ndarray, layer: str) -> np.ndarray:
        """The most probable concept; of whole objects not a part of a cell where a cell is probable too: it has that part."""
        if layer != "object" or "nucleus" not in self.place or not self._cells:
            return np.asarray(odds.argmax(1))
        whole = odds.copy()
        whole[(odds[:, self._cells].max(1) >= 0), self.place["nucleus"]] = -np.inf
        return np.asarray(whole.argmax(1))

    @cached_property
    def _cells(self) -> list[int]:
        return [k for k, name in enumerate(self.concepts) if _is_cell(name)]

    @staticmethod
    def _kin(name: str, concept: str | None) -> bool:
        known = ontology()
        one, other = known.find(name), known.find(concept or "")
        related = one is not None and other is not None and (known.is_a(one.id, other.id) or known.is_a(other.id, one.id))
        return name == concept or related


def _is_cell(name: str) -> bool:
    return name in ontology() and ontology()[name].kind == "cell type"
