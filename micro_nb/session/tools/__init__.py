"""The tools that come with micro_nb; importing this package registers them."""

from . import appearance, comparing, counting, facts, kinds, pixels, quality, several, sizing

__all__ = ["appearance", "comparing", "counting", "facts", "kinds", "pixels", "quality", "several", "sizing"]
