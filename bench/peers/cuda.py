"""PyTorch on a card: training as people run it, compiled, and as one CUDA graph; encoding
padded by sentence-transformers, and packed.

As a program, `python -m peers.cuda --train FOLDER ...` trains for some steps, in a process of
its own whose memory on the card can be measured.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from transformers import BertModel

from .tokens import load_tokenizer, padded
from .train import Regression, parameter_groups, smooth_k2

CLIP = 10.0
# Tokens that every text has in a graph.
FIXED = 48


def half():
    return torch.autocast("cuda", dtype=torch.bfloat16)


class OnCard(Regression):
    """The regression, whose head is in f32 on a card too."""

    def forward(self, ids, mask):
        hidden = self.bert(input_ids=ids, attention_mask=mask).last_hidden_state
        keep = mask.unsqueeze(-1).to(hidden.dtype)
        vectors = nn.functional.normalize((hidden * keep).sum(1) / keep.sum(1), dim=1)
        u, v = vectors.float().chunk(2)
        with torch.autocast("cuda", enabled=False):
            return self.head(torch.cat([u, v, (u - v).abs()], dim=1)).squeeze(1)


class RegressionTrainer:
    """Texts are tokenised beforehand, the optimizer is the fused one. `how`: eager, compiled or
    graph, in which a whole step of texts of FIXED tokens is one CUDA graph."""

    def __init__(self, folder, max_tokens, pairs, batch, how):
        torch.manual_seed(1)
        self.how, self.batch, self.at = how, batch, 0
        self.model = OnCard(folder).train().cuda()
        graph = how == "graph"
        groups = parameter_groups(self.model)
        self.optimizer = torch.optim.AdamW(groups, fused=True, capturable=graph)
        tokenizer = load_tokenizer(folder, FIXED if graph else max_tokens)
        scores, first, second = zip(*pairs)
        self.scores = torch.tensor(scores).cuda()
        self.first = [e.ids for e in tokenizer.encode_batch_fast(list(first))]
        self.second = [e.ids for e in tokenizer.encode_batch_fast(list(second))]
        self.forward = torch.compile(self.model, dynamic=True) if how == "compiled" else self.model
        if graph:
            self.capture()

    def some(self):
        if self.at + self.batch > len(self.first):
            self.at = 0
        some = slice(self.at, self.at + self.batch)
        self.at += self.batch
        ids = self.first[some] + self.second[some]
        if self.how != "graph":
            return (*padded(ids), self.scores[some])
        out = np.zeros((len(ids), FIXED), dtype=np.int64)
        mask = np.zeros_like(out)
        for i, row in enumerate(ids):
            out[i, : len(row)], mask[i, : len(row)] = row, 1
        return out, mask, self.scores[some]

    def whole(self, ids, mask, scores):
        with half():
            predictions = self.forward(ids, mask)
        loss = smooth_k2(predictions, scores)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP, foreach=True)
        self.optimizer.step()
        return loss

    def capture(self):
        ids, mask, scores = self.some()
        self.static = [torch.from_numpy(ids).cuda(), torch.from_numpy(mask).cuda(), scores.clone()]
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self.optimizer.zero_grad(set_to_none=True)
                self.whole(*self.static)
        torch.cuda.current_stream().wait_stream(side)
        self.optimizer.zero_grad(set_to_none=True)
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.loss = self.whole(*self.static)

    def step(self):
        ids, mask, scores = self.some()
        if self.how == "graph":
            for own, new in zip(self.static, (torch.from_numpy(ids), torch.from_numpy(mask), scores)):
                own.copy_(new, non_blocking=True)
            self.graph.replay()
            return self.loss
        ids, mask = (torch.from_numpy(x).cuda(non_blocking=True) for x in (ids, mask))
        self.optimizer.zero_grad(set_to_none=True)
        return self.whole(ids, mask, scores)


class SimCseTrainer:
    """SimCSE's loop; `how`: eager or compiled."""

    def __init__(self, folder, sentences, batch, how):
        from .contrastive import MAX_TOKENS, RATE, SimCse

        torch.manual_seed(1)
        self.batch, self.at = batch, 0
        self.model = SimCse(folder).train().cuda()
        groups = [g | {"weight_decay": 0.0} for g in parameter_groups(self.model, RATE)]
        self.optimizer = torch.optim.AdamW(groups, fused=True)
        tokenizer = load_tokenizer(folder, MAX_TOKENS)
        self.ids = [e.ids for e in tokenizer.encode_batch_fast(sentences)]
        self.forward = torch.compile(self.model, dynamic=True) if how == "compiled" else self.model
        self.labels = torch.arange(batch).cuda()

    def step(self):
        from .contrastive import CLIP, TEMPERATURE

        if self.at + self.batch > len(self.ids):
            self.at = 0
        some = self.ids[self.at : self.at + self.batch]
        self.at += self.batch
        ids, mask = (torch.from_numpy(x).cuda(non_blocking=True) for x in padded(some + some))
        with half():
            vectors = self.forward(ids, mask)
        first, second = nn.functional.normalize(vectors.float(), dim=1).chunk(2)
        loss = nn.functional.cross_entropy(first @ second.T / TEMPERATURE, self.labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), CLIP, foreach=True)
        self.optimizer.step()
        return loss


class PackedBert(nn.Module):
    """BERT's encoder without padding, with mean pooling: texts lie end to end, attention is
    PyTorch's of variable lengths."""

    def __init__(self, folder):
        super().__init__()
        bert = BertModel.from_pretrained(folder, add_pooling_layer=False, dtype=torch.bfloat16)
        self.bert = bert.eval().cuda()
        self.heads = bert.config.num_attention_heads

    def forward(self, ids, places, offsets, longest, texts, count):
        from torch.nn.attention.varlen import varlen_attn

        parts = self.bert.embeddings
        x = parts.word_embeddings(ids) + parts.position_embeddings(places)
        x = parts.LayerNorm(x + parts.token_type_embeddings.weight[0])
        for layer in self.bert.encoder.layer:
            own = layer.attention.self
            q, k, v = (f(x).unflatten(-1, (self.heads, -1)) for f in (own.query, own.key, own.value))
            y = varlen_attn(q, k, v, offsets, offsets, longest, longest).flatten(-2)
            out = layer.attention.output
            x = out.LayerNorm(out.dense(y) + x)
            y = layer.output.dense(layer.intermediate.intermediate_act_fn(layer.intermediate.dense(x)))
            x = layer.output.LayerNorm(y + x)
        sums = torch.zeros(count, x.shape[1], device=x.device, dtype=torch.float32)
        sums.index_add_(0, texts, x.float())
        return nn.functional.normalize(sums / (offsets[1:] - offsets[:-1]).unsqueeze(1), dim=1)


class PackedEncoder:
    """Batches of so many tokens, tokenised and packed beforehand."""

    def __init__(self, folder, max_tokens, sentences, tokens, compiled):
        self.model = PackedBert(folder)
        self.run = torch.compile(self.model, dynamic=True) if compiled else self.model
        tokenizer = load_tokenizer(folder, max_tokens)
        ids = sorted((e.ids for e in tokenizer.encode_batch_fast(sentences)), key=len)
        self.sentences, self.batches, some = len(ids), [], []
        for row in ids:
            if some and sum(map(len, some)) + len(row) > tokens:
                self.batches.append(self.packed(some))
                some = []
            some.append(row)
        self.batches.append(self.packed(some))

    @staticmethod
    def packed(rows):
        lengths = np.array([len(row) for row in rows])
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
        places = np.concatenate([np.arange(n) for n in lengths])
        texts = np.repeat(np.arange(len(rows)), lengths)
        tensors = (np.concatenate(rows), places, offsets, texts)
        ids, places, offsets, texts = (torch.from_numpy(np.asarray(t)).cuda() for t in tensors)
        return ids, places, offsets, int(lengths.max()), texts, len(rows)

    def rate(self):
        with torch.inference_mode():
            for batch in self.batches[:2]:
                self.run(*batch).cpu()
            torch.cuda.synchronize()
            begun = time.perf_counter()
            for batch in self.batches:
                self.run(*batch).cpu()
            return self.sentences / (time.perf_counter() - begun)


def sentence_transformers_rate(folder, sentences, batch):
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(folder, device="cuda", model_kwargs={"dtype": torch.bfloat16})
    model.encode(sentences[:2048], batch_size=batch)
    torch.cuda.synchronize()
    begun = time.perf_counter()
    model.encode(sentences, batch_size=batch)
    return len(sentences) / (time.perf_counter() - begun)


def used():
    """Bytes in use on the card."""
    query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits", "-i", "0"]
    return int(subprocess.run(query, capture_output=True, text=True, check=True).stdout) << 20


@contextlib.contextmanager
def watched():
    """The most that is in use on the card meanwhile, beyond what was before."""
    before, found, ended = used(), [0], threading.Event()

    def watch():
        while not ended.wait(0.05):
            found[0] = max(found[0], used() - before)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield found
    finally:
        ended.set()
        thread.join()


def memory_of(command, folder=None):
    """The most bytes that a command held on the card."""
    with watched() as found:
        done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stderr}")
    return found[0]


def rate(trainer, warm, steps):
    """As `examples_per_second`, with the card's work done at both ends."""
    trainer.at = 0
    for _ in range(warm):
        trainer.step()
    torch.cuda.synchronize()
    begun = time.perf_counter()
    for _ in range(steps):
        loss = trainer.step()
    loss = float(loss.detach())
    torch.cuda.synchronize()
    if loss != loss:
        raise SystemExit("the loss of PyTorch is no number")
    return steps * trainer.batch / (time.perf_counter() - begun)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--train", required=True)
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--max-tokens", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--how", default="eager")
    args = parser.parse_args()
    pairs = json.loads(args.pairs.read_text(encoding="utf-8"))
    trainer = RegressionTrainer(args.train, args.max_tokens, pairs, args.batch, args.how)
    rate(trainer, 2, 5)


if __name__ == "__main__":
    main()
