"""The log of conversations: one SQLite file in which every turn stands before it is shown."""
