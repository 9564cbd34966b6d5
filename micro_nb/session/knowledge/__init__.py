"""What a microscopist is expected to know: topics written down with their sources, found by the words of a question."""

from .recall import Found, described, recall
from .topics import Topic, topic, topics

__all__ = ["Found", "Topic", "described", "recall", "topic", "topics"]
