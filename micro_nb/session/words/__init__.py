"""Words: how measurements are said, and the law that no number is said that was not measured."""
