"""Recall and time of approximate search: the graph of an index beside faiss, hnswlib and usearch.

    python bench/ann.py MODEL TEXTS QUERIES [--threads 1] [--top 10] [--rows N] [--peers NAME...]
    python bench/ann.py --random N [...]

TEXTS and QUERIES are files of lines; all search the vectors that `gradus index build`
made, one query at a time, on so many threads; with --random, N vectors of 384 values that
32 hidden ones and noise make. Prints a line for each setting, and for each system what it
takes at a recall of 0.95. Needs the packages of `bench/requirements.txt`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import faiss
import hnswlib
import numpy as np
from usearch.index import Index as Usearch

from groups import BINARY, gradus, vectors_of

EXAMPLE = BINARY.parent / "examples/graph_speed"


def timed(search, queries):
    """Seconds a query, and what was found."""
    found = [search(query) for query in queries]
    began, repeats = time.perf_counter(), 0
    while repeats == 0 or time.perf_counter() - began < 1.0:
        for query in queries:
            search(query)
        repeats += 1
    return (time.perf_counter() - began) / repeats / len(queries), found


def recall(found, exact):
    return np.mean([len(set(map(int, f)) & set(e)) / len(e) for f, e in zip(found, exact)])


def at(curve, wanted=0.95):
    """Seconds at a recall, between the settings on both sides."""
    for (low, fast), (high, slow) in zip(curve, curve[1:]):
        if low <= wanted <= high:
            return fast + (slow - fast) * (wanted - low) / max(high - low, 1e-9)
    return None


def made_up(count, dim=384, hidden=32):
    """Unit vectors around 1,000 middles in a space of few dimensions, with noise."""
    random = np.random.default_rng(42)
    middles = random.standard_normal((1000, hidden), dtype=np.float32)
    spread = random.standard_normal((hidden, dim), dtype=np.float32) / hidden**0.5
    parts = []
    for start in range(0, count, 65536):
        here = min(65536, count - start)
        near = middles[random.integers(1000, size=here)] + random.standard_normal((here, hidden), dtype=np.float32)
        part = near @ spread + 0.3 * random.standard_normal((here, dim), dtype=np.float32)
        parts.append(part / np.linalg.norm(part, axis=1, keepdims=True))
    return np.concatenate(parts)


def of_texts(args, work):
    """Vectors of texts and queries, and what ours took to make its graph."""
    for name, file, most in (("texts", args.texts, args.rows), ("queries", args.queries, 1000)):
        lines = list(dict.fromkeys(Path(file).read_text().splitlines()))[:most]
        (work / f"{name}.txt").write_text("\n".join(lines) + "\n")
        gradus("index", "build", work / f"{name}.txt", "--model", args.model, "--output", work / name)
    took, _ = gradus("index", "graph", work / "texts")
    return vectors_of(work / "texts"), vectors_of(work / "queries"), work / "texts", took


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?")
    parser.add_argument("texts", nargs="?")
    parser.add_argument("queries", nargs="?")
    parser.add_argument("--random", type=int)
    parser.add_argument("--peers", nargs="*", default=["faiss-ivf", "faiss-hnsw", "hnswlib", "usearch"])
    parser.add_argument("--rows", type=int)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--top", type=int, default=10)
    args = parser.parse_args()
    if not EXAMPLE.is_file():
        sys.exit("cargo build --release -p gradus-cli -p gradus-index --bins --examples makes what is measured")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        if args.random:
            vectors = made_up(args.random + 1000)
            vectors, queries = vectors[:-1000], vectors[-1000:]
            searched, took = work / "texts.f32", None
            searched.write_bytes(vectors.tobytes())
        else:
            vectors, queries, searched, took = of_texts(args, work)
        (work / "queries.f32").write_bytes(queries.tobytes())
        dim = vectors.shape[1]
        print(f"{len(vectors):,} vectors of {dim} values, {len(queries):,} queries one by one, {args.threads} threads\n")
        print("| system | setting | recall | ms |\n|---|--:|--:|--:|")
        exact = None
        curves, built = {}, {"gradus": took}

        def note(system, setting, share, seconds):
            curves.setdefault(system, []).append((share, seconds))
            print(f"| {system} | {setting} | {share:.3f} | {1e3 * seconds:.3f} |", flush=True)

        probes = [1, 2, 4, 8, 16, 32, 64, 128, 256]
        widths = [10, 16, 24, 40, 64, 100, 160, 250, 400]
        ours = subprocess.run(
            [EXAMPLE, searched, work / "queries.f32", *map(str, [dim, args.top, args.threads, 1, 0, *widths])],
            check=True, capture_output=True, text=True,
        )
        for line in map(json.loads, ours.stdout.splitlines()):
            if "made" in line:
                built["gradus"] = line["made"]
            elif line["width"] == 0:
                exact = line["rows"]
                print(f"| gradus, exact | | 1 | {1e3 * line['seconds']:.3f} |")
            else:
                note("gradus", line["width"], recall(line["rows"], exact), line["seconds"])

        if "faiss-ivf" in args.peers:
            faiss.omp_set_num_threads(2)
            began = time.perf_counter()
            ivf = faiss.index_factory(dim, f"IVF{int(4 * len(vectors) ** 0.5)},Flat", faiss.METRIC_INNER_PRODUCT)
            ivf.train(vectors)
            ivf.add(vectors)
            built["faiss IVF"] = time.perf_counter() - began
            faiss.omp_set_num_threads(args.threads)
            for probe in probes:
                ivf.nprobe = probe
                seconds, found = timed(lambda q: ivf.search(q[None], args.top)[1][0], queries)
                note("faiss IVF", probe, recall(found, exact), seconds)

        if "faiss-hnsw" in args.peers:
            faiss.omp_set_num_threads(2)
            began = time.perf_counter()
            graph = faiss.index_factory(dim, "HNSW16", faiss.METRIC_INNER_PRODUCT)
            graph.hnsw.efConstruction = 200
            graph.add(vectors)
            built["faiss HNSW"] = time.perf_counter() - began
            faiss.omp_set_num_threads(args.threads)
            for width in widths:
                graph.hnsw.efSearch = width
                seconds, found = timed(lambda q: graph.search(q[None], args.top)[1][0], queries)
                note("faiss HNSW", width, recall(found, exact), seconds)

        if "hnswlib" in args.peers:
            began = time.perf_counter()
            other = hnswlib.Index(space="ip", dim=dim)
            other.init_index(max_elements=len(vectors), ef_construction=200, M=16)
            other.add_items(vectors, num_threads=2)
            built["hnswlib"] = time.perf_counter() - began
            other.set_num_threads(args.threads)
            for width in widths:
                other.set_ef(width)
                seconds, found = timed(lambda q: other.knn_query(q, k=args.top)[0][0], queries)
                note("hnswlib", width, recall(found, exact), seconds)

        if "usearch" in args.peers:
            for dtype in ("f32", "i8"):
                began = time.perf_counter()
                use = Usearch(ndim=dim, metric="ip", dtype=dtype, connectivity=16, expansion_add=200)
                use.add(np.arange(len(vectors)), vectors, threads=2)
                built[f"usearch {dtype}"] = time.perf_counter() - began
                for width in widths:
                    use.expansion_search = width
                    seconds, found = timed(lambda q: use.search(q, args.top, threads=args.threads).keys, queries)
                    note(f"usearch {dtype}", width, recall(found, exact), seconds)

        print("\n| system | made in, s | ms at a recall of 0.95 |\n|---|--:|--:|")
        for system, curve in curves.items():
            there = at(curve)
            print(f"| {system} | {built[system]:.1f} | {'-' if there is None else f'{1e3 * there:.3f}'} |")


if __name__ == "__main__":
    main()
