"""``Taxonomy``: classes in ranks, broad to fine; probabilities sum upward, and a doubtful class backs off to a broader one."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

BUILT_IN = Path(__file__).parent / "taxonomies"
PROMPT = "prompt"
NONE = "none of these"


@dataclass(frozen=True)
class Taxonomy:
    """A tree of classes.

    Attributes
    ----------
    ranks : names of the ranks, broad to fine.
    paths : the leaves, each as its names from the broadest rank to its own; not all need reach the finest.
    prompts : name -> the words that ask for it, where they are not the name itself.

    Raises
    ------
    ValueError : fewer than two leaves, a name in two places, an empty name, or more names than ranks.

    Examples
    --------
    >>> cells = Taxonomy.read({"red cell": ["target cell", "teardrop"], "platelet": None})
    >>> cells.leaves
    ('target cell', 'teardrop', 'platelet')
    >>> cells.upward(np.array([[0.5, 0.3, 0.1]])).round(1).tolist(), cells.names
    ([[0.8, 0.5, 0.3, 0.1]], ('red cell', 'target cell', 'teardrop', 'platelet'))
    """

    ranks: tuple[str, ...]
    paths: tuple[tuple[str, ...], ...]
    prompts: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "prompts", MappingProxyType(dict(self.prompts)))
        if len(self.paths) < 2:
            raise ValueError(f"at least two labels are needed to choose between; got {[p[-1] for p in self.paths]}")
        _check(self.paths, self.ranks)
        unknown = sorted(set(self.prompts) - set(self.names))
        if unknown:
            raise ValueError(f"there are prompts for {unknown}, which the taxonomy does not hold")

    @classmethod
    def read(cls, source: Taxonomy | Mapping[str, Any] | str | os.PathLike[str]) -> Taxonomy:
        """A taxonomy from a CSV (a column per rank), a nested dict, or the name of one that is built in (``"blood"``).

        Raises
        ------
        FileNotFoundError : there is no such file and none of that name is built in.
        ValueError : what is read is not a taxonomy; says why.
        """
        if isinstance(source, Taxonomy):
            return source
        if isinstance(source, Mapping):
            return cls.from_dict(source)
        if not isinstance(source, str | os.PathLike):
            raise TypeError(f"a taxonomy is a CSV, a nested dict, a name or a Taxonomy; got {type(source).__name__}")
        built_in = BUILT_IN / f"{source}.csv"
        if isinstance(source, str) and source.isidentifier() and built_in.is_file():
            return cls.from_csv(built_in)
        return cls.from_csv(source)

    @classmethod
    def from_csv(cls, path: str | os.PathLike[str], *, ranks: Sequence[str] | None = None) -> Taxonomy:
        """A leaf a row, a column per rank, broad to fine; blank where a leaf does not reach the finer ranks.

        Parameters
        ----------
        path : UTF-8 text with a header. A column ``prompt`` holds the words that ask for the leaf, where not its name.
        ranks : which columns are ranks, broad to fine; all but ``prompt`` in their order by default.
        """
        place = Path(path)
        if not place.is_file():
            known = sorted(p.stem for p in BUILT_IN.glob("*.csv"))
            raise FileNotFoundError(f"there is no taxonomy at {str(path)!r}; built in are {known}, else give a CSV")
        with place.open(encoding="utf-8-sig", newline="") as text:
            rows = [[cell.strip() for cell in row] for row in csv.reader(text) if any(cell.strip() for cell in row)]
        header = rows[0] if rows else []
        wanted = tuple(ranks or (c for c in header if c != PROMPT))
        if not wanted or not all(header) or len(set(header)) < len(header):
            raise ValueError(
                f"{place.name} needs a header with a different name for every column, a column per rank; got {header}"
            )
        if not set(wanted) <= set(header):
            raise ValueError(f"{place.name} has no columns {[r for r in wanted if r not in header]}; it has {header}")
        paths, prompts = list[tuple[str, ...]](), dict[str, str]()
        for number, row in enumerate(rows[1:], 2):
            if len(row) > len(header):
                raise ValueError(f"{place.name}, row {number} has {len(row)} cells, the header {len(header)} columns")
            cells = dict(zip_longest(header, row, fillvalue=""))
            names = [cells[rank] for rank in wanted]
            filled = tuple(filter(None, names))
            if not filled or any(names[len(filled) :]):
                raise ValueError(
                    f"{place.name}, row {number} skips a rank: {names}; ranks are filled from the broad end, blank only at the "
                    "fine end"
                )
            paths.append(filled)
            if cells.get(PROMPT):
                prompts[filled[-1]] = cells[PROMPT]
        return cls(wanted, tuple(paths), prompts)

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any], *, ranks: Sequence[str] | None = None) -> Taxonomy:
        """Name -> a dict or list of what it holds; None, ``{}`` or ``[]`` for a leaf.

        Parameters
        ----------
        tree : e.g. ``{"white cell": {"granulocyte": ["neutrophil", "eosinophil"], "lymphocyte": None}, "platelet": None}``.
        ranks : names of the levels, broad to fine; ``"rank 1"``, ``"rank 2"``, ... by default.
        """
        paths = tuple(_leaves(tree, ()))
        depth = max((len(p) for p in paths), default=0)
        return cls(tuple(ranks) if ranks is not None else tuple(f"rank {k + 1}" for k in range(depth)), paths)

    @classmethod
    def flat(cls, labels: Iterable[str]) -> Taxonomy:
        """Labels that exclude each other, in one rank called ``label``."""
        if isinstance(labels, str):
            raise ValueError(f"labels are a list of two or more; got the one text {labels!r}")
        return cls(("label",), tuple((label.strip() if isinstance(label, str) else label,) for label in labels))

    @cached_property
    def parent(self) -> dict[str, str | None]:
        """Name -> the name that holds it, None at the broadest rank; parents stand before their children."""
        return {name: path[k - 1] if k else None for path in self.paths for k, name in enumerate(path)}

    @property
    def names(self) -> tuple[str, ...]:
        """All names, parents before children, in the order they were given."""
        return tuple(self.parent)

    @property
    def leaves(self) -> tuple[str, ...]:
        """Names that hold no others, in the order they were given."""
        return tuple(path[-1] for path in self.paths)

    @cached_property
    def children(self) -> dict[str | None, tuple[str, ...]]:
        """Name -> what it holds, by alphabet, so that results do not depend on the order they were given in; None: the top."""
        held: dict[str | None, list[str]] = {name: [] for name in (None, *self.names)}
        for name, parent in self.parent.items():
            held[parent].append(name)
        return {name: tuple(sorted(inside)) for name, inside in held.items()}

    @cached_property
    def rank(self) -> dict[str, str]:
        """Name -> its rank."""
        return {name: self.ranks[k] for path in self.paths for k, name in enumerate(path)}

    def prompt(self, name: str) -> str:
        """The words that ask for ``name``."""
        return self.prompts.get(name, name)

    def keep(self, names: Iterable[str]) -> Taxonomy:
        """The tree of ``names`` alone, which become its leaves; ValueError where one is not here, or holds another of them."""
        wanted = list(names)
        unknown = sorted(set(wanted) - set(self.names))
        if unknown:
            raise ValueError(f"the taxonomy does not hold {unknown}; its leaves are {list(self.leaves)}")
        routes = {name: path[: k + 1] for path in self.paths for k, name in enumerate(path)}
        for name in wanted:
            above = sorted(set(routes[name][:-1]) & set(wanted))
            if above:
                raise ValueError(f"{above[0]!r} holds {name!r}: give the one or the other")
        paths = tuple(routes[name] for name in wanted)
        kept = {name for path in paths for name in path}
        return Taxonomy(self.ranks, paths, {k: v for k, v in self.prompts.items() if k in kept})

    def upward(self, leaf_probabilities: np.ndarray) -> np.ndarray:
        """Probabilities ``(n, names)``, columns as :attr:`names`, from those of the leaves ``(n, leaves)``, columns as
        :attr:`leaves`; a name has the sum of what it holds."""
        held = {leaf: leaf_probabilities[:, k] for k, leaf in enumerate(self.leaves)}
        for name in reversed(self.names):
            if name not in held:
                held[name] = np.sum([held[child] for child in self.children[name]], axis=0)
        return np.stack([held[name] for name in self.names], axis=1)

    def back_off(self, probabilities: Mapping[str, float], confidence: float) -> str | None:
        """The finest name, on the way down along the likeliest, whose probability is at least ``confidence``; None if none is."""
        found: str | None = None
        while self.children[found]:
            best = max(self.children[found], key=probabilities.__getitem__)
            if probabilities[best] < confidence:
                break
            found = best
        return found


def _leaves(tree: Any, above: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    if isinstance(tree, str) or not isinstance(tree, Mapping | Iterable | None):
        raise ValueError(f"a level of a taxonomy is a dict or a list of names; {'/'.join(above) or 'the top'} holds {tree!r}")
    inside = list(tree.items()) if isinstance(tree, Mapping) else [(name, None) for name in tree or ()]
    if not inside and above:
        yield above
    for name, below in inside:
        yield from _leaves(below, (*above, name.strip() if isinstance(name, str) else name))


def _check(paths: tuple[tuple[str, ...], ...], ranks: tuple[str, ...]) -> None:
    """A name is a text that has one place, whatever its case, and a leaf holds nothing."""
    for path in paths:
        if not path or not all(isinstance(name, str) and name for name in path):
            raise ValueError(f"a label is a text that is not empty; got {path[-1] if path else path!r}")
        if NONE in path:
            raise ValueError(f"{NONE!r} cannot be a label: it is what classify says where no label fits")
        if len(path) > len(ranks):
            raise ValueError(f"{'/'.join(path)} has {len(path)} names but there are {len(ranks)} ranks: {list(ranks)}")
    place: dict[str, tuple[str, ...]] = {}
    for path in paths:
        for k, name in enumerate(path):
            here = path[: k + 1]
            if place.setdefault(name.casefold(), here) != here:
                raise ValueError(f"duplicate label {name!r}: {'/'.join(place[name.casefold()])} and {'/'.join(here)}")
    inner = {path[:k] for path in paths for k in range(1, len(path))}
    twice = sorted({path[-1] for path in paths if path in inner or paths.count(path) > 1})
    if twice:
        raise ValueError(f"duplicate labels {twice}: each is given twice, or once with and once without what it holds")
