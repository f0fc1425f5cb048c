"""Reference scores of the seven STS tasks, by SciPy, for a model that anyone
can rebuild: counts of hashed words. Writes suite.json beside itself.

Run with any Python that has numpy and scipy, with GRADUS_DATA set:
    GRADUS_DATA=... python suite.py
"""

import json
import math
import os
import pathlib

import numpy
from scipy import stats

DIM = 64
root = pathlib.Path(os.environ["GRADUS_DATA"])


def embed(sentence):
    counts = [0] * DIM
    for word in sentence.encode().split():
        h = 0xCBF29CE484222325  # FNV-1a, 64 bits
        for byte in word:
            h = ((h ^ byte) * 0x100000001B3) % 2**64
        counts[h % DIM] += 1
    return counts


def cosine(first, second):
    a, b = embed(first), embed(second)
    dot = float(sum(x * y for x, y in zip(a, b)))
    norm = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
    return min(1.0, max(-1.0, dot / norm)) if norm > 0 else 0.0


def rows(path, columns, header=False):
    with open(root / path, encoding="utf-8", newline="\n") as file:
        lines = [line.rstrip("\r\n").split("\t") for line in file]
    score, first, second = columns
    return [(float(c[score]), cosine(c[first], c[second])) for c in lines[header:]]


def tasks(folder):
    for year in range(12, 17):
        files = sorted((root / folder / f"STS{year}").iterdir())
        yield f"STS{year}", [rows(f, (0, 1, 2)) for f in files]
    yield "STS-B", [rows("stsb/sts-test.csv", (4, 5, 6))]
    yield "SICK-R", [rows("sick/SICK_test_annotated.txt", (3, 1, 2), True)]


def scores(subsets):
    pairs = [pair for subset in subsets for pair in subset]
    out = {}
    for name, of in [("spearman", stats.spearmanr), ("pearson", stats.pearsonr)]:
        parts = [float(of(*zip(*subset)).statistic) for subset in subsets]
        out[name] = {
            "all": float(of(*zip(*pairs)).statistic),
            "mean": float(numpy.mean(parts)),
            "weighted_mean": float(numpy.average(parts, weights=[len(s) for s in subsets])),
        }
    return out


out = {}
for variant, folder in [("original", "sts"), ("senteval", "sts-senteval")]:
    out[variant] = {name: scores(subsets) for name, subsets in tasks(folder)}
path = pathlib.Path(__file__).with_name("suite.json")
path.write_text(json.dumps(out, indent=1) + "\n")
