"""Jobs that turn sentences into vectors."""

import time
import warnings

import numpy as np
import openvino as ov
import torch
from sentence_transformers import SentenceTransformer
from torch import nn
from transformers import BertModel

from . import onnx, work
from .base_model import base_model
from .common import Contender, Job
from .tokens import load_tokenizer, padded, sorted_batches

QUERY_TOKENS = 12
BASE_SENTENCES = 4096
LONG_TOKENS = 512
LONG_TEXTS = 96
SCALES = (1_000, 10_000, 100_000)


class Pooled(nn.Module):
    """An encoder with mean pooling and unit vectors, in one graph."""

    def __init__(self, folder):
        super().__init__()
        self.bert = BertModel.from_pretrained(
            folder, add_pooling_layer=False, attn_implementation="sdpa", dtype=torch.float32
        ).eval()

    def forward(self, input_ids, attention_mask):
        hidden = self.bert(
            input_ids=input_ids,
            attention_mask=attention_mask,
            token_type_ids=torch.zeros_like(input_ids),
        ).last_hidden_state
        keep = attention_mask.unsqueeze(-1).to(hidden.dtype)
        return nn.functional.normalize((hidden * keep).sum(1) / keep.sum(1), dim=1)


class OpenVino:
    """A model compiled for throughput or for latency."""

    def __init__(self, folder, max_tokens, threads, precision, hint):
        module = Pooled(folder).eval()
        ids = torch.randint(1000, 2000, (2, 8))
        example = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
        with torch.no_grad(), warnings.catch_warnings():
            # Tracing warns of branches that do not depend on the input here.
            warnings.simplefilter("ignore")
            model = ov.convert_model(module, example_input=example)
        settings = {
            "PERFORMANCE_HINT": hint,
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": threads,
        }
        self.compiled = ov.Core().compile_model(model, "CPU", settings)
        self.tokenizer = load_tokenizer(folder, max_tokens)
        requests = self.compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self.queue = ov.AsyncInferQueue(self.compiled, max(requests, 1))
        self.width = module.bert.config.hidden_size

    def encode(self, sentences, size):
        vectors = np.empty((len(sentences), self.width), dtype=np.float32)

        def keep(request, places):
            vectors[places] = request.get_output_tensor(0).data

        self.queue.set_callback(keep)
        for places, ids, mask in sorted_batches(self.tokenizer, sentences, size):
            self.queue.start_async({"input_ids": ids, "attention_mask": mask}, places)
        self.queue.wait_all()
        return vectors

    def query(self, sentence):
        ids, mask = padded([self.tokenizer.encode(sentence).ids])
        return self.compiled({"input_ids": ids, "attention_mask": mask})[0]


class OnnxInt8:
    """onnxruntime on the graph in dynamic int8."""

    def __init__(self, folder, max_tokens, threads, place):
        module = Pooled(folder)
        ids = torch.randint(1000, 2000, (2, 8))
        path = place / "encoder.onnx"
        onnx.export(
            module, (ids, torch.ones_like(ids)), ["input_ids", "attention_mask"], ["vectors"], path
        )
        self.session = onnx.session(onnx.quantized(path), threads)
        self.tokenizer = load_tokenizer(folder, max_tokens)
        self.width = module.bert.config.hidden_size

    def run(self, ids, mask):
        return self.session.run(None, {"input_ids": ids, "attention_mask": mask})[0]

    def encode(self, sentences, size):
        vectors = np.empty((len(sentences), self.width), dtype=np.float32)
        for places, ids, mask in sorted_batches(self.tokenizer, sentences, size):
            vectors[places] = self.run(ids, mask)
        return vectors

    def query(self, sentence):
        return self.run(*padded([self.tokenizer.encode(sentence).ids]))


class Torch:
    """Plain PyTorch."""

    def __init__(self, folder, max_tokens):
        self.module = Pooled(folder).eval()
        self.tokenizer = load_tokenizer(folder, max_tokens)

    @torch.inference_mode()
    def encode(self, sentences, size):
        vectors = np.empty((len(sentences), self.module.bert.config.hidden_size), dtype=np.float32)
        for places, ids, mask in sorted_batches(self.tokenizer, sentences, size):
            vectors[places] = self.module(torch.from_numpy(ids), torch.from_numpy(mask)).numpy()
        return vectors


def check_alike(one, other, least):
    """Who computes something else is no peer."""
    cosine = (one * other).sum(1).min()
    if not cosine >= least:
        raise SystemExit(f"peers disagree: a cosine of {cosine:.4f} between their vectors")


def rate(encode, sentences):
    """Sentences a second; the first few have been encoded before, so that
    compiled kernels and memory are there."""
    encode(sentences[:1024])

    def measure():
        begun = time.perf_counter()
        encode(sentences)
        return len(sentences) / (time.perf_counter() - begun)

    return measure


def ours(setup, wanted, text, model=None):
    name, options = setup.gradus.precision(wanted)
    model = model or setup.model

    def measure():
        return setup.gradus.bench(model, text, options)["sentences_per_second"]

    return Contender(name, measure)


def encode_f32(setup):
    sentences = setup.sentences
    gradus = ours(setup, "f32", setup.sts_text)
    openvino = OpenVino(setup.model, setup.max_tokens, setup.threads, "f32", "THROUGHPUT")
    pytorch = Torch(setup.model, setup.max_tokens)
    some = sentences[:100]
    check_alike(openvino.encode(some, 32), pytorch.encode(some, 32), 0.9999)
    peers = [
        Contender("OpenVINO f32, 32", rate(lambda s: openvino.encode(s, 32), sentences)),
        Contender("PyTorch f32, 32", rate(lambda s: pytorch.encode(s, 32), sentences)),
    ]
    needed = work.encoding(setup, setup.model, sentences, "f32")
    return Job("encode-f32", "sentences/s", gradus, peers, work=needed)


def openvino_bf16(setup, folder, sentences, max_tokens=None, sizes=(16, 32, 64)):
    max_tokens = max_tokens or setup.max_tokens
    openvino = OpenVino(folder, max_tokens, setup.threads, "bf16", "THROUGHPUT")
    some = sentences[: 3 * sizes[-1]]
    expected = Torch(folder, max_tokens).encode(some, sizes[-1])
    check_alike(openvino.encode(some, sizes[-1]), expected, 0.99)

    def contender(size):
        measure = rate(lambda s: openvino.encode(s, size), sentences)
        return Contender(f"OpenVINO bf16, {size}", measure)

    return [contender(size) for size in sizes]


def encode_bf16(setup):
    gradus = ours(setup, "bf16", setup.sts_text)
    peers = openvino_bf16(setup, setup.model, setup.sentences)
    needed = work.encoding(setup, setup.model, setup.sentences, "bf16")
    return Job("encode-bf16", "sentences/s", gradus, peers, work=needed)


def encode_auto(setup):
    gradus = ours(setup, "auto", setup.sts_text)
    model = SentenceTransformer(setup.model, device="cpu")
    measure = rate(lambda s: model.encode(s, show_progress_bar=False), setup.sentences)
    return Job("encode-auto", "sentences/s", gradus, [Contender("sentence-transformers", measure)])


def onnx_int8(setup):
    session = OnnxInt8(setup.model, setup.max_tokens, setup.threads, setup.folder)
    some = setup.sentences[:100]
    expected = Torch(setup.model, setup.max_tokens).encode(some, 32)
    # Its padded tokens change the scale of a batch's activations.
    check_alike(session.encode(some, 32), expected, 0.9)
    return session


def encode_int8(setup):
    """Beside ours in bf16, and beside others in int8 and bf16."""
    int8 = ours(setup, "int8", setup.sts_text)
    session = onnx_int8(setup)

    def contender(size):
        measure = rate(lambda s: session.encode(s, size), setup.sentences)
        return Contender(f"onnxruntime int8, {size}", measure)

    peers = [contender(size) for size in (16, 32, 64)]
    peers += openvino_bf16(setup, setup.model, setup.sentences)
    needed = work.encoding(setup, setup.model, setup.sentences, "int8")
    own = Job("int8-bf16", "sentences/s", int8, [ours(setup, "bf16", setup.sts_text)])
    return [own, Job("encode-int8", "sentences/s", int8, peers, work=needed)]


def latency(setup):
    tokenizer = load_tokenizer(setup.model, setup.max_tokens)
    encodings = tokenizer.encode_batch_fast(setup.sentences)
    queries = [s for s, e in zip(setup.sentences, encodings) if len(e.ids) == QUERY_TOKENS][:200]
    text = setup.text("queries", queries)

    def contender(precision):
        name, options = setup.gradus.precision(precision)

        def measure():
            return setup.gradus.bench(setup.model, text, options)["latency"]["median_ms"]

        return Contender(name, measure)

    def peer(name, query):
        def measure():
            times = []
            # As many unmeasured ones as gradus bench has.
            for text in queries[:8] + queries:
                begun = time.perf_counter()
                query(text)
                times.append(time.perf_counter() - begun)
            return 1e3 * float(np.median(times[8:]))

        measure()
        return Contender(name, measure)

    openvino = OpenVino(setup.model, setup.max_tokens, setup.threads, "bf16", "LATENCY")
    bf16 = peer("OpenVINO bf16", openvino.query)
    int8 = peer("onnxruntime int8", onnx_int8(setup).query)
    unit = "ms a query"
    return [
        Job("latency", unit, contender("bf16"), [bf16], higher_is_better=False),
        Job("latency-int8", unit, contender("int8"), [int8, bf16], higher_is_better=False),
    ]


def base_encode(setup):
    folder = base_model(setup)
    sentences = setup.sentences[:BASE_SENTENCES]
    gradus = ours(setup, "bf16", setup.text("base", sentences), folder)
    needed = work.encoding(setup, folder, sentences, "bf16")
    peers = openvino_bf16(setup, folder, sentences)
    return Job("base-encode", "sentences/s", gradus, peers, work=needed)


def long_encode(setup):
    """Texts of 512 tokens, in the shape of BERT-base."""
    folder = base_model(setup, LONG_TOKENS)
    texts = long_texts(setup, folder)
    gradus = ours(setup, "bf16", setup.text("long", texts), folder)
    peers = openvino_bf16(setup, folder, texts, LONG_TOKENS, (1, 4, 8))
    needed = work.encoding(setup, folder, texts, "bf16", LONG_TOKENS)
    return Job("long-encode", "texts/s", gradus, peers, work=needed)


def long_texts(setup, folder):
    """Sentences one behind the other, as many as fill an input."""
    tokenizer = load_tokenizer(folder, 10 * LONG_TOKENS)
    texts, some = [], []
    for sentence in setup.sentences:
        some.append(sentence)
        if len(some) % 16 == 0 and len(tokenizer.encode(" ".join(some)).ids) > LONG_TOKENS:
            texts.append(" ".join(some))
            some = []
        if len(texts) == LONG_TEXTS:
            break
    return texts


def scaling(setup):
    """Ours against ours: more sentences, fewer threads."""
    name, options = setup.gradus.precision("auto")
    sentences = setup.sentences

    def contender(label, text, threads=None):
        def measure():
            report = setup.gradus.bench(setup.model, text, options, threads)
            return report["sentences_per_second"]

        return Contender(f"{name}, {label}", measure)

    def of(count):
        # Whole rounds over the text and a part of one.
        many = sentences * (count // len(sentences) + 1)
        return contender(f"{count:,} sentences", setup.text(f"scale{count}", many[:count]))

    least, *more = map(of, SCALES)
    jobs = [Job(f"scaling-{count}", "sentences/s", c, [least]) for count, c in zip(SCALES[1:], more)]
    if setup.threads < 2:
        return jobs
    text = setup.text("threads", sentences[: SCALES[1]])
    many = contender(f"{setup.threads} threads", text)
    one = contender("1 thread", text, threads=1)
    return [*jobs, Job("scaling-threads", "sentences/s", many, [one])]


JOBS = {
    "encode-f32": encode_f32,
    "encode-bf16": encode_bf16,
    "encode-auto": encode_auto,
    "encode-int8": encode_int8,
    "latency": latency,
    "base-encode": base_encode,
    "long-encode": long_encode,
    "scaling": scaling,
}
