"""Which reader opens which file: by its first bytes, then by its name. Readers are imported only when they are needed.

Other packages add a format with an entry point in the group ``micro_nb.formats`` that loads to a :class:`Format`.
"""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from importlib.util import find_spec

from ..errors import ImageNotFoundError, MicroNBError, MissingExtraError, UnknownFormatError
from .axes import NAMES
from .location import Location
from .source import Source

_HEAD = 512
TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
PICTURE_MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"GIF8")
_CODED = (b"\x00\x00\x00\x0cjP  ", b"\xff\x4f\xff\x51", b"\x00\x00\x00\x0cJXL ", b"\xff\x0a")
_SLIDES = (".mrxs", ".vms", ".vmu", ".svslide")


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


def _named(*suffixes: str) -> Callable[[Location, bytes], bool]:
    return lambda location, head: location.name.lower().endswith(suffixes) and not location.is_dir()


_SAMPLES = "micro_nb.data.samples.address:open_sample"
_HERE = "micro_nb.data.sources"
BUILTIN = (
    Format("Nikon ND2", _named(".nd2"), f"{_HERE}.microscopes:open_nd2"),
    Format("slide", _named(*_SLIDES), f"{_HERE}.others:open_slide"),
    Format("TIFF", lambda _, head: head[:4] in TIFF_MAGIC, f"{_HERE}.tiff:open_tiff"),
    Format("Zeiss CZI", lambda _, head: head.startswith(b"ZISRAWFILE"), f"{_HERE}.microscopes:open_czi"),
    Format("Leica LIF", _named(".lif", ".lof", ".xlif", ".xlef"), f"{_HERE}.microscopes:open_lif"),
    Format("Olympus OIF", _named(".oif", ".oib"), f"{_HERE}.microscopes:open_oif"),
    Format("DICOM", lambda _, head: head[128:132] == b"DICM", f"{_HERE}.dicom:open_dicom"),
    Format("electron microscopy", _named(*NAMES["rosettasciio"]), f"{_HERE}.others:open_electron"),
    Format("MRC", lambda _, head: head[208:212] == b"MAP ", f"{_HERE}.others:open_mrc"),
    Format("HDF5", lambda _, head: head.startswith(b"\x89HDF\r\n\x1a\n"), f"{_HERE}.others:open_hdf5"),
    Format("NumPy", lambda _, head: head.startswith(b"\x93NUMPY"), f"{_HERE}.others:open_npy"),
    Format("picture", lambda _, head: head.startswith(PICTURE_MAGIC) or head[8:12] == b"WEBP", f"{_HERE}.pictures:open_picture"),
    Format("JPEG 2000, JPEG XL", lambda _, head: head.startswith(_CODED), f"{_HERE}.pictures:open_coded"),
    Format("Zarr", _is_zarr, f"{_HERE}.zarr:open_zarr"),
)
_BIOIO = Format("bioio", lambda location, _: location.is_local and find_spec("bioio") is not None, f"{_HERE}.others:open_bioio")


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
    fmt = next((f for f in formats() if f.claims(location, head)), None)
    try:
        if fmt is None:
            raise UnknownFormatError(_explain(location, head))
        source = fmt.open(location, series=series, axes=axes)
    except (UnknownFormatError, MissingExtraError) as error:  # bioio's readers are asked last
        if not _BIOIO.claims(location, head):
            raise
        try:
            source = _BIOIO.open(location, series=series, axes=axes)
        except UnknownFormatError:
            raise error from None
    address = str(location.path.absolute()) if location.is_local else location.uri
    object.__setattr__(source, "opened", (address, series, axes))
    return source


def _head(location: Location) -> bytes:
    """First bytes; whatever keeps a remote place from answering becomes one clear error."""
    try:
        return location.head(_HEAD)
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
    if not location.is_local and not head and not location.is_dir():
        raise ImageNotFoundError(f"{location.uri}: nothing is there, or it is empty; check the address")
    if location.is_dir():
        return f"{location.uri}: a folder that is not a zarr store; open one image file in it, or pass its paths one by one"
    if not head:
        return f"{location.uri}: the file is empty (0 bytes)"
    return (f"{location.uri}: not an image format known here (first bytes {head[:8]!r}); "
            "known are OME-Zarr, TIFF and its relatives (OME-TIFF, SVS, NDPI, QPTIFF, SCN), CZI, ND2, LIF, OIF, DICOM, Imaris "
            "and other HDF5, MRC, DM, SER, EMD, MRXS, NumPy, PNG, JPEG, JPEG 2000, JPEG XL, WebP, BMP, and what an installed "
            "reader of bioio opens (pip install bioio and the reader, such as bioio-bioformats)")  # fmt: skip
