"""Configuration of Micro-D1."""

from __future__ import annotations

from typing import Any

from transformers import PretrainedConfig

from ..tile_network import Sizes

_NANO = Sizes()


class MicroD1Config(PretrainedConfig):
    """Sizes of a Micro-D1 network; the defaults are those of ``nano``.

    Parameters
    ----------
    decoder_widths, embed_dim, layers, diameter_px : of the tile network, see :class:`~micro_nb.models.tile_network.Sizes`.
    thumbnail_px : edge of the thumbnail that the global tokens are computed from.
    text_buckets, text_width, text_grams, text_words : hashed character n-grams of a prompt, the width of their embedding, and
        how many n-grams of a word and words of a prompt are looked at.
    heads : attention heads over global tokens and over the words of a prompt.
    text_config : configuration of a causal language model behind a projector, or None where there is none.
    extra_concepts : names that a model was fine-tuned on -> their points of the joint space.
    """

    model_type = "micro_d1"

    def __init__(
        self,
        decoder_widths: tuple[int, ...] = _NANO.decoder_widths,
        embed_dim: int = _NANO.embed_dim,
        layers: tuple[str, ...] = _NANO.layers,
        diameter_px: float = _NANO.diameter_px,
        thumbnail_px: int = 256,
        text_buckets: int = 8192,
        text_width: int = 96,
        text_grams: int = 24,
        text_words: int = 16,
        heads: int = 4,
        text_config: dict[str, Any] | None = None,
        extra_concepts: dict[str, list[float]] | None = None,
        **kwargs: Any,
    ) -> None:
        self.decoder_widths = tuple(decoder_widths)
        self.embed_dim = embed_dim
        self.layers = tuple(layers)
        self.diameter_px = diameter_px
        self.thumbnail_px = thumbnail_px
        self.text_buckets = text_buckets
        self.text_width = text_width
        self.text_grams = text_grams
        self.text_words = text_words
        self.heads = heads
        self.text_config = text_config
        self.extra_concepts = dict(extra_concepts or {})
        super().__init__(**kwargs)

    @property
    def sizes(self) -> Sizes:
        """Of the tile network."""
        return Sizes(self.decoder_widths, self.embed_dim, self.layers, self.diameter_px)
