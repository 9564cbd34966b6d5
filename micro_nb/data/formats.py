"""Which reader opens which file: by its first bytes, then by its name. Readers are imported only when they are needed.

Other packages add a format with an entry point in the group ``micro_nb.formats`` that loads to a :class:`Format`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points

from ..errors import ImageNotFoundError, MicroNBError, UnknownFormatError
from .location import Location
from .source import Source

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
PICTURE_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"GIF8")
_LATER = {
    ".czi": "Zeiss CZI", ".nd2": "Nikon ND2", ".lif": "Leica LIF", ".dcm": "DICOM", ".mrxs": "3DHISTECH MIRAX",
    ".vsi": "Olympus VSI", ".oir": "Olympus OIR", ".ims": "Imaris", ".h5": "HDF5", ".mrc": "MRC", ".dv": "DeltaVision",
}  # fmt: skip


@dataclass(frozen=True)
class Format:
    """A file format.

    Attributes
    ----------
    name : shown to people.
    claims : decides from the location and the first bytes (empty for a folder) whether this format should open it; cheap.
    reader : ``"module:callable"``; the callable takes ``(location, *, series=0, axes=None)`` and returns a :class:`Source`.
        ``axes`` is the user's statement of what each stored dimension means, e.g. ``("z", "y", "x")``; the reader lets it
        replace what the file says and raises AxesError, with the shape and a suggestion, where neither says it.
    """

    name: str
    claims: Callable[[Location, bytes], bool]
    reader: str

    def open(self, location: Location, *, series: int = 0, axes: tuple[str, ...] | None = None) -> Source:
        """The source; imports the reader."""
        return pkgutil.resolve_name(self.reader)(location, series=series, axes=axes)  # type: ignore[no-any-return]


def _is_zarr(location: Location, head: bytes) -> bool:
    if location.name.lower().endswith((".zip", ".ozx")):
        return True
    if location.is_local and not location.is_dir():
        return False
    parts = [part for part in location.uri.split("?")[0].split("/")[-6:] if part.endswith(".zarr")]
    return bool(parts) or any(location.child(f).exists() for f in ("zarr.json", ".zattrs", ".zgroup", ".zarray"))


_SAMPLES = "micro_nb.data.samples.address:open_sample"
BUILTIN = (
    Format("TIFF", lambda _, head: head[:4] in TIFF_MAGIC, "micro_nb.data.sources.tiff:open_tiff"),
    Format("picture", lambda _, head: head.startswith(PICTURE_MAGIC), "micro_nb.data.sources.picture:open_picture"),
    Format("Zarr", _is_zarr, "micro_nb.data.sources.zarr:open_zarr"),
)


def formats() -> Iterator[Format]:
    """Installed formats: other packages' first, so that they may take over a file, then the built-in ones."""
    yield from _installed()
    yield from BUILTIN


@cache
def _installed() -> tuple[Format, ...]:
    """Formats of other packages, asked for once a process: reading what is installed takes longer than opening a file."""
    return tuple(point.load() for point in entry_points(group="micro_nb.formats"))


def open_source(location: Location, *, series: int = 0, axes: tuple[str, ...] | None = None) -> Source:
    """The source for a location.

    Raises
    ------
    ImageNotFoundError : nothing is there.
    UnknownFormatError : no reader claims it; says what the file looks like and what to do.
    CorruptImageError, UnsafeImageError : from the reader.
    """
    if location.uri.startswith("sample:"):
        return pkgutil.resolve_name(_SAMPLES)(location.uri).source  # type: ignore[no-any-return]
    if location.is_local and not location.exists():
        raise ImageNotFoundError(f"{location.uri}: nothing is there (looked in {location.path.absolute().parent})")
    head = _head(location)
    for fmt in formats():
        if fmt.claims(location, head):
            source = fmt.open(location, series=series, axes=axes)
            address = str(location.path.absolute()) if location.is_local else location.uri
            object.__setattr__(source, "opened", (address, series, axes))
            return source
    raise UnknownFormatError(_explain(location, head))


def _head(location: Location) -> bytes:
    """First bytes; whatever keeps a remote place from answering becomes one clear error."""
    try:
        return location.head()
    except MicroNBError:
        raise
    except Exception as error:
        if isinstance(error, PermissionError) and location.is_local:
            raise ImageNotFoundError(f"{location.uri}: may not be read ({error.strerror})") from None
        reason = f"{type(error).__name__}: {str(error).strip():.200}"
        raise ImageNotFoundError(
            f"{location.uri}: could not be reached ({reason}); check the address and the connection"
        ) from error


def reopen(address: str, series: int, axes: tuple[str, ...] | None) -> Source:
    """What :attr:`Source.opened` describes, in another process."""
    return open_source(Location.of(address), series=series, axes=axes)


def _explain(location: Location, head: bytes) -> str:
    suffix = "." + location.name.rsplit(".", 1)[-1].lower()
    if suffix in _LATER:
        return (f"{location.uri}: {_LATER[suffix]} files are not read yet; convert the file to OME-TIFF or OME-Zarr "
                "(for example with bioformats2raw), or install a package that adds a micro_nb format")  # fmt: skip
    if not location.is_local and not head and not location.is_dir():
        raise ImageNotFoundError(f"{location.uri}: nothing is there, or it is empty; check the address")
    if location.is_dir():
        return f"{location.uri}: a folder that is not a zarr store; open one image file in it, or pass its paths one by one"
    if not head:
        return f"{location.uri}: the file is empty (0 bytes)"
    return (f"{location.uri}: not an image format known here (first bytes {head[:8]!r}); "
            "known are OME-Zarr, TIFF and its relatives (OME-TIFF, SVS, NDPI, QPTIFF, SCN), PNG, JPEG, BMP")  # fmt: skip
