"""Micro-D1 for transformers: ``AutoConfig``, ``AutoModel`` and ``AutoProcessor`` know it once this package is imported."""

from __future__ import annotations

from transformers import AutoConfig, AutoModel, AutoModelForImageTextToText, AutoProcessor

from .configuration_micro_d1 import MicroD1Config
from .language_micro_d1 import MicroD1ForConditionalGeneration
from .modeling_micro_d1 import MicroD1Model, MicroD1Output
from .processing_micro_d1 import MicroD1Processor

AutoConfig.register("micro_d1", MicroD1Config)
AutoModel.register(MicroD1Config, MicroD1Model)
AutoModelForImageTextToText.register(MicroD1Config, MicroD1ForConditionalGeneration)
AutoProcessor.register(MicroD1Config, MicroD1Processor)

__all__ = ["MicroD1Config", "MicroD1ForConditionalGeneration", "MicroD1Model", "MicroD1Output", "MicroD1Processor"]
