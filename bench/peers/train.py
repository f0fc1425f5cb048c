"""Jobs that train.

As a program, `python -m peers.train` trains in plain PyTorch for some steps,
in a process of its own whose memory can be measured. So nothing is imported
here that such a program would not need.
"""

import argparse
import functools
import json
import shutil
import sys
import time
from pathlib import Path

import torch
from torch import nn
from transformers import BertModel

from . import work
from .base_model import base_model
from .common import Contender, Job, Unavailable, peak_memory, train_pairs
from .tokens import load_tokenizer, padded

RATE = 2e-5
CLIP = 10.0

# Steps before the measured ones, and these.
STEPS = {16: (20, 100), 64: (10, 50)}
BASE_STEPS = (5, 20)

# How many threads are compared with one.
THREADS = [2, 4, 8, 16]

# Pairs of long texts in a step, and steps.
LONG_BATCH, LONG_STEPS = 4, (1, 4)

SOURCES = """
  { dataset = "stsb", split = "train" },
  { dataset = "sickr", split = "train", labels = { from = [1, 5], to = [0, 5] } },
"""

RECIPE = """\
model = {model}
seed = 1
log_every = {warm}
checkpoint_seconds = 1000000

[[stage]]
name = "tune"
objective = {{ loss = "smooth_k2", k = 3.0, x0 = 0.25, out_of_range = "none" }}
train = [{train}]
steps = {steps}
batch = {batch}
learning_rate = {rate}
schedule = "constant"
clip = {clip}
"""


class Regression(nn.Module):
    """Mean pooling, unit vectors and a linear head on [u; v; |u - v|]."""

    def __init__(self, folder):
        super().__init__()
        self.bert = BertModel.from_pretrained(folder, add_pooling_layer=False, dtype=torch.float32)
        self.head = nn.Linear(3 * self.bert.config.hidden_size, 1)

    def forward(self, ids, mask):
        # Both texts of all pairs in one pass is the faster way.
        hidden = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state
        keep = mask.unsqueeze(-1).to(hidden.dtype)
        vectors = nn.functional.normalize((hidden * keep).sum(1) / keep.sum(1), dim=1)
        u, v = vectors.float().chunk(2)
        with torch.autocast("cpu", enabled=False):
            return self.head(torch.cat([u, v, (u - v).abs()], dim=1)).squeeze(1)


def parameter_groups(model, rate=RATE):
    """No decay for biases and layer norms."""
    named = list(model.named_parameters())
    plain = [p for n, p in named if n.endswith("bias") or "LayerNorm" in n]
    decayed = [p for n, p in named if not (n.endswith("bias") or "LayerNorm" in n)]
    return [
        {"params": decayed, "lr": rate, "weight_decay": 0.01},
        {"params": plain, "lr": rate, "weight_decay": 0.0},
    ]


def smooth_k2(predictions, scores):
    return (3 * torch.relu((predictions - scores).abs() - 0.25) ** 2).mean()


def examples_per_second(trainer, warm, steps):
    """How many examples a trainer's steps take, after some to warm up."""
    # The same examples each time.
    trainer.at = 0
    for _ in range(warm):
        trainer.step()
    begun = time.perf_counter()
    for _ in range(steps):
        loss = trainer.step()
    seconds = time.perf_counter() - begun
    if not torch.isfinite(loss):
        raise SystemExit("the loss of PyTorch is not finite")
    return steps * trainer.batch / seconds


class Trainer:
    """Plain PyTorch, with what is known to make it fast: texts are tokenised
    beforehand, the optimizer is the fused one."""

    def __init__(self, folder, max_tokens, pairs, batch, half):
        torch.manual_seed(1)
        self.model = Regression(folder).train()
        self.half, self.batch = half, batch
        self.optimizer = torch.optim.AdamW(parameter_groups(self.model), fused=True)
        tokenizer = load_tokenizer(folder, max_tokens)
        scores, first, second = zip(*pairs)
        self.scores = torch.tensor(scores)
        self.first = [e.ids for e in tokenizer.encode_batch_fast(list(first))]
        self.second = [e.ids for e in tokenizer.encode_batch_fast(list(second))]
        self.at = 0

    def step(self):
        if self.at + self.batch > len(self.first):
            self.at = 0
        some = slice(self.at, self.at + self.batch)
        self.at += self.batch
        ids, mask = map(torch.from_numpy, padded(self.first[some] + self.second[some]))
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.half):
            predictions = self.model(ids, mask)
        loss = smooth_k2(predictions, self.scores[some])
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimizer.step()
        return loss


def regression(model, batch, steps, train=SOURCES):
    """The recipe in which gradus does the same."""
    warm, measured = steps
    # A string in JSON is one in TOML.
    model = json.dumps(model)
    return RECIPE.format(
        model=model,
        warm=warm,
        steps=warm + measured,
        batch=batch,
        rate=RATE,
        clip=CLIP,
        train=train,
    )


def run_gradus(setup, text, options, through):
    """Carries out a recipe and returns what `through` makes of the command,
    and the run's metrics."""
    recipe, run = setup.folder / "train.toml", setup.folder / "run"
    recipe.write_text(text, encoding="utf-8")
    shutil.rmtree(run, ignore_errors=True)
    args = ["train", recipe, "--output", run, "--data", setup.data, *options]
    result = through(args)
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    steps = [line for line in map(json.loads, lines) if line["kind"] == "step"]
    shutil.rmtree(run)
    return result, steps


def gradus_rate(setup, text, batch, options, threads=None):
    """Examples a second in the steps after the first line of metrics."""
    _, lines = run_gradus(setup, text, options, lambda a: setup.gradus.run(*a, threads=threads))
    # A line tells the rate since the start, so that two give the time between.
    ends = [line["step"] * batch / line["pairs_per_second"] for line in (lines[0], lines[-1])]
    return (lines[-1]["step"] - lines[0]["step"]) * batch / (ends[1] - ends[0])


def ours(setup, wanted, model, batch, steps, train=SOURCES):
    name, options = setup.gradus.precision(wanted)
    text = regression(model, batch, steps, train)
    return Contender(name, lambda: gradus_rate(setup, text, batch, options))


def pytorch(setup, model, batch, steps, half):
    trainer = Trainer(model, setup.max_tokens, train_pairs(setup.data), batch, half)
    name = "PyTorch bf16 autocast" if half else "PyTorch f32"
    return Contender(name, lambda: examples_per_second(trainer, *steps))


def train_job(name, batch, wanted, halves):
    def build(setup):
        model, steps = setup.model, STEPS[batch]
        peers = [pytorch(setup, model, batch, steps, half) for half in halves]
        needed = work.training(setup, model, train_pairs(setup.data), batch, wanted)
        contender = ours(setup, wanted, model, batch, steps)
        return Job(name, "pairs/s", contender, peers, work=needed)

    return build


def base_train(setup):
    model = base_model(setup)
    peers = [pytorch(setup, model, 16, BASE_STEPS, True)]
    needed = work.training(setup, model, train_pairs(setup.data), 16, "bf16")
    contender = ours(setup, "bf16", model, 16, BASE_STEPS)
    return Job("base-train", "pairs/s", contender, peers, work=needed)


def train_threads(setup):
    """Ours against ours on one thread."""
    name, options = setup.gradus.precision("bf16")

    def contender(batch, threads):
        text = regression(setup.model, batch, STEPS[batch])
        rate = functools.partial(gradus_rate, setup, text, batch, options, threads)
        return Contender(f"{name}, {threads} thread{'s' if threads > 1 else ''}", rate)

    counts = [n for n in THREADS if n <= setup.threads]
    if not counts:
        raise Unavailable("there is one thread")
    return [
        Job(f"train-{batch}-on-{n}", "pairs/s", contender(batch, n), [contender(batch, 1)])
        for batch in STEPS
        for n in counts
    ]


def long_train(setup):
    """Pairs of texts of 512 tokens, in the shape of BERT-base."""
    # What a program that measures memory must not load.
    from .encode import LONG_TOKENS, long_texts

    model = base_model(setup, LONG_TOKENS)
    texts = long_texts(setup, model)
    rows = list(zip(texts[::2], texts[1::2]))
    pairs = [(float(i % 6), first, second) for i, (first, second) in enumerate(rows)]
    path = setup.folder / "long-pairs.tsv"
    lines = ("\t".join(map(str, pair)) for pair in pairs)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    trainer = Trainer(model, LONG_TOKENS, pairs, LONG_BATCH, True)
    peer = Contender(
        "PyTorch bf16 autocast", lambda: examples_per_second(trainer, *LONG_STEPS)
    )
    needed = work.training(setup, model, pairs, LONG_BATCH, "bf16", LONG_TOKENS)
    train = f"{{ path = {json.dumps(str(path))}, header = false }}"
    contender = ours(setup, "bf16", model, LONG_BATCH, LONG_STEPS, train)
    return Job("long-train", "pairs/s", contender, [peer], work=needed)


def memory(setup):
    name, options = setup.gradus.precision("bf16")

    def of_gradus():
        def through(args):
            return peak_memory(setup.gradus.command(*args))

        text = regression(setup.model, 16, STEPS[16])
        return run_gradus(setup, text, options, through)[0] / 1e6

    def of_pytorch(half):
        def measure():
            command = [sys.executable, "-m", "peers.train", "--model", setup.model]
            command += ["--data", str(setup.data), "--max-tokens", str(setup.max_tokens)]
            command += ["--threads", str(setup.threads), *(["--half"] if half else [])]
            return peak_memory(command, Path(__file__).parents[1]) / 1e6

        return measure

    peers = [
        Contender("PyTorch f32", of_pytorch(False)),
        Contender("PyTorch bf16 autocast", of_pytorch(True)),
    ]
    return Job("memory", "MB", Contender(name, of_gradus), peers, higher_is_better=False)


JOBS = {
    "train-16-bf16": train_job("train-16-bf16", 16, "bf16", (False, True)),
    "train-64-bf16": train_job("train-64-bf16", 64, "bf16", (False, True)),
    "train-16-f32": train_job("train-16-f32", 16, "f32", (False,)),
    "base-train": base_train,
    "long-train": long_train,
    "train-threads": train_threads,
    "memory": memory,
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--max-tokens", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--half", action="store_true")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    trainer = Trainer(args.model, args.max_tokens, train_pairs(args.data), 16, args.half)
    examples_per_second(trainer, *STEPS[16])


if __name__ == "__main__":
    main()
