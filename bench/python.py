"""Encoding from Python: the package gradus beside sentence-transformers, and what the binding costs.

    pip install ./bindings/python
    python bench/python.py MODEL TEXTS [--rows 20000] [--rounds 3]

TEXTS is a file of lines. Each round runs both in turn; the best of the rounds counts.
sentence-transformers runs in bf16 and in f32, with texts sorted by length as it does. What
the binding costs is the time that a call spends outside of the library: texts taken over,
and vectors handed out. Needs the packages of `bench/requirements.txt`.
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

import gradus


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("texts")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    texts = list(dict.fromkeys(Path(args.texts).read_text().splitlines()))[: args.rows]
    ours = gradus.SentenceEncoder(args.model)
    theirs = {
        name: SentenceTransformer(args.model, device="cpu", model_kwargs={"dtype": dtype})
        for name, dtype in (("f32", torch.float32), ("bf16", torch.bfloat16))
    }
    best, inside = {}, None
    for _ in range(args.rounds):
        began = time.perf_counter()
        vectors = ours.encode(texts)
        took = time.perf_counter() - began
        if took < best.get("gradus", np.inf):
            best["gradus"], inside = took, ours._model.last_computed
        for name, model in theirs.items():
            began = time.perf_counter()
            other = model.encode(texts, batch_size=64, convert_to_tensor=True).float().numpy()
            best[f"sentence-transformers, {name}"] = min(
                best.get(f"sentence-transformers, {name}", np.inf), time.perf_counter() - began
            )
            if name == "f32":
                cosines = gradus.util.pairwise_cos_sim(vectors, other)
    print(f"{len(texts):,} texts\n\n| | texts a second | gradus better by |\n|---|--:|--:|")
    for name, took in best.items():
        print(f"| {name} | {len(texts) / took:,.0f} | {took / best['gradus']:.2f} |")
    share = 100 * (best["gradus"] - inside) / best["gradus"]
    print(f"\nthe binding takes {share:.2f} % of a call; the least cosine with f32 is {cosines.min():.5f}")


if __name__ == "__main__":
    main()
