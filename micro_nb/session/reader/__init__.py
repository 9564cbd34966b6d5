"""The reader: words in, expressions of the measuring language out."""
