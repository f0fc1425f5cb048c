"""Sentences to padded batches of ids."""

from pathlib import Path

import numpy as np
from tokenizers import Tokenizer


def load_tokenizer(folder, max_tokens):
    """The tokenizer without the wrapper of transformers, which takes longer."""
    tokenizer = Tokenizer.from_file(str(Path(folder) / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(max_tokens)
    return tokenizer


def padded(ids):
    """Ids and mask, padded to the longest."""
    width = max(map(len, ids))
    out = np.zeros((len(ids), width), dtype=np.int64)
    mask = np.zeros_like(out)
    for i, row in enumerate(ids):
        out[i, : len(row)] = row
        mask[i, : len(row)] = 1
    return out, mask


def sorted_batches(tokenizer, sentences, size):
    """Batches of sentences of like length, the longest first: their places and
    their padded ids."""
    ids = [encoding.ids for encoding in tokenizer.encode_batch_fast(sentences)]
    order = sorted(range(len(ids)), key=lambda i: -len(ids[i]))
    for start in range(0, len(order), size):
        places = order[start : start + size]
        yield places, *padded([ids[i] for i in places])
