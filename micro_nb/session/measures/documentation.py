"""The reference of the measurements, written from their declarations: ``python -m micro_nb.session.measures.documentation >
docs/measurements.md``."""

from __future__ import annotations

import inspect

from .registry import Measure, measures

_HEADS = {
    "objects": "Objects", "statistics": "Quantities over objects", "space": "How objects lie",
    "combining": "Measurements of measurements", "pixels": "Grey values", "profiles": "Along a line, a radius, a depth, a time",
    "facts": "Facts of the image", "quality": "Quality", "recognition": "What it is", "channels": "Channels",
    "changes": "Over time", "knowing": "Knowledge and calculators", "talking": "The conversation itself",
}  # fmt: skip


def reference(own: bool = True) -> str:
    """All measurements as Markdown, by group; those of other packages too where ``own`` is False."""
    groups: dict[str, list[Measure]] = {head: [] for head in _HEADS}
    for m in measures().values():
        if m.own or not own:
            groups.setdefault(m.group, []).append(m)
    how = "Written from their declarations by `python -m micro_nb.session.measures.documentation`. How they combine:"
    parts = [f"# The measurements\n\n{how} [language.md](language.md)."]
    for group, declared in groups.items():
        parts += [f"## {_HEADS.get(group, group)}", *map(entry, declared)]
    return "\n\n".join(parts) + "\n"


def entry(m: Measure) -> str:
    """One measurement: its call, what it measures, and questions that ask for it."""
    text = inspect.cleandoc(m.function.__doc__ or "").split("\n\n")
    unit = f" In {m.unit}." if m.unit else ""
    asked = "\n".join(f"- {question} → `{expression}`" for question, expression in m.examples.items())
    return f"### `{signature(m)}`\n\n{text[0].replace(chr(10), ' ')}{unit}\n\n{asked}"


def signature(m: Measure) -> str:
    """A call with its parameters, as the language writes them."""
    return f"{m.name}({', '.join(_parameter(k, p) for k, p in m.parameters.items())})"


def _parameter(name: str, given: inspect.Parameter) -> str:
    if given.kind is given.VAR_KEYWORD:
        return "key=value ..."
    if given.default is given.empty:
        return name
    shown = given.default is not None and isinstance(given.default, str | int | float | bool)
    return f"{name}={given.default!r}" if shown else f"{name}="


if __name__ == "__main__":
    print(reference(), end="")
