"""The reference of the measurements, written from their declarations: ``python -m micro_nb.session.measures.documentation >
docs/measurements.md``."""

from __future__ import annotations

import inspect

from .registry import Measure, measures

_HEADS = {
    "objects": "Objects", "statistics": "Quantities over objects", "space": "How objects lie",
    "combining": "Measurements of measurements", "pixels": "Grey values",
    "profiles": "Along a line, a radius, a depth, a time", "facts": "Facts of the image", "quality": "Quality",
    "recognition": "What it is", "channels": "Channels",
    "changes": "Over time", "knowing": "Knowledge and calculators", "talking": "The conversation itself",
}  # fmt: skip


def reference(own: bool = True) -> str:
    """All measurements as Markdown, by group; those of other packages too where ``own`` is False."""
    groups: dict[str, list[Measure]] = {}
    for m in measures().values():
        if m.own or not own:
            groups.setdefault(m.group, []).append(m)
    parts = [
        "# The measurements\n\nWritten from their declarations by `python -m micro_nb.session.measures.documentation`. How "
        "they combine: [language.md](language.md)."
    ]
    known = [g for g in _HEADS if g in groups]
    for group in [*known, *(g for g in groups if g not in known)]:
        parts.append(f"## {_HEADS.get(group, group)}")
        parts += [entry(m) for m in groups[group]]
    return "\n\n".join(parts) + "\n"


def entry(m: Measure) -> str:
    """One measurement: its call, what it measures, and questions that ask for it."""
    text = inspect.cleandoc(m.function.__doc__ or "").split("\n\n")
    unit = f" In {m.unit}." if m.unit else ""
    asked = "\n".join(f"- {question} → `{expression}`" for question, expression in m.examples.items())
    return f"### `{signature(m)}`\n\n{text[0].replace(chr(10), ' ')}{unit}\n\n{asked}"


def signature(m: Measure) -> str:
    """A call with its parameters, as the language writes them."""
    shown = []
    for k, p in m.parameters.items():
        if p.kind is p.VAR_KEYWORD:
            shown.append("key=value ...")
        elif p.default is p.empty:
            shown.append(k)
        else:
            shown.append(
                f"{k}={'' if p.default is None or not isinstance(p.default, str | int | float | bool) else repr(p.default)}"
            )
    return f"{m.name}({', '.join(shown)})"


if __name__ == "__main__":
    print(reference(), end="")
