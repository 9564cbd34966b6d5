"""Decoding what the renderer makes, for tests."""

import io

import numpy as np
from PIL import Image


def decode(png: bytes) -> np.ndarray:
    """PNG bytes as ``(y, x, 3)`` uint8."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
