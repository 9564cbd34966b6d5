"""What Micro-D1 is for: parse, classify, search, embed, explain."""

from __future__ import annotations

from ..progress import loading

with loading("loading Micro-D1"):  # torch takes a second or more
    from .classify import classify
    from .embed import Embedding, embed
    from .explain import explain
    from .load import load_model
    from .parse import parse
    from .refine import refine
    from .search.retrieve import Index
    from .text import encode_text

__all__ = ["Embedding", "Index", "classify", "embed", "encode_text", "explain", "load_model", "parse", "refine"]
