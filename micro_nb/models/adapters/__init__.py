"""Segmenters of other projects behind one interface, so that ``parse`` can tile, assemble, measure and save what they find."""

from __future__ import annotations

from .sam import SamSegmenter
from .segmenter import Instances, Prompts, Segmenter

__all__ = ["Instances", "Prompts", "SamSegmenter", "Segmenter"]
