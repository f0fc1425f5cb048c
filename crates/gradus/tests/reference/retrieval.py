"""Rankings with ties, judgments in grades, and trec_eval's values for them.

Needs `pytrec-eval-terrier`; writes `retrieval.json` beside itself.
"""

import json
import random
from pathlib import Path

import pytrec_eval

KS = [1, 3, 5, 10, 100]
NAMES = {
    "ndcg": "ndcg_cut",
    "map": "map_cut",
    "recall": "recall",
    "precision": "P",
    "accuracy": "success",
}


def make(seed):
    random.seed(seed)
    qrels, run = {}, {}
    for q in range(40):
        query = f"q{q}"
        # Grades, judged not relevant, and below that.
        judged = {f"d{random.randrange(60)}": random.choice([0, 0, 1, 1, 2, 3, -1]) for _ in range(12)}
        if q % 8 != 7:
            qrels[query] = judged
        # Scores that tie often and are exact in f32, over judged and other documents.
        found = random.sample(range(80), random.choice([0, 1, 4, 15, 80]))
        if q % 8 != 6 and found:
            run[query] = {f"d{d}": random.randrange(12) / 8 - 0.5 for d in found}
    qrels["none relevant"] = {"d1": 0, "d2": 0}
    run["none relevant"] = {"d1": 1.0, "d3": 0.5}
    return qrels, run


def values(qrels, run):
    wanted = {name + "." + ",".join(map(str, KS)) for name in NAMES.values()} | {"recip_rank"}
    found = pytrec_eval.RelevanceEvaluator(qrels, wanted).evaluate(run)
    out = {}
    for query in sorted(qrels):
        # A query without a ranking counts 0, as by trec_eval's option -c.
        own = found.get(query, {})
        out[query] = {
            f"{ours}@{k}": own.get(f"{theirs}_{k}", 0.0) for ours, theirs in NAMES.items() for k in KS
        }
        # It is not cut: 1,000 places are all there are.
        out[query]["mrr@1000"] = own.get("recip_rank", 0.0)
    return out


if __name__ == "__main__":
    qrels, run = make(5)
    stored = {"qrels": qrels, "run": run, "values": values(qrels, run)}
    lines = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in stored.items()]
    path = Path(__file__).with_name("retrieval.json")
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
