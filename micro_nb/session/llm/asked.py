"""``Asked``: what a turn is about, as a language model's part of it is given it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ...data.image import MicroImage
from ..answer import Answer
from ..language import Call
from ..measures.scene import Scene
from ..reader.understanding import Understood

UNSURE = 0.35
"""A reading less likely than this may be replaced by what the model chooses to measure."""


@dataclass(frozen=True)
class Asked:
    """A question, and what was made of it without the model.

    Attributes
    ----------
    question : as it was typed.
    understood : what the reader took it for.
    base : the composed answer, or the decline.
    scene : the images, and what looks at them.
    history : questions and answers before.
    measure : what gives the answer to an expression.
    """

    question: str
    understood: Understood
    base: Answer
    scene: Scene
    history: Sequence[tuple[str, str]]
    measure: Callable[[Call], Answer]

    @property
    def image(self) -> MicroImage | None:
        """The image that is spoken of."""
        return self.scene.open_image

    @property
    def unsure(self) -> bool:
        """Whether the reader was not sure what is meant."""
        return not self.understood.calls or self.understood.confidence < UNSURE
