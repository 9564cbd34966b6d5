"""Tools about technical quality: focus, noise, background, empty tiles. Saturation alone is read in ``pixels``."""

from __future__ import annotations

from ...analysis.quality import Quality
from ...analysis.quality import quality as judge
from ...data.image import MicroImage
from ..registry import Measurement, tool

_FACTS = (
    ("in_focus_percent", "tiles in focus", "%"), ("edge_width_px", "width of the sharpest edges", "px"),
    ("snr", "signal to noise", ""), ("noise_sd", "noise", "grey value"), ("saturated_percent", "saturated pixels", "%"),
    ("background_unevenness_percent", "unevenness of the background", "%"), ("empty_percent", "empty tiles", "%"),
)  # fmt: skip


@tool("quality", quantity="technical quality")
def quality(img: MicroImage, *, channel: str | None = None) -> tuple[Measurement, ...]:
    """Whether the image is fit to be measured and in focus (yes or no); then, as far as they can be measured: tiles in focus (%),
    width of the sharpest edges (px), signal to noise, noise, saturated pixels (%), unevenness of the background (%), empty tiles
    (%). Of several channels, the worst.
    """
    found = judge(img, channel=channel)
    how = {"tiles": found.facts["tiles"], "read_percent": found.facts["measured_percent"]}
    measured = [Measurement("fit to measure", found.ok, found=how)]
    if found.facts["edge_width_px"] is not None:
        measured.append(Measurement("in focus", _sharp(found), found=how))
    numbers = ((name, unit, found.facts[key]) for key, name, unit in _FACTS)
    return (*measured, *(Measurement(name, float(v), unit, found=how) for name, unit, v in numbers if v is not None))


def _sharp(found: Quality) -> bool:
    return not any("out of focus" in problem for problem in found.facts["problems"])
