"""Small labelled folders with known truth, the weight-free floor as something to evaluate, and one that knows the answers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from PIL import Image
from scipy import ndimage as ndi

import micro_nb as mnb
from micro_nb.tiles.objects import Objects

EDGE = 96


def discs(rng, n, radius=7, edge=EDGE):
    """Labels of discs that do not touch."""
    y, x = np.mgrid[:edge, :edge]
    labels = np.zeros((edge, edge), np.uint16)
    for cy, cx in rng.permutation([(a, b) for a in range(12, edge, 24) for b in range(12, edge, 24)])[:n]:
        labels[np.hypot(y - cy, x - cx) < radius] = labels.max() + 1
    return labels


def masks_folder(root: Path, *, images=8, seed=0, name="plates") -> Path:
    """Bright discs (type bright) and faint ones in noise (type faint), two images a group."""
    rng, rows = np.random.default_rng(seed), []
    folder = root / name
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True)
    for k in range(images):
        faint = k % 2
        labels = discs(rng, 6 + k % 5)
        pixels = 30 + (40 if faint else 150) * (labels > 0) + rng.normal(0, 16 if faint else 3, labels.shape)
        Image.fromarray(ndi.gaussian_filter(pixels, 0.7).clip(0, 255).astype(np.uint8)).save(folder / f"images/{k}.png")
        Image.fromarray(labels).save(folder / f"labels/{k}.png")
        row = {"image": f"images/{k}.png", "label": f"labels/{k}.png", "n_objects": int(labels.max())}
        rows.append(row | {"type": "faint" if faint else "bright", "group": f"slide{k // 2}"})
    pd.DataFrame(rows).to_csv(folder / "index.csv", index=False)
    return folder


def boxes_folder(root: Path, *, images=4, name="smears") -> Path:
    """Boxes of large and small discs; the second half of the images has no small ones."""
    rng, rows, boxes = np.random.default_rng(1), [], []
    (root / name / "images").mkdir(parents=True)
    for k in range(images):
        labels = discs(rng, 8)
        Image.fromarray((labels > 0).astype(np.uint8) * 200).save(root / name / f"images/{k}.png")
        rows.append({"image": f"images/{k}.png"})
        for number, (ys, xs) in enumerate(ndi.find_objects(labels)):
            kind = "WBC" if number < 2 and k < images / 2 else "RBC"
            boxes.append((f"images/{k}.png", kind, xs.start, ys.start, xs.stop, ys.stop))
    pd.DataFrame(rows).to_csv(root / name / "index.csv", index=False)
    pd.DataFrame(boxes, columns=["image", "class", "xmin", "ymin", "xmax", "ymax"]).to_csv(root / name / "boxes.csv", index=False)
    return root / name


class SegmentFloor:
    """The weight-free floor as a parse: every object answers to the first prompt; it says nothing of presence."""

    def __call__(self, img, prompts):
        found = Objects.from_labels(img, mnb.segment(img))
        found.table["name"] = prompts[0] if prompts else "object"
        return found


class Oracle:
    """Finds what is labelled, drops the last ``lost`` objects of each picture, and knows which words belong to a folder."""

    def __init__(self, *folders: Path, lost=0):
        self.lost, self.folders = lost, folders
        self.asked: list[list[str] | None] = []

    def __call__(self, img, prompts):
        self.asked.append(prompts)
        folder = Path(img.uri).parents[1]
        rows, labels = self._boxes(img, folder) if (folder / "boxes.csv").exists() else self._masks(img, folder, prompts)
        table = pd.DataFrame(rows, columns=["label", "layer", "name", "score", *BOX])
        labels = xr.DataArray(labels[None].astype(np.int32), dims=("layer", "y", "x"), coords={"layer": ["object"]})
        return Objects(table, labels, presence=self._presence(img, folder, prompts))

    def _masks(self, img, folder, prompts):
        labels = np.asarray(Image.open(folder / "labels" / img.name)).astype(int)
        labels[labels > labels.max() - self.lost] = 0
        name = prompts[0] if prompts else "object"
        return [(k + 1, "object", name, 0.9, *_edges(place)) for k, place in enumerate(ndi.find_objects(labels)) if place], labels

    def _boxes(self, img, folder):
        mine = pd.read_csv(folder / "boxes.csv").query("image == @name", local_dict={"name": f"images/{img.name}"})
        names = {"RBC": "red blood cell", "WBC": "white blood cell"}
        labels = ndi.label(np.asarray(Image.open(folder / "images" / img.name)) > 0)[0]
        rows = [
            (
                labels[(r.ymin + r.ymax) // 2, (r.xmin + r.xmax) // 2],
                "object",
                names[r["class"]],
                0.9,
                r.ymin,
                r.xmin,
                r.ymax,
                r.xmax,
            )
            for _, r in mine.iterrows()
        ]
        return rows[: len(rows) - self.lost], labels

    def _presence(self, img, folder, prompts):
        if prompts is None:
            return None
        own = {"smears": {"red blood cell"}, "plates": {"disc"}}.get(folder.name, set())
        if folder.name == "smears" and int(Path(img.name).stem) < 2:
            own = own | {"white blood cell"}
        rows = [(p, "present" if p in own else "absent", p in own, 0.01 if p in own else 0.8) for p in prompts]
        return pd.DataFrame(rows, columns=["name", "status", "present", "p_value"])


BOX = ["bbox_y0_px", "bbox_x0_px", "bbox_y1_px", "bbox_x1_px"]


def _edges(place):
    return place[0].start, place[1].start, place[0].stop, place[1].stop
