"""Difference prediction on a tiny BERT, in float64: the loss of a discriminator
whose first token is a given vector, and its gradients."""

import numpy as np
import torch
import torch.nn.functional as F

from common import FIXTURES, load, rounded, write_json

# Token ids of rebuilt texts, and which of them are others than in the text.
TEXTS = [
    ([2, 17, 40, 23, 61, 9, 3], [0, 0, 1, 0, 1, 0, 0]),
    ([2, 88, 3], [0, 0, 0]),
    ([2, 30, 31, 32, 33, 34, 35, 36, 37, 3], [0, 1, 1, 1, 0, 0, 1, 0, 0, 0]),
]
CLASSES = 2
STORED = [
    "embeddings.word_embeddings.weight",
    "embeddings.LayerNorm.weight",
    "embeddings.LayerNorm.bias",
    "encoder.layer.0.attention.self.value.weight",
    "encoder.layer.1.output.LayerNorm.weight",
]


def main():
    model, _ = load("bert-small", torch.float64)
    width = model.config.hidden_size
    rng = np.random.default_rng(41)
    draw = lambda *shape: torch.from_numpy(rng.standard_normal(shape))
    vectors = draw(len(TEXTS), width).requires_grad_()
    weight = (0.3 * draw(CLASSES, width)).requires_grad_()
    bias = (0.3 * draw(CLASSES)).requires_grad_()

    longest = max(len(ids) for ids, _ in TEXTS)
    pad = lambda row: row + [0] * (longest - len(row))
    ids = torch.tensor([pad(ids) for ids, _ in TEXTS])
    classes = torch.tensor([pad(classes) for _, classes in TEXTS])
    mask = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in TEXTS])

    embedded = model.embeddings(input_ids=ids, token_type_ids=torch.zeros_like(ids))
    embedded = torch.cat([vectors.unsqueeze(1), embedded[:, 1:]], dim=1)
    hidden_mask = (1.0 - mask[:, None, None, :].double()) * -1e30
    hidden = model.encoder(embedded, attention_mask=hidden_mask).last_hidden_state
    scores = hidden @ weight.T + bias
    each = F.cross_entropy(scores.view(-1, CLASSES), classes.view(-1), reduction="none")
    real = mask.view(-1).bool()
    loss = each[real].mean()
    loss.backward()
    right = (scores.argmax(-1) == classes).view(-1)
    replaced = classes.view(-1) == 1
    parameters = dict(model.named_parameters())
    write_json(
        FIXTURES / "difference.json",
        {
            "texts": [ids for ids, _ in TEXTS],
            "replaced": [classes for _, classes in TEXTS],
            "vectors": rounded(vectors),
            "weight": rounded(weight),
            "bias": rounded(bias),
            "loss": loss.item(),
            "told_replaced": int((right & replaced & real).sum()),
            "told_kept": int((right & ~replaced & real).sum()),
            "vector_gradients": rounded(vectors.grad),
            "gradients": {
                "classifier.weight": rounded(weight.grad),
                "classifier.bias": rounded(bias.grad),
                **{name: rounded(parameters[name].grad) for name in STORED},
            },
        },
    )


if __name__ == "__main__":
    main()
