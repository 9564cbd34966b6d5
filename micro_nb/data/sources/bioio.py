"""Whatever an installed bioio reader opens: the last resort, which needs no code of ours."""

from __future__ import annotations

from ...errors import UnknownFormatError
from ..location import Location
from ..source import Channel
from .library import Described, LibrarySource, chosen, need, opening


def open_bioio(location: Location, *, series: int = 0, axes: tuple[str, ...] | None = None) -> LibrarySource:
    """A scene of a file; ``series`` is its number.

    Raises
    ------
    UnknownFormatError : no installed reader of bioio opens it.
    """
    with opening(location, "bioio"):
        library = need("bioio", extra="formats", what="bioio")
        try:
            image = library.BioImage(str(location.path))
        except Exception as error:  # each reader refuses in its own way
            raise UnknownFormatError(f"{location.uri}: no installed reader of bioio opens it ({type(error).__name__})") from error
        image.set_scene(chosen(image.scenes, series, location.uri))
        pixels, size = image.xarray_dask_data, image.physical_pixel_sizes
        names = [Channel(str(n)) for n in image.channel_names or ()]
        found = Described(f"bioio: {type(image.reader).__module__.split('.')[0]}", [pixels.data], "".join(map(str, pixels.dims)),
                          {a: getattr(size, a.upper()) for a in "zyx"}, "bioio physical_pixel_sizes", names)  # fmt: skip
        return LibrarySource.of(location, found, axes)
