"""How long ``import micro_nb`` takes next to ``import numpy``: medians over fresh processes, in turn."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time

RUNS = 15


def seconds(statement: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - start


def main() -> None:
    times: dict[str, list[float]] = {"pass": [], "import numpy": [], "import micro_nb": []}
    for _ in range(RUNS):
        for statement, taken in times.items():
            taken.append(seconds(statement))
    medians = {statement: statistics.median(taken) for statement, taken in times.items()}
    bare = medians["pass"]
    result = {statement: round(1000 * (m - bare), 1) for statement, m in medians.items() if statement != "pass"}
    print(f"{'statement':<18} ms over a bare interpreter")
    for statement, ms in result.items():
        print(f"{statement:<18} {ms:8.1f}")
    print(
        json.dumps({"benchmark": "import", "ms": result, "ratio": round(medians["import micro_nb"] / medians["import numpy"], 3)})
    )


if __name__ == "__main__":
    main()
