"""Which channel shows what: the nuclei are looked for in each."""

from __future__ import annotations

from ...data.image import MicroImage
from ...errors import EvidenceError
from ..eyes import FLOOR
from ..registry import Measurement, tool
from .found import find


@tool("channel_contents", unit="count", quantity="nuclei in each channel")
def channel_contents(img: MicroImage, *, eyes: str = FLOOR) -> tuple[Measurement, ...]:
    """How many nuclei (without a model: objects) show in each channel, and the name of the channel that shows the most."""
    if img.rgb or len(img.channels) < 2:
        raise EvidenceError("this picture has no separate channels that could show different things")
    counts = {c.name: len(find(img, channel=c.name, eyes=eyes, target="nuclei")) for c in img.channels}
    most = max(counts, key=lambda name: counts[name])
    what = "objects" if eyes == FLOOR else "nuclei"
    each = (Measurement(f"{what} in {name}", n, "count", found={"channel": name, "what": what}) for name, n in counts.items())
    return (Measurement("channel with the most", most), *each)
