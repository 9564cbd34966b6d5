"""Measurements as texts for people: in the card of the chat panel and in the appendix of a paper."""

from __future__ import annotations

from ..session.evidence import Evidence
from ..session.views.text import cells


def described(fact: Evidence) -> dict[str, str]:
    """What is known of a measurement, in the order it is read; nothing that is empty."""
    _, value, where, expression, parameters = cells([fact])[0]
    certainty = "in brackets the 95 % interval" if fact.interval else "measured on all of it" if fact.value is not None else ""
    known = {
        "value": value, "certainty": certainty, "where": where, "expression": expression,
        "function": f"{fact.function}, micro_nb {fact.version}", "parameters": parameters, "level": str(fact.level),
        "image": fact.image_id or "", "weights": fact.weights or "", "evidence": fact.id,
    }  # fmt: skip
    return {name: text for name, text in known.items() if text}
