"""A small trained reader of questions, rival of the grammar: byte pairs in, a Query out, only well-formed ones.

It ships without weights: on families of phrasings that it never saw it is behind the grammar (micro_nb/learn/EXPERIMENTS.md).
"""
