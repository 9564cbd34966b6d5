"""Micro-D1 for transformers; its network is that of :mod:`micro_nb.models.network`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.utils.generic import ModelOutput

from ..network import MicroD1
from ..tile_network import STRIDE
from .configuration_micro_d1 import MicroD1Config


@dataclass
class MicroD1Output(ModelOutput):  # type: ignore[no-untyped-call]
    """What :class:`MicroD1Model` found.

    Attributes
    ----------
    geometry : ``(B, L, 6, H/2, W/2)``, for each layer: see :data:`micro_nb.models.tile_network.GEOMETRY`.
    embedding : ``(B, D, H/4, W/4)`` pixel embeddings, to be pooled over objects.
    seen : ``(B, 64, 1280)`` features of the thumbnail.
    tokens : ``(B, 64, D)`` global tokens.
    text_embeds : ``(P, D)`` unit vectors of prompts.
    """

    geometry: torch.Tensor | None = None
    embedding: torch.Tensor | None = None
    seen: torch.Tensor | None = None
    tokens: torch.Tensor | None = None
    text_embeds: torch.Tensor | None = None


class MicroD1PreTrainedModel(PreTrainedModel):
    """Loading and saving, as everywhere in transformers."""

    config_class = MicroD1Config
    base_model_prefix = "micro_d1"
    main_input_name = "pixel_values"

    def _init_weights(self, module: nn.Module) -> None:
        """Layers keep the initialisation that torch gives them."""


class MicroD1Model(MicroD1PreTrainedModel, MicroD1):
    """Micro-D1: geometry and embeddings of pixels, global tokens, prompts, in one joint space.

    Examples
    --------
    >>> model = MicroD1Model(MicroD1Config())
    >>> out = model(pixel_values=torch.zeros(1, 3, 64, 96))
    >>> tuple(out.geometry.shape), tuple(out.embedding.shape)
    ((1, 3, 6, 32, 48), (1, 128, 16, 24))
    """

    def __init__(self, config: MicroD1Config) -> None:
        super().__init__(config)
        self.build(config)
        self.post_init()

    def forward(
        self,
        pixel_values: torch.Tensor | None = None,
        thumbnail: torch.Tensor | None = None,
        input_ids: torch.Tensor | None = None,
        return_dict: bool | None = None,
        **kwargs: Any,
    ) -> MicroD1Output | tuple[Any, ...]:
        """Whatever is given is looked at.

        Parameters
        ----------
        pixel_values : ``(B, 3, H, W) float32``, 0 and 1 at the image's percentiles; H and W are multiples of 16.
        thumbnail : ``(B, 3, T, T) float32``, the whole image.
        input_ids : ``(P, W, G) int64``, hashed n-grams of the words of prompts.
        """
        if kwargs:
            raise TypeError(f"MicroD1Model.forward does not know {sorted(kwargs)}")
        out = MicroD1Output()
        if pixel_values is not None:
            if pixel_values.ndim != 4 or pixel_values.shape[1] != 3 or any(n % STRIDE for n in pixel_values.shape[2:]):
                raise ValueError(
                    f"pixel_values must be (B, 3, H, W), H and W multiples of {STRIDE}; got {tuple(pixel_values.shape)}"
                )
            out["geometry"], out["embedding"] = self.tile(pixel_values)
        if thumbnail is not None:
            out["seen"] = self.thumb.look(thumbnail)
            out["tokens"] = self.thumb(out["seen"])
        if input_ids is not None:
            out["text_embeds"] = self.text(input_ids)
        return out if return_dict is not False else out.to_tuple()
