"""Jina BERT v2 in float64, one sequence at a time, written from its description
(Günther et al. 2023) and the published configuration; transformers has no class
for it. A variant, that of jina-embeddings-v2-base-code, normalises queries and
keys, adds a layer's input a second time behind attention, and has the gate behind
the values it opens for."""

import torch
from torch.nn.functional import gelu, layer_norm, linear

WIDTH, HEADS, LAYERS, INNER, EPS = 30, 5, 2, 42, 1e-12

PLAIN, QK_NORM = "jina-bert-implementation", "jina-bert-v2-qk-post-norm"


def config(code):
    return CONFIG | {
        "auto_map": {
            "AutoConfig": f"jinaai/{code}--configuration_bert.JinaBertConfig",
            "AutoModel": f"jinaai/{code}--modeling_bert.JinaBertModel",
        }
    }


CONFIG = {
    "architectures": ["JinaBertForMaskedLM"],
    "attention_probs_dropout_prob": 0.0,
    "attn_implementation": None,
    "auto_map": None,  # by the variant
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


def feed_forward(code):
    """The names of both matrices and of the norm behind them."""
    if code == QK_NORM:
        return "mlp.up_gated_layer", "mlp.down_layer", "layer_norm_2"
    return "mlp.gated_layers", "mlp.wo", "mlp.layernorm"


def shapes(vocabulary, code):
    """Every tensor's name and shape."""
    first, second, last = feed_forward(code)
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
        if code == QK_NORM:
            for part in ("attention.self.layer_norm_q", "attention.self.layer_norm_k", "layer_norm_1"):
                norm(f"{layer}.{part}")
        named[f"{layer}.{first}.weight"] = (2 * INNER, WIDTH)
        named[f"{layer}.{second}.weight"] = (WIDTH, INNER)
        named[f"{layer}.{second}.bias"] = (WIDTH,)
        norm(f"{layer}.{last}")
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


def forward(tensors, ids, code):
    """The last layer's vectors of the token ids, `[tokens, width]`."""
    first, second, last = feed_forward(code)

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
            linear(x, *at(f"{layer}.attention.self.{part}")) for part in ("query", "key", "value")
        )
        if code == QK_NORM:
            query = norm(query, f"{layer}.attention.self.layer_norm_q")
            key = norm(key, f"{layer}.attention.self.layer_norm_k")
        query, key, value = (part.view(tokens, HEADS, size) for part in (query, key, value))
        scores = torch.einsum("ihd,jhd->hij", query, key) / size**0.5 + bias
        context = torch.einsum("hij,jhd->ihd", scores.softmax(-1), value).reshape(tokens, WIDTH)
        mixed = linear(context, *at(f"{layer}.attention.output.dense"))
        attended = norm(x + mixed, f"{layer}.attention.output.LayerNorm")
        x = norm(x + attended, f"{layer}.layer_norm_1") if code == QK_NORM else attended
        gate, up = linear(x, *at(f"{layer}.{first}")).chunk(2, dim=-1)
        if code == QK_NORM:
            gate, up = up, gate
        fed = linear(gelu(gate) * up, *at(f"{layer}.{second}"))
        x = norm(x + fed, f"{layer}.{last}")
    return x


