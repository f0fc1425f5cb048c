"""Vectors at a template's mask with and without the template's bias, and the
gradients of every parameter, by transformers (PromptBERT; Jiang et al. 2022)."""

import torch
from safetensors.torch import save_file

from common import FIXTURES, is_trained, load, rounded, write_json

TEXTS = [
    "a dog",
    "the old man and the young woman walk very slow to the river and the house in the park",
    "red",
    "the cat , the bird !",
    "a cat",
]
MODELS = {
    "bert-small": ('the book : "', '" is [MASK].'),
    "roberta-small": ("the book : ", " is <mask>."),
}
MAX_TOKENS = 22


def tokens(tokenizer, before, after, text, max_tokens):
    """The template's tokens around as many of the text's as have room. White
    space before the text goes with it, as in the whole sentence."""
    bare = lambda part: tokenizer(part, add_special_tokens=False)["input_ids"]
    first, last = tokenizer("")["input_ids"]
    whole = bare(before + text + after)
    front, glue = before.rstrip(), before[len(before.rstrip()) :]
    front, back, text = bare(front), bare(after), bare(glue + text)
    assert front + text + back == whole
    room = max_tokens - 2 - len(front) - len(back)
    assert room > 5
    return [first, *front], text[:room], [*back, last]


def vector(model, mask_id, ids, positions):
    hidden = model(
        input_ids=torch.tensor([ids]), position_ids=torch.tensor([positions])
    ).last_hidden_state[0]
    return hidden[ids.index(mask_id)]


def write(name, before, after):
    model, tokenizer = load(name)
    config = model.config
    first = config.pad_token_id + 1 if config.model_type == "roberta" else 0
    plain, denoised, all_tokens = [], [], []
    for text in TEXTS:
        front, middle, back = tokens(tokenizer, before, after, text, MAX_TOKENS)
        whole = front + middle + back
        positions = [first + i for i in range(len(whole))]
        kept = positions[: len(front)] + positions[len(front) + len(middle) :]
        h = vector(model, tokenizer.mask_token_id, whole, positions)
        bias = vector(model, tokenizer.mask_token_id, front + back, kept)
        plain.append(h)
        denoised.append(h - bias)
        all_tokens.append(whole)
    denoised = torch.stack(denoised)
    generator = torch.Generator().manual_seed(5)
    cotangent = torch.randn(denoised.shape, generator=generator)
    (denoised * cotangent).sum().backward()
    write_json(
        FIXTURES / "templates" / f"{name}.json",
        {
            "template": before + "{}" + after,
            "max_tokens": MAX_TOKENS,
            "texts": TEXTS,
            "tokens": all_tokens,
            "plain": rounded(torch.stack(plain)),
            "denoised": rounded(denoised),
        },
    )
    gradients = {n: p.grad for n, p in model.named_parameters() if is_trained(n)}
    tensors = {**gradients, "cotangent": cotangent}
    tensors = {name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file(tensors, FIXTURES / "templates" / f"{name}.safetensors")


if __name__ == "__main__":
    for name, (before, after) in MODELS.items():
        write(name, before, after)
