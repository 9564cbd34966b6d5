"""The measuring language: what a question means, as an expression that can be run, logged, printed and read by a person."""

from .calls import Call, Node, parse
from .forms import same_form

__all__ = ["Call", "Node", "parse", "same_form"]
