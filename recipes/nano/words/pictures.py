"""Images without masks as training samples: a caption, or a condition, is all that is known of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from micro_nb.analysis.scale import find_recipe
from micro_nb.analysis.segment import segmented_plane
from micro_nb.data.open import open_image
from micro_nb.learn.sample import Sample, eight_bit

_FACTS = ("caption", "specimen", "modality")


def captioned(root: Path) -> Iterator[Sample]:
    """Pictures with a caption, a modality and a specimen."""
    for row in pd.read_csv(root / "index.csv").itertuples():
        yield picture_sample(root, str(row.image), {k: str(getattr(row, k)) for k in _FACTS})


def diseases(root: Path) -> Iterator[Sample]:
    """Blood smears of patients with a condition of their red cells."""
    for row in pd.read_csv(root / "index.csv").itertuples():
        yield picture_sample(root, str(row.image), {"condition": str(row.image_class), "modality": "brightfield"})


def picture_sample(root: Path, name: str, facts: dict[str, str]) -> Sample:
    """A picture as the tasks would look at it: the same channel, the estimated scale."""
    plane, _ = segmented_plane(open_image(root / name), None, None)
    image = eight_bit(plane.read(0))
    return Sample(image, {}, {}, root.name, name, name, find_recipe(plane).diameter_px, facts)
