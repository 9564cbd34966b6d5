"""Images to try things on: scikit-image's by name, and generated scenes of any size whose truth is known exactly.

>>> import micro_nb as mnb
>>> mnb.samples.load("immunohistochemistry").sizes
{'c': 3, 'y': 512, 'x': 512}
>>> mnb.samples.fluorescence((512, 512), seed=3).count() > 0
True
"""

from __future__ import annotations

from .address import load, names
from .bacteria import bacteria
from .blood import blood
from .fluorescence import fluorescence
from .histology import histology
from .particles import particles
from .scene import Scene

__all__ = ["Scene", "bacteria", "blood", "fluorescence", "histology", "load", "names", "particles"]
