"""Named arrays by tile, kept as they come: in memory, or in files, where work that was interrupted finds them again."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from ..data.atomic import writing_file


class Kept:
    """What was made of tiles, by their index; a file is there whole or not at all."""

    def __init__(self, folder: Path | None) -> None:
        self.folder, self._here = folder, dict[int, dict[str, np.ndarray]]()
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)

    def __contains__(self, index: int) -> bool:
        return index in self._here if self.folder is None else zipfile.is_zipfile(self.folder / f"{index}.npz")

    def __getitem__(self, index: int) -> dict[str, np.ndarray]:
        if self.folder is None:
            return self._here[index]
        with np.load(self.folder / f"{index}.npz", allow_pickle=False) as arrays:
            return dict(arrays)

    def __setitem__(self, index: int, arrays: dict[str, np.ndarray]) -> None:
        if self.folder is None:
            self._here[index] = arrays
            return
        with writing_file(self.folder / f"{index}.npz") as partial, partial.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]
