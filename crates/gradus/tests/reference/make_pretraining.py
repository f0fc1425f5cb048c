"""Masked language models with their loss and the gradient of every parameter."""

import json
import shutil

import torch
from safetensors.torch import save_file
from transformers import AutoModelForMaskedLM, AutoTokenizer

from common import FIXTURES, MODELS, randomise, write_json

PRETRAINING = FIXTURES / "pretraining"
TEXTS = [
    "the cat sat on the red mat",
    "two birds singing in the old park, very slow",
    "one man was not happy and the other one read a book",
]
# What the tokens at these places of a text were replaced by: None is the mask.
CHOSEN = [{2: None, 4: 40}, {1: 17}, {3: None, 4: None, 8: 33, 10: 21}]


def write(name, source, seed):
    folder = PRETRAINING / name
    shutil.rmtree(folder, ignore_errors=True)
    tokenizer = AutoTokenizer.from_pretrained(MODELS / source)
    model = AutoModelForMaskedLM.from_pretrained(
        MODELS / source, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    randomise(model, seed)
    model.tie_weights()
    model.save_pretrained(folder)
    # The tokenizer as the fixture has it, not as this library rewrites it.
    for file in ["tokenizer.json", "tokenizer_config.json"]:
        shutil.copy(MODELS / source / file, folder)

    encoded = tokenizer(TEXTS, padding=True, return_tensors="pt")
    ids, mask = encoded["input_ids"], encoded["attention_mask"]
    labels = torch.full_like(ids, -100)
    for row, places in enumerate(CHOSEN):
        for place, replacement in places.items():
            labels[row, place] = ids[row, place]
            ids[row, place] = tokenizer.mask_token_id if replacement is None else replacement
    output = model(input_ids=ids, attention_mask=mask, labels=labels)
    output.loss.backward()
    grads = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    save_file(grads, PRETRAINING / f"{name}-gradients.safetensors")
    right = output.logits.argmax(-1) == labels
    write_json(
        PRETRAINING / f"{name}.json",
        {
            "loss": output.loss.item(),
            "correct": int(right.sum()),
            "token_ids": [i[m.bool()].tolist() for i, m in zip(ids, mask)],
            "targets": [
                {str(p): int(labels[row, p]) for p in places} for row, places in enumerate(CHOSEN)
            ],
        },
    )


if __name__ == "__main__":
    write("bert", "bert-small", seed=31)
    write("roberta", "roberta-small", seed=32)
    write("distilbert", "distilbert-small", seed=33)
    write("mpnet", "mpnet-small", seed=34)
