"""The optimiser by itself, then short training runs from bert-small."""

import random

import numpy as np
import torch
from torch import nn
from transformers import get_linear_schedule_with_warmup

from common import FIXTURES, is_trained, load, mean_pool, rounded, write_json


def write_adamw():
    """Two groups; the gradients' size varies so that some steps clip and some do not."""
    rng = np.random.default_rng(11)
    initial = torch.from_numpy(rng.standard_normal(40)).float()
    scales = [0.02, 3.0, 0.1, 0.5, 10.0] * 4
    grads = [torch.from_numpy(rng.standard_normal(40) * scale).float() for scale in scales]
    for grad in grads:
        grad[[0, 39]] = 0  # only the weight decay moves these, where there is one
    sizes = [25, 15]
    groups = [{"lr": 0.01, "weight_decay": 0.01}, {"lr": 0.003, "weight_decay": 0.0}]
    parts = [nn.Parameter(part.clone()) for part in initial.split(sizes)]
    optimizer = torch.optim.AdamW(
        [{"params": [part], **group} for part, group in zip(parts, groups)],
        betas=(0.9, 0.999),
        eps=1e-8,
    )
    schedule = get_linear_schedule_with_warmup(optimizer, 4, 20)
    rates, norms, values = [], [], []
    for grad in grads:
        for part, part_grad in zip(parts, grad.split(sizes)):
            part.grad = part_grad.clone()
        norms.append(nn.utils.clip_grad_norm_(parts, max_norm=1.0))
        rates.append(schedule.get_last_lr())
        optimizer.step()
        schedule.step()
        values.append(torch.cat([part.detach().clone() for part in parts]))
    write_json(
        FIXTURES / "adamw.json",
        {
            "betas": [0.9, 0.999],
            "eps": 1e-8,
            "max_norm": 1.0,
            "warmup_steps": 4,
            "total_steps": 20,
            "groups": [{"size": size, **group} for size, group in zip(sizes, groups)],
            "initial": rounded(initial),
            "grads": rounded(torch.stack(grads)),
            "grad_norms": rounded(torch.stack(norms)),
            "learning_rates": rounded(rates, 17),
            "values": rounded(torch.stack(values)),
        },
    )


def make_pairs():
    """Short sentences by pattern. The score counts what the two have in common
    and is spread a little, so that all quarter steps occur."""
    rng = random.Random(12)
    nouns = "dog cat bird man woman child house river street book guitar ball".split()
    adjectives = "big small red blue green old young happy".split()
    verbs = "play sing eat read walk sleep jump".split()
    places = "park house river street".split()

    def sentence(words):
        adjective, noun, verb, place = words
        pattern = rng.choice(
            ["the {} {} is {}ing in the {}", "a {} {} {}s to the {}", "one {} {} was {}ing under a {}."]
        )
        return pattern.format(adjective, noun, verb, place)

    pairs = []
    for _ in range(200):
        first = [rng.choice(words) for words in (adjectives, nouns, verbs, places)]
        kept = rng.sample(range(4), rng.randint(0, 4))
        other = [rng.choice(words) for words in (adjectives, nouns, verbs, places)]
        second = [first[i] if i in kept else other[i] for i in range(4)]
        common = sum(a == b for a, b in zip(first, second))
        score = 1.25 * common + rng.choice([-0.5, -0.25, 0, 0.25, 0.5])
        pairs.append((min(5.0, max(0.0, score)), sentence(first), sentence(second)))
    return pairs


def smooth_k2(x, k, x0):
    return torch.where(x >= x0, k * (x - x0) ** 2, torch.zeros_like(x))


# Each maps predictions and labels to one loss for each pair.
LOSSES = {
    "smooth_k2": lambda p, y: smooth_k2((p - y).abs(), 3.0, 0.25),
    "mse": lambda p, y: (p - y) ** 2,
    "l1": lambda p, y: (p - y).abs(),
    "translated_relu": lambda p, y: 2.5 * torch.relu((p - y).abs() - 0.25),
    "cross_entropy": lambda p, y: nn.functional.cross_entropy(
        p, torch.floor(y + 0.5).long(), reduction="none"
    ),
}
RUNS = [
    {"name": "head-k2", "head": "regression", "loss": "smooth_k2", "k": 3.0, "x0": 0.25},
    {"name": "head-mse", "head": "regression", "loss": "mse"},
    {"name": "head-l1", "head": "regression", "loss": "l1"},
    {"name": "head-relu", "head": "regression", "loss": "translated_relu", "k": 2.5, "x0": 0.25},
    {"name": "cross-entropy", "head": "classes", "loss": "cross_entropy"},
    {"name": "cosine-mse", "head": None, "loss": "mse"},
]
BATCH, STEPS, WARMUP, LAYER_DECAY, WEIGHT_DECAY, MAX_NORM = 8, 50, 10, 0.95, 0.01, 10.0
TEXTS = [
    "the old dog is running in the park",
    "a happy child reads to the river",
    "not in the pairs: very slow guitar food!",
]


def make_heads():
    """The regression runs share their head's first values."""
    rng = np.random.default_rng(13)
    return {
        name: (
            torch.from_numpy(rng.uniform(-0.1, 0.1, (outputs, 96))).float(),
            torch.from_numpy(rng.uniform(-0.1, 0.1, outputs)).float(),
        )
        for name, outputs in [("regression", 1), ("classes", 6)]
    }


def layer_rate(name, rate, layers):
    """Lower layers learn more slowly; embeddings and head at the base rate."""
    if not name.startswith("encoder.layer."):
        return rate
    return rate * LAYER_DECAY ** (layers - 1 - int(name.split(".")[2]))


def train(run, rate, pairs, heads, dtype):
    model, tokenizer = load("bert-small", dtype)
    named = [(name, p) for name, p in model.named_parameters() if is_trained(name)]
    head = None
    if run["head"]:
        weight, bias = heads[run["head"]]
        head = nn.Linear(96, len(bias)).to(dtype)
        head.weight.data.copy_(weight)
        head.bias.data.copy_(bias)
        named += [(f"head.{name}", p) for name, p in head.named_parameters()]
    optimizer = torch.optim.AdamW(
        [
            {
                "params": [p],
                "lr": layer_rate(name, rate, model.config.num_hidden_layers),
                "weight_decay": 0.0 if name.endswith("bias") or "LayerNorm" in name else WEIGHT_DECAY,
            }
            for name, p in named
        ],
        betas=(0.9, 0.999),
        eps=1e-8,
    )
    schedule = get_linear_schedule_with_warmup(optimizer, WARMUP, STEPS)

    def embed(texts):
        encoded = tokenizer(texts, padding=True, truncation=True, max_length=24, return_tensors="pt")
        return mean_pool(model(**encoded).last_hidden_state, encoded["attention_mask"])

    losses, norms = [], []
    for step in range(STEPS):
        start = step * BATCH % len(pairs)
        scores, first, second = zip(*pairs[start : start + BATCH])
        u, v = embed(list(first)), embed(list(second))
        if head is None:
            predictions = 5 * nn.functional.cosine_similarity(u, v)
        else:
            predictions = head(torch.cat([u, v, (u - v).abs()], dim=1)).squeeze(1)
        loss = LOSSES[run["loss"]](predictions, torch.tensor(scores, dtype=dtype)).mean()
        optimizer.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_([p for _, p in named], MAX_NORM)
        optimizer.step()
        schedule.step()
        losses.append(loss.detach())
        norms.append(norm)
    with torch.no_grad():
        return torch.stack(losses), torch.stack(norms), embed(TEXTS)


def write_training():
    pairs, heads = make_pairs(), make_heads()
    folder = FIXTURES / "training"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"{score}\t{first}\t{second}\n" for score, first, second in pairs]
    (folder / "pairs.tsv").write_text("".join(lines), encoding="utf-8")
    runs = []
    for run in RUNS:
        rate = 5e-4 if run["head"] else 2e-4
        results = train(run, rate, pairs, heads, torch.float32)
        # How far f32 rounding alone carries a run tells what a test may ask for.
        exact = train(run, rate, pairs, heads, torch.float64)
        losses, norms, embeddings = results
        noise = [(a - b).abs().max().item() for a, b in zip(results, exact)]
        runs.append(
            run
            | {
                "learning_rate": rate,
                "losses": rounded(losses),
                "grad_norms": rounded(norms),
                "embeddings": rounded(embeddings),
                "off_float64": dict(zip(["losses", "grad_norms", "embeddings"], rounded(noise, 2))),
            }
        )
        clipped = (norms > MAX_NORM).sum().item()
        print(run["name"], losses[0].item(), losses[-5:].mean().item(), "clipped", clipped, noise)
    write_json(
        folder / "expected.json",
        {
            "model": "bert-small",
            "batch": BATCH,
            "steps": STEPS,
            "warmup_steps": WARMUP,
            "layer_decay": LAYER_DECAY,
            "weight_decay": WEIGHT_DECAY,
            "max_norm": MAX_NORM,
            "heads": {
                name: {"weight": rounded(weight), "bias": rounded(bias)}
                for name, (weight, bias) in heads.items()
            },
            "texts": TEXTS,
            "runs": runs,
        },
    )


if __name__ == "__main__":
    write_adamw()
    write_training()
