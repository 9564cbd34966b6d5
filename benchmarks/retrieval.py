"""How well text search finds images: recall@5 of the development queries that lie beside the checkout.

    python benchmarks/retrieval.py [--index build/bench/retrieval] [--rebuild] [--limit 60]

Recall@5 of a query = relevant images among the first five / min(5, relevant images), after images under ``ignore`` are taken
out of the ranking. Prints every query with its five first, then the mean with a bootstrap interval over queries, and the same
with each part of the score alone.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from micro_nb.analysis.statistics import bootstrap
from micro_nb.tasks.search.retrieve import Index

SHARED = Path(os.environ.get("MICRO_NB_SHARED", Path(__file__).parents[2] / "shared"))
QUERIES, IMAGES = SHARED / "questions" / "retrieval_dev.jsonl", SHARED / "questions" / "retrieval_dev_images.txt"
DATA = SHARED / "data" / "train_val"
FIRST = 5


def main() -> None:
    asked = arguments()
    missing = [str(p) for p in (QUERIES, IMAGES, DATA) if not p.exists()]
    if missing:
        sys.exit(f"the retrieval set is not here: {', '.join(missing)}; set MICRO_NB_SHARED to its folder")
    queries = [json.loads(line) for line in QUERIES.read_text("utf-8").splitlines() if line.strip()]
    index = opened(asked)
    rows = []
    for query in queries:
        start = time.perf_counter()
        result = index.search(query["query"], k=len(index))
        rows.append(judged(query, result) | {"ms": 1000 * (time.perf_counter() - start)})
    report(pd.DataFrame(rows))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--index", default="build/bench/retrieval", help="where the index is kept between runs")
    parser.add_argument("--rebuild", action="store_true", help="look at the images anew")
    parser.add_argument("--limit", type=int, help="index that many images only, for a quick look")
    parser.add_argument("--model", help="a model folder (default: the built-in one)")
    return parser.parse_args()


def opened(asked: argparse.Namespace) -> Index:
    """The kept index, or a new one."""
    model: Any = None
    if asked.model:
        from micro_nb.tasks import load_model

        model = load_model(asked.model)
    if (Path(asked.index) / "manifest.json").is_file() and not asked.rebuild:
        return Index.open(asked.index, model=model)
    paths = [DATA / line for line in IMAGES.read_text("utf-8").split()][: asked.limit]
    start = time.perf_counter()
    index = Index.build(paths, asked.index, model=model, overwrite=True)
    print(f"indexed {len(index)} images in {time.perf_counter() - start:.0f} s")
    return index


def judged(query: dict[str, Any], result: pd.DataFrame) -> dict[str, Any]:
    """Recall@5 of one query, by the whole score and by each of its parts."""
    names = np.array([Path(p).relative_to(DATA).as_posix() for p in result["path"]])
    kept = ~np.isin(names, query["ignore"])
    row: dict[str, Any] = {"id": query["id"], "query": query["query"]}
    for column in ("score", "similarity", "concepts_score", "measured_score"):
        order = np.argsort(-result[column].to_numpy(float)[kept], kind="stable")
        known = result[column].notna().any()
        row[column] = recall(list(names[kept][order]), query["relevant"]) if known else np.nan
    return row | {"first": ", ".join(Path(n).stem[:18] for n in names[kept][:FIRST])}


def recall(ranked: list[str], relevant: list[str]) -> float:
    """Relevant ones among the first five, over as many as could be there."""
    return len(set(ranked[:FIRST]) & set(relevant)) / min(FIRST, len(relevant))


def report(table: pd.DataFrame) -> None:
    """A line a query, then the means."""
    for row in table.to_dict("records"):
        print(f"{row['id']}  {row['score']:.2f}  {row['query'][:58]:<58}  {row['first']}")
    print()
    parts = {
        "score": "whole score",
        "similarity": "joint space alone",
        "concepts_score": "concepts",
        "measured_score": "measured",
    }
    for column, what in parts.items():
        values = table[column].dropna().to_numpy()
        if len(values) > 1:
            found = bootstrap(values)
            print(f"recall@5, {what}: {found.value:.3f} ({found.low:.3f} to {found.high:.3f}, 95 %, {len(values)} queries)")
    print(f"median time of a query: {table['ms'].median():.0f} ms")
    print(json.dumps({"recall_at_5": float(table["score"].mean()), "queries": len(table)}))


if __name__ == "__main__":
    main()
