"""Blends two readers: python recipes/reader/blend.py RUN BEFORE --share 0.3 --out FOLDER

The weights of the run, and a share of those before it, from which it was begun: an average along the way forgets less than
the run alone. Tokens that the earlier reader lacks stay as the run has them.
"""

from __future__ import annotations

import argparse
from copy import deepcopy
from pathlib import Path

import torch
from train import carried

from micro_nb.session.reader.weights import load, save


def main() -> None:
    """Does what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path)
    parser.add_argument("before", type=Path)
    parser.add_argument("--share", type=float, default=0.3, help="of the earlier weights")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    network, vocabulary = load(options.run)
    earlier = deepcopy(network)
    carried(earlier, vocabulary, options.before)
    with torch.no_grad():
        for own, old in zip(network.parameters(), earlier.parameters(), strict=True):
            own.lerp_(old, options.share)
    save(network, vocabulary, options.out)


if __name__ == "__main__":
    main()
