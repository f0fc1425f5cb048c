"""Regression training in plain PyTorch: a peer for timing and for scores.

    python regression_pytorch.py --model FOLDER --train STAGE1.tsv [STAGE2.tsv ...]
        --objective head-k2|cosine-mse [--test TEST.tsv]

Tab-separated lines: score, first text, second text; scores 0 to 5. Several
training files are stages, one after the other, each with its own schedule.
"""

import argparse
import random
import time

import torch
from scipy.stats import pearsonr, spearmanr
from sentence_transformers import SentenceTransformer
from torch import nn
from transformers import get_linear_schedule_with_warmup


def read(path):
    with open(path, encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines if line.strip()]
    return [(float(score), first, second) for score, first, second in rows]


def embed(model, texts):
    """All modules of the model, with gradients; padded to the batch's longest."""
    features = model.preprocess(texts)
    features = {
        name: value.to(model.device) if torch.is_tensor(value) else value
        for name, value in features.items()
    }
    return model(features)["sentence_embedding"]


def predict(model, head, first, second):
    u, v = embed(model, first), embed(model, second)
    if head is None:
        return 5 * nn.functional.cosine_similarity(u, v)
    return head(torch.cat([u, v, (u - v).abs()], dim=1)).squeeze(1)


def loss_of(objective, predictions, scores):
    x = (predictions - scores).abs()
    if objective == "head-k2":
        return (3 * torch.relu(x - 0.25) ** 2).mean()
    return (x**2).mean()


def parameter_groups(model, head, rate):
    """No decay for biases and LayerNorm; the pooler is not part of the model."""
    named = [(n, p) for n, p in model.named_parameters() if "pooler." not in n]
    named += [] if head is None else list(head.named_parameters())
    plain = [p for n, p in named if n.endswith("bias") or "LayerNorm" in n]
    decayed = [p for n, p in named if not (n.endswith("bias") or "LayerNorm" in n)]
    return [
        {"params": decayed, "lr": rate, "weight_decay": 0.01},
        {"params": plain, "lr": rate, "weight_decay": 0.0},
    ]


def finish_queued_work(device):
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def train(model, head, pairs, args):
    steps = args.epochs * -(-len(pairs) // args.batch)
    optimizer = torch.optim.AdamW(parameter_groups(model, head, args.lr))
    schedule = get_linear_schedule_with_warmup(optimizer, steps // 5, steps)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    model.train()
    finish_queued_work(model.device)
    begin = time.perf_counter()
    for epoch in range(args.epochs):
        random.shuffle(pairs)
        total = torch.zeros((), device=model.device)
        for start in range(0, len(pairs), args.batch):
            scores, first, second = zip(*pairs[start : start + args.batch])
            predictions = predict(model, head, list(first), list(second))
            loss = loss_of(args.objective, predictions, torch.tensor(scores, device=model.device))
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(parameters, 10.0)
            optimizer.step()
            schedule.step()
            total += loss.detach() * len(scores)
        print(f"epoch {epoch + 1}: loss {total.item() / len(pairs):.4f}", flush=True)
    finish_queued_work(model.device)
    seconds = time.perf_counter() - begin
    print(f"{args.epochs * len(pairs) / seconds:.1f} pairs/s ({seconds:.1f} s)", flush=True)


@torch.no_grad()
def test(model, head, pairs, batch):
    model.eval()
    predictions = []
    for start in range(0, len(pairs), batch):
        _, first, second = zip(*pairs[start : start + batch])
        predictions += predict(model, head, list(first), list(second)).tolist()
    scores = [score for score, _, _ in pairs]
    spearman = spearmanr(predictions, scores).statistic
    pearson = pearsonr(predictions, scores).statistic
    print(f"test: spearman {100 * spearman:.2f} pearson {100 * pearson:.2f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--train", nargs="+", required=True)
    parser.add_argument("--test")
    parser.add_argument("--objective", choices=["head-k2", "cosine-mse"], required=True)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--lr", type=float, default=2e-5)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    random.seed(args.seed)
    torch.manual_seed(args.seed)
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.set_float32_matmul_precision("highest")
    model = SentenceTransformer(
        args.model, device=args.device, model_kwargs={"dtype": torch.float32}
    )
    head = None
    if args.objective == "head-k2":
        head = nn.Linear(3 * model.get_embedding_dimension(), 1).to(model.device)
    for path in args.train:
        train(model, head, read(path), args)
    if args.test:
        test(model, head, read(args.test), args.batch)


if __name__ == "__main__":
    main()
