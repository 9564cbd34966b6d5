"""The ontology of microscopy: concepts, their names, kinds, sizes and relations, read from ``ontology.toml``."""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import numpy as np

from .mentions import How, Match, Reader, Wording
from .phrasing import drawn

__all__ = ["Concept", "How", "Match", "Ontology", "Size", "ontology"]

Kind = Literal[
    "object", "cell type", "structure", "modality", "stain", "specimen", "material", "condition", "appearance", "artefact"
]  # fmt: skip
Layer = Literal["object", "nucleus", "organelle"]
Relation = Literal["same", "is a", "part of", "goes with"]
_COUNTED = ("object", "cell type", "structure")
_OTHER = ("words", "plain", "source", "ambiguous")
_BROAD = frozenset({"object", "particle", "organism", "cell", "microscopy", "light microscopy", "material"})
"""Concepts too wide to say what an ambiguous word means."""


@dataclass(frozen=True)
class Size:
    """Typical size of a concept's profile in an image.

    Attributes
    ----------
    low_um, high_um : range of typical values, µm. Rounded and meant for scale; no reference interval of medicine.
    of : ``"diameter"`` of the disc of the same area, or ``"width"`` of what is long or a sheet.
    source : where it is from, in full.
    """

    low_um: float
    high_um: float
    of: Literal["diameter", "width"]
    source: str

    @property
    def typical_um(self) -> float:
        """The geometric mean of the range, µm."""
        return float(np.sqrt(self.low_um * self.high_um))


@dataclass(frozen=True)
class Concept:
    """One concept; ``ontology.toml`` says what each entry means.

    Attributes
    ----------
    id, kind : its name and what sort of thing it is.
    synonyms : names that mean the same. ``includes``: narrower names, and ``adjectives``, that are read as it.
    cased : which of all these are read in capitals only.
    looks : what one sees. ``parents``: is-a. ``part_of``, ``goes_with``: ids.
    layer : layer of geometry of its instances, or None. ``size``: of an instance, or None. ``any_size``: none is typical.
    countable : whether it has a plural and instances.
    """

    id: str
    kind: Kind
    synonyms: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    adjectives: tuple[str, ...] = ()
    cased: tuple[str, ...] = ()
    looks: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()
    part_of: tuple[str, ...] = ()
    goes_with: tuple[str, ...] = ()
    layer: Layer | None = None
    size: Size | None = None
    any_size: bool = False
    countable: bool = True

    @property
    def names(self) -> tuple[str, ...]:
        """The id and the synonyms."""
        return (self.id, *self.synonyms)

    def wordings(self) -> Iterator[Wording]:
        """Everything that is read as this concept."""
        yield Wording(self.id, self.id, "name")
        kinds: tuple[tuple[How, tuple[str, ...]], ...] = (
            ("synonym", self.synonyms), ("included", self.includes), ("adjective", self.adjectives),
        )  # fmt: skip
        yield from (Wording(self.id, text, how, text in self.cased) for how, texts in kinds for text in texts)


class Ontology(Mapping[str, Concept]):
    """Concepts by id.

    Examples
    --------
    >>> onto = ontology()
    >>> onto.find("erythrocytes").id, onto.find("Leucocyte").id, onto.find("nuclues").how
    ('red blood cell', 'white blood cell', 'typing error')
    >>> onto.is_a("neutrophil", "white blood cell"), onto.layer("neutrophil"), onto.related("nucleus", "cell")
    (True, 'object', 'part of')
    """

    def __init__(
        self, concepts: Sequence[Concept], ambiguous: Mapping[str, Sequence[str]], words: Sequence[str], plain: Sequence[str] = ()
    ) -> None:  # fmt: skip
        self._concepts = {c.id: c for c in concepts}
        self.ambiguous = {phrase: tuple(ids) for phrase, ids in ambiguous.items()}
        self._words = tuple(words)
        self.plain = tuple(plain)

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None) -> Ontology:
        """Reads an ontology; the package's own unless a file is given.

        Raises
        ------
        KeyError, TypeError : the file has an entry that is not known, or lacks one; names it.
        """
        own = files(__package__).joinpath("ontology.toml")
        data = tomllib.loads((own if path is None else Path(path)).read_text(encoding="utf8"))
        kinds = {kind: entries for kind, entries in data.items() if kind not in _OTHER}
        concepts = [_concept(i, kind, entry, data["source"]) for kind, entries in kinds.items() for i, entry in entries.items()]
        return cls(concepts, data["ambiguous"], data["words"], data.get("plain", ()))

    def __getitem__(self, id: str) -> Concept:
        try:
            return self._concepts[id]
        except KeyError:
            close = difflib.get_close_matches(str(id), self._concepts, n=3)
            hint = f"; do you mean {' or '.join(close)}?" if close else "; find(text) reads synonyms"
            raise KeyError(f"{id!r} is not the id of a concept{hint}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._concepts)

    def __len__(self) -> int:
        return len(self._concepts)

    def __repr__(self) -> str:
        kinds = [c.kind for c in self.values()]
        return f"<Ontology: {len(self)} concepts; " + ", ".join(f"{kinds.count(k)} {k}" for k in dict.fromkeys(kinds)) + ">"

    def find(self, text: str) -> Match | None:
        """The concept that a text names as a whole, or None.

        Names are met whatever their case, plural, hyphens and British spelling; then with a slip in each word of five letters
        or more (two from eight), if only one name is that near. Shorter words and abbreviations must be right.

        >>> ontology().find("the mitocondria").id, ontology().find("RBX")
        ('mitochondrion', None)
        """
        return self._reader.find(text)

    def sentence_concepts(self, text: str) -> list[Match]:
        """All concepts that a caption, question or query names, in its order; longest names first, none overlapping.

        What is denied ("without white cells") or taken back ("sickle... no, oval") is left out. An ambiguous word is read by
        what else is named.

        >>> [m.id for m in ontology().sentence_concepts("SEM image of steel with carbides, no pores")]
        ['scanning electron microscopy', 'steel', 'carbide particle']
        """
        return self._reader.mentions(text)

    def ancestors(self, id: str) -> tuple[str, ...]:
        """All kinds that a concept is of, the nearest first.

        >>> ontology().ancestors("burr cell")
        ('red blood cell', 'blood cell', 'cell', 'object')
        """
        return self._ancestors[self[id].id]

    def descendants(self, id: str) -> tuple[str, ...]:
        """All concepts that are a kind of this one, in the order of the file."""
        self[id]
        return tuple(other for other in self if id in self.ancestors(other))

    def is_a(self, a: str, b: str) -> bool:
        """Whether every ``a`` is a ``b``."""
        return a == self[b].id or b in self.ancestors(a)

    def related(self, a: str, b: str) -> Relation | None:
        """How two concepts belong together, in either direction, or None: then the one says nothing about the other.

        Concepts that are related must not serve as each other's negatives. Kinds of one parent are not related.

        >>> ontology().related("blood smear", "red blood cell"), ontology().related("neutrophil", "eosinophil")
        ('goes with', None)
        """
        if a == b:
            return "same" if self[a] else None
        if self.is_a(a, b) or self.is_a(b, a):
            return "is a"
        if b in self._wholes(a) or a in self._wholes(b):
            return "part of"
        return "goes with" if self._goes_with(a, b) or self._goes_with(b, a) else None

    def layer(self, id: str) -> Layer | None:
        """The layer of geometry in which its instances are found, its own or its nearest ancestor's; None where it has none."""
        return next((self[c].layer for c in (id, *self.ancestors(id)) if self[c].layer), None)

    def size_um(self, id: str) -> Size | None:
        """The typical size of an instance, µm, its own or its nearest ancestor's; None where none is typical.

        >>> round(ontology().size_um("red blood cell").typical_um, 1)
        7.5
        """
        if self[id].any_size:
            return None
        return next((self[c].size for c in (id, *self.ancestors(id)) if self[c].size), None)

    def prompts(self, id: str, rng: np.random.Generator, *, n: int = 8, typos: float = 0.1) -> list[str]:
        """Draws ``n`` wordings of a concept as people write them, repeats possible.

        Id or synonym, abbreviations, one or many, bare or in a phrase ("a micrograph of ..."), British or American, now and
        then with what it looks like; a share ``typos`` (0..1) of them with a slip of the fingers.

        Raises
        ------
        KeyError : no such concept. ValueError : ``typos`` is no share.
        """
        if not 0 <= typos <= 1:
            raise ValueError(f"typos is the share of prompts with a typing error, 0..1, not {typos}")
        return [drawn(self[id], rng, typos=typos) for _ in range(n)]

    @cached_property
    def _ancestors(self) -> dict[str, tuple[str, ...]]:
        """The ancestors of every concept, breadth first."""
        lines = {c.id: list(c.parents) for c in self.values()}
        for found in lines.values():
            for parent in found:
                found += [p for p in self[parent].parents if p not in found]
        return {id: tuple(found) for id, found in lines.items()}

    @cached_property
    def _reader(self) -> Reader:
        return Reader((w for c in self.values() for w in c.wordings()), self.ambiguous, self._words, self._near)

    def _near(self, id: str) -> frozenset[str]:
        """What speaks for a concept in a text: itself, its ancestors, wholes and companions, the broadest left out."""
        close = {id, *self.ancestors(id)}
        return frozenset(close | self._wholes(id) | {g for c in close for g in self[c].goes_with}) - _BROAD

    def _wholes(self, id: str) -> set[str]:
        """All that a concept lies in, through its ancestors and through wholes of wholes."""
        open_, found = [id], set[str]()
        while open_:
            concept = open_.pop()
            new = {w for c in (concept, *self.ancestors(concept)) for w in self[c].part_of} - found
            found |= new
            open_ += new
        return found

    def _goes_with(self, a: str, b: str) -> bool:
        """Whether ``a`` or an ancestor of it names ``b`` or an ancestor of it as a companion."""
        theirs = {b, *self.ancestors(b)}
        return any(g in theirs for c in (a, *self.ancestors(a)) for g in self[c].goes_with)


def _concept(id: str, kind: Any, entry: Mapping[str, Any], sources: Mapping[str, str]) -> Concept:
    rest: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in entry.items()}
    size, source = None, rest.pop("source", "")
    for of in ("diameter", "width"):
        if f"{of}_um" in rest:
            name, _, detail = source.partition(":")
            low, high = rest.pop(f"{of}_um")
            size = Size(float(low), float(high), of, sources[name] + (f" ({detail.strip()})" if detail else ""))  # type: ignore[arg-type]
    rest.setdefault("countable", kind in _COUNTED)
    return Concept(id, kind, size=size, **rest)


@cache
def ontology() -> Ontology:
    """The package's ontology, read once."""
    return Ontology.load()
