"""The tools that come with micro_nb; importing this package registers them."""

from . import (
    appearance,
    colocalisation,
    comparing,
    counting,
    distribution,
    facts,
    gates,
    kinds,
    outliers,
    pixels,
    populations,
    quality,
    several,
    sizing,
    software,
    spatial,
)

__all__ = [
    "appearance",
    "colocalisation",
    "comparing",
    "counting",
    "distribution",
    "facts",
    "gates",
    "kinds",
    "outliers",
    "pixels",
    "populations",
    "quality",
    "several",
    "sizing",
    "software",
    "spatial",
]
