"""How well questions are read: whole lots of the corpus that the reader never saw, against their meanings.

    python benchmarks/understanding.py [--lots l m] [--values] [--limit N] [--show N] [--json FILE]

``exact``: all expressions equal in their one form. ``same calls``: the same calls by name, whatever their arguments.
``offered``: the right
reading among the up to three that are offered. ``same values`` (with ``--values``): both expressions, run on a generated
picture without
trained eyes, give the same value, or both decline.
"""

from __future__ import annotations

import argparse
import collections
import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "recipes" / "reader"))

from corpus import HELD_OUT, lots

import micro_nb as mnb
from micro_nb.errors import MicroNBError
from micro_nb.session.language import Call
from micro_nb.session.measures.evaluation import evaluate
from micro_nb.session.measures.scene import Scene
from micro_nb.session.reader.understanding import understand

FREE = {"explain", "advise", "say", "adjust", "find", "decline", "set", "formula"}


def form(call: Call) -> str:
    """A call in the one form, in small letters; of calls whose words are free the name alone; less the other way round."""
    return str(call.map(lambda c: Call(c.name) if c.name in FREE else rising(c))).lower()


def rising(call: Call) -> Call:
    """Whether the first is less as whether the second is greater."""
    falling = call.name == "compare" and call.get("how") == "less"
    return Call(call.name, call.args[::-1], (("how", "greater"),)) if falling else call


def value_of(calls: tuple[Call, ...], scene: Scene) -> list[object]:
    """What expressions give on a scene; the kind of error where they give nothing."""
    out: list[object] = []
    for call in calls:
        try:
            value = evaluate(call, scene).value
            out.append(round(value, 6) if isinstance(value, float) else value)
        except MicroNBError:
            out.append("declined")
    return out


def names(calls: tuple[Call, ...]) -> list[str]:
    """Names of all calls, sorted."""
    return sorted(c.name for call in calls for c in call.walk())


def main() -> None:
    """Reads every turn of the held-out lots and prints the shares."""
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--lots", nargs="*", default=list(HELD_OUT))
    p.add_argument("--values", action="store_true")
    p.add_argument("--limit", type=int)
    p.add_argument("--show", type=int, default=0)
    p.add_argument("--json", type=Path)
    options = p.parse_args()
    scene = Scene({"image": mnb.samples.fluorescence((512, 512), seed=3).image}, "image", "floor")
    examples = [e for t in lots(options.lots) for e in t.examples()][: options.limit]
    n = collections.Counter[str]()
    by: dict[str, list[int]] = collections.defaultdict(lambda: [0, 0])
    times, wrong = [], []
    for e in examples:
        start = time.perf_counter()
        got = understand(e.question, e.before[::-1])
        times.append(time.perf_counter() - start)
        want, have = sorted(map(form, e.calls)), sorted(map(form, got.calls))
        right = want == have
        n["exact"] += right
        n["same calls"] += names(e.calls) == names(got.calls)
        n["offered"] += right or any(sorted(map(form, other)) == want for other in got.alternatives)
        n["no reading"] += not got.calls
        if options.values:
            n["same values"] += right or value_of(e.calls, scene) == value_of(got.calls, scene)
        head = e.calls[0].name
        by[head][0] += right
        by[head][1] += 1
        if not right:
            wrong.append((e.question, want, have, round(got.confidence, 2)))
    for question, want, have, sure in wrong[:: max(1, len(wrong) // options.show) if options.show else 1][: options.show]:
        print("?", question, "\n  wanted", *want, "\n  heard ", *have, f"({sure})")
    print({k: f"{r}/{t}" for k, (r, t) in sorted(by.items(), key=lambda x: -x[1][1])})
    shares = {k: round(v / len(examples), 3) for k, v in n.items()}
    shares |= {
        "turns": len(examples),
        "median_ms": round(1000 * statistics.median(times), 1),
        "p95_ms": round(1000 * sorted(times)[int(0.95 * len(times))], 1),
    }
    print(f"lots {' '.join(options.lots)}: {shares}")
    if options.json:
        options.json.write_text(json.dumps(shares, indent=1) + "\n")


if __name__ == "__main__":
    main()
