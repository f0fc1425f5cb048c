"""How fast a machine could do a job at best."""

import dataclasses
import json
from pathlib import Path

from .tokens import load_tokenizer

# What AdamW moves of a parameter: itself, two moments and the gradient read, the
# first three written.
ADAMW_BYTES = 28


@dataclasses.dataclass
class Work:
    """What one unit of a job (a sentence, a pair) needs at least."""

    operations: float
    precision: str
    bytes: float = 0.0

    def limit(self, machine):
        """Units a second: arithmetic at the machine's best, and then the bytes."""
        # int8 has twice the rate of bf16 wherever both are.
        key, factor = {
            "f32": ("f32_operations_per_second", 1),
            "bf16": ("bf16_operations_per_second", 1),
            "int8": ("bf16_operations_per_second", 2),
        }[self.precision]
        if not machine.get(key):
            return None
        seconds = self.operations / (factor * machine[key])
        seconds += self.bytes / machine["read_bytes_per_second"]
        return 1 / seconds


def shape(folder):
    config = json.loads((Path(folder) / "config.json").read_text(encoding="utf-8"))
    return config["hidden_size"], config["num_hidden_layers"], config["intermediate_size"]


def layer_parameters(folder):
    hidden, layers, inner = shape(folder)
    return layers * (4 * hidden * hidden + 2 * hidden * inner)


def forward_operations(folder, lengths):
    """Multiplications and additions, each counted, of texts of such lengths, on average:
    products with weights, and attention's two."""
    hidden, layers, _ = shape(folder)
    products = 2 * layer_parameters(folder) * sum(lengths)
    attention = 4 * layers * hidden * sum(n * n for n in lengths)
    return (products + attention) / len(lengths)


def lengths_of(folder, max_tokens, texts):
    tokenizer = load_tokenizer(folder, max_tokens)
    return [len(encoding.ids) for encoding in tokenizer.encode_batch_fast(list(texts))]


def encoding(setup, folder, sentences, precision, max_tokens=None):
    lengths = lengths_of(folder, max_tokens or setup.max_tokens, sentences)
    return Work(forward_operations(folder, lengths), precision)


def training(setup, folder, pairs, batch, precision, max_tokens=None):
    """Forward and backward of both texts, and AdamW on all but embeddings."""
    texts = [text for _, first, second in pairs for text in (first, second)]
    lengths = lengths_of(folder, max_tokens or setup.max_tokens, texts)
    operations = 3 * 2 * forward_operations(folder, lengths)
    return Work(operations, precision, ADAMW_BYTES * layer_parameters(folder) / batch)
