"""Compares what `gradus encode` wrote with sentence-transformers on the same folder.

    python check_sentence_transformers.py MODEL_FOLDER EMBEDDINGS.jsonl

Each line: {"text": ..., "embedding": [...]}. Exit code 1 above 1e-5.
"""

import argparse
import json
import sys

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

LIMIT = 1e-5


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("embeddings")
    args = parser.parse_args()

    with open(args.embeddings, encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines if line.strip()]
    if not rows:
        sys.exit("no embeddings to compare")
    stored = np.array([row["embedding"] for row in rows], dtype=np.float64)
    # The weights may be stored in half precision; both sides compute in f32.
    model = SentenceTransformer(args.model, device="cpu", model_kwargs={"dtype": torch.float32})
    expected = model.encode([row["text"] for row in rows])
    if stored.shape != expected.shape:
        sys.exit(f"embeddings of shape {stored.shape}, expected {expected.shape}")
    difference = np.abs(stored - expected).max()
    print(f"{len(rows)} texts, largest absolute difference {difference:.3g}")
    # Written so that NaN fails as well.
    sys.exit(0 if difference <= LIMIT else 1)


if __name__ == "__main__":
    main()
