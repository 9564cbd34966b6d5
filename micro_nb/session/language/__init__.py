"""The measuring language: what a question means, as an expression that can be run, logged, printed and read by a person."""

from .calls import Call, Node, names_in, parse
from .forms import same_form

__all__ = ["Call", "Node", "names_in", "parse", "same_form"]
