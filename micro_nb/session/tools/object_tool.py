"""``object_tool``: a tool about objects is a function of those that were chosen; how they are chosen is the same for all."""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any, TypeVar

from ...data.image import MicroImage
from ..registry import Measurement, tool
from .chosen import Meant, select

Measured = Measurement | tuple[Measurement, ...]
F = TypeVar("F", bound=Callable[..., Measured])

SHARED = tuple(f.name for f in fields(Meant) if f.name != "img")
"""Arguments of every tool about objects: ``region filters channel target eyes``."""
_HINTS = typing.get_type_hints(Meant)
_DEFAULTS = {f.name: f.default for f in fields(Meant)}


def object_tool(
    name: str, *, unit: str = "", quantity: str = "", takes: Sequence[str] = SHARED, all_for: str = ""
) -> Callable[[F], F]:
    """Registers ``function(chosen, *, own)`` as a tool ``(img, *, own, region, filters, channel, target, eyes)``.

    Parameters
    ----------
    name, unit, quantity : as for :func:`~micro_nb.session.registry.tool`; ``chosen`` is a
        :class:`~micro_nb.session.tools.chosen.Selection`.
    takes : which of the shared arguments it has.
    all_for : what a sample of the objects cannot tell; such a tool is refused on images of which only a sample was looked at.

    Returns
    -------
    The function itself, so that other tools call it with the objects they have chosen.
    """

    def register(function: F) -> F:
        @functools.wraps(function)
        def called(img: MicroImage, **given: Any) -> Measured:
            chosen = select(img, **{k: given.pop(k) for k in takes if k in given})
            if all_for:
                chosen.need_all(all_for)
            return function(chosen, **given)

        _, *own = inspect.signature(function).parameters.values()
        shared = [inspect.Parameter(k, inspect.Parameter.KEYWORD_ONLY, default=_DEFAULTS[k], annotation=_HINTS[k]) for k in takes]
        image = inspect.Parameter("img", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=MicroImage)
        called.__signature__ = inspect.Signature([image, *own, *shared])  # type: ignore[attr-defined]
        called.__annotations__ = {p.name: p.annotation for p in (image, *own, *shared)}
        tool(name, unit=unit, quantity=quantity)(called)
        return function

    return register
