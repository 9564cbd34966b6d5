"""The images of a conversation by name, and the conditions they belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..data.image import MicroImage
from ..errors import EvidenceError

Given = MicroImage | Sequence[MicroImage] | Mapping[str, MicroImage | Sequence[MicroImage]] | None


class Album(dict[str, MicroImage]):
    """Images by name, in the order they came.

    Attributes
    ----------
    groups : conditions of several images, each with the names of its images.
    originals : the images as they were added, whatever scale was stated since.
    """

    def __init__(self) -> None:
        super().__init__()
        self.originals: dict[str, MicroImage] = {}
        self.groups: dict[str, tuple[str, ...]] = {}

    @classmethod
    def of(cls, given: Given) -> Album:
        """One image, several as a list, a mapping from names, or from conditions to lists of images.

        Raises
        ------
        TypeError : something else than images.
        """
        album = cls()
        if isinstance(given, Mapping):
            for name, one in given.items():
                if isinstance(one, Sequence):
                    album.groups[str(name)] = tuple(album.add(img, f"{name} {k}") for k, img in enumerate(one, 1))
                else:
                    album.add(one, str(name))
        elif given is not None:
            for one in given if isinstance(given, Sequence) else [given]:
                album.add(one)
        return album

    def add(self, img: MicroImage, name: str | None = None) -> str:
        """Takes an image in, and gives the name it has here.

        Raises
        ------
        TypeError : no image.
        EvidenceError : the name is taken, or is no word.
        """
        if not isinstance(img, MicroImage):
            raise TypeError(f"Session takes images from open_image, not {type(img).__name__}")
        if name is not None and (name in self or not name.strip()):
            raise EvidenceError(f"an image named {name!r} is already in this session; choose another name")
        free = (f"{img.name} ({k})" if k > 1 else img.name for k in range(1, len(self) + 2))
        name = name if name is not None else next(n for n in free if n not in self)
        self[name] = self.originals[name] = img
        return name

    def __missing__(self, name: str) -> MicroImage:
        raise EvidenceError(f"no image is named {name!r}; there are {', '.join(self) or 'none'}")
