"""Colours: the main ones of a picture, a place or objects, how much has a colour, and what a colour stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...errors import EvidenceError
from ..language import Call
from .appearance import STAINS, colour_named, look
from .conditions import colour_channel
from .evaluation import selection
from .measurement import Measurement
from .places import ANYWHERE, Place, is_place, mask_of
from .registry import measurement
from .results import Found
from .scene import Scene
from .selecting import filled

_PLAIN = frozenset(["black", "grey", "white"])


@measurement(
    "color", group="recognition",
    examples={"What colours are in the picture?": "color()", "how much of it is brown": 'color("share", of="brown")',
              "which colour do the nuclei have": 'color("nucleus")'},
)  # fmt: skip
def color(what: Any = None, *, where: Place = ANYWHERE, of: Any = None, scene: Scene) -> Found:
    """Main colours of the picture, a place or objects; with "share" how much of it has a colour; of a colour, what it stands
    for."""
    image = scene.image
    told = what if isinstance(what, str) else ""
    if told == "share" or (told in ("", "what") and isinstance(of, str) and colour_named(of)):
        return _share(str(of or ""), where, scene)
    if colour_named(told) and not is_place(told):
        return _meaning(told, scene)
    if not image.rgb and "c" in image.axes:
        return _channels(scene)
    mask, words = _meant(of if what is None or told in ("what", "share", "main", "image") else what, where, scene)
    return _main(look(scene).shares(mask), words, scene)


def _meant(what: Any, where: Place, scene: Scene) -> tuple[np.ndarray | None, str]:
    """The pixels that are meant, and what they are called."""
    if isinstance(what, str) and what.lower() in ("background", "ground"):
        return ~filled(selection("object", scene)), "background"
    if isinstance(what, str | Call):
        objects = selection(what, scene)
        objects.need_some()
        return filled(objects), objects.phrase(len(objects))
    if where.region is None and where.mask is None:
        return None, "picture"
    return mask_of(where, scene), "place"


def _main(shares: Mapping[str, float], words: str, scene: Scene) -> Found:
    if not look(scene).seen.coloured:
        return Found((Measurement("kind of picture", "grey"),), "It is a grey picture, so it has no colours.")
    tints = {n: s for n, s in shares.items() if s >= 5}
    first = list(tints)[:3]
    rows = (Measurement("main colours", " and ".join(first)), *(Measurement(f"share of {n}", tints[n], "%") for n in first))
    parts = [f"{n} ({{{k}}})" for k, n in enumerate(first, 1)]
    each = f"{', '.join(parts[:-1])} and {parts[-1]}" if len(parts) > 1 else parts[0]
    signal = next((n for n in shares if n not in _PLAIN), "") if first == ["black"] and words == "picture" else ""
    if signal:  # what shows on a dark ground is what is meant
        rows = (*rows, Measurement(f"share of {signal}", shares[signal], "%"))
        each += f", and what shows is {signal} ({{{len(rows) - 1}}})"
    return Found(
        rows,
        "The {it} mainly {each}.",
        value=signal or first[0],
        unit="",
        more={"it": f"{words} {'are' if words not in ('picture', 'place', 'background') else 'is'}", "each": each},
    )


def _share(of: str, where: Place, scene: Scene) -> Found:
    name = colour_named(of)
    if name is None:
        raise EvidenceError(f"{of or 'that'} is no colour that I can measure; ask for example for the share of brown")
    picture = look(scene)
    if not picture.seen.coloured and name not in ("black", "grey", "white"):
        raise EvidenceError(f"this is a grey picture, so nothing in it is {of}")
    plain = where.region is None and where.mask is None
    found = {"colours_by": "hue and chroma of each pixel", "taken_as": name}
    percent = picture.shares(None if plain else mask_of(where, scene)).get(name, 0.0)
    return Found(
        (Measurement(f"share of {name}", percent, "%", found=found),),
        "{0} of the {ground} {name}.",
        more={"name": f"is {of}", "ground": "picture" if plain else f"area {where.words}".rstrip()},
    )


def _meaning(colour: str, scene: Scene) -> Found:
    """What a colour stands for: the channel shown in it, or the stains that give it."""
    channel = colour_channel(scene.image, colour_named(colour) or colour)
    if channel is not None:
        return Found(
            (Measurement("channel", channel, found={"colour": colour}),),
            "What is shown {colour} is the channel {0.value}.",
            more={"colour": colour},
        )
    name = colour_named(colour) or colour
    share = Measurement(f"share of {name}", look(scene).shares().get(name, 0.0), "%")
    if share.number < 0.1 or name not in STAINS:
        raise EvidenceError(f"I see hardly anything {colour} here that a stain would explain")
    return Found(
        (share,),
        "{0} of the picture is {colour}; {stain}, though a colour proves no stain.",
        value=name,
        unit="",
        more={"colour": colour, "stain": STAINS[name]},
    )


def _channels(scene: Scene) -> Found:
    """The channels and the colours they are shown in."""
    shown = {
        name: c
        for name in ("red", "green", "blue", "cyan", "magenta", "yellow", "orange")
        if (c := colour_channel(scene.image, name))
    }
    by_channel = {channel: name for name, channel in reversed(shown.items())}
    fact = Measurement(
        "channels as shown", ", ".join(f"{c.name} in {by_channel.get(c.name, 'another colour')}" for c in scene.image.channels)
    )
    return Found((fact,), "The channels are recorded in grey and shown so: {0.value}.")
