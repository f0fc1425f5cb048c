"""Gradus beside PyTorch and sentence-transformers on the same card, in turn.

    python bench/gpu.py [--jobs base-16,encode-base] [--model FOLDER] [--data FOLDER]

Models are the shapes of BERT-base and MiniLM with random weights and the tokenizer of --model;
text is that of the STS and Wikipedia data. All compute in bf16. The table on standard output has
the medians of the rounds; what was measured each time goes to standard error, and where the
card's time went in ours where --profile is given.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from transformers import BertConfig, BertModel

from peers import cuda
from peers.common import HEADER, Contender, Gradus, Job, Result, Setup, at_least_one, note, number, options
from peers.common import sts_sentences, train_pairs
from peers.contrastive import RECIPE as SIMCSE
from peers.contrastive import CLIP, DROPOUT, MAX_TOKENS, RATE, TEMPERATURE
from peers.train import gradus_rate, regression

SHAPES = {
    "base": dict(hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072),
    "minilm": dict(hidden_size=384, num_hidden_layers=6, num_attention_heads=12, intermediate_size=1536),
}
# Steps before the measured ones, and these.
STEPS = {16: (40, 200), 64: (20, 100), 512: (10, 40)}
LONG = 256
LONG_STEPS = {16: (5, 30), 64: (3, 15)}
# Of the packed peer, and batch sizes of sentence-transformers.
PACKED = 65_536
SIZES = (256, 1024, 4096)
ON_CARD = ["--precision", "bf16", "--device", "cuda"]


def shape(setup, name, max_tokens=None):
    """The folder of a model of a shape with random weights."""
    folder = setup.folder / f"{name}-{max_tokens or setup.max_tokens}"
    if folder.exists():
        return str(folder)
    source = Path(setup.model)
    given = json.loads((source / "config.json").read_text(encoding="utf-8"))
    torch.manual_seed(1)
    config = BertConfig(vocab_size=given["vocab_size"], **SHAPES[name])
    ignored = shutil.ignore_patterns("*.safetensors", "*.bin", "*.onnx")
    shutil.copytree(source, folder, ignore=ignored)
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    pooling = folder / "1_Pooling" / "config.json"
    if pooling.exists():
        settings = json.loads(pooling.read_text(encoding="utf-8"))
        settings.pop("embedding_dimension", None)
        settings["word_embedding_dimension"] = config.hidden_size
        pooling.write_text(json.dumps(settings), encoding="utf-8")
    if max_tokens:
        limit = folder / "sentence_bert_config.json"
        settings = json.loads(limit.read_text(encoding="utf-8")) if limit.exists() else {}
        limit.write_text(json.dumps(settings | {"max_seq_length": max_tokens}), encoding="utf-8")
    return str(folder)


def graded(name, batch, hows):
    def build(setup):
        model, steps, pairs = shape(setup, name), STEPS[batch], train_pairs(setup.data)

        def peer(how):
            def measure():
                trainer = cuda.RegressionTrainer(model, setup.max_tokens, pairs, batch, how)
                return cuda.rate(trainer, *steps)

            return Contender(f"PyTorch {how}", measure)

        text = regression(model, batch, steps)

        def by_kernel():
            os.environ["GRADUS_CUDA_GRAPHS"] = "0"
            try:
                return gradus_rate(setup, text, batch, ON_CARD)
            finally:
                del os.environ["GRADUS_CUDA_GRAPHS"]

        ours = Contender("gradus", lambda: gradus_rate(setup, text, batch, ON_CARD))
        peers = [*(peer(how) for how in hows), Contender("gradus, kernel by kernel", by_kernel)]
        return Job(f"{name}-{batch}", "pairs/s", ours, peers)

    return build


def long_pairs(setup):
    """Pairs of texts of at least LONG tokens: sentences one behind the other."""
    words = " ".join(sts_sentences(setup.data)).split()
    size = LONG * 2
    texts = [" ".join(words[i : i + size]) for i in range(0, len(words) - size, size)]
    texts = (texts * 40)[: 2 * 64 * 24]
    return [(float(i % 6), a, b) for i, (a, b) in enumerate(zip(texts[::2], texts[1::2]))]


def long_source(setup, pairs):
    path = setup.folder / "long-pairs.tsv"
    path.write_text("\n".join("\t".join(map(str, p)) for p in pairs) + "\n", encoding="utf-8")
    return f"{{ path = {json.dumps(str(path))}, header = false }}"


def long(batch, hows):
    def build(setup):
        model, steps, pairs = shape(setup, "base", LONG), LONG_STEPS[batch], long_pairs(setup)

        def peer(how):
            def measure():
                return cuda.rate(cuda.RegressionTrainer(model, LONG, pairs, batch, how), *steps)

            return Contender(f"PyTorch {how}", measure)

        text = regression(model, batch, steps, long_source(setup, pairs))
        ours = Contender("gradus", lambda: gradus_rate(setup, text, batch, ON_CARD))
        return Job(f"base-{batch}x{LONG}", "pairs/s", ours, [peer(how) for how in hows])

    return build


def simcse(name, batch):
    def build(setup):
        model, steps = shape(setup, name), STEPS[batch]
        wanted = batch * (sum(steps) + 1)
        path = setup.data / "wiki" / "sentences.txt"
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()][:wanted]
        own = setup.text("wiki", lines)
        text = SIMCSE.format(
            model=json.dumps(model), text=json.dumps(str(own)), max_tokens=MAX_TOKENS, warm=steps[0],
            steps=sum(steps), batch=batch, temperature=TEMPERATURE, projection="mlp", more="", rate=RATE,
            dropout=DROPOUT, clip=CLIP,
        )

        def peer(how):
            return Contender(
                f"PyTorch {how}",
                lambda: cuda.rate(cuda.SimCseTrainer(model, lines, batch, how), *steps),
            )

        ours = Contender("gradus", lambda: gradus_rate(setup, text, batch, ON_CARD))
        return Job(f"simcse-{name}-{batch}", "texts/s", ours, [peer("eager"), peer("compiled")])

    return build


def measured(setup, model, repeat, *more):
    return setup.gradus.bench(model, setup.text("many", setup.sentences * repeat), [*ON_CARD, *more], repeat=3)


def encode(name):
    """Tokenised before the clock starts, for all."""

    def build(setup):
        model, repeat = shape(setup, name), 8

        def ours():
            return measured(setup, model, repeat, "--tokenised")["sentences_per_second"]

        def peer(compiled):
            def measure():
                sentences = setup.sentences * repeat
                return cuda.PackedEncoder(model, setup.max_tokens, sentences, PACKED, compiled).rate()

            return Contender(f"PyTorch packed, {'compiled' if compiled else 'eager'}", measure)

        return Job(f"encode-{name}", "sentences/s", Contender("gradus", ours), [peer(True), peer(False)])

    return build


def texts(name):
    """From text to vectors on the host."""

    def build(setup):
        model, repeat = shape(setup, name), 4
        ours = Contender("gradus", lambda: measured(setup, model, repeat)["sentences_per_second"])

        def peer(size):
            def measure():
                return cuda.sentence_transformers_rate(model, setup.sentences * repeat, size)

            return Contender(f"sentence-transformers, {size}", measure)

        return Job(f"text-{name}", "sentences/s", ours, [peer(size) for size in SIZES])

    return build


def memory(setup):
    model, pairs = shape(setup, "base", LONG), long_pairs(setup)
    stored = setup.folder / "long-pairs.json"
    stored.write_text(json.dumps(pairs), encoding="utf-8")
    command = [sys.executable, "-m", "peers.cuda", "--train", model, "--pairs", str(stored)]
    command += ["--max-tokens", str(LONG), "--batch", "16"]

    def ours():
        recipe, run = setup.folder / "memory.toml", setup.folder / "memory"
        recipe.write_text(regression(model, 16, (2, 5), long_source(setup, pairs)), encoding="utf-8")
        shutil.rmtree(run, ignore_errors=True)
        args = ["train", recipe, "--output", run, "--data", setup.data, *ON_CARD]
        return cuda.memory_of(setup.gradus.command(*args)) / 1e6

    peer = Contender("PyTorch eager", lambda: cuda.memory_of(command, Path(__file__).parent) / 1e6)
    return Job(f"memory-16x{LONG}", "MB", Contender("gradus", ours), [peer], higher_is_better=False)


JOBS = {
    "base-16": graded("base", 16, ("eager", "compiled", "graph")),
    "base-64": graded("base", 64, ("eager", "compiled", "graph")),
    "minilm-16": graded("minilm", 16, ("eager", "graph")),
    "simcse-base": simcse("base", 512),
    "simcse-minilm": simcse("minilm", 512),
    "long-16": long(16, ("eager", "compiled")),
    "long-64": long(64, ("eager", "compiled")),
    "encode-base": encode("base"),
    "encode-minilm": encode("minilm"),
    "text-base": texts("base"),
    "text-minilm": texts("minilm"),
    "memory": memory,
}


def chosen(text):
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in JOBS:
            raise argparse.ArgumentTypeError(f"no job {name!r}; there are {', '.join(JOBS)}")
    return names


def arguments():
    parser = options(__doc__)
    parser.add_argument("--jobs", type=chosen, default=list(JOBS), help=f"all by default: {','.join(JOBS)}")
    parser.add_argument("--rounds", type=at_least_one, default=2)
    parser.add_argument("--profile", action="store_true", help="where the card's time goes in ours, queued kernel by kernel")
    return parser.parse_args()


def run(job, rounds):
    contenders = [job.ours, *job.peers]
    values = [[] for _ in contenders]
    for i in range(rounds):
        for contender, found in zip(contenders, values):
            torch.cuda.empty_cache()
            try:
                found.append(contender.measure())
            except Exception as e:  # A peer that cannot do it does not end the others' turn.
                note(f"{job.name}: {contender.name}: {e}")
                found.append(float("nan"))
            note(f"{job.name}, round {i + 1}: {contender.name} {number(found[-1])} {job.unit}")
    kept = [k for k, found in enumerate(values) if found[0] == found[0]]
    if 0 not in kept or len(kept) < 2:
        return None
    job.peers = [job.peers[k - 1] for k in kept[1:]]
    medians = [statistics.median(values[k]) for k in kept]
    return Result(job, medians[0], medians[1:], [])


def main():
    args = arguments()
    if not torch.cuda.is_available():
        sys.exit("no card that PyTorch can use: this compares on one")
    if args.profile:
        os.environ["GRADUS_CUDA_PROFILE"] = "1"
    gradus = Gradus(args.gradus, args.threads)
    model = args.model if Path(args.model).is_dir() else gradus.run("pull", args.model).strip()
    with tempfile.TemporaryDirectory() as folder:
        setup = Setup(gradus, model, Path(args.data).resolve(), args.threads, Path(folder))
        rows = [run(JOBS[name](setup), args.rounds) for name in args.jobs]
    driver = subprocess.run(
        ["nvidia-smi", "--query-gpu=name,driver_version", "--format=csv,noheader"],
        capture_output=True,
        text=True,
    )
    print(f"{driver.stdout.strip()}; PyTorch {torch.__version__}; {args.threads} threads\n")
    print(HEADER)
    for row in filter(None, rows):
        print(row.row())


if __name__ == "__main__":
    main()
