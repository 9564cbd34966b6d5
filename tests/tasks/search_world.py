"""A small world to search: pictures of discs and rods, eyes that measure instead of a network, and a handful of concepts."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
from scipy import ndimage

import micro_nb as mnb
from micro_nb.tiles.objects import Objects

WORDS = ("disc", "rod", "dark", "bright", "smear")
D = 16
SAME = {"coin": "disc", "coins": "disc", "discs": "disc", "rods": "rod"}


@dataclass
class Model:
    weights_id: str = "a" * 64


@dataclass(frozen=True)
class Concept:
    id: str
    kind: str
    names: tuple[str, ...]


class Ontology(dict):
    """Five concepts; a "coin" is a disc."""

    def __init__(self):
        kinds = {"disc": "object", "rod": "object", "smear": "specimen", "dark": "appearance", "bright": "appearance"}
        super().__init__({name: Concept(name, kind, (name,)) for name, kind in kinds.items()})

    def sentence_concepts(self, text):
        words = text.lower().replace(",", " ").split()
        denied = {b for a, b in itertools.pairwise(words) if a in ("without", "no")}
        return [SimpleNamespace(id=SAME.get(w, w), text=w) for w in words if SAME.get(w, w) in self and w not in denied]

    def descendants(self, id):
        return ()


def direction(word):
    """A fixed unit vector of a word; those of :data:`WORDS` are orthogonal."""
    if word in WORDS:
        return np.eye(D, dtype=np.float32)[WORDS.index(word)]
    seed = int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "little")
    v = np.random.default_rng(seed).normal(size=D).astype(np.float32)
    v[: len(WORDS)] = 0
    return v / np.linalg.norm(v)


def encode_text(texts, model=None):
    rows = [np.sum([direction(SAME.get(w, w)) for w in text.lower().replace(",", " ").split()], axis=0) for text in texts]
    return np.stack([r / max(np.linalg.norm(r), 1e-9) for r in rows]).astype(np.float32)


def embed(img, model=None, diameter_px=None):
    """Objects by threshold; long ones are rods. A vector says which shapes there are, and how much light."""
    pixels = img.read(0).astype(float)
    labels, _ = ndimage.label(pixels > 128)
    table = mnb.measure(img, labels)
    long = table.filter(like="major_axis").iloc[:, 0] > 1.6 * table.filter(like="minor_axis").iloc[:, 0]
    table["name"] = np.where(long, "rod", "disc")
    said = {"recognised": {"specimen": {"name": "smear", "probability": 0.9}}}
    found = Objects(table, pixel_size=img.pixel_size, image_id=img.content_id, made_by=said)
    light = direction("bright") * pixels.mean() / 255 + direction("dark") * (1 - pixels.mean() / 255)
    objects = np.array([direction(n) + 0.2 * light for n in table["name"]], np.float32).reshape(-1, D)
    image = light + (objects.sum(0) / max(len(objects), 1) if len(objects) else 0)
    boxes, tiles = [], []
    for y in range(0, pixels.shape[0], 64):
        for x in range(0, pixels.shape[1], 64):
            inside = table["centroid_y_px"].between(y, y + 63.99) & table["centroid_x_px"].between(x, x + 63.99)
            boxes.append((y, x, min(y + 64, pixels.shape[0]), min(x + 64, pixels.shape[1])))
            tiles.append(light + (objects[inside.to_numpy()].sum(0) if inside.any() else 0))
    return SimpleNamespace(
        image=_unit(image), tiles=_unit(np.array(tiles)), boxes=np.array(boxes), objects=_unit(objects), found=found,
        scale=1.0, image_id=img.content_id,
    )  # fmt: skip


def picture(discs=(), rods=(), *, shape=(128, 128), level=30, seed=0):
    """uint8: bright discs ``(y, x, r)`` and rods ``(y, x)`` on a dark ground."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    out = np.random.default_rng(seed).normal(level, 2, shape)
    for cy, cx, r in discs:
        out[(y - cy) ** 2 + (x - cx) ** 2 <= r**2] = 220
    for cy, cx in rods:
        out[(abs(y - cy) <= 4) & (abs(x - cx) <= 16)] = 220
    return out.clip(0, 255).astype(np.uint8)


def grid(step, r, size=128):
    return [(y, x, r) for y in range(step, size - r, step) for x in range(step, size - r, step)]


def _unit(v):
    v = np.asarray(v, np.float32)
    return v / np.maximum(np.linalg.norm(v, axis=-1, keepdims=True), 1e-9)
