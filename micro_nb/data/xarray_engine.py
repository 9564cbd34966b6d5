"""``xr.open_datatree(path, engine="micro_nb")``: the xarray engine. Importing it costs a stranger's session next to nothing.

It is used only where it is named: it never claims a file by guessing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from xarray.backends import BackendEntrypoint

if TYPE_CHECKING:
    import xarray as xr

    from .image import MicroImage


class MicroNBBackend(BackendEntrypoint):
    """Any image micro_nb opens, lazily: a tree of its levels ``s0``, ``s1``, ..., or a dataset of level 0, variable ``image``."""

    description = "Open microscope images of any format and size with micro_nb"
    open_dataset_parameters: ClassVar = (
        "filename_or_obj",
        "drop_variables",
        "pixel_size",
        "axes",
        "series",
        "well",
        "field",
        "level",
    )
    supports_groups = True

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        return False

    def open_dataset(  # type: ignore[override]
        self, filename_or_obj: Any, *, drop_variables: str | Iterable[str] | None = None, level: int = 0, **options: Any
    ) -> xr.Dataset:
        """One level as the variable ``image``; further keywords as in :func:`micro_nb.open_image`."""
        image = _open(filename_or_obj, **options)
        if not 0 <= level < len(image.levels):
            raise ValueError(f"{filename_or_obj}: level {level} is not one of 0..{len(image.levels) - 1}")
        dataset = image.levels[level].to_dataset(name="image")
        dataset.set_close(image.source.close)
        return dataset.drop_vars(_names(drop_variables), errors="ignore")

    def open_datatree(  # type: ignore[override]
        self, filename_or_obj: Any, *, drop_variables: str | Iterable[str] | None = None, **options: Any
    ) -> xr.DataTree:
        """All levels, as :meth:`micro_nb.MicroImage.to_datatree` gives them."""
        image = _open(filename_or_obj, **options)
        tree = image.to_datatree()
        tree.set_close(image.source.close)
        unwanted = _names(drop_variables)
        return tree.map_over_datasets(lambda ds: ds.drop_vars(unwanted, errors="ignore")) if unwanted else tree

    def open_groups_as_dict(self, filename_or_obj: Any, **options: Any) -> dict[str, xr.Dataset]:
        """The same tree as datasets by path."""
        return {node.path: node.to_dataset() for node in self.open_datatree(filename_or_obj, **options).subtree}


def _open(filename_or_obj: Any, **options: Any) -> MicroImage:
    if not isinstance(filename_or_obj, str | os.PathLike):
        raise TypeError(f"the micro_nb engine opens paths and addresses, not {type(filename_or_obj).__name__}")
    from .open import open_image

    return open_image(filename_or_obj, **options)


def _names(drop_variables: str | Iterable[str] | None) -> list[str]:
    return [drop_variables] if isinstance(drop_variables, str) else list(drop_variables or ())
