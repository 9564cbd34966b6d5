"""Writes shards of generated scenes: a shape times a look, with exact truth in layers.

python -m scenes.make --out work/nano/scenes --count 1500 --seed 0
python -m scenes.make --sheet scenes.png --count 40          # a sheet of pictures to look at
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage as ndi
from shards import UNKNOWN, Sample, write_shards

from . import bodies, looks_electron, looks_light, looks_stain, stained_bodies
from .bodies import Body

Look = Callable[[np.random.Generator, Body], np.ndarray]
EDGE = 384
_FLUOR, _PHASE, _DIC, _BRIGHT = looks_light.fluorescence, looks_light.phase, looks_light.relief, looks_light.brightfield
_TEM, _SEM, _ETCHED, _CELLS = looks_electron.transmission, looks_electron.scanning, looks_electron.etched, looks_stain.any_cells
_ANY: tuple[Look, ...] = (_FLUOR, _PHASE, _DIC, _BRIGHT, _TEM, _SEM, _ETCHED, _CELLS)
SCENES: dict[str, tuple[float, Callable[..., Body], tuple[Look, ...]]] = {
    "nuclei": (0.14, bodies.nuclei, (_FLUOR, _FLUOR, _FLUOR, _FLUOR, _CELLS, _BRIGHT)),
    "rods": (0.14, bodies.rods, (_PHASE, _PHASE, _FLUOR, _FLUOR, _BRIGHT, _DIC, _SEM, _CELLS)),
    "single": (0.12, bodies.single_cells, (_PHASE, _PHASE, _PHASE, _PHASE, _FLUOR, _FLUOR, _DIC, _BRIGHT, _CELLS)),
    "filled": (0.08, bodies.tissue_cells, (_FLUOR, _FLUOR, _CELLS, _TEM, _BRIGHT, _PHASE)),
    "particles": (0.09, bodies.particles, (_SEM, _SEM, _ETCHED, _ETCHED, _BRIGHT, _FLUOR, _TEM)),
    "axons": (0.08, bodies.axons, (_TEM, _TEM, _TEM, _ETCHED, _SEM, _FLUOR)),
    "profiles": (0.05, bodies.profiles, (_TEM,)),
    "tissue": (0.18, stained_bodies.tissue, (looks_stain.tissue_stain, looks_stain.tissue_stain, looks_stain.two_stains)),
    "smear": (0.06, stained_bodies.smear, (looks_stain.romanowsky,)),
    "anything": (0.06, bodies.anything, _ANY),
}
"""Kind -> its share, who makes the bodies, and the looks they may have, likely ones more often."""


def scene(seed: int, number: int, edge: int = EDGE) -> Sample:
    """Scene ``number`` of a seed."""
    rng = np.random.default_rng([seed, number])
    kinds = list(SCENES)
    shares = np.array([SCENES[k][0] for k in kinds])
    kind = kinds[rng.choice(len(kinds), p=shares / shares.sum())]
    _, make, looks = SCENES[kind]
    body = make(rng, edge, float(np.exp(rng.uniform(np.log(14), np.log(44)))))
    look = looks[rng.integers(len(looks))]
    picture = np.clip(look(rng, body), 0, None)
    image = (np.clip(picture / max(1.0, float(picture.max())), 0, 1) * 255).astype(np.uint8)
    hidden = unseen(picture if picture.ndim == 2 else picture.mean(2), body.layers["object"])
    layers = {k: np.where(hidden, UNKNOWN, lab).astype(np.int32) if k != "organelle" else lab for k, lab in body.layers.items()}
    names = {layer: _named(body.layers[layer], name) for layer, name in body.names.items()}
    name, group = f"{look.__name__} {number}", f"{seed} {number}"
    return Sample(image, layers, names, "generated", kind, name, group, "train", body.diameter)


def unseen(picture: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Where objects lie that differ from what is around them in neither brightness nor texture: nobody could find them."""
    smooth = ndi.gaussian_filter(picture, 1.0)
    rough = np.sqrt(ndi.gaussian_filter((picture - smooth) ** 2, 2.0))
    least = max(0.035 * float(np.subtract(*np.percentile(smooth, [99, 1]))), 0.3 * float(np.median(rough)), 1e-3)
    hidden = np.zeros(int(labels.max()) + 1, bool)
    for k, place in enumerate(ndi.find_objects(labels), start=1):
        wide = tuple(slice(max(0, s.start - 4), s.stop + 4) for s in place)
        mine = labels[wide] == k
        around = ndi.binary_dilation(mine, iterations=4) & (labels[wide] == 0)
        rim = mine & ~ndi.binary_erosion(mine, iterations=3)
        if around.sum() > 8:
            steps = [abs(f[wide][rim].mean() - f[wide][around].mean()) for f in (smooth, rough)]
            hidden[k] = max(steps[0], 2 * steps[1], smooth[wide][mine].std() - smooth[wide][around].std()) < least
    return np.asarray(hidden[labels])


def _named(labels: np.ndarray, name: str | dict[int, str]) -> dict[int, str]:
    return name if isinstance(name, dict) else {int(k): name for k in np.unique(labels[labels > 0])}


def scenes(seed: int, count: int, edge: int = EDGE) -> Iterator[Sample]:
    """Scenes in which there is something."""
    for number in range(count):
        made = scene(seed, number, edge)
        if made.labels["object"].any():
            yield made


def sheet(samples: list[Sample], columns: int = 8, edge: int = 256) -> Image.Image:
    """Pictures side by side, each above its labels."""
    rng = np.random.default_rng(0)
    cells = []
    for sample in samples:
        image = np.broadcast_to(sample.image[..., None] if sample.image.ndim == 2 else sample.image, (*sample.image.shape[:2], 3))
        labels = np.maximum(sample.labels["object"], 0)
        colours = rng.integers(60, 256, (int(labels.max()) + 1, 3)).astype(np.uint8)
        colours[0] = 0
        shown = colours[labels]
        for layer in ("nucleus", "organelle"):
            if layer in sample.labels and sample.labels[layer] is not labels:
                shown[sample.labels[layer] > 0] //= 2
        cells.append(np.concatenate([image[:edge, :edge], shown[:edge, :edge]]))
    cells += [np.zeros_like(cells[0])] * (-len(cells) % columns)
    return Image.fromarray(np.concatenate([np.concatenate(cells[k : k + columns], 1) for k in range(0, len(cells), columns)]))


def main() -> None:
    """Does what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("work/nano/scenes"))
    parser.add_argument("--count", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sheet", type=Path)
    args = parser.parse_args()
    if args.sheet:
        sheet(list(scenes(args.seed, args.count))).save(args.sheet)
        return
    for path in write_shards(scenes(args.seed, args.count), args.out, f"scenes_{args.seed}"):
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
