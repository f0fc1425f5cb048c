"""What the fixture scripts share."""

import json
import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")  # the reference is the CPU's

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer
from transformers.utils import logging

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
MODELS = FIXTURES / "models"

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
logging.set_verbosity_error()
logging.disable_progress_bar()


def rounded(values, digits=9):
    """Nested lists of floats; nine digits tell every f32 apart, 17 every f64."""
    if isinstance(values, torch.Tensor):
        values = values.detach().tolist()
    if isinstance(values, (list, tuple)):
        return [rounded(value, digits) for value in values]
    return float(f"{values:.{digits}g}")


def write_json(path, value):
    """One line per top-level entry: small, and still readable in a diff."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [
        f"{json.dumps(key)}: {json.dumps(entry, ensure_ascii=False)}"
        for key, entry in value.items()
    ]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def load(name, dtype=torch.float32):
    """A fixture's encoder and tokenizer. Eval mode: no dropout."""
    folder = MODELS / name
    model = AutoModel.from_pretrained(folder, dtype=dtype, attn_implementation="eager")
    return model.eval(), AutoTokenizer.from_pretrained(folder)


def mean_pool(hidden, mask):
    mask = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * mask).sum(1) / mask.sum(1)


def is_trained(name):
    """Sentence embeddings never pass through the pooler."""
    return not name.startswith("pooler.")


def randomise(module, seed):
    """Wide random values, so that no bias or LayerNorm can go unnoticed."""
    rng = np.random.default_rng(seed)
    for name, parameter in sorted(module.named_parameters()):
        parameter.data.copy_(noise_for(rng, name, tuple(parameter.shape)))


def noise_for(rng, name, shape):
    noise = torch.from_numpy(rng.standard_normal(shape))
    if len(shape) == 1:
        norm = any(word in name.lower() for word in ("norm", "emb_ln"))
        return 1 + 0.2 * noise if norm and name.endswith("weight") else 0.2 * noise
    if "embeddings." in name:
        return 0.5 * noise
    if "attention_bias" in name:
        return noise
    return 1.7 * noise / shape[1] ** 0.5
