"""gradus serve beside other servers, under the same load, on the same cores.

    python bench/serve.py [--clients 1,8,64] [--seconds 10] [--peers infinity,fastapi]

Starts each server by itself, warms it up, lets clients send requests over and over, one
after the other in each client, and prints requests and texts a second with the median
and the 99th percentile of the time of a request. Servers take turns; the medians of the
rounds count. bench/README.md says what is needed.
"""

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from peers.common import Gradus, at_least_one, options

# A server as people write one themselves.
FASTAPI = """
import sys
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer
import uvicorn

model = SentenceTransformer(sys.argv[1], device="cpu")
app = FastAPI()

class Request(BaseModel):
    input: list[str]

@app.post("/embeddings")
def embeddings(request: Request):
    vectors = model.encode(request.input, normalize_embeddings=True)
    return {"data": [{"index": i, "embedding": v.tolist()} for i, v in enumerate(vectors)]}

@app.get("/health")
def health():
    return {}

uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error")
"""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def server(command, port, model, errors):
    process = subprocess.Popen(command, stdout=errors, stderr=errors)
    try:
        for _ in range(1200):
            if process.poll() is not None:
                sys.exit(f"{command[0]} ended with {process.returncode}; see {errors.name}")
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5)
                break
            except OSError:
                time.sleep(0.1)
        else:
            sys.exit(f"{command[0]} did not come up; see {errors.name}")
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


async def client(port, path, bodies, until, times):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while time.perf_counter() < until:
        count, body = next(bodies)
        head = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        began = time.perf_counter()
        writer.write(head.encode() + body)
        status = await reader.readline()
        if b" 200 " not in status:
            sys.exit(f"{status}: {await reader.read(500)}")
        length, chunked = None, False
        while (line := await reader.readline()) not in (b"\r\n", b""):
            name, _, value = line.decode().partition(":")
            if name.lower() == "content-length":
                length = int(value)
            chunked |= name.lower() == "transfer-encoding"
        if chunked:
            while size := int((await reader.readline()).strip(), 16):
                await reader.readexactly(size + 2)
            await reader.readline()
        else:
            await reader.readexactly(length)
        times.append((time.perf_counter() - began, count))
    writer.close()


def endless(texts, sizes, model, seed):
    """Requests of so many texts each, in one order for all servers."""
    order = random.Random(seed)
    while True:
        count = order.choice(sizes)
        some = [texts[order.randrange(len(texts))] for _ in range(count)]
        yield count, json.dumps({"input": some, "model": model}).encode()


def load(port, path, model, texts, sizes, clients, seconds):
    async def run():
        times = []
        until = time.perf_counter() + seconds
        await asyncio.gather(
            *(
                client(port, path, endless(texts, sizes, model, seed), until, times)
                for seed in range(clients)
            )
        )
        return times

    began = time.perf_counter()
    times = asyncio.run(run())
    took = time.perf_counter() - began
    each = sorted(t for t, _ in times)
    return {
        "requests": len(times) / took,
        "texts": sum(n for _, n in times) / took,
        "median": 1000 * statistics.median(each),
        "p99": 1000 * each[min(len(each) - 1, int(0.99 * len(each)))],
    }


def main():
    parser = options(__doc__)
    parser.add_argument("--clients", default="1,8,64")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=at_least_one, default=2)
    parser.add_argument("--peers", default="infinity,fastapi")
    parser.add_argument(
        "--infinity", default="infinity_emb", help="its command, of an environment of its own"
    )
    args = parser.parse_args()
    gradus = Gradus(args.gradus, args.threads)
    model = str(Path(gradus.info(args.model)["folder"]).resolve())
    texts = []
    for path in sorted(Path(args.data).glob("sts/STS*/*.tsv")):
        for line in path.read_text().splitlines():
            texts += line.split("\t")[1:3]
    texts = sorted(set(texts))
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["DO_NOT_TRACK"] = "1"
    fastapi = tempfile.NamedTemporaryFile("w", suffix=".py", delete=False)
    fastapi.write(FASTAPI)
    fastapi.close()
    commands = {
        "gradus": lambda port: [
            gradus.binary, "serve", "--model", f"{model}={model}", "--port", str(port),
            "--threads", str(args.threads),
        ],
        "infinity": lambda port: [
            args.infinity, "v2", "--model-id", model,
            "--served-model-name", model, "--port", str(port), "--host", "127.0.0.1",
            "--device", "cpu", "--engine", "torch", "--no-bettertransformer",
        ],
        "fastapi": lambda port: [sys.executable, fastapi.name, model, str(port)],
    }
    wanted = ["gradus"] + [p for p in args.peers.split(",") if p]
    loads = {"one sentence": [1], "1 to 32 sentences": [1, 2, 4, 8, 32]}
    found = {}
    errors = tempfile.NamedTemporaryFile("wb", suffix=".log", delete=False)
    for _ in range(args.rounds):
        for name in wanted:
            port = free_port()
            with server(commands[name](port), port, model, errors):
                load(port, "/embeddings", model, texts, [8], 4, 3)
                for what, sizes in loads.items():
                    for clients in map(int, args.clients.split(",")):
                        result = load(
                            port, "/embeddings", model, texts, sizes, clients, args.seconds
                        )
                        found.setdefault((what, clients, name), []).append(result)
                        print(name, what, clients, result, file=sys.stderr, flush=True)
    print("| load | clients | server | requests/s | texts/s | median ms | 99 % ms | ours better by |")
    print("|---|--:|---|--:|--:|--:|--:|--:|")
    for what in loads:
        for clients in map(int, args.clients.split(",")):
            own = None
            for name in wanted:
                runs = found[what, clients, name]
                value = {key: statistics.median(r[key] for r in runs) for key in runs[0]}
                own = own or value
                ratio = "" if name == "gradus" else f"{own['texts'] / value['texts']:.1f}"
                print(
                    f"| {what} | {clients} | {name} | {value['requests']:.0f} | "
                    f"{value['texts']:.0f} | {value['median']:.1f} | {value['p99']:.1f} | {ratio} |"
                )


if __name__ == "__main__":
    main()
