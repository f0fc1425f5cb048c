"""What all jobs share: the gradus binary, the data, rounds and their medians."""

import argparse
import dataclasses
import functools
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Callable

# Libraries may tie the calling thread to some cores, which a process that it
# starts would inherit.
AFFINITY = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None

# A child's ru_maxrss counts what its parent held when it was started, so that
# this small process stands between.
LAUNCHER = """
import os, subprocess, sys
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
print(usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024))
sys.exit(os.waitstatus_to_exitcode(status))
"""


def at_least_one(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def cores():
    return len(AFFINITY) if AFFINITY else os.cpu_count() or 1


def options(description):
    """A parser with what all scripts take; the data's folder is required."""
    root = Path(__file__).resolve().parents[2]
    data = os.environ.get("GRADUS_DATA") or None
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--model",
        default="all-MiniLM-L6-v2",
        help="folder of a BERT model with mean pooling, or a name that gradus knows",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=data,
        required=data is None,
        help="folder of the STS data; default $GRADUS_DATA",
    )
    parser.add_argument("--gradus", type=Path, default=root / "target" / "release" / "gradus")
    parser.add_argument("--threads", type=at_least_one, default=cores(), help="of everybody")
    return parser


class Unavailable(Exception):
    """A job that cannot be done here, and why."""


@dataclasses.dataclass
class Contender:
    """One of those who do a job: a name, and what measures it once."""

    name: str
    measure: Callable[[], float]


@dataclasses.dataclass
class Job:
    """The same work for gradus and for its peers."""

    name: str
    unit: str
    ours: Contender
    peers: list[Contender]
    higher_is_better: bool = True
    # What a unit needs at least; None where nothing is said of that.
    work: object = None


@dataclasses.dataclass
class Result:
    """A job's medians."""

    job: Job
    ours: float
    peers: list[float]
    # What the machine could do at best, in each round.
    machine: list[dict]

    def share(self):
        """Of the machine's limit, as measured with the job."""
        if self.job.work is None or not self.machine:
            return ""
        limits = [self.job.work.limit(m) for m in self.machine]
        if None in limits:
            return ""
        return f"{100 * self.ours / statistics.median(limits):.0f} %"

    def best(self):
        choose = max if self.job.higher_is_better else min
        return choose(range(len(self.peers)), key=self.peers.__getitem__)

    def row(self):
        best = self.best()
        peer = self.peers[best]
        ratio = self.ours / peer if self.job.higher_is_better else peer / self.ours
        also = [
            f"{contender.name} {number(value)}"
            for i, (contender, value) in enumerate(zip(self.job.peers, self.peers))
            if i != best
        ]
        cells = [
            self.job.name,
            self.job.unit,
            self.job.ours.name,
            number(self.ours),
            self.job.peers[best].name,
            number(peer),
            f"{ratio:.2f}",
            self.share(),
            "; ".join(also),
        ]
        return "| " + " | ".join(cells) + " |"


HEADER = """\
| job | unit | ours | median | best peer | median | ours better by | share of the limit | other peers |
|---|---|---|---:|---|---:|---:|---:|---|"""


def number(value):
    digits = 0 if value >= 1000 else 1 if value >= 100 else 2
    return f"{value:,.{digits}f}"


def note(message):
    print(message, file=sys.stderr, flush=True)


def run_job(job, rounds, machine):
    """Everybody in turn, over and over: what else the machine does at a time
    then meets all alike."""
    contenders = [job.ours, *job.peers]
    values = [[] for _ in contenders]
    before = len(machine.measures)
    for i in range(rounds):
        machine.measure()
        for contender, measured in zip(contenders, values):
            # Threads of the one before may still be waiting busily.
            time.sleep(0.5)
            measured.append(contender.measure())
            note(f"{job.name}, round {i + 1}: {contender.name} {number(measured[-1])} {job.unit}")
    ours, *peers = map(statistics.median, values)
    return Result(job, ours, peers, machine.measures[before:])


class Gradus:
    """The release binary."""

    def __init__(self, binary, threads):
        self.binary, self.threads = str(Path(binary).resolve()), threads
        if not Path(self.binary).is_file():
            sys.exit(f"{binary}: no such file; cargo build --release makes it, --gradus names another")

    def command(self, *args, threads=None):
        common = ["--quiet", "--threads", str(threads or self.threads)]
        return [self.binary, *map(str, args), *common]

    def run(self, *args, threads=None):
        if AFFINITY:
            os.sched_setaffinity(0, AFFINITY)
        command = self.command(*args, threads=threads)
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)}\n{done.stderr}")
        if os.environ.get("GRADUS_CUDA_PROFILE"):
            note(done.stderr)
        return done.stdout

    def info(self, model):
        return json.loads(self.run("info", model, "--json"))

    @functools.cached_property
    def precisions(self):
        """What --precision takes; nothing where there is no such option."""
        text = self.run("bench", "--help")
        found = re.search(r"--precision\b(.*?)(?:\n\s+-|\Z)", text, re.DOTALL)
        words = re.search(r"possible values: ([^\]]*)\]", found[1]) if found else None
        if found and not words:
            return {"auto", "f32", "bf16", "int8"}
        return set(re.split(r",\s*", words[1])) if words else set()

    def precision(self, wanted):
        """The name of the contender, and its options."""
        if wanted in self.precisions:
            return f"gradus {wanted}", ["--precision", wanted]
        if wanted == "int8" or self.precisions:
            raise Unavailable(f"this gradus has no --precision {wanted}")
        return "gradus (has no --precision)", []

    @functools.cached_property
    def knows_machine(self):
        return "--machine" in self.run("bench", "--help")

    def machine(self):
        """What the processor can do at best, right now."""
        return json.loads(self.run("bench", "--machine", "--format", "json"))

    def bench(self, model, text, precision=(), threads=None, repeat=1):
        args = ["bench", model, "--text", text, "--repeat", repeat, "--format", "json", *precision]
        return json.loads(self.run(*args, threads=threads))


class Machine:
    """What the processor could do at best, from round to round."""

    RATES = {
        "f32": ("f32_operations_per_second", "GFLOP/s"),
        "bf16": ("bf16_operations_per_second", "GFLOP/s"),
        "reading memory": ("read_bytes_per_second", "GB/s"),
    }

    def __init__(self, gradus):
        self.gradus, self.measures = gradus, []

    def measure(self):
        if self.gradus.knows_machine:
            self.measures.append(self.gradus.machine())
            note(f"the machine: {self.words(self.measures[-1:])}")

    def words(self, measures):
        """Medians, and the least and the most."""
        parts = []
        for name, (key, unit) in self.RATES.items():
            rates = [m[key] / 1e9 for m in measures if m[key]]
            if rates:
                middle, least, most = statistics.median(rates), min(rates), max(rates)
                spread = f" ({least:,.0f} to {most:,.0f})" if len(rates) > 1 else ""
                parts.append(f"{name} {middle:,.0f}{spread} {unit}")
        return ", ".join(parts)

    def line(self):
        if not self.measures:
            return ""
        return f"The machine at its best, measured before each round: {self.words(self.measures)}."


@dataclasses.dataclass
class Setup:
    """What the jobs work on."""

    gradus: Gradus
    model: str
    data: Path
    threads: int
    folder: Path

    @functools.cached_property
    def max_tokens(self):
        return self.gradus.info(self.model)["max_tokens"]

    @functools.cached_property
    def sentences(self):
        return sts_sentences(self.data)

    def text(self, name, sentences):
        """A file with a sentence a line."""
        path = self.folder / f"{name}.txt"
        path.write_text("\n".join(sentences) + "\n", encoding="utf-8")
        return path

    @functools.cached_property
    def sts_text(self):
        return self.text("sts", self.sentences)


def table_rows(path, header=False):
    """Rows of a file of tab-separated values, in which quotes are text."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except OSError as e:
        sys.exit(f"{path}: {e.strerror}; --data or GRADUS_DATA names the folder of STS data")
    return [line.rstrip("\r").split("\t") for line in lines[header:] if line.strip()]


def sts_sentences(data):
    """The different sentences of the seven test sets, in an order of no
    meaning: files hold texts of their own lengths."""
    pairs = []
    for year in range(12, 17):
        folder = data / "sts" / f"STS{year}"
        files = sorted(folder.glob("*.tsv"))
        if not files:
            sys.exit(f"{folder}: no .tsv files; --data or GRADUS_DATA names the folder of STS data")
        for path in files:
            pairs += [row[1:3] for row in table_rows(path)]
    pairs += [row[5:7] for row in table_rows(data / "stsb" / "sts-test.csv")]
    rows = table_rows(data / "sick" / "SICK_test_annotated.txt", header=True)
    pairs += [row[1:3] for row in rows]
    sentences = list(dict.fromkeys(text for pair in pairs for text in pair))
    random.Random(1).shuffle(sentences)
    return sentences


def train_pairs(data):
    """Grades 0 to 5 with their texts: the training pairs of STS-B and SICK-R."""
    rows = table_rows(data / "stsb" / "sts-train.csv")
    pairs = [(float(row[4]), row[5], row[6]) for row in rows]
    rows = table_rows(data / "sick" / "SICK_train.txt", header=True)
    pairs += [((float(row[3]) - 1) * 5 / 4, row[1], row[2]) for row in rows]
    random.Random(1).shuffle(pairs)
    return pairs


def peak_memory(command, folder=None):
    """The most bytes that a command held, run in a folder."""
    with tempfile.TemporaryFile("w+") as errors:
        launch = [sys.executable, "-c", LAUNCHER, *command]
        done = subprocess.run(launch, stdout=subprocess.PIPE, stderr=errors, text=True, cwd=folder)
        if done.returncode != 0:
            errors.seek(0)
            sys.exit(f"{' '.join(command)}\n{errors.read()}")
    return int(done.stdout)
