"""Calculators of optics and sampling: lengths in µm, wavelengths in nm; they need no image. What is given stays a parameter."""

from __future__ import annotations

import math

from ...data.image import MicroImage
from ...errors import EvidenceError
from ..registry import Measurement, tool

ABBE, RAYLEIGH = 0.5, 0.61
_BOOK = "Pawley, Handbook of Biological Confocal Microscopy"
_WAVELENGTH = 520.0  # nm, green light, where none is given
_DRY = 0.95  # no dry objective has a larger NA


@tool("camera_pixel_size", unit="um", quantity="pixel size in the sample", needs_image=False)
def camera_pixel_size(
    img: MicroImage | None = None, *, camera_um: float, magnification: float, relay: float = 1.0, binning: float = 1.0
) -> Measurement:
    """Pixel size in the sample (µm): camera pixel x binning / (objective x relay magnification)."""
    _positive(camera_um=camera_um, magnification=magnification, relay=relay, binning=binning)
    found = {"formula": "camera pixel x binning / (objective x relay)", "source": _BOOK}
    return Measurement("pixel size in the sample", camera_um * binning / (magnification * relay), "um", found=found)


@tool("resolution", unit="nm", quantity="lateral resolution", needs_image=False)
def resolution(img: MicroImage | None = None, *, na: float, wavelength_nm: float = _WAVELENGTH) -> tuple[Measurement, ...]:
    """Lateral resolution (nm) by Rayleigh, 0.61 x wavelength / NA, and by Abbe, wavelength / (2 x NA)."""
    _positive(na=na, wavelength_nm=wavelength_nm)
    given = {"used_wavelength_nm": wavelength_nm, "source": "Born and Wolf, Principles of Optics"}
    return (
        Measurement("Abbe limit", ABBE * wavelength_nm / na, "nm", found=given | {"divisor": 2}),
        Measurement("Rayleigh limit", RAYLEIGH * wavelength_nm / na, "nm", found=given | {"factor": RAYLEIGH}),
    )


@tool("axial_resolution", unit="nm", quantity="axial resolution", needs_image=False)
def axial_resolution(
    img: MicroImage | None = None, *, na: float, wavelength_nm: float = _WAVELENGTH, index: float = 0.0
) -> tuple[Measurement, ...]:
    """Axial resolution of a widefield microscope (nm), 2 x n x wavelength / NA², and the z-step of half of it (µm)."""
    n = _index(na, index)
    _positive(na=na, wavelength_nm=wavelength_nm)
    axial = 2 * n * wavelength_nm / na**2
    given = {"used_wavelength_nm": wavelength_nm, "used_index": n, "factor": 2, "source": _BOOK}
    return Measurement("axial resolution", axial, "nm", found=given), Measurement("z-step", axial / 2e3, "um", found=given)


@tool("depth_of_field", unit="um", quantity="depth of field", needs_image=False)
def depth_of_field(
    img: MicroImage | None = None, *, na: float, wavelength_nm: float = _WAVELENGTH, index: float = 0.0, pixel_um: float = 0.0
) -> Measurement:
    """Depth of field (µm): n x wavelength / NA² + n x pixel / NA, the pixel being that in the sample (0 leaves its term out)."""
    n = _index(na, index)
    _positive(na=na, wavelength_nm=wavelength_nm)
    given = {"used_wavelength_nm": wavelength_nm, "used_index": n, "source": "Inoué and Spring, Video Microscopy"}
    return Measurement("depth of field", n * wavelength_nm / 1e3 / na**2 + n * pixel_um / na, "um", found=given)


@tool("nyquist", unit="um", quantity="largest pixel that samples the resolution", needs_image=False)
def nyquist(
    img: MicroImage | None = None, *, na: float, wavelength_nm: float = _WAVELENGTH, pixel_um: float = 0.0
) -> tuple[Measurement, ...]:
    """Largest pixel (µm) that samples the Abbe limit twice, wavelength / (4 x NA); with a pixel size, how many pixels fall on the
    limit and whether they are at least two.
    """
    _positive(na=na, wavelength_nm=wavelength_nm)
    limit = ABBE * wavelength_nm / na / 1e3
    given = {"used_wavelength_nm": wavelength_nm, "used_na": na, "divisor": 4, "least": 2, "source": _BOOK}
    needed = Measurement("Nyquist pixel size", limit / 2, "um", found=given)
    if pixel_um <= 0:
        return (needed,)
    per = Measurement("pixels per resolvable distance", limit / pixel_um, "", found=given | {"used_pixel_um": pixel_um})
    return needed, per, Measurement("sampled at Nyquist", limit / pixel_um >= 2, found=given)


@tool("needed_magnification", unit="", quantity="magnification that samples the resolution", needs_image=False)
def needed_magnification(
    img: MicroImage | None = None, *, na: float, camera_um: float, wavelength_nm: float = _WAVELENGTH, binning: float = 1.0
) -> tuple[Measurement, ...]:
    """Smallest magnification at which a camera pixel is at most half the Abbe limit: camera pixel / (wavelength / (4 x NA))."""
    pixel = nyquist(na=na, wavelength_nm=wavelength_nm)
    _positive(camera_um=camera_um, binning=binning)
    needed = pixel[0] if isinstance(pixel, tuple) else pixel
    times = camera_um * binning / float(needed.value)  # type: ignore[arg-type]
    return Measurement("magnification needed", times, found={"source": _BOOK}), needed


@tool("camera_field", unit="um", quantity="field of view", needs_image=False)
def camera_field(
    img: MicroImage | None = None, *, width_px: float, pixel_um: float, height_px: float = 0.0
) -> tuple[Measurement, ...]:
    """Width, height (µm) and area (mm²) of what a sensor sees: pixels x pixel size in the sample."""
    _positive(width_px=width_px, pixel_um=pixel_um)
    height = (height_px or width_px) * pixel_um
    area = Measurement("area of the field", width_px * pixel_um * height / 1e6, "mm2")
    return Measurement("width of the field", width_px * pixel_um, "um"), Measurement("height of the field", height, "um"), area


@tool("eyepiece_field", unit="mm", quantity="field of view through the eyepiece", needs_image=False)
def eyepiece_field(img: MicroImage | None = None, *, field_number: float, magnification: float) -> Measurement:
    """Diameter (mm) of the field seen through the eyepiece: field number / objective magnification."""
    _positive(field_number=field_number, magnification=magnification)
    return Measurement("diameter of the field", field_number / magnification, "mm")


@tool("total_magnification", quantity="magnification through the eyepiece", needs_image=False)
def total_magnification(img: MicroImage | None = None, *, magnification: float, eyepiece: float) -> Measurement:
    """Magnification to the eye: objective x eyepiece."""
    _positive(magnification=magnification, eyepiece=eyepiece)
    return Measurement("total magnification", magnification * eyepiece)


@tool("length_in_pixels", unit="px", quantity="a length in pixels", needs_image=False)
def length_in_pixels(img: MicroImage | None = None, *, bar_um: float, pixel_um: float) -> Measurement:
    """How many pixels a length (µm) takes: length / pixel size."""
    _positive(bar_um=bar_um, pixel_um=pixel_um)
    return Measurement("length in pixels", bar_um / pixel_um, "px")


@tool("pixels_in_um", unit="um", quantity="pixels as a length", needs_image=False)
def pixels_in_um(img: MicroImage | None = None, *, length_px: float, pixel_um: float) -> Measurement:
    """How long so many pixels are (µm): pixels x pixel size."""
    _positive(length_px=length_px, pixel_um=pixel_um)
    return Measurement("length of the pixels", length_px * pixel_um, "um")


@tool("calibrated_pixel", unit="um", quantity="pixel size from a known length", needs_image=False)
def calibrated_pixel(img: MicroImage | None = None, *, bar_um: float, length_px: float) -> Measurement:
    """Pixel size (µm) from a known length, such as a scale bar or a stage micrometer: length / pixels along it."""
    _positive(bar_um=bar_um, length_px=length_px)
    return Measurement("pixel size from the known length", bar_um / length_px, "um")


@tool("data_size", unit="MB", quantity="size of the raw data", needs_image=False)
def data_size(
    img: MicroImage | None = None,
    *,
    width_px: float,
    height_px: float,
    bits: float = 16.0,
    channels: float = 1.0,
    slices: float = 1.0,
    frames: float = 1.0,
) -> Measurement:
    """Uncompressed size (MB of a million bytes): width x height x channels x slices x frames x bits / 8."""
    _positive(width_px=width_px, height_px=height_px, bits=bits, channels=channels, slices=slices, frames=frames)
    stored = 8 * math.ceil(bits / 8)
    size = width_px * height_px * channels * slices * frames * stored / 8 / 1e6
    return Measurement("uncompressed size", size, "MB", found={"stored_bits": stored})


def _index(na: float, index: float) -> float:
    """The refractive index given; air for dry apertures, oil above."""
    if index > 0:
        if na >= index:
            raise EvidenceError("the numerical aperture cannot reach the refractive index of the medium; check both")
        return index
    return 1.0 if na <= _DRY else 1.515


def _positive(**given: float) -> None:
    for name, value in given.items():
        if not 0 < value < 1e15:
            raise EvidenceError(f"{name.replace('_', ' ')} must be a positive number")
