"""Communities, pairs, duplicates and clusters of ours beside the Python packages for them.

    python bench/groups.py MODEL TEXTS [--rows 20000] [--jobs communities,pairs,...]

Texts are the lines of a file; `--rows` takes the first so many. All have the same vectors, those that `gradus
index build` made. Ours is timed as a whole command on that index, from start to files
written; the packages from vectors in memory to a result in memory. Needs the packages of
`bench/requirements.txt`. Jobs:

communities  `gradus cluster --method communities`, sentence-transformers' community_detection
pairs        `gradus mine --neighbours 100`, its paraphrase_mining_embeddings
duplicates   `gradus dedupe --by meaning`, semhash
density      `gradus cluster --method density`, scikit-learn's HDBSCAN, exact
topics       `gradus cluster --method k-means`, BERTopic (UMAP, HDBSCAN)

With `--sick FILE...` (SICK's files) instead of TEXTS: how often pairs of SICK that people
found alike are in one cluster, and how well a cosine tells duplicates among them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

BINARY = Path(__file__).resolve().parents[1] / "target/release/gradus"
THREADS = os.cpu_count()


def gradus(*arguments):
    began = time.perf_counter()
    command = [BINARY, "--quiet", "--threads", str(THREADS), *map(str, arguments)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return time.perf_counter() - began, said


def timed(job):
    began = time.perf_counter()
    result = job()
    return time.perf_counter() - began, result


def read(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def vectors_of(index):
    """An index's vectors: panels of 32 rows, the values of a term side by side."""
    manifest = json.loads((index / "index.json").read_text())
    dim = manifest["model"]["dimension"]
    parts = []
    for segment in manifest["segments"]:
        panels = np.fromfile(index / segment["name"] / "vectors.f32", dtype="<f4").reshape(-1, dim, 32)
        parts.append(panels.transpose(0, 2, 1).reshape(-1, dim)[: segment["rows"]])
    return np.ascontiguousarray(np.concatenate(parts))


def communities(work, vectors, texts):
    import torch
    from sentence_transformers import util

    took, _ = gradus("cluster", work / "texts.index", "--method", "communities", "--output", work / "communities")
    tensor = torch.from_numpy(vectors)
    theirs, found = timed(lambda: util.community_detection(tensor, threshold=0.75, min_community_size=10))
    ours = {}
    for row, text in enumerate(read(work / "communities/texts.jsonl")):
        if text["cluster"] is not None:
            ours.setdefault(text["cluster"], set()).add(row)
    same = sorted(map(sorted, ours.values())) == sorted(sorted(rows) for rows in found)
    return took, [("sentence-transformers", theirs)], f"{len(found)} communities, {'the same' if same else 'others'}"


def pairs(work, vectors, texts):
    import torch
    from sentence_transformers import util

    out = work / "pairs.jsonl"
    took, _ = gradus(
        "mine", work / "texts.index", "--threshold=-1", "--neighbours", 100, "--top", 500_000,
        "--format", "json", "--output", out, "--overwrite",
    )
    tensor = torch.from_numpy(vectors)
    theirs, found = timed(lambda: util.paraphrase_mining_embeddings(tensor, top_k=100, max_pairs=500_000))
    ours = {(int(p["id1"]) - 1, int(p["id2"]) - 1) for p in read(out)}
    same = sum((min(a, b), max(a, b)) in ours for _, a, b in found[:500_000])
    return took, [("sentence-transformers", theirs)], f"{len(ours):,} pairs, {same / len(found[:500_000]):.4%} of theirs"


def duplicates(work, vectors, texts):
    from semhash import SemHash

    took, said = gradus(
        "dedupe", work / "texts.index", "--by", "meaning", "--threshold", 0.9,
        "--output", work / "unique", "--format", "json",
    )
    report = json.loads(said)

    class Known:
        """What semhash asks of a model; vectors are there already."""

        def encode(self, inputs, **_):
            raise AssertionError("vectors are known")

    def theirs():
        made = SemHash.from_embeddings(embeddings=vectors, records=texts, model=Known())
        return made.self_deduplicate(threshold=0.9)

    seconds, result = timed(theirs)
    kept = len(result.selected)
    return took, [("semhash", seconds)], f"ours keep {report['kept']:,}, semhash {kept:,} of {len(texts):,}"


def density(work, vectors, texts):
    from sklearn.cluster import HDBSCAN

    took, _ = gradus(
        "cluster", work / "texts.index", "--method", "density", "--min-size", 10, "--neighbours", 3,
        "--output", work / "density",
    )
    clusterer = HDBSCAN(min_cluster_size=10, min_samples=3, algorithm="brute", n_jobs=THREADS, copy=True)
    theirs, labels = timed(lambda: clusterer.fit_predict(vectors.astype(np.float64)))
    ours = [text["cluster"] for text in read(work / "density/texts.jsonl")]
    names = {}
    same = sum(
        (a is None) == (b < 0) and (a is None or names.setdefault(b, a) == a) for a, b in zip(ours, labels)
    )
    return took, [("scikit-learn", theirs)], f"{len(set(labels)) - 1} clusters, {same / len(ours):.2%} of texts alike"


def topics(work, vectors, texts):
    from bertopic import BERTopic

    took, said = gradus(
        "cluster", work / "texts.index", "--method", "k-means", "--output", work / "topics", "--format", "json",
    )
    ours = json.loads(said)
    seconds, (labels, _) = timed(lambda: BERTopic().fit_transform(texts, vectors))
    alone = sum(label < 0 for label in labels)
    return took, [("BERTopic", seconds)], (
        f"{len(ours['clusters'])} clusters of all; BERTopic {len(set(labels) - {-1})}, {alone:,} texts in none"
    )


JOBS = {"communities": communities, "pairs": pairs, "duplicates": duplicates, "density": density, "topics": topics}


def sick(model, files, work):
    """Pairs that people graded from 1 to 5."""
    graded = []
    for file in files:
        for line in Path(file).read_text().splitlines()[1:]:
            cells = line.split("\t")
            graded.append((cells[1], cells[2], float(cells[3])))
    texts = sorted({text for a, b, _ in graded for text in (a, b)})
    number = {text: i for i, text in enumerate(texts)}
    (work / "texts.txt").write_text("\n".join(texts) + "\n")
    gradus("index", "build", work / "texts.txt", "--model", model, "--output", work / "texts.index")
    vectors = vectors_of(work / "texts.index")

    def together(of, low, high):
        some = [(number[a], number[b]) for a, b, grade in graded if low <= grade <= high]
        return np.mean([of[a] is not None and of[a] == of[b] for a, b in some])

    print(f"{len(graded):,} pairs of {len(texts):,} sentences\n")
    print("| clusters by | how many | texts in none | in one cluster: pairs of 4.5 to 5 | 1 to 2 | any two |")
    print("|---|--:|--:|--:|--:|--:|")
    rows = []
    for name, options in [
        ("k-means", ["--method", "k-means", "--clusters", 150]),
        ("communities, 0.6", ["--method", "communities", "--threshold", 0.6, "--min-size", 5]),
        ("density", ["--method", "density", "--min-size", 5, "--neighbours", 2]),
    ]:
        gradus("cluster", work / "texts.index", *options, "--output", work / "found")
        rows.append((name, [text["cluster"] for text in read(work / "found/texts.jsonl")]))
    try:
        from bertopic import BERTopic

        labels, _ = BERTopic(min_topic_size=5).fit_transform(texts, vectors)
        rows.append(("BERTopic", [None if label < 0 else label for label in labels]))
    except ImportError:
        print("bertopic is not installed", file=sys.stderr)
    for name, of in rows:
        sizes = np.unique([label for label in of if label is not None], return_counts=True)[1]
        chance = (sizes * (sizes - 1)).sum() / (len(of) * (len(of) - 1))
        print(
            f"| {name} | {len(sizes)} | {of.count(None):,} | {together(of, 4.5, 5):.1%} | {together(of, 1, 2):.1%} "
            f"| {chance:.1%} |"
        )
    print("\n| cosine from | precision | recall | (duplicates: pairs of 4.7 and more) |\n|--:|--:|--:|---|")
    cosines = np.array([vectors[number[a]] @ vectors[number[b]] for a, b, _ in graded])
    alike = np.array([grade >= 4.7 for _, _, grade in graded])
    for threshold in (0.8, 0.85, 0.9, 0.95, 0.97):
        said = cosines >= threshold
        print(f"| {threshold} | {alike[said].mean():.1%} | {said[alike].mean():.1%} | {said.sum():,} pairs |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("texts", nargs="?")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--jobs", default=",".join(JOBS))
    parser.add_argument("--sick", nargs="+")
    args = parser.parse_args()
    if not BINARY.is_file():
        sys.exit("cargo build --release makes what is measured")
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        if args.sick:
            return sick(args.model, args.sick, work)
        if not args.texts:
            parser.error("TEXTS or --sick")
        texts = Path(args.texts).read_text().splitlines()[: args.rows]
        (work / "texts.txt").write_text("\n".join(texts) + "\n")
        took, _ = gradus("index", "build", work / "texts.txt", "--model", args.model, "--output", work / "texts.index")
        print(f"{len(texts):,} texts encoded in {took:.1f} s; {THREADS} threads\n", flush=True)
        vectors = vectors_of(work / "texts.index")
        print("| job | ours, s | peer | peer, s | ours better by | |\n|---|--:|---|--:|--:|---|")
        for name in args.jobs.split(","):
            ours, others, note = JOBS[name](work, vectors, texts)
            for peer, seconds in others:
                print(f"| {name} | {ours:.2f} | {peer} | {seconds:.2f} | {seconds / ours:.1f} | {note} |", flush=True)


if __name__ == "__main__":
    main()
