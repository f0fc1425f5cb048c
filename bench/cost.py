"""What a training step costs in memory and time, by what it compares.

    python bench/cost.py [--model FOLDER] [--data FOLDER] > cost.md

Regression takes pairs a few at a time, contrastive training lives on large
batches; this measures both in the shape of BERT-base, with random weights, in
texts that are as long as they may be. A row that needs more memory than the
machine has free is not run: it shows what `gradus train --dry-run` expects,
marked with ~.
"""

import dataclasses
import json
import os
import random
import shutil
import tempfile
from pathlib import Path

from peers.common import options

RECIPE = """\
model = {model}
max_tokens = {length}
seed = 1
log_every = 1
checkpoint_seconds = 1000000

[[stage]]
name = "cost"
objective = {objective}
train = [{{ path = {path}, {rows}header = false }}]
steps = {steps}
batch = {batch}
{chunk}
learning_rate = 1e-5
schedule = "constant"
dropout = 0.1
"""

SMOOTH_K2 = '{ loss = "smooth_k2", k = 2.0, x0 = 0.25 }'
INFO_NCE = '{ loss = "info_nce" }'

# Of the memory that is free, what a row may take.
SHARE = 0.75


@dataclasses.dataclass
class Row:
    """A kind of training: pairs a step, tokens a text, tokens a chunk."""

    name: str
    objective: str
    batch: int
    length: int
    chunk: int | None = None

    @property
    def tokens(self):
        return 2 * self.batch * self.length


ROWS = [
    Row("regression", SMOOTH_K2, 16, 256),
    Row("regression", SMOOTH_K2, 16, 256, 1024),
    Row("contrastive", INFO_NCE, 16, 32),
    Row("contrastive", INFO_NCE, 128, 32),
    Row("contrastive", INFO_NCE, 128, 32, 1024),
    Row("contrastive", INFO_NCE, 512, 32),
    Row("contrastive", INFO_NCE, 512, 32, 1024),
    Row("contrastive", INFO_NCE, 512, 100),
    Row("contrastive", INFO_NCE, 512, 100, 1024),
]

# Measured steps, after one that is not.
STEPS = 1


def arguments():
    parser = options(__doc__)
    parser.add_argument("--precision", default="bf16")
    parser.add_argument(
        "--least-tokens", type=int, metavar="N", default=0, help="leave out rows with fewer tokens a step"
    )
    parser.add_argument(
        "--most-tokens", type=int, metavar="N", help="leave out rows with more tokens a step"
    )
    return parser.parse_args()


def long_texts(sentences, count, words):
    """Texts of so many words, of sentences in a random order."""
    draw = random.Random(1)
    pool = [word for sentence in sentences for word in sentence.split()]
    starts = (draw.randrange(len(pool) - words) for _ in range(count))
    return [" ".join(pool[at : at + words]) for at in starts]


def write_pairs(row, setup):
    """A file of pairs that fill `row`'s texts, with grades where it has them."""
    pairs = (STEPS + 1) * row.batch
    texts = long_texts(setup.sentences, 2 * pairs, row.length)
    lines = [f"{i % 6}\t{a}\t{b}" for i, (a, b) in enumerate(zip(texts, texts[pairs:]))]
    if row.objective == INFO_NCE:
        lines = [line.split("\t", 1)[1] for line in lines]
    return setup.text("pairs", lines).rename(setup.folder / "pairs.tsv")


def recipe(row, setup, model):
    return RECIPE.format(
        model=json.dumps(model),
        length=row.length,
        objective=row.objective,
        path=json.dumps(str(write_pairs(row, setup))),
        rows='rows = "pairs", ' if row.objective == INFO_NCE else "",
        steps=STEPS + 1,
        batch=row.batch,
        chunk=f"chunk_tokens = {row.chunk}" if row.chunk else "",
    )


def free_memory():
    """Bytes; nothing where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    sizes = dict(line.split(":") for line in lines)
    return int(sizes["MemAvailable"].split()[0]) * 1024


def measure(row, setup, model, precision, peak_memory):
    """Pairs a second, or nothing where memory lacks, and bytes."""
    path, run = setup.folder / "cost.toml", setup.folder / "run"
    path.write_text(recipe(row, setup, model), encoding="utf-8")
    shutil.rmtree(run, ignore_errors=True)
    args = ["train", path, "--data", setup.data, "--output", run, "--precision", precision]
    plan = json.loads(setup.gradus.run(*args, "--dry-run", "--untimed", "--json"))
    expected = plan["stages"][0]["memory_bytes"]
    free = free_memory()
    if free is not None and expected > SHARE * free:
        return None, expected
    held = peak_memory(setup.gradus.command(*args))
    lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    steps = [line for line in map(json.loads, lines) if line["kind"] == "step"]
    # A line tells the rate since the start.
    ends = [line["step"] * row.batch / line["pairs_per_second"] for line in steps]
    shutil.rmtree(run)
    return STEPS * row.batch / (ends[-1] - ends[0]), held


def main():
    args = arguments()
    os.environ["HF_HUB_OFFLINE"] = "1"
    from peers import common
    from peers.base_model import base_model

    gradus = common.Gradus(args.gradus, args.threads)
    model = str(Path(gradus.info(args.model)["folder"]).resolve())
    print("| training | pairs a step | tokens a text | chunks of tokens | pairs/s | tokens/s | peak memory |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    with tempfile.TemporaryDirectory(prefix="gradus-cost-") as folder:
        setup = common.Setup(gradus, model, args.data.resolve(), args.threads, Path(folder))
        base = base_model(setup)
        for row in ROWS:
            if row.tokens < args.least_tokens or (args.most_tokens and row.tokens > args.most_tokens):
                continue
            rate, held = measure(row, setup, base, args.precision, common.peak_memory)
            pairs = common.number(rate) if rate else "not run"
            tokens = common.number(rate * 2 * row.length) if rate else ""
            mark = "" if rate else "~"
            cells = [row.name, row.batch, row.length, row.chunk or "none", pairs, tokens]
            print("| " + " | ".join(map(str, cells)) + f" | {mark}{held / 1e9:.1f} GB |", flush=True)


if __name__ == "__main__":
    main()
