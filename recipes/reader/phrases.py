"""Writes what the reader makes of the phrases that ask for notes: python recipes/reader/phrases.py

To be run when the reader or a note has changed; what is shipped is else left aside, and the first general question waits until
the vectors are made anew.
"""

from __future__ import annotations

import numpy as np
from safetensors.numpy import save_file

from micro_nb.session.knowledge.notes import PHRASES, digest_of, phrases_of_notes
from micro_nb.session.reader.reading import vectors


def main() -> None:
    """Vectors of eight bits; only their direction counts."""
    phrases = phrases_of_notes()
    order = sorted(range(len(phrases)), key=lambda k: len(phrases[k]))  # like lengths together
    made = vectors([phrases[k].lower() for k in order])[np.argsort(order)]
    rows = np.round(127 * made / np.abs(made).max(axis=1, keepdims=True)).astype(np.int8)
    save_file({"rows": rows}, PHRASES, metadata={"of": digest_of(phrases)})
    print(f"{len(rows)} phrases, {PHRASES.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
