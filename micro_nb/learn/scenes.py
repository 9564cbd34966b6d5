"""Generated scenes (:mod:`micro_nb.data.samples`) as training samples: exact outlines and names, as many as wanted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from ..data import samples
from ..data.samples import Scene
from .sample import Sample, eight_bit, typical_diameter

KINDS: dict[str, Callable[..., Scene]] = {
    "bacteria": samples.bacteria, "blood": samples.blood, "fluorescence": samples.fluorescence, "histology": samples.histology,
    "particles": samples.particles,
}  # fmt: skip
_FACTS = {
    "bacteria": {"modality": "phase contrast", "specimen": "bacteria culture"},
    "blood": {"modality": "brightfield", "specimen": "blood smear"}, "fluorescence": {"modality": "fluorescence"},
    "histology": {"modality": "histology"}, "particles": {"modality": "scanning electron microscopy"},
}  # fmt: skip
_NUCLEI = ("fluorescence", "histology")
"""Scenes whose objects are nuclei, so that they are the nucleus layer too."""
_PARTICLE = {"particle": "powder particle"}


def generated(counts: Mapping[str, int], *, edge: int = 1024, seed: int = 0) -> Iterator[Sample]:
    """Scenes with their truth; data set ``generated/KIND``.

    Parameters
    ----------
    counts : kind -> how many; a kind is a key of :data:`KINDS`.
    edge : pixels of a scene.
    seed : same seed, same scenes.

    Raises
    ------
    ValueError : a kind does not exist.
    """
    for kind, count in counts.items():
        if kind not in KINDS:
            raise ValueError(f"scenes of {kind!r} cannot be generated; there are {', '.join(KINDS)}")
        for k in range(count):
            yield _sample(kind, KINDS[kind]((edge, edge), seed=1000 * seed + k), k)


def _sample(kind: str, scene: Scene, number: int) -> Sample:
    labels = np.asarray(scene.labels.read(), np.int32)
    table = scene.table
    numbers = np.zeros(int(labels.max(initial=0)) + 1, np.int32)
    numbers[table["label"]] = np.arange(1, len(table) + 1)
    labels = numbers[labels]
    layers = {"object": labels, **({"nucleus": labels} if kind in _NUCLEI else {})}
    named = {k: _PARTICLE.get(name, name) for k, name in enumerate(table["name"], start=1)}
    names = {"object": dict.fromkeys(named, "nucleus") if kind in _NUCLEI else named}
    facts = {"type": kind, **_FACTS[kind]}
    image = eight_bit(np.asarray(scene.image.read()))
    return Sample(image, layers, names, "generated", f"{kind} {number}", f"{kind} {number}", typical_diameter([labels]), facts)
