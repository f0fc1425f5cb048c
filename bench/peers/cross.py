"""Jobs of cross-encoders: pairs scored, and learned from."""

import itertools
import json
import time
import warnings
from pathlib import Path

import numpy as np
import openvino as ov
import torch
from sentence_transformers import CrossEncoder
from torch import nn
from transformers import AutoModelForSequenceClassification

from . import onnx
from .common import Contender, Job, Unavailable, train_pairs
from .tokens import load_tokenizer, padded
from .train import CLIP, RATE, examples_per_second, gradus_rate, parameter_groups

# Of a pair: a query with a passage; 70 passages a query, for 10 queries.
PASSAGE_TOKENS = 128
PASSAGE_PAIRS = 70 * 10
SCORE_BATCHES = (16, 32, 64)
TRAIN_BATCH = 32
STEPS = (5, 30)

RECIPE = """\
task = "cross-encoder"
model = {model}
seed = 1
log_every = {warm}
checkpoint_seconds = 1000000

[[stage]]
name = "tune"
objective = {{ loss = "bce", scale = [0, 5] }}
train = [
  {{ dataset = "stsb", split = "train" }},
  {{ dataset = "sickr", split = "train", labels = {{ from = [1, 5], to = [0, 5] }} }},
]
steps = {steps}
batch = {batch}
learning_rate = {rate}
schedule = "constant"
clip = {clip}
"""


def cross_encoder(setup):
    """A folder as sentence-transformers saves it: the given encoder with a head of
    random weights."""
    folder = setup.folder / "cross-encoder"
    if not folder.exists():
        torch.manual_seed(1)
        model = CrossEncoder(setup.model, num_labels=1, max_length=512, device="cpu")
        model.save_pretrained(str(folder), create_model_card=False)
    return str(folder)


def passages(setup):
    """Texts of half as many tokens as a pair has, special ones not counted."""
    tokenizer = load_tokenizer(setup.model, 512)
    room = (PASSAGE_TOKENS - 3) // 2
    texts, words = [], []
    for word in itertools.chain.from_iterable(s.split() for s in setup.sentences):
        words.append(word)
        if len(tokenizer.encode(" ".join(words)).ids) - 2 >= room:
            texts.append(" ".join(words))
            words = []
        if len(texts) > PASSAGE_PAIRS:
            return texts
    return texts


def pairs_of(texts):
    """As `gradus bench` makes them: each text and the one behind it."""
    return list(zip(texts, texts[1:] + texts[:1]))


class Library:
    """sentence-transformers' CrossEncoder."""

    def __init__(self, folder, dtype):
        self.model = CrossEncoder(folder, device="cpu", model_kwargs={"dtype": dtype})

    def score(self, pairs, size):
        return self.model.predict(pairs, batch_size=size, show_progress_bar=False)


class Logits(nn.Module):
    """The model with the inputs of a graph."""

    def __init__(self, folder):
        super().__init__()
        self.model = AutoModelForSequenceClassification.from_pretrained(
            folder, attn_implementation="eager", dtype=torch.float32
        ).eval()

    def forward(self, input_ids, attention_mask, token_type_ids):
        return self.model(
            input_ids=input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids
        ).logits.squeeze(-1)


class Graph:
    """Pairs sorted by length, in padded batches, through a compiled graph."""

    def __init__(self, folder, run):
        self.tokenizer = load_tokenizer(folder, 512)
        self.run = run

    def score(self, pairs, size):
        encoded = self.tokenizer.encode_batch_fast(pairs)
        order = sorted(range(len(pairs)), key=lambda i: -len(encoded[i].ids))
        scores = np.empty(len(pairs), dtype=np.float32)
        for start in range(0, len(order), size):
            places = order[start : start + size]
            ids, mask = padded([encoded[i].ids for i in places])
            types, _ = padded([encoded[i].type_ids for i in places])
            scores[places] = self.run(ids, mask, types)
        return 1 / (1 + np.exp(-scores))


def example():
    ids = torch.randint(1000, 2000, (2, 8))
    return ids, torch.ones_like(ids), torch.zeros_like(ids)


def onnx_graph(folder, threads):
    path = Path(folder) / "bench.onnx"
    names = ["input_ids", "attention_mask", "token_type_ids"]
    onnx.export(Logits(folder), example(), names, ["logits"], path)
    session = onnx.session(path, threads)

    def run(*inputs):
        return session.run(None, dict(zip(names, inputs)))[0]

    return Graph(folder, run)


def openvino_graph(folder, threads):
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ov.convert_model(Logits(folder), example_input=example())
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16",
        "INFERENCE_NUM_THREADS": threads,
    }
    compiled = ov.Core().compile_model(model, "CPU", settings)
    return Graph(folder, lambda *inputs: compiled(inputs)[0])


def rate(score, pairs):
    """Pairs a second; the first few have been scored before."""
    score(pairs[:64])

    def measure():
        begun = time.perf_counter()
        score(pairs)
        return len(pairs) / (time.perf_counter() - begun)

    return measure


def best_batch(name, scorer, pairs):
    """The scorer at the batch size that suits it best."""
    some = pairs[:128]
    measures = {size: rate(lambda p, s=size: scorer.score(p, s), some)() for size in SCORE_BATCHES}
    size = max(measures, key=measures.get)
    return Contender(f"{name}, {size}", rate(lambda p: scorer.score(p, size), pairs))


def score_job(name, texts_of):
    def build(setup):
        folder = cross_encoder(setup)
        texts = texts_of(setup)
        pairs = pairs_of(texts)
        text = setup.text(name, texts)
        ours, options = setup.gradus.precision("bf16")
        scorers = {
            "sentence-transformers f32": Library(folder, torch.float32),
            "sentence-transformers bf16": Library(folder, torch.bfloat16),
            "onnxruntime f32": onnx_graph(folder, setup.threads),
            "OpenVINO bf16": openvino_graph(folder, setup.threads),
        }
        check_alike(setup, folder, scorers, pairs[:64])
        contender = Contender(
            ours, lambda: setup.gradus.bench(folder, text, options)["pairs_per_second"]
        )
        peers = [best_batch(peer, scorer, pairs) for peer, scorer in scorers.items()]
        return Job(name, "pairs/s", contender, peers)

    return build


def check_alike(setup, folder, scorers, pairs):
    """Who computes something else is no peer, and neither are we."""
    path = setup.folder / "check.tsv"
    path.write_text("".join(f"{a}\t{b}\n" for a, b in pairs), encoding="utf-8")
    lines = setup.gradus.run(
        "score", folder, "--pairs", path, "--format", "json", "--precision", "f32"
    )
    ours = np.array([json.loads(line)["score"] for line in lines.splitlines()])
    reference = scorers["sentence-transformers f32"].score(pairs, 16)
    worst = {"gradus f32": np.abs(ours - reference).max()}
    for name, scorer in scorers.items():
        worst[name] = np.abs(scorer.score(pairs, 16) - reference).max()
    bounds = {name: 0.02 if "bf16" in name else 1e-5 for name in worst}
    bad = {name: off for name, off in worst.items() if not off <= bounds[name]}
    if bad:
        raise SystemExit(f"scores disagree: {bad}")


class CrossTrainer:
    """Plain PyTorch, its pairs tokenised beforehand, with the fused optimizer."""

    def __init__(self, folder, data, half):
        torch.manual_seed(1)
        self.model = AutoModelForSequenceClassification.from_pretrained(
            folder, dtype=torch.float32
        ).train()
        self.half, self.batch, self.at = half, TRAIN_BATCH, 0
        self.optimizer = torch.optim.AdamW(parameter_groups(self.model), fused=True)
        tokenizer = load_tokenizer(folder, 512)
        scores, first, second = zip(*train_pairs(data))
        self.targets = torch.tensor(scores) / 5
        self.encoded = tokenizer.encode_batch_fast(list(zip(first, second)))

    def step(self):
        if self.at + self.batch > len(self.encoded):
            self.at = 0
        some = self.encoded[self.at : self.at + self.batch]
        targets = self.targets[self.at : self.at + self.batch]
        self.at += self.batch
        ids, mask = map(torch.from_numpy, padded([e.ids for e in some]))
        types = torch.from_numpy(padded([e.type_ids for e in some])[0])
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=self.half):
            logits = self.model(input_ids=ids, attention_mask=mask, token_type_ids=types).logits
        logits = logits.squeeze(-1).float()
        loss = nn.functional.binary_cross_entropy_with_logits(logits, targets)
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP)
        self.optimizer.step()
        return loss


def train(setup):
    folder = cross_encoder(setup)
    name, options = setup.gradus.precision("bf16")
    if not options:
        raise Unavailable("this gradus has no --precision")
    warm, measured = STEPS
    text = RECIPE.format(
        model=json.dumps(folder),
        warm=warm,
        steps=warm + measured,
        batch=TRAIN_BATCH,
        rate=RATE,
        clip=CLIP,
    )
    ours = Contender(name, lambda: gradus_rate(setup, text, TRAIN_BATCH, options))
    peers = []
    for half, peer in ((False, "PyTorch f32"), (True, "PyTorch bf16 autocast")):
        trainer = CrossTrainer(folder, setup.data, half)
        peers.append(Contender(peer, lambda t=trainer: examples_per_second(t, *STEPS)))
    return Job("cross-train", "pairs/s", ours, peers)


JOBS = {
    "cross-score": score_job("cross-score", lambda setup: setup.sentences[:8000]),
    "cross-score-128": score_job("cross-score-128", passages),
    "cross-train": train,
}
