"""What the log of conversations costs a turn, and whether it keeps what was shown when the process is killed in mid-turn."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import micro_nb as mnb
from micro_nb.session.log.book import damage, load
from micro_nb.settings import settings

KILLS, TURNS = 200, 100
QUESTIONS = ('image("bit_depth")', 'image("size")', 'pixels("mean")')


def image() -> mnb.MicroImage:
    return mnb.open_image(np.random.default_rng(0).integers(0, 255, (256, 256)).astype("uint8"))


def talk(path: Path, pipe: int) -> None:
    """Asks on and on; says what is shown only after ``ask`` gave it back."""
    chat, k = mnb.Session(image(), eyes="floor", log=path), 0
    os.write(pipe, f"{chat.id}\n".encode())
    while True:
        chat.ask(QUESTIONS[k % 3])
        k += 1
        os.write(pipe, f"{k}\n".encode())


def killed(path: Path, after_s: float) -> tuple[int, int]:
    """Turns that a process had shown when it was killed, and turns of it in the log."""
    read, write = os.pipe()
    child = multiprocessing.get_context("fork").Process(target=talk, args=(path, write), daemon=True)
    child.start()
    os.close(write)
    with os.fdopen(read) as lines:
        name = lines.readline().strip()
        lines.readline()
        child.join(after_s)
        os.kill(child.pid or 0, signal.SIGKILL)
        child.join()
        shown = max([1, *(int(line) for line in lines.read().split("\n")[:-1] if line)])
    return shown, len(load(name, path).turns)


def cost_ms(log: Path | bool) -> float:
    """Median of a light turn."""
    chat, taken = mnb.Session(image(), eyes="floor", log=log), []
    for k in range(TURNS):
        start = time.perf_counter()
        chat.ask(QUESTIONS[k % 3])
        taken.append(1000 * (time.perf_counter() - start))
    return statistics.median(taken)


def main() -> None:
    settings.progress = False
    kills = int(sys.argv[1]) if len(sys.argv) > 1 else KILLS
    with tempfile.TemporaryDirectory() as folder:
        bare, logged = cost_ms(False), cost_ms(Path(folder) / "cost.sqlite")
        path, random = Path(folder) / "kills.sqlite", np.random.default_rng(0)
        start = time.perf_counter()
        pairs = [killed(path, random.uniform(0, 0.05)) for _ in range(kills)]
        seconds, torn = time.perf_counter() - start, damage(path)
    lost = sum(max(0, shown - kept) for shown, kept in pairs)
    print(f"a light turn: {bare:.1f} ms, logged {logged:.1f} ms")
    print(
        f"{kills} x kill -9 in {seconds:.0f} s: {sum(n for n, _ in pairs)} turns shown, {lost} lost, {len(torn)} signs of damage"
    )
    print(json.dumps({"benchmark": "log", "turn_ms": round(bare, 1), "logged_ms": round(logged, 1), "kills": kills, "lost": lost,
                      "damage": torn}))  # fmt: skip


if __name__ == "__main__":
    main()
