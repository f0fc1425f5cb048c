"""Jina BERT v2 in float64, one sequence at a time, written from its description
(Günther et al. 2023) and the published configuration; transformers has no class
for it."""

import torch
from torch.nn.functional import gelu, layer_norm, linear

WIDTH, HEADS, LAYERS, INNER, EPS = 30, 5, 2, 42, 1e-12

CONFIG = {
    "architectures": ["JinaBertForMaskedLM"],
    "attention_probs_dropout_prob": 0.0,
    "attn_implementation": None,
    "auto_map": {
        "AutoConfig": "jinaai/jina-bert-implementation--configuration_bert.JinaBertConfig",
        "AutoModel": "jinaai/jina-bert-implementation--modeling_bert.JinaBertModel",
    },
    "classifier_dropout": None,
    "emb_pooler": "mean",
    "feed_forward_type": "geglu",
    "gradient_checkpointing": False,
    "hidden_act": "gelu",
    "hidden_dropout_prob": 0.1,
    "hidden_size": WIDTH,
    "initializer_range": 0.02,
    "intermediate_size": INNER,
    "layer_norm_eps": EPS,
    "max_position_embeddings": 8192,
    "model_max_length": 8192,
    "model_type": "bert",
    "num_attention_heads": HEADS,
    "num_hidden_layers": LAYERS,
    "pad_token_id": 0,
    "position_embedding_type": "alibi",
    "torch_dtype": "float32",
    "type_vocab_size": 2,
    "use_cache": True,
}


def shapes(vocabulary):
    """Every tensor's name and shape."""
    named = {
        "embeddings.word_embeddings.weight": (vocabulary, WIDTH),
        "embeddings.token_type_embeddings.weight": (2, WIDTH),
    }

    def norm(name):
        named[f"{name}.weight"] = named[f"{name}.bias"] = (WIDTH,)

    norm("embeddings.LayerNorm")
    for i in range(LAYERS):
        layer = f"encoder.layer.{i}"
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            named[f"{layer}.attention.{part}.weight"] = (WIDTH, WIDTH)
            named[f"{layer}.attention.{part}.bias"] = (WIDTH,)
        norm(f"{layer}.attention.output.LayerNorm")
        named[f"{layer}.mlp.gated_layers.weight"] = (2 * INNER, WIDTH)
        named[f"{layer}.mlp.wo.weight"] = (WIDTH, INNER)
        named[f"{layer}.mlp.wo.bias"] = (WIDTH,)
        norm(f"{layer}.mlp.layernorm")
    named["pooler.dense.weight"], named["pooler.dense.bias"] = (WIDTH, WIDTH), (WIDTH,)
    return named


def slopes(heads):
    """One per head; for eight heads 1/2, 1/4, ..., 1/256."""
    power = 1
    while 2 * power <= heads:
        power *= 2
    first = [2 ** (-8 * (i + 1) / power) for i in range(power)]
    # The odd ones of twice as many lie between these.
    between = [2 ** (-8 * (2 * i + 1) / (2 * power)) for i in range(heads - power)]
    return torch.tensor(first + between, dtype=torch.float64)


def forward(tensors, ids):
    """The last layer's vectors of the token ids, `[tokens, width]`."""

    def at(name):
        return tensors[f"{name}.weight"], tensors.get(f"{name}.bias")

    def norm(x, name):
        return layer_norm(x, (WIDTH,), *at(name), EPS)

    tokens, size = len(ids), WIDTH // HEADS
    places = torch.arange(tokens, dtype=torch.float64)
    distance = (places[:, None] - places[None, :]).abs()
    bias = -slopes(HEADS)[:, None, None] * distance

    x = tensors["embeddings.word_embeddings.weight"][torch.tensor(ids)]
    x = norm(x + tensors["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
    for i in range(LAYERS):
        layer = f"encoder.layer.{i}"
        query, key, value = (
            linear(x, *at(f"{layer}.attention.self.{part}")).view(tokens, HEADS, size)
            for part in ("query", "key", "value")
        )
        scores = torch.einsum("ihd,jhd->hij", query, key) / size**0.5 + bias
        context = torch.einsum("hij,jhd->ihd", scores.softmax(-1), value).reshape(tokens, WIDTH)
        mixed = linear(context, *at(f"{layer}.attention.output.dense"))
        x = norm(x + mixed, f"{layer}.attention.output.LayerNorm")
        gate, up = linear(x, *at(f"{layer}.mlp.gated_layers")).chunk(2, dim=-1)
        fed = linear(gelu(gate) * up, *at(f"{layer}.mlp.wo"))
        x = norm(x + fed, f"{layer}.mlp.layernorm")
    return x


