"""Generated scenes (:mod:`micro_nb.data.samples`) as training samples: exact outlines and names, as many as wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from ..data import samples
from ..data.samples import Scene
from .sample import Sample, eight_bit, typical_diameter

KINDS: dict[str, tuple[Callable[..., Scene], dict[str, str]]] = {
    "bacteria": (samples.bacteria, {"modality": "phase contrast", "specimen": "bacteria culture"}),
    "blood": (samples.blood, {"modality": "brightfield", "specimen": "blood smear"}),
    "fluorescence": (samples.fluorescence, {"modality": "fluorescence"}),
    "histology": (samples.histology, {"modality": "histology"}),
    "particles": (samples.particles, {"modality": "scanning electron microscopy"}),
}
"""Kind -> what draws it, and what is known of it."""
_NUCLEI = ("fluorescence", "histology")
"""Scenes whose objects are nuclei, so that they are the nucleus layer too."""


def generated(counts: Mapping[str, int], *, edge: int = 1024, seed: int = 0) -> Iterator[Sample]:
    """Scenes with their truth; data set ``generated/KIND``.

    Parameters
    ----------
    counts : kind -> how many; a kind is a key of :data:`KINDS`. edge : pixels of a scene.
    seed : same seed, same scenes.

    Raises
    ------
    ValueError : a kind does not exist.
    """
    for kind, count in counts.items():
        if kind not in KINDS:
            raise ValueError(f"scenes of {kind!r} cannot be generated; there are {', '.join(KINDS)}")
        for k in range(count):
            yield _sample(kind, KINDS[kind][0]((edge, edge), seed=1000 * seed + k), f"{kind} {k}")


def _sample(kind: str, scene: Scene, name: str) -> Sample:
    labels = np.asarray(scene.labels.read(), np.int32)
    numbers = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
    numbers[scene.table["label"]] = np.arange(1, len(scene.table) + 1)
    labels = numbers[labels]
    named = {k: "powder particle" if said == "particle" else said for k, said in enumerate(scene.table["name"], start=1)}
    layers = {"object": labels, "nucleus": labels} if kind in _NUCLEI else {"object": labels}
    names = {"object": dict.fromkeys(named, "nucleus") if kind in _NUCLEI else named}
    image, wide = eight_bit(np.asarray(scene.image.read())), typical_diameter([labels])
    return Sample(image, layers, names, "generated", name, name, wide, {"type": kind, **KINDS[kind][1]})
