"""Many wordings of one concept, as people write them: prompts to train and to test with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from .wording import british, mistyped, plural


class Named(Protocol):
    """What a concept tells of its names."""

    @property
    def id(self) -> str: ...
    @property
    def kind(self) -> str: ...
    @property
    def countable(self) -> bool: ...
    @property
    def synonyms(self) -> Sequence[str]: ...
    @property
    def cased(self) -> Sequence[str]: ...
    @property
    def looks(self) -> Sequence[str]: ...
    @property
    def layer(self) -> str | None: ...


_OBJECTS: tuple[str, ...] = (
    "the {many}", "all {many}", "any {many}", "one {one}", "{many} in this image", "a photo of {many}", "a micrograph of {many}",
    "a microscopy image of {many}", "an image with {many}", "{many} under the microscope", "find the {many}", "segment {many}",
    "exactly one {one}", "image of {one}", "microscope picture showing {many}",
)  # fmt: skip
_SUBJECTS = (
    "{one} in this image",
    "a micrograph of {one}",
    "an image of {one}",
    "{one} under the microscope",
    "image showing {one}",
)
_FRAMES = {
    "modality": ("{one}", "imaged by {one}", "picture taken with {one}", "acquired with {one}", "{one} data"),
    "stain": ("{one}", "stained with {one}", "{one} staining", "image with {one}", "sample labeled with {one}"),
    "specimen": (*_SUBJECTS, "a sample of {one}", "a specimen of {one}"),
    "material": (*_SUBJECTS, "a sample of {one}", "microstructure of {one}"),
    "condition": ("{one}", "image showing {one}", "a sample with {one}", "signs of {one}"),
    "appearance": ("{one}", "looks {one}", "appearance: {one}"),
    "artefact": ("{one}", "image with {one}", "{one} in the image", "spoiled by {one}"),
}
_WHOLE = re.compile(
    r"image|graph|microscope\b|slide|section|sample|micrograph|microstructure|picture|scan|stain|frame|smear|plate"
)
"""Names that speak of the picture or the sample already, and take no phrase around them."""
_COUNTED = ("object", "cell type", "structure")
_BARE, _USUAL, _LOOKS, _BRITISH, _LOWER, _CAPITALS = 0.5, 0.35, 0.12, 0.3, 0.5, 0.1
"""Shares: the name alone; the id; its look added; British spelling; an abbreviation in small letters; a capital first."""


def drawn(concept: Named, rng: np.random.Generator, *, typos: float) -> str:
    """One wording of a concept.

    Parameters
    ----------
    typos : probability of a slip of the fingers, 0..1.
    """
    name = _name(concept, rng)
    if concept.looks and rng.random() < _LOOKS:
        text = f"{name}, {concept.looks[int(rng.integers(len(concept.looks)))]}"
    elif rng.random() < _BARE:
        text = plural(name) if concept.countable and rng.random() < 0.5 else name
    else:
        text = _framed(concept, name, rng)
    if rng.random() < _BRITISH:
        text = british(text)
    if rng.random() < _CAPITALS:
        text = text[:1].upper() + text[1:]
    return mistyped(text, rng) if rng.random() < typos else text


def _name(concept: Named, rng: np.random.Generator) -> str:
    """The id or a synonym; abbreviations also in small letters, as they are typed, unless that is another word."""
    others = concept.synonyms
    name = concept.id if not others or rng.random() < _USUAL else others[int(rng.integers(len(others)))]
    typed_small = name.isupper() and len(name) > 2 and name not in concept.cased and rng.random() < _LOWER
    return name.lower() if typed_small else name


def _framed(concept: Named, name: str, rng: np.random.Generator) -> str:
    if concept.kind not in _COUNTED and _WHOLE.search(name):
        return name
    if concept.layer and concept.countable:
        frames = _OBJECTS
    else:
        frames = _FRAMES.get(concept.kind, _SUBJECTS)
    return frames[int(rng.integers(len(frames)))].format(one=name, many=plural(name) if concept.countable else name)
