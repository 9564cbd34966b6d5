"""What a training hands back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Training:
    """A finished training.

    Attributes
    ----------
    folder : a model folder for ``load_model(folder)`` and ``parse(img, model=...)`` after fine-tuning; after a recipe the run's
        folder with ``tile.safetensors``, ``concepts.json``, ``log.jsonl`` and ``state.pt``.
    steps, seconds : steps taken, and how long they took. lines : the curve, a mapping a line; see :attr:`curve`.
    before, after : figures on images held out, through ``parse``: ``ap50`` (TP / (TP + FP + FN) at IoU 0.5, the mean over
        images), ``found`` and ``true`` objects. Empty where nothing was held out.
    held_out : names of the images held out.
    stopped : whether a fine-tuning was interrupted (Ctrl-C); the model is the best until then.
    """

    folder: Path
    steps: int
    seconds: float
    lines: Sequence[Mapping[str, Any]] = field(repr=False)
    before: Mapping[str, float] = field(default_factory=dict)
    after: Mapping[str, float] = field(default_factory=dict)
    held_out: tuple[str, ...] = ()
    stopped: bool = False

    @property
    def curve(self) -> pd.DataFrame:
        """A row a logged step: ``step``, losses, ``rate``, ``seconds``; after fine-tuning also ``validation``."""
        import pandas as pd

        return pd.DataFrame([dict(line) for line in self.lines])

    def __str__(self) -> str:
        text = f"{self.steps} steps in {self.seconds:.0f} s{', interrupted' if self.stopped else ''}; {self.folder}"
        if self.after:
            before, after = self.before["ap50"], self.after["ap50"]
            text += f"; AP@0.5 on {len(self.held_out)} images held out: {before:.3f} before, {after:.3f} after"
        return text

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        return {
            "folder": str(self.folder), "steps": self.steps, "seconds": round(self.seconds, 1), "before": dict(self.before),
            "after": dict(self.after), "held_out": list(self.held_out), "last": dict(self.lines[-1]) if self.lines else {},
            "stopped": self.stopped,
        }  # fmt: skip
