"""How a scene looks stained, in colour: each dye absorbs, and densities add."""

from __future__ import annotations

import numpy as np
from scipy import ndimage as ndi
from stains import BROWNS, STAINS, mixed, on_cytoplasm, on_membranes, on_nuclei, vector

from .bodies import Body
from .fields import Fields, noise, octaves, streaks
from .placing import scattered
from .shapes import disc


def chromatin(rng: np.random.Generator, labels: np.ndarray, diameter: float) -> np.ndarray:
    """Amount of nuclear dye: each nucleus as dark as chance has it, even, clumped, or pale with a rim and a nucleolus."""
    own = Fields(rng, labels)
    pale = rng.random(own.count + 1) < rng.choice([0.0, 0.2, 0.6, 1.0])
    grain = np.clip(1 + rng.uniform(0.1, 0.5) * octaves(rng, own.edge, diameter / 3, 1.2), 0.2, None)
    even = np.clip(own.depth_px / 1.5, 0, 1) * grain
    vesicle = own.rim(rng.uniform(0.6, 1.1)) * own.mask * 1.1 + 0.4 * grain * own.mask
    spot = (noise(rng, own.edge, diameter / 5) > rng.uniform(1.5, 2.2)) & (own.depth > 0.35)
    vesicle = vesicle + ndi.gaussian_filter(spot.astype(float), 0.7) * rng.uniform(0.5, 1.2)
    return np.asarray(own.each(0.5, 1.3, rng.uniform(0.05, 0.4)) * np.where(pale[labels], 0.75 * vesicle, even))


def borders(nuclei: np.ndarray, diameter: float) -> np.ndarray:
    """Lines half-way between neighbouring nuclei, where cells meet."""
    away, nearest = ndi.distance_transform_edt(nuclei == 0, return_indices=True)
    owner = nuclei[tuple(nearest)]
    meet = (ndi.maximum_filter(owner, 3) != ndi.minimum_filter(owner, 3)) & (away > 1.5)
    return np.asarray(ndi.gaussian_filter(meet.astype(float), 0.9) * np.exp(-((away / diameter) ** 2)) * 2)


def ground(rng: np.random.Generator, body: Body) -> tuple[np.ndarray, np.ndarray]:
    """Amounts of counterstain and of nuclear dye in what lies between nuclei: cytoplasm, fibres, cracks, red cells, mucus."""
    edge, d = body.edge, body.diameter
    epithelium = body.extra.get("epithelium", np.ones((edge, edge), bool))
    soft = ndi.gaussian_filter(epithelium.astype(float), 2)
    cell = 0.35 + rng.uniform(0.05, 0.15) * octaves(rng, edge, 2 * d, 1.5, 0.8) + 0.12 * noise(rng, edge, 4 * d)
    cell = np.clip(cell + rng.uniform(0, 0.5) * borders(body.layers["object"], d), 0.02, None) * rng.uniform(0.5, 1.6)
    thread = streaks(rng, edge, d * rng.uniform(1, 3), rng.uniform(1.5, 5))
    fibre = np.clip(0.4 + rng.uniform(0.1, 0.35) * thread + 0.1 * noise(rng, edge, 3 * d), 0, None) * rng.uniform(0.5, 1.8)
    pink = soft * cell + (1 - soft) * fibre
    crack = ndi.gaussian_filter(((thread < rng.uniform(-2.2, -1.0)) & ~epithelium).astype(float), 1.0)
    haze = np.clip(0.12 + 0.06 * octaves(rng, edge, 2 * d, 1.5, 0.8), 0, None) * rng.uniform(0, 1.5)
    pink, blue = pink * (1 - crack), (soft + (1 - soft) * rng.uniform(0, 0.6)) * haze * (1 - crack)
    if rng.random() < 0.5:  # red cells and dark fibres: what must not pass for nuclei
        size, count = (lambda: d * rng.uniform(0.6, 0.9)), int(rng.integers(3, 60))
        red = scattered(rng, edge, disc, size, count=count, pattern="clumps", overlap=0.1)
        pink = np.where((red > 0) & (body.layers["object"] == 0), rng.uniform(0.7, 1.6) + 0.1 * noise(rng, edge, d), pink)
    if rng.random() < 0.4:
        pink = pink + np.clip(thread - rng.uniform(1.3, 2.2), 0, 1) * rng.uniform(0.5, 1.5) * ~epithelium
    hollow = ndi.gaussian_filter(body.extra.get("open", np.zeros((edge, edge), bool)).astype(float), 0.8)
    blank = 1 - hollow * rng.uniform(0.85, 1.0)
    return pink * blank, blue * blank


def tissue_stain(rng: np.random.Generator, body: Body) -> np.ndarray:
    """Haematoxylin and eosin; or another dye of nuclei over another of the rest."""
    pink, blue = ground(rng, body)
    dark = chromatin(rng, body.layers["nucleus"], body.diameter)
    core = ndi.gaussian_filter((dark > 0).astype(float), 0.7)
    names = ("haematoxylin", "eosin") if rng.random() < 0.7 else rng.choice([*STAINS], 2, replace=False)
    amounts = np.stack([dark * rng.uniform(0.5, 1.6) + blue, pink * (1 - rng.uniform(0.2, 0.9) * core)])
    return printed(rng, amounts, np.stack([vector(rng, name, 0.08) for name in names]))


def two_stains(rng: np.random.Generator, body: Body) -> np.ndarray:
    """Immunohistochemistry: a chromogen on nuclei, membranes or cytoplasm over pale blue nuclei."""
    pink, blue = ground(rng, body)
    nuclei = body.layers["nucleus"]
    dark = chromatin(rng, nuclei, body.diameter)
    where = (on_nuclei, on_membranes, on_cytoplasm)[rng.integers(3)]
    brown = where(rng, nuclei, np.stack([dark, pink])) * rng.uniform(0.4, 2.0) + pink * rng.uniform(0.05, 0.35)
    if where is not on_nuclei:
        brown = brown * body.extra.get("epithelium", True)
    counter = str(rng.choice(["haematoxylin", "haematoxylin", "haematoxylin", "methyl green"]))
    vectors = np.stack([vector(rng, counter), vector(rng, BROWNS[rng.integers(len(BROWNS))])])
    pale = dark * rng.uniform(0.2, 0.9) + blue * rng.uniform(0.3, 1.2) + pink * rng.uniform(0, 0.3)
    return printed(rng, np.stack([pale, brown]), vectors)


def romanowsky(rng: np.random.Generator, body: Body) -> np.ndarray:
    """A blood smear: red cells with their pallor, purple nuclei, blue or grainy cytoplasm, platelets."""
    own = Fields(rng, body.layers["object"])
    names = body.names["object"]
    kind = np.array(["", *(names[k] for k in range(1, own.count + 1))])[own.labels]
    red, white, bit = (kind == name for name in ("red blood cell", "white blood cell", "platelet"))
    pallor = np.exp(-(((1 - own.depth) / rng.uniform(0.35, 1.1)) ** 4)) * rng.uniform(0, 0.85)
    ringed = (rng.random(own.count + 1) < rng.uniform(0.3, 1))[own.labels]
    hue = red * (own.each(0.8, 1.2) * (1 - pallor * ringed) + 0.25 * own.rim(1.0))
    grain = octaves(rng, own.edge, 4, 1.2)
    core = chromatin(rng, body.layers["nucleus"], body.diameter) * rng.uniform(1.0, 2.0)
    plasm = white * own.each(0.1, 0.6) * np.clip(1 + 0.3 * grain, 0, None)
    plasm = plasm + bit * own.each(0.4, 1.2) * np.clip(0.8 + 0.4 * grain, 0, None)
    rosy = white * own.each(0, 0.35) * np.clip(1 + grain, 0, None)
    amounts = np.stack([hue * rng.uniform(0.3, 1.0), core + plasm * (core == 0), rosy])
    dye = str(rng.choice(["azure", "methylene blue", "haematoxylin"]))
    vectors = np.stack([vector(rng, "haemoglobin", 0.1), vector(rng, dye), vector(rng, "eosin")])
    return printed(rng, amounts, vectors, glass=np.clip(np.array([0.95, 0.9, 0.85]) + rng.normal(0, 0.06, 3), 0.55, 1))


def printed(rng: np.random.Generator, amounts: np.ndarray, vectors: np.ndarray, glass: np.ndarray | None = None) -> np.ndarray:
    """Amounts through the lens and onto a colour camera: ``(edge, edge, 3)``."""
    focus = np.exp(rng.uniform(np.log(0.4), np.log(1.5)))
    thick = np.clip(1 + 0.08 * noise(rng, amounts.shape[1], amounts.shape[1] / 2), 0.5, None)
    light = mixed(amounts * thick, vectors, rng.uniform(0.85, 1.0, 3) if glass is None else glass)
    light = ndi.gaussian_filter(light, (0, focus, focus))
    light = light + rng.normal(0, rng.uniform(0.003, 0.03), light.shape)
    return np.clip(light, 0, 1).transpose(1, 2, 0)


def any_cells(rng: np.random.Generator, body: Body) -> np.ndarray:
    """Cells of any kind with a stain each for body, nucleus and membrane, as in cytology and plant sections."""
    own = Fields(rng, body.layers["object"])
    same = body.layers.get("nucleus") is body.layers["object"]
    plasm = own.each(0.2, 0.8, 0.3) * np.clip(1 + 0.25 * own.grain(body.diameter / 2), 0, None) * (not same)
    wall = own.rim(rng.uniform(0.6, 1.5)) * rng.uniform(0, 1.5)
    nuclei = body.layers["object"] if same else body.layers.get("nucleus", np.zeros_like(own.labels))
    stained = chromatin(rng, nuclei, body.diameter * (1 if same else 0.5)) * rng.uniform(0.5, 1.6)
    haze = np.clip(0.1 + 0.1 * noise(rng, own.edge, 3 * body.diameter), 0, None) * rng.uniform(0, 1)
    names = rng.choice([*STAINS], 3, replace=False)
    return printed(rng, np.stack([plasm + haze, stained, wall]), np.stack([vector(rng, name) for name in names]))
