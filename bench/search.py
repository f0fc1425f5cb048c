"""Exact search of ours beside faiss's IndexFlatIP, on the same vectors.

    python bench/search.py [--rows 1000000] [--dim 384] [--rounds 3]

The vectors are random and of length 1. Ours runs in the example
`crates/gradus-index/examples/search_speed.rs`; both take turns. Checks that both find
the same rows.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import faiss
import numpy as np


# From how many queries on faiss takes products of matrices: as it comes, from 20 on, as
# earlier versions did, and always. The best counts.
LEAST = [faiss.cvar.distance_compute_blas_threshold, 20, 1]


def timed(index, queries, top, least):
    faiss.cvar.distance_compute_blas_threshold = least
    index.search(queries, top)
    began, repeats = time.perf_counter(), 0
    while time.perf_counter() - began < 1.0:
        _, found = index.search(queries, top)
        repeats += 1
    return (time.perf_counter() - began) / repeats, found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--top", type=int, default=10)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    root = Path(__file__).resolve().parents[1]
    binary = root / "target/release/examples/search_speed"
    if not binary.is_file():
        sys.exit("cargo build --release -p gradus-index --example search_speed makes what is measured")
    random = np.random.default_rng(1)
    rows = random.standard_normal((args.rows, args.dim), dtype=np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    queries = random.standard_normal((256, args.dim), dtype=np.float32)
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    faiss.omp_set_num_threads(args.threads)
    index = faiss.IndexFlatIP(args.dim)
    index.add(rows)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "rows.f32").write_bytes(rows.tobytes())
        (Path(folder) / "queries.f32").write_bytes(queries.tobytes())
        del rows
        found = {}
        for _ in range(args.rounds):
            for count in (1, 16, 256):
                ours = subprocess.run(
                    [binary, folder, str(args.dim), str(count), str(args.top), str(args.threads)],
                    check=True, capture_output=True, text=True,
                )
                ours = json.loads(ours.stdout)
                took, rows_found = min(
                    (timed(index, queries[:count], args.top, least) for least in LEAST),
                    key=lambda pair: pair[0],
                )
                same = np.mean(np.array(ours["rows"]) == rows_found)
                found.setdefault(count, []).append((ours["seconds"], took, same))
                print(count, ours["seconds"], took, same, file=sys.stderr, flush=True)
    print(f"{args.rows} rows of {args.dim} values, the best {args.top}, {args.threads} threads\n")
    print("| queries | ours, ms | faiss, ms | ours better by | same rows |")
    print("|--:|--:|--:|--:|--:|")
    for count, runs in found.items():
        ours, theirs, same = (statistics.median(r[i] for r in runs) for i in range(3))
        print(f"| {count} | {1000 * ours:.1f} | {1000 * theirs:.1f} | {theirs / ours:.2f} | {100 * same:.2f} % |")


if __name__ == "__main__":
    main()
