#!/usr/bin/env python3
"""Whether two builds of gradus give the same bits on one machine.

    python bench/same_bits.py --gradus OLD > old.txt
    python bench/same_bits.py --gradus NEW --against old.txt

The list has a line for each job: its name and a sha256, of vectors or of
trained weights. Jobs: the vectors of some hundred texts by every small model
of the tests, and by all-MiniLM-L6-v2 where it is in the cache, in f32, bf16
and int8; one short training run of each kind in the first two. Another processor, or another
GRADUS_ISA, may round differently: compare lists of one machine only.

Exit code 1 where a line differs or is missing.
"""

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "crates/gradus/tests/fixtures"
MODELS = FIXTURES / "models"
PAIRS = FIXTURES / "training/pairs.tsv"
PRECISIONS = ["f32", "bf16"]

DATA = """
[[stage]]
name = "one"
steps = 12
batch = 8
learning_rate = 1e-3
"""
PAIR_SOURCE = "train = [{ path = 'pairs.tsv', labels = { from = [0, 5] } }]\n"
TEXT_SOURCE = "train = [{ path = 'texts.txt' }]\n"
INFO_NCE = "objective = { loss = 'info_nce', temperature = 0.2 }\n"

# Keys of the recipe, then those of its stage.
RECIPES = {
    "regression-head": ("", "objective = { loss = 'smooth_k2' }\nclip = 1.0\n" + PAIR_SOURCE),
    "regression-cosine": (
        "",
        "objective = { loss = 'mse', form = 'cosine', out_of_range = 'none' }\nwarmup = 0.2\n"
        + PAIR_SOURCE,
    ),
    "cosent": ("", "objective = { loss = 'cosent' }\n" + PAIR_SOURCE),
    "two-stages": (
        "normalize = false\n",
        "freeze = 'encoder'\nobjective = { loss = 'smooth_k2' }\n"
        + PAIR_SOURCE
        + DATA.replace("one", "two")
        + "objective = { loss = 'smooth_k2' }\nlayer_decay = 0.9\n"
        + PAIR_SOURCE,
    ),
    "info-nce-chunks": ("", INFO_NCE + "dropout = 0.1\nchunk_tokens = 64\n" + TEXT_SOURCE),
    "matryoshka": ("", "objective = { loss = 'info_nce', widths = [16, 8] }\n" + TEXT_SOURCE),
    "ranking": (
        "",
        INFO_NCE
        + "projection = 'mlp'\nalso = [{ loss = 'list_mle', temperature = 0.1 }, { loss = 'consistency' }]\n"
        + f"teachers = [{{ model = '{MODELS / 'roberta-small'}' }}]\n"
        + TEXT_SOURCE,
    ),
    "difference": (
        "normalize = false\n",
        INFO_NCE
        + "dropout = 0.1\nprojection = 'batch_norm'\n"
        + f"difference = {{ generator = '{FIXTURES / 'pretraining/bert'}', weight = 0.5 }}\n"
        + TEXT_SOURCE,
    ),
    "promptbert": (
        "template = '\"{}\" [MASK]'\n",
        INFO_NCE
        + "second_template = '{} : [MASK]'\ndenoise = true\ndropout = 0.1\n"
        + TEXT_SOURCE,
    ),
}
SMALL = "--layers 1 --hidden 16 --heads 2 --intermediate 32 --vocab 200 --max-tokens 24 --batch-tokens 256".split()


def sha(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def jobs(gradus, place):
    """Yields a name and a function that gives a sha256, for every job."""

    def run(*arguments):
        environment = {**os.environ, "HF_HUB_OFFLINE": "1"}
        if arguments[0] != "encode":
            # Teachers' vectors are made anew.
            environment["XDG_CACHE_HOME"] = str(place / "cache")
        done = subprocess.run(
            [gradus, *map(str, arguments)],
            cwd=place,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            last = done.stderr.strip().splitlines()[-3:]
            return "failed: " + " / ".join(last)
        return None

    def encode(name, model, precision):
        target = place / f"{name}.npy"
        failed = run(
            "encode", model, "--input", "texts.txt", "--format", "npy",
            "--output", target, "--precision", precision,
        )  # fmt: skip
        return failed or sha(target)

    def trained(name, *arguments):
        failed = run(*arguments, "--output", name)
        return failed or sha(place / name / "model/model.safetensors")

    for precision in [*PRECISIONS, "int8"]:
        for model in [*sorted(MODELS.iterdir()), "all-MiniLM-L6-v2"]:
            name = f"encode {Path(model).name} {precision}"
            yield name, lambda n=name, m=model, p=precision: encode(n.replace(" ", "-"), m, p)
    for precision in PRECISIONS:
        for kind, (head, stage) in RECIPES.items():
            recipe = place / f"{kind}.toml"
            model = MODELS / "bert-small"
            recipe.write_text(f"model = '{model}'\nseed = 7\n{head}{DATA}{stage}")
            name = f"train {kind} {precision}"
            yield name, lambda n=name, r=recipe, p=precision: trained(
                n.replace(" ", "-"), "train", r, "--precision", p
            )
        texts = ["texts.txt", "--steps", 20, "--precision", precision]
        name = f"pretrain scratch {precision}"
        yield name, lambda n=name, t=texts: trained(n.replace(" ", "-"), "pretrain", *t, *SMALL)
        name = f"pretrain from {precision}"
        start = ["--from", FIXTURES / "pretraining/bert"]
        yield name, lambda n=name, t=texts: trained(n.replace(" ", "-"), "pretrain", *t, *start)
        name = f"distill {precision}"

        def distill(name=name, precision=precision):
            folder = name.replace(" ", "-")
            failed = run(
                "distill", MODELS / "bert-small", "texts.txt", "--layers", "1", "--steps", 12,
                "--batch", 16, "--precision", precision, "--output", folder,
            )  # fmt: skip
            return failed or sha(next((place / folder).glob("*/model/model.safetensors")))

        yield name, distill


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--gradus", default=str(ROOT / "target/release/gradus"), metavar="BINARY")
    parser.add_argument("--against", metavar="LIST", help="a list to compare with")
    parser.add_argument("--only", default="", metavar="WORD", help="jobs whose name holds WORD")
    options = parser.parse_args()
    expected = {}
    if options.against:
        for line in Path(options.against).read_text().splitlines():
            name, _, value = line.rpartition("\t")
            expected[name] = value
    different = failed = 0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        rows = [line.split("\t") for line in PAIRS.read_text().splitlines()]
        (place / "pairs.tsv").write_text("".join("\t".join(r[:3]) + "\n" for r in rows))
        texts = sorted({text for row in rows for text in row[1:3]})
        (place / "texts.txt").write_text("\n".join(texts) + "\n")
        for name, job in jobs(str(Path(options.gradus).resolve()), place):
            if options.only not in name:
                continue
            value = job()
            failed += value.startswith("failed")
            note = ""
            if options.against:
                same = expected.get(name) == value
                different += not same
                note = "" if same else f"\tDIFFERENT, was {expected.get(name)}"
            print(f"{name}\t{value}{note}", flush=True)
    if options.against:
        print(f"{different} different, {failed} failed", file=sys.stderr)
    sys.exit(bool(different or failed))


if __name__ == "__main__":
    main()
