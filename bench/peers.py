"""Gradus beside its peers, on the same input, on this machine.

    python bench/peers.py [--jobs encode-bf16,latency] [--model FOLDER] [--data FOLDER]

Each job is done in turn by the gradus release binary and by its peers, over and
over. The table on standard output has the medians; what was measured each time
goes to standard error. bench/README.md says what the jobs are.
"""

import argparse
import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path

from peers.common import at_least_one, options

# In the order of the table.
JOBS = [
    "encode-f32",
    "encode-bf16",
    "encode-auto",
    "encode-int8",
    "latency",
    "train-16-bf16",
    "train-64-bf16",
    "train-16-f32",
    "base-encode",
    "long-encode",
    "base-train",
    "long-train",
    "train-threads",
    "memory",
    "simcse",
    "base-simcse",
    "ranking",
    "difference",
    "scaling",
    "cross-score",
    "cross-score-128",
    "cross-train",
]
# What everybody reads it by. OpenVINO's part from MLAS does not ask, and takes what there is.
ISA = {
    "avx2": {
        "GRADUS_ISA": "avx2",
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    },
}
PEERS = ["torch", "openvino", "onnxruntime", "transformers", "sentence-transformers"]


def chosen_jobs(text):
    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in JOBS:
            raise argparse.ArgumentTypeError(f"no job {name!r}; there are {', '.join(JOBS)}")
    return names


def arguments():
    parser = options(__doc__)
    parser.add_argument(
        "--jobs", type=chosen_jobs, default=JOBS, help=f"all by default: {','.join(JOBS)}"
    )
    parser.add_argument("--rounds", type=at_least_one, default=3)
    parser.add_argument("--isa", choices=ISA, help="nobody is to use newer instructions")
    return parser.parse_args()


def processor():
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def main():
    args = arguments()
    # Before the libraries are loaded, which read it then.
    for name in ("RAYON_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ[name] = str(args.threads)
    os.environ |= ISA.get(args.isa, {})
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["TRANSFORMERS_VERBOSITY"] = "error"
    import torch
    import transformers

    from peers import common, contrastive, cross, encode, train

    transformers.utils.logging.disable_progress_bar()
    torch.set_num_threads(args.threads)
    torch.set_float32_matmul_precision("highest")
    builders = encode.JOBS | train.JOBS | contrastive.JOBS | cross.JOBS
    gradus = common.Gradus(args.gradus, args.threads)
    model = str(Path(gradus.info(args.model)["folder"]).resolve())
    with tempfile.TemporaryDirectory(prefix="gradus-peers-") as folder:
        setup = common.Setup(gradus, model, args.data.resolve(), args.threads, Path(folder))
        rows, left_out = [], []
        machine = common.Machine(gradus)
        for name in args.jobs:
            common.note(f"{name}: preparing")
            try:
                jobs = builders[name](setup)
            except common.Unavailable as e:
                left_out.append(f"{name} was left out: {e}.")
                continue
            for job in jobs if isinstance(jobs, list) else [jobs]:
                rows.append(common.run_job(job, args.rounds, machine).row())
    peers = ", ".join(f"{name} {version(name)}" for name in PEERS)
    limit = f", nothing newer than {args.isa}" if args.isa else ""
    print(f"{processor()}{limit}, {args.threads} threads, medians of {args.rounds} rounds; {peers}.\n")
    print(common.HEADER, *rows, sep="\n")
    if machine.line():
        print("", machine.line(), sep="\n")
    if left_out:
        print("", *left_out, sep="\n")


if __name__ == "__main__":
    main()
