"""gradus serve under a long load of mixed texts, with clients that behave badly.

    python bench/soak.py [--requests 1000000] [--clients 32]

Prints every ten seconds how many requests were answered, refused and lost, and the
memory in use; then sends ten times what the queue takes and counts again. A request is
lost where it has neither an answer nor a refusal. Needs the standard library alone.
"""

import asyncio
import json
import random
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from peers.common import Gradus, at_least_one, options
from serve import free_port, server

ROUTES = ["/embed", "/v1/embeddings", "/similarity", "/grade", "/v1/rerank", "/tokenize"]


def body(route, texts):
    match route:
        case "/embed":
            return {"inputs": texts}
        case "/v1/embeddings":
            return {"input": texts, "encoding_format": "base64"}
        case "/similarity":
            return {"inputs": {"source_sentence": texts[0], "sentences": texts}}
        case "/grade":
            return {"pairs": [[a, texts[0]] for a in texts]}
        case "/v1/rerank":
            return {"query": texts[0], "documents": texts}
        case "/tokenize":
            return {"inputs": texts}


async def answer(reader):
    """Status and length of an answer with a content length."""
    status = int((await reader.readline()).split()[1])
    length = 0
    while (line := await reader.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    await reader.readexactly(length)
    return status


def request(route, text):
    return (
        f"POST {route} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text
    )


async def client(port, texts, left, counts, order):
    connection = None
    while left[0] > 0:
        left[0] -= 1
        if connection is None:
            connection = await asyncio.open_connection("127.0.0.1", port)
        reader, writer = connection
        route = order.choice(ROUTES)
        some = [order.choice(texts) for _ in range(order.choice([1, 1, 1, 2, 3, 8]))]
        if order.random() < 0.02:
            some[0] = " ".join(order.choices(texts, k=order.choice([5, 20, 60])))
        try:
            writer.write(request(route, json.dumps(body(route, some)).encode()))
            status = await answer(reader)
        except (OSError, asyncio.IncompleteReadError, IndexError, ValueError):
            counts["lost"] = counts.get("lost", 0) + 1
            connection = None
            continue
        counts[status] = counts.get(status, 0) + 1


async def nuisance(port, texts, left, order):
    """Clients that hang, leave early, send slowly, or send nonsense."""
    hanging = []
    while left[0] > 0:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        whole = request("/embed", json.dumps(body("/embed", order.choices(texts, k=30))).encode())
        match order.randrange(4):
            case 0:
                writer.write(whole[: order.randrange(len(whole))])
                hanging.append(writer)
            case 1:
                writer.write(whole)
                writer.close()
            case 2:
                for byte in whole[:20]:
                    writer.write(bytes([byte]))
                    await asyncio.sleep(0.01)
                writer.close()
            case 3:
                writer.write(order.randbytes(order.randrange(2000)))
                writer.close()
        if len(hanging) > 50:
            hanging.pop(0).close()
        await asyncio.sleep(0.05)


def memory(pid):
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


async def soak(port, pid, texts, requests, clients):
    left, counts, began = [requests], {}, time.perf_counter()

    async def report():
        while left[0] > 0:
            await asyncio.sleep(10)
            done = sum(counts.values())
            rate = done / (time.perf_counter() - began)
            print(f"{done} requests, {rate:.0f}/s, {counts}, {memory(pid):.0f} MB", flush=True)

    workers = [client(port, texts, left, counts, random.Random(i)) for i in range(clients)]
    extra = [nuisance(port, texts, left, random.Random(-1 - i)) for i in range(2)]
    await asyncio.gather(*workers, *extra, report())
    print(f"in all {counts}, {memory(pid):.0f} MB", flush=True)
    return counts


async def overload(port, texts, clients):
    """All at once, each more than a tenth of what the queue takes."""
    counts = {}
    order = random.Random(0)

    async def one():
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        some = order.choices(texts, k=64)
        for _ in range(5):
            writer.write(request("/embed", json.dumps(body("/embed", some)).encode()))
            try:
                status = await answer(reader)
            except (OSError, asyncio.IncompleteReadError, IndexError, ValueError):
                status = "lost"
            counts[status] = counts.get(status, 0) + 1
        writer.close()

    await asyncio.gather(*(one() for _ in range(clients)))
    return counts


def main():
    parser = options(__doc__)
    parser.add_argument("--requests", type=at_least_one, default=1_000_000)
    parser.add_argument("--clients", type=at_least_one, default=32)
    args = parser.parse_args()
    gradus = Gradus(args.gradus, args.threads)
    texts = set()
    for path in sorted(Path(args.data).glob("sts/STS*/*.tsv")):
        for line in path.read_text().splitlines():
            texts.update(line.split("\t")[1:3])
    texts = sorted(texts)
    errors = tempfile.NamedTemporaryFile("wb", suffix=".log", delete=False)
    for what, queue in (("soak", 1_000_000), ("overload", 10_000)):
        port = free_port()
        command = [gradus.binary, "serve", args.model, "--port", str(port)]
        command += ["--threads", str(args.threads), "--queue-tokens", str(queue)]
        with server(command, port, args.model, errors) as pid:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/info").read()
            before = memory(pid)
            if what == "soak":
                print(f"{before:.0f} MB at the start", flush=True)
                counts = asyncio.run(soak(port, pid, texts, args.requests, args.clients))
            else:
                # 64 texts of some 15 tokens each, from ten times as many clients as fit.
                counts = asyncio.run(overload(port, texts, 10 * queue // (64 * 15)))
                print(f"ten times what the queue takes: {counts}, {memory(pid):.0f} MB")
            if counts.get("lost"):
                sys.exit("requests were lost")


if __name__ == "__main__":
    main()
