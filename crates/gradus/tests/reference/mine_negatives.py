"""Hard negatives of a small set, by sentence-transformers' `mine_hard_negatives`.

Writes `mine_negatives.json` beside itself: the pairs, the corpus, and the rows under
several options. Candidates whose scores lie near each other or near a bound would make
the order a matter of rounding, so the script refuses them.
"""

import json
from itertools import product
from pathlib import Path

from common import MODELS  # sets the environment first

from datasets import Dataset
from sentence_transformers import SentenceTransformer
from sentence_transformers.util import mine_hard_negatives

SUBJECTS = ["the old cat", "a young girl", "my neighbour"]
VERBS = ["eats", "paints", "finds"]
OBJECTS = ["bread", "a green boat", "the map"]


def make_set():
    pairs, corpus = [], []
    for i, (subject, verb, thing) in enumerate(product(SUBJECTS, VERBS, OBJECTS)):
        query = f"what does {subject} {verb}"
        # Three objects a query, of which two are its positives; one pair is there twice.
        if i % 3 != 2:
            pairs.append((query, f"{subject} {verb} {thing}"))
        else:
            corpus.append(f"{thing} is near {subject}")
        if i % 6 == 0:
            corpus.append(f"{subject} sleeps")
    pairs.append(pairs[0])
    corpus.append(pairs[1][1])
    return pairs, corpus


CASES = [
    {},
    {"output_scores": True},
    {"num_negatives": 5, "range_min": 2},
    {"output_format": "n-tuple", "output_scores": True},
    {"output_format": "n-tuple", "max_score": 0.8, "num_negatives": 4},
    {"output_format": "labeled-pair", "relative_margin": 0.05},
    {"output_format": "labeled-pair", "output_scores": True, "num_negatives": 1},
    {"output_format": "labeled-list", "absolute_margin": 0.1, "output_scores": True},
    {"output_format": "labeled-list", "min_score": 0.7, "num_negatives": 6},
    {"absolute_margin": -0.05, "max_score": 0.95, "range_max": 6},
    {"output_format": "n-tuple", "include_positives": True, "num_negatives": 4},
    {"range_max": 30, "num_negatives": 24, "output_format": "labeled-list"},
]


def mine(model, pairs, corpus, case):
    queries, positives = zip(*pairs)
    dataset = Dataset.from_dict({"query": list(queries), "positive": list(positives)})
    kwargs = {"corpus": corpus} if corpus else {}
    mined = mine_hard_negatives(dataset, model, verbose=False, **kwargs, **case)
    return [list(row.values()) for row in mined]


def check_apart(model, pairs, corpus):
    texts = list(dict.fromkeys(corpus + [p for _, p in pairs]))
    queries = list(dict.fromkeys(q for q, _ in pairs))
    scores = model.similarity(model.encode(queries), model.encode(texts))
    bounds = [0.7, 0.8, 0.95]
    for row in scores.tolist():
        ordered = sorted(row + bounds)
        least = min(b - a for a, b in zip(ordered, ordered[1:]))
        assert least > 2e-6, least


if __name__ == "__main__":
    model = SentenceTransformer(str(MODELS / "bert-small"))
    pairs, corpus = make_set()
    check_apart(model, pairs, corpus)
    cases = [
        {"options": case, "corpus": with_corpus, "rows": mine(model, pairs, corpus if with_corpus else None, case)}
        for with_corpus in (True, False)
        for case in CASES
        if with_corpus or case in CASES[:2]
    ]
    stored = {"pairs": pairs, "corpus": corpus, "cases": cases}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in stored.items()]
    path = Path(__file__).with_name("mine_negatives.json")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
