"""Makes shards of the labelled data sets, or a small selection of shards that travels.

    python pack.py --data ../shared/data/train_val --out work/nano/shards
    python pack.py --travel work/nano/shards work/nano/scenes --out work/nano/travel --largest 40 --bytes 64000000

The first needs micro_nb; training needs neither it nor the data sets, the shards are all.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

from shards import Sample, read_shards, write_shards


def travelling(samples: Iterable[Sample], largest: float, most: int) -> Iterator[Sample]:
    """Samples with objects no larger than ``largest`` pixels, until about ``most`` bytes of pixels and labels are packed."""
    from shards import _packed

    spent = 0
    for sample in samples:
        small = sample.reduced(largest)
        spent += sum(map(len, _packed(small).values()))
        if spent > most:
            return
        yield small


def interleaved(samples: list[Sample]) -> list[Sample]:
    """Validation first, then sources in turn, so that whatever is cut off is cut off evenly."""
    place: dict[tuple[str, str], int] = {}
    keys = []
    for sample in samples:
        key = (sample.part, sample.source)
        place[key] = place.get(key, 0) + 1
        keys.append((sample.part == "train", place[key]))
    return [samples[k] for k in sorted(range(len(samples)), key=keys.__getitem__)]


def main() -> None:
    """Does what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/train_val"))
    parser.add_argument("--travel", type=Path, nargs="+", help="folders of shards to select from, instead of reading data sets")
    parser.add_argument("--out", type=Path, default=Path("work/nano/shards"))
    parser.add_argument("--largest", type=float, default=96.0, help="pixels of a typical object, at most")
    parser.add_argument("--bytes", type=int, default=62_000_000)
    args = parser.parse_args()
    if args.travel:
        chosen = travelling(interleaved(list(read_shards(*args.travel))), args.largest, args.bytes)
        paths = write_shards(chosen, args.out, "travel")
    else:
        from sets import read

        paths = write_shards((sample.reduced(args.largest) for sample in read(args.data)), args.out, "real")
    for path in paths:
        print(f"{path}  {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
