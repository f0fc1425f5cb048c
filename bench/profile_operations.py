"""Where the time of encoding or of training goes, operation by operation.

Runs the gradus binary under `perf` and adds up samples by the operation whose code they
fell into; what the threads' time has besides is waiting. Names of operations are those
of functions, so that the binary has to be built with names that say what they are made
for:

    RUSTFLAGS="-C symbol-mangling-version=v0" cargo build --release --target-dir target/profile
    python bench/profile_operations.py train --gradus target/profile/release/gradus
"""

import argparse
import collections
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

# The first that is found in a function's name says what it belongs to.
OPERATIONS = [
    ("AdamW, weights laid out", "adamw::step|adamw::pick|adamw::tasks|DeferredDecay"),
    ("norm of gradients", "sum_of_squares"),
    ("rows that moved", "SparseRows|sparse_rows|sort::"),
    ("weight gradients", "weight_gradient"),
    ("feed-forward, up", "feed_forward::forward::{closure#2}"),
    ("feed-forward, backward of down and GELU", "feed_forward::backward::{closure#0}"),
    # One function by now: the linker keeps one of those that are alike.
    ("products forward: queries, keys, values; out; down", "feed_forward::forward|linear::forward"),
    ("products backward", "product_onto|input_gradient|activated_backward"),
    ("feed-forward in one go", "matmul::chain|bytes::chain|chained"),
    ("attention", "attention"),
    ("norms", "norm::"),
    ("gradients laid out", "Tiles>::round|of_tiles|pack_as|column_sums|Panels"),
    ("embeddings", "embed::"),
    ("pooling", "pool::"),
    ("other products", "matmul|transpose"),
    ("losses", "losses"),
    ("tokenizing", "tokenizers|unicode|regex|normaliz|onig|aho_corasick|daachorse|text::"),
    ("looking for work", "team::"),
    ("other operations", "gradus_kernels"),
    ("other of gradus", "gradus"),
    ("memory: allocating, copying", "malloc|free|memmove|memset|memcpy|realloc|alloc::"),
    ("the system", r"^\[k\]"),
]

RECIPE = """\
model = "{model}"
seed = 1
log_every = {steps}
checkpoint_seconds = 1000000

[[stage]]
name = "tune"
objective = {{ loss = "smooth_k2", k = 3.0, x0 = 0.25, out_of_range = "none" }}
train = [{{ dataset = "stsb", split = "train" }}]
steps = {steps}
batch = {batch}
learning_rate = 2e-5
schedule = "constant"
clip = 10.0
"""


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("job", choices=["encode", "train"])
    parser.add_argument("--gradus", default="target/profile/release/gradus", metavar="BINARY")
    parser.add_argument("--model", default="all-MiniLM-L6-v2")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--batch", type=int, default=16, help="pairs a step")
    parser.add_argument("--steps", type=int, default=160)
    parser.add_argument("--data", metavar="FOLDER", help="that of the public data sets")
    parser.add_argument("--text", metavar="FILE", help="sentences to encode")
    return parser.parse_args()


def command(options, folder):
    general = ["--threads", str(options.threads), "--precision", options.precision]
    if options.data:
        general += ["--data", options.data]
    if options.job == "encode":
        if not options.text:
            sys.exit("encode needs sentences: --text FILE, one a line")
        # Not `bench`, which answers single queries besides.
        files = ["--input", options.text, "--output", str(folder / "vectors.npy")]
        return [options.gradus, "encode", options.model, *files, *general]
    recipe = folder / "recipe.toml"
    text = RECIPE.format(model=options.model, steps=options.steps, batch=options.batch)
    recipe.write_text(text, encoding="utf-8")
    return [options.gradus, "train", str(recipe), "--output", str(folder / "run"), *general]


def samples(data):
    """Thread, time and function of each sample."""
    fields = ["--fields", "tid,time,ip,sym"]
    script = ["perf", "script", "--input", str(data), *fields]
    lines = subprocess.run(script, capture_output=True, text=True, check=True).stdout
    for line in lines.splitlines():
        found = re.match(r"\s*(\d+)\s+([\d.]+):\s+([0-9a-f]+) (.*)", line)
        if found:
            # The upper half of addresses is the system's.
            kernel = "[k] " if int(found[3], 16) >> 63 else ""
            yield int(found[1]), float(found[2]), kernel + found[4]


def operation(function):
    for name, pattern in OPERATIONS:
        if re.search(pattern, function):
            return name
    return None


def main():
    options = arguments()
    for program in ("perf", options.gradus):
        if not shutil.which(program):
            sys.exit(f"{program}: no such program; --help says what is needed")
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        data = folder / "perf.data"
        rate = 2000
        record = ["perf", "record", "--freq", str(rate), "--event", "cpu-clock"]
        record += ["--output", str(data), *command(options, folder)]
        done = subprocess.run(record, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(done.stderr)
        all_samples = list(samples(data))
    if not any("gradus_kernels::cpu::matmul::product<" in s[2] for s in all_samples):
        sys.exit(f"{options.gradus}: its functions' names do not say enough; --help says how to build")
    # Without start and end.
    first, last = all_samples[0][1], all_samples[-1][1]
    begin, end = first + 0.6 * (last - first), first + 0.97 * (last - first)
    some = [s for s in all_samples if begin < s[1] < end]
    whole = (end - begin) * options.threads * rate
    counts = collections.Counter(operation(function) for _, _, function in some)
    unknown = collections.Counter(f for _, _, f in some if operation(f) is None)
    counts["waiting"] = max(0, whole - len(some))
    rest = counts.pop(None, 0)
    total = sum(counts.values()) + rest
    print(f"| {options.job}, {options.threads} threads, {options.precision} | share of their time |")
    print("|---|--:|")
    for name, count in counts.most_common():
        print(f"| {name} | {100 * count / total:.1f} % |")
    print(f"| not explained | {100 * rest / total:.1f} % |")
    for function, count in unknown.most_common(5):
        print(f"{100 * count / total:.1f} % {function}", file=sys.stderr)


if __name__ == "__main__":
    main()
