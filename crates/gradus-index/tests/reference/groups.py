"""Makes `tests/fixtures/groups`: unit vectors, and what others make of them.

    python crates/gradus-index/tests/reference/groups.py

Clusters of scikit-learn's HDBSCAN (1.9.1), communities, nearest vectors and pairs of
sentence-transformers (6.2.0). Needs the packages of `bench/requirements.txt`.
"""

import json
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import util
from sklearn.cluster import HDBSCAN

HERE = Path(__file__).resolve().parents[1] / "fixtures" / "groups"


def main():
    random = np.random.default_rng(11)
    dim = 12
    middles = random.standard_normal((9, dim))
    middles /= np.linalg.norm(middles, axis=1, keepdims=True)
    of = random.integers(0, 9, 420)
    spread = random.uniform(0.1, 0.3, 9)[of, None]
    vectors = middles[of] + spread * random.standard_normal((420, dim))
    vectors = np.concatenate([vectors, random.standard_normal((60, dim))])
    vectors = vectors[random.permutation(len(vectors))].astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    (HERE / "vectors.f32").write_bytes(vectors.tobytes())

    found = {"dim": dim, "hdbscan": [], "communities": []}
    for smallest, neighbours, select in [(10, 10, "eom"), (5, 3, "eom"), (8, 4, "leaf"), (15, 1, "eom")]:
        # In f64 and by brute force, so that the tree is exact.
        clusterer = HDBSCAN(
            min_cluster_size=smallest,
            min_samples=neighbours,
            cluster_selection_method=select,
            algorithm="brute",
        )
        labels = clusterer.fit_predict(vectors.astype(np.float64))
        found["hdbscan"].append({
            "smallest": smallest,
            "neighbours": neighbours,
            "select": select,
            "labels": labels.tolist(),
            "membership": [round(float(p), 6) for p in clusterer.probabilities_],
        })
    tensor = torch.from_numpy(vectors)
    for threshold, smallest in [(0.75, 10), (0.85, 4), (0.6, 20)]:
        communities = util.community_detection(tensor, threshold=threshold, min_community_size=smallest)
        found["communities"].append({
            "threshold": threshold,
            "smallest": smallest,
            "rows": [[int(row) for row in rows] for rows in communities],
        })
    nearest = util.semantic_search(tensor[:20], tensor, top_k=7)
    found["nearest"] = [[[hit["corpus_id"], round(hit["score"], 6)] for hit in hits] for hits in nearest]
    pairs = util.paraphrase_mining_embeddings(tensor, top_k=100, max_pairs=500_000)
    found["pairs"] = [[round(score, 6), int(a), int(b)] for score, a, b in pairs[:300]]
    (HERE / "expected.json").write_text(json.dumps(found, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
