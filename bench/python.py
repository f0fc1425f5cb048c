"""Encoding from Python: the package gradus beside sentence-transformers, fastembed and
model2vec, and what the binding costs.

    pip install ./bindings/python
    python bench/python.py MODEL TEXTS [--pairs FILE] [--rows 20000] [--rounds 3]

MODEL is a folder of all-MiniLM-L6-v2, TEXTS a file of lines. Each round runs all in turn; the
best of the rounds counts. sentence-transformers runs in bf16 and in f32, with texts sorted by
length as it does; fastembed on a graph of the same weights, in the order of the texts; model2vec on a
table of token vectors that is distilled from the same model. With --pairs, a file of lines of
JSON with `sentence1`, `sentence2` and `score`, there is Spearman's correlation of each.

What the binding costs is the time that a call spends outside of the library: texts taken
over, and vectors handed out. Needs the packages of `bench/requirements.txt`.
"""

import argparse
import json
import os
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from fastembed import TextEmbedding
from model2vec.distill import distill
from peers import onnx
from scipy.stats import spearmanr
from sentence_transformers import SentenceTransformer
from transformers import AutoModel

import gradus


class States(torch.nn.Module):
    """A graph's outputs are all vectors, as fastembed wants them."""

    def __init__(self, folder):
        super().__init__()
        self.bert = AutoModel.from_pretrained(folder).eval()

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.bert(input_ids, attention_mask, token_type_ids).last_hidden_state


def fastembed(folder):
    place = Path(tempfile.mkdtemp())
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy(Path(folder) / name, place)
    ids = torch.randint(1000, 2000, (2, 8))
    names = ["input_ids", "attention_mask", "token_type_ids"]
    example = (ids, torch.ones_like(ids), torch.zeros_like(ids))
    onnx.export(States(folder), example, names, ["last_hidden_state"], place / "model.onnx")
    name = "sentence-transformers/all-MiniLM-L6-v2"
    model = TextEmbedding(name, specific_model_path=str(place), threads=os.cpu_count())
    return lambda texts: np.stack(list(model.embed(texts, batch_size=64)))


def sentence_transformers(folder, dtype):
    model = SentenceTransformer(folder, device="cpu", model_kwargs={"dtype": dtype})
    return lambda texts: model.encode(texts, batch_size=64, convert_to_tensor=True).float().numpy()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("texts")
    parser.add_argument("--pairs")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    texts = list(dict.fromkeys(Path(args.texts).read_text().splitlines()))[: args.rows]
    ours = gradus.SentenceEncoder(args.model)
    encoders = {
        "gradus": ours.encode,
        "sentence-transformers, bf16": sentence_transformers(args.model, torch.bfloat16),
        "sentence-transformers, f32": sentence_transformers(args.model, torch.float32),
        "fastembed": fastembed(args.model),
        "model2vec": distill(args.model).encode,
    }
    best, inside, vectors = {}, None, {}
    for _ in range(args.rounds):
        for name, encode in encoders.items():
            began = time.perf_counter()
            vectors[name] = encode(texts)
            took = time.perf_counter() - began
            if took < best.get(name, np.inf):
                best[name] = took
                inside = ours._model.last_computed if name == "gradus" else inside
    pairs = [json.loads(line) for line in Path(args.pairs).read_text().splitlines()] if args.pairs else []
    print(f"{len(texts):,} texts\n\n| | texts a second | gradus better by | Spearman |\n|---|--:|--:|--:|")
    for name, encode in encoders.items():
        correlation = ""
        if pairs:
            sides = [encode([pair[side] for pair in pairs]) for side in ("sentence1", "sentence2")]
            cosines = gradus.util.pairwise_cos_sim(*sides)
            correlation = f"{100 * spearmanr(cosines, [pair['score'] for pair in pairs]).statistic:.2f}"
        took = best[name]
        print(f"| {name} | {len(texts) / took:,.0f} | {took / best['gradus']:.2f} | {correlation} |")
    share = 100 * (best["gradus"] - inside) / best["gradus"]
    cosines = gradus.util.pairwise_cos_sim(vectors["gradus"], vectors["sentence-transformers, f32"])
    print(f"\nthe binding takes {share:.2f} % of a call; the least cosine with f32 is {cosines.min():.5f}")


if __name__ == "__main__":
    main()
