"""The figures of a model on the validation part of every data set, and its card.

    python -m words.judge DATA MODEL

Writes ``README.md`` and ``failures/`` into the model folder; what no measurement says stands in ``card.toml``.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

import micro_nb as mnb

from .card import About, write_card
from .sources import read_sources

SETS = {
    "usiigaci_phase": None, "ampis_spheroidite_sem": None, "sstem_vnc": None, "tnbc_he_nuclei": "nucleus",
    "pbc_blood_boxes": None, "dsb2018": None, "bccd": None,
}  # fmt: skip
"""Data set -> what it is asked for, where the package does not know it."""
AGAINST = ("usiigaci_phase", "ampis_spheroidite_sem", "ampis_powder_sem", "sstem_vnc", "tnbc_he_nuclei", "dsb2018")
"""Data sets whose prompts are absent in blood smears, and the other way round."""


@contextmanager
def validation(data: Path, model: Path) -> Iterator[Path]:
    """A folder of the data sets with what the model was not trained on alone; pictures are links."""
    trained = set(pd.read_csv(model / "trained_on.csv")[["dataset", "name"]].itertuples(index=False, name=None))
    with tempfile.TemporaryDirectory() as folder:
        for name in {*SETS, *AGAINST}:
            mine = Path(folder) / name
            mine.mkdir()
            for there in (data / name).iterdir():
                os.symlink(there.absolute(), mine / there.name)
            rows = pd.read_csv(mine / "index.csv")
            (mine / "index.csv").unlink()
            rows[[(name, image) not in trained for image in rows["image"]]].to_csv(mine / "index.csv", index=False)
        yield Path(folder)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the data sets")
    parser.add_argument("model", type=Path, help="model folder")
    args = parser.parse_args()
    about = About(**tomllib.loads(Path(__file__).with_name("card.toml").read_text(encoding="utf-8")))
    with validation(args.data, args.model) as folder:
        found = [
            mnb.evaluate(folder / name, prompts=prompts, model=str(args.model),
                         against=[folder / n for n in AGAINST] if name == "bccd" else ())
            for name, prompts in SETS.items()
        ]  # fmt: skip
    for evaluation in found:
        print(evaluation.text())
    names = sorted(set(pd.read_csv(args.model / "trained_on.csv")["dataset"]))
    write_card(args.model, found, about=about, sources=read_sources(args.data.parent / "README.md", names=names))


if __name__ == "__main__":
    main()
