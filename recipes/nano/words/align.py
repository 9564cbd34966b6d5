"""Training of the joint image-text space on features that have been computed: objects, images and prompts meet.

The eyes are fixed here. What is learned is the text tower, how objects look at the global tokens, and the projections.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from micro_nb.learn.loop import Loop
from micro_nb.learn.losses import sigmoid_contrastive
from micro_nb.learn.recipe import Pace
from micro_nb.models.micro_d1 import MicroD1Model
from micro_nb.models.ontology import ontology

from .facts import OBJECTS, Facts
from .features import STRAY, Features

_NOT_NAMES = ("uncategorised",)
_WORDINGS = 40


@dataclass(frozen=True, kw_only=True)
class Aligning(Pace):
    """How the joint space is trained.

    Attributes
    ----------
    images, objects : images a step, objects of each. rate : of AdamW.
    sentences : prompts a step that name several concepts at once, or are an image's own caption.
    no_tokens : share of steps in which objects do not see the global tokens.
    no_part : share of steps in which images are known by their thumbnail or their detail alone.
    """

    steps: int = 1500
    warmup: int = 75
    cooldown: float = 0.8
    decay: float = 0.05
    images: int = 24
    objects: int = 24
    rate: float = 1e-3
    sentences: int = 48
    no_tokens: float = 0.25
    no_part: float = 0.3


class Aligner(nn.Module):
    """Trains ``model.text``, ``model.joint`` and the mixing of global tokens; a batch is drawn by the generator it is given."""

    def __init__(self, model: MicroD1Model, features: Sequence[Features], recipe: Aligning | None = None) -> None:
        super().__init__()
        self.model, self.recipe = model, recipe or Aligning()
        self.features = [f for f in features if f.facts.present]
        self.onto = ontology()
        self.concepts = list(self.onto)
        rng = np.random.default_rng([self.recipe.seed, 1])
        self.wordings = {name: [name, *self.onto.prompts(name, rng, n=_WORDINGS)] for name in self.concepts}
        self.place = {name: k for k, name in enumerate(self.concepts)}
        self.kind_of_object = np.array([c.kind in OBJECTS for c in self.onto.values()])
        self.groups: dict[str, list[int]] = {}
        for k, f in enumerate(self.features):
            self.groups.setdefault(f.key.split("/")[0], []).append(k)
        self.truth = [self._image_truth(f) for f in self.features]

    def run(self) -> list[float]:
        """Trains; returns the losses."""
        model, recipe = self.model, self.recipe
        learning = [p for part in (model.text, model.joint, model.thumb.token, model.thumb.mix) for p in part.parameters()]
        for p in learning:
            p.requires_grad_(True)
        loop = Loop(
            self, lambda step: np.random.default_rng([recipe.seed, step]), recipe, [(learning, recipe.rate)],
            what="aligning images and words", log_every=1,
        ).run()  # fmt: skip
        for p in learning:
            p.requires_grad_(False)
        return [float(line["loss"]) for line in loop.lines]

    def train(self, mode: bool = True) -> Aligner:
        """The eyes are fixed, and so are their statistics."""
        return super().train(False)

    def forward(self, rng: np.random.Generator) -> dict[str, torch.Tensor]:
        """Loss of one batch."""
        return {"loss": self.step(rng)}

    def step(self, rng: np.random.Generator) -> torch.Tensor:
        """Loss of one batch."""
        chosen = self._draw(rng)
        views = [self.features[k] for k in chosen]
        texts, truth, known = self._prompts(rng, chosen)
        words = self.model.text(self.model.processor.encode(texts))  # (P, D)
        seen = torch.from_numpy(np.stack([v.seen for v in views]).astype(np.float32))
        detail = torch.from_numpy(np.stack([v.detail for v in views]))
        drop = rng.random() < self.recipe.no_part
        first = rng.random() < 0.5
        images = self.model.joint.images(None if drop and first else seen, None if drop and not first else detail)
        joint = self.model.joint
        loss = sigmoid_contrastive(images, words, truth, known, joint.image_scale, joint.image_bias)
        tokens = None if rng.random() < self.recipe.no_tokens else self.model.thumb(seen)
        return loss + self._objects(rng, views, words[: len(self.concepts)], tokens)

    def _objects(
        self, rng: np.random.Generator, views: Sequence[Features], words: torch.Tensor, tokens: torch.Tensor | None
    ) -> torch.Tensor:
        width, count = self.model.config.embed_dim, self.recipe.objects
        pooled, mask = np.zeros((len(views), count, width), np.float32), np.zeros((len(views), count), bool)
        names: list[str] = []
        denied: list[np.ndarray] = []
        for k, v in enumerate(views):
            usable = [i for i, name in enumerate(v.names) if name not in _NOT_NAMES]
            picked = balanced(rng, [v.names[i] for i in usable], count)
            for slot, i in enumerate(picked):
                pooled[k, slot], mask[k, slot] = v.pooled[usable[i]], True
                names.append(v.names[usable[i]])
                denied.append(self.denied(v.facts) if names[-1] == STRAY else self.kind_of_object)
        if not names:
            return words.sum() * 0
        joint = self.model.joint
        vectors = joint.objects(torch.from_numpy(pooled), tokens)[torch.from_numpy(mask)]
        truth, known = (torch.from_numpy(m) for m in self.name_truth(names, np.stack(denied)))
        return sigmoid_contrastive(vectors, words, truth, known, joint.object_scale, joint.object_bias)

    def denied(self, facts: Facts) -> np.ndarray:
        """``(C,)``: which kinds of objects a stray of an image is none of."""
        told = [c in facts.labelled if facts.labelled else c not in facts.unknown for c in self.concepts]
        return self.kind_of_object & np.array(told)

    def name_truth(self, names: Sequence[str], denied: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """``(N, C)`` twice: which concepts an object of each name is, and of which that is known.

        ``denied (N, C)`` are those that an object is not, as far as its name does not say otherwise.
        """
        truth, known = np.zeros(denied.shape, np.float32), denied.astype(np.float32)
        for row, name in enumerate(names):
            if name != STRAY:
                there = [self.place[c] for c in (name, *self.onto.ancestors(name))]
                truth[row, there] = known[row, there] = 1
                known[row, [self.place[c] for c in self.onto.descendants(name)]] = 0
        return truth, known

    def _image_truth(self, f: Features) -> tuple[np.ndarray, np.ndarray]:
        truth, known = np.zeros(len(self.concepts), np.float32), np.ones(len(self.concepts), np.float32)
        truth[[self.place[c] for c in f.facts.present]] = 1
        known[[self.place[c] for c in f.facts.unknown]] = 0
        return truth, known

    def _draw(self, rng: np.random.Generator) -> list[int]:
        """Images, data sets alike often; small sets less often than large ones by the root of their size."""
        names = sorted(self.groups)
        share = np.sqrt([len(self.groups[n]) for n in names])
        picked = rng.choice(len(names), self.recipe.images, p=share / share.sum())
        return [int(rng.choice(self.groups[names[k]])) for k in picked]

    def _prompts(self, rng: np.random.Generator, chosen: Sequence[int]) -> tuple[list[str], torch.Tensor, torch.Tensor]:
        """Every concept in some wording, then sentences; what each means for each image."""
        texts = [self._worded(name, rng) for name in self.concepts]
        truth = np.stack([self.truth[k][0] for k in chosen])
        known = np.stack([self.truth[k][1] for k in chosen])
        columns = []
        for text, needed in self._sentences(rng, chosen):
            rows = [self.place[c] for c in needed]
            all_there = (truth[:, rows] * known[:, rows]).min(1)
            missing = ((1 - truth[:, rows]) * known[:, rows]).max(1)
            texts.append(text)
            columns.append((all_there, np.maximum(all_there, missing)))
        more = [np.stack([c[i] for c in columns], 1) for i in range(2)] if columns else [truth[:, :0]] * 2
        return texts, torch.from_numpy(np.concatenate([truth, more[0]], 1)), torch.from_numpy(np.concatenate([known, more[1]], 1))

    def _sentences(self, rng: np.random.Generator, chosen: Sequence[int]) -> Iterator[tuple[str, list[str]]]:
        for _ in range(self.recipe.sentences):
            f = self.features[int(rng.choice(chosen))]
            present = sorted(f.facts.present)
            if f.facts.caption and rng.random() < 0.5:
                yield f.facts.caption, present
                continue
            picked = [present[i] for i in rng.permutation(len(present))[: rng.integers(2, 4)]]
            joiner = str(rng.choice([" ", ", ", " in ", " with ", " and ", " of "]))
            yield joiner.join(self._worded(c, rng) for c in picked), picked

    def _worded(self, name: str, rng: np.random.Generator) -> str:
        return self.wordings[name][int(rng.integers(len(self.wordings[name])))]


def balanced(rng: np.random.Generator, names: Sequence[str], count: int) -> list[int]:
    """Positions of at most ``count`` names, rare names first."""
    by_name: dict[str, list[int]] = {}
    for i in rng.permutation(len(names)):
        by_name.setdefault(names[i], []).append(int(i))
    picked: list[int] = []
    while by_name and len(picked) < count:
        for name in list(by_name):
            picked.append(by_name[name].pop())
            if not by_name[name]:
                del by_name[name]
    return picked[:count]
