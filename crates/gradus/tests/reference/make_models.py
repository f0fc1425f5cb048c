"""Tiny random models in the layouts found in the wild, with their embeddings."""

import json
import shutil
import string

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.modules import (
    Dense,
    Normalize,
    Pooling,
    Transformer,
)
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoTokenizer,
    BertConfig,
    BertForPreTraining,
    BertModel,
    BertTokenizer,
    DistilBertConfig,
    DistilBertForMaskedLM,
    ElectraConfig,
    ElectraForPreTraining,
    MPNetConfig,
    MPNetModel,
    NomicBertConfig,
    NomicBertModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    RobertaTokenizer,
    XLMRobertaConfig,
    XLMRobertaModel,
)

import jina_bert
from common import (
    FIXTURES,
    MODELS,
    is_trained,
    load,
    mean_pool,
    noise_for,
    randomise,
    rounded,
    write_json,
)

WORDS = """the a of on in is was at to and dog cat bird man woman child sat run play sing eat
read walk sleep jump big small red blue green old young happy park house river street book food
guitar ball hello world not two one three very fast slow under over""".split()
SUFFIXES = ["##s", "##ing", "##ed", "##er", "##ly", "##ness"]
PUNCTUATION = list(".,!?'-:;()")

LONG = "the old man and the young woman walk very slow to the river and " * 5
TEXTS = [
    "",
    "a",
    "!?...",
    "The cat sat on the mat.",
    "two dogs playing in the park, (singing) happily",
    "Café déjà-vu: naïve Ångström!",
    "我爱北京 and 東京",
    "🙂 Ωψ ☃ hello",
    "  spaced   out\ttext\n",
    "one [MASK] and [SEP] two",
    "42 guitars; 1000 readers' books",
    "supercalifragilistic unhappiness\u200b zero\u00adwidth\u00a0x",
    LONG.strip(),
]
# What the two trained tokenizers learn their pieces from.
CORPUS = [
    "The cat sat on the mat and the dog sat on the cat.",
    "Two dogs are playing in the park while a child is singing.",
    "An old man reads a book under the green tree by the river.",
    "The young woman walks over the street to the big red house.",
    "She was not happy, but the food was very good!",
    "A man is playing a guitar; three birds are sleeping.",
    "Hello world, this is one small sentence of four or five words.",
    "Le café était déjà fermé, naïve Ångström?",
    "1 2 3 4 5 6 7 8 9 0 (and so on): it's done.",
]


def word_pieces(cased=False):
    pieces = ["[PAD]", "[unused0]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    characters = list(string.ascii_lowercase + string.digits)
    if cased:
        characters += list("TCHA" + "éï")
    pieces += PUNCTUATION + ["我", "京", "ω"] + characters
    pieces += [f"##{c}" for c in characters] + WORDS + SUFFIXES
    return pieces + (["The", "##fé"] if cased else [])


def bert_tokenizer(**options):
    vocab = {piece: i for i, piece in enumerate(word_pieces())}
    return BertTokenizer(vocab=vocab, do_lower_case=True, **options)


def roberta_tokenizer():
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.train_from_iterator(
        CORPUS,
        trainers.BpeTrainer(
            vocab_size=320,
            special_tokens=special,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    learned = json.loads(bpe.to_str())["model"]
    return RobertaTokenizer(
        vocab=learned["vocab"],
        merges=[tuple(merge) for merge in learned["merges"]],
        model_max_length=38,
    )


def unigram_tokenizer():
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    # Pieces and scores by rule rather than trained: the trainer breaks ties at random.
    pieces = [(piece, 0.0) for piece in special]
    pieces += [("▁", -2.5)]
    pieces += [(f"▁{word}", -3.0 - 0.05 * i) for i, word in enumerate(WORDS)]
    pieces += [(suffix[2:], -4.0 - 0.1 * i) for i, suffix in enumerate(SUFFIXES)]
    seen = {piece for piece, _ in pieces}
    characters = string.ascii_letters + string.digits + "".join(PUNCTUATION) + "éäï我京"
    pieces += [(c, -7.0 - 0.02 * i) for i, c in enumerate(characters) if c not in seen]
    pieces += [("<mask>", 0.0)]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3, byte_fallback=False))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace(prepend_scheme="always")]
    )
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    tokenizer.post_processor = processors.TemplateProcessing(
        single=["<s>", "$A", "</s>"],
        pair=["<s>", "$A", "</s>", "</s>", "$B", "</s>"],
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        cls_token="<s>",
        eos_token="</s>",
        sep_token="</s>",
        pad_token="<pad>",
        unk_token="<unk>",
        mask_token="<mask>",
        model_input_names=["input_ids", "attention_mask"],
    )


def write_plain(name, model, tokenizer, seed, dtype=torch.float32):
    """A transformers folder, as the hub has for models without modules.json."""
    folder = MODELS / name
    shutil.rmtree(folder, ignore_errors=True)
    randomise(model, seed)
    model.to(dtype).save_pretrained(folder)
    write_tokenizer(folder, tokenizer)
    return folder


def write_tokenizer(folder, tokenizer):
    tokenizer.save_pretrained(folder)
    # Where this library happened to load the tokenizer from says nothing to a reader.
    config = json.loads((folder / "tokenizer_config.json").read_text())
    for key in ("is_local", "local_files_only", "name_or_path"):
        config.pop(key, None)
    write_indented(folder / "tokenizer_config.json", config)


def write_indented(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def add_modules(folder, dim, max_seq_length, normalize):
    """The layout and names of sentence-transformers before version 6, which
    nearly every published model has."""
    modules = ["Transformer", "Pooling"] + (["Normalize"] if normalize else [])
    write_indented(
        folder / "modules.json",
        [
            {
                "idx": i,
                "name": str(i),
                "path": f"{i}_{module}" if i else "",
                "type": f"sentence_transformers.models.{module}",
            }
            for i, module in enumerate(modules)
        ],
    )
    write_indented(
        folder / "sentence_bert_config.json",
        {"max_seq_length": max_seq_length, "do_lower_case": False},
    )
    write_indented(
        folder / "1_Pooling" / "config.json",
        {
            "word_embedding_dimension": dim,
            "pooling_mode_cls_token": False,
            "pooling_mode_mean_tokens": True,
            "pooling_mode_max_tokens": False,
            "pooling_mode_mean_sqrt_len_tokens": False,
        },
    )


def write_bert_odd():
    config = BertConfig(
        vocab_size=len(word_pieces()),
        hidden_size=312,
        num_attention_heads=12,
        num_hidden_layers=1,
        intermediate_size=64,
        max_position_embeddings=40,
        layer_norm_eps=1e-12,
    )
    write_plain("bert-odd", BertModel(config), bert_tokenizer(), 1, torch.bfloat16)


def write_bert_small():
    config = BertConfig(
        vocab_size=len(word_pieces()),
        hidden_size=32,
        num_attention_heads=4,
        num_hidden_layers=2,
        intermediate_size=64,
        max_position_embeddings=64,
        layer_norm_eps=1e-5,
    )
    tokenizer = bert_tokenizer(model_max_length=64)
    folder = write_plain("bert-small", BertModel(config), tokenizer, 2)
    add_modules(folder, dim=32, max_seq_length=24, normalize=True)


def write_bert_relu_prefixed():
    """As the oldest checkpoints are: a prefix, heads, LayerNorm.gamma and
    LayerNorm.beta, stored position ids, a cased vocab.txt alone; in two shards."""
    folder = MODELS / "bert-relu-prefixed"
    shutil.rmtree(folder, ignore_errors=True)
    pieces = word_pieces(cased=True)
    config = BertConfig(
        vocab_size=len(pieces),
        hidden_size=20,
        num_attention_heads=5,
        num_hidden_layers=2,
        intermediate_size=40,
        max_position_embeddings=32,
        hidden_act="relu",
        architectures=["BertForPreTraining"],
    )
    model = BertForPreTraining(config)
    randomise(model, 3)
    tensors = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"):
            tensor.to(torch.float16).clone()
        for name, tensor in model.state_dict().items()
        if not name.startswith("cls.predictions.decoder.")  # tied to the embeddings
    }
    tensors["bert.embeddings.position_ids"] = torch.arange(32).unsqueeze(0)
    config.dtype = torch.float16
    config.save_pretrained(folder)
    names = sorted(tensors)
    half = len(names) // 2
    weight_map = {}
    for shard, part in enumerate([names[:half], names[half:]], start=1):
        file = f"model-{shard:05}-of-00002.safetensors"
        save_file({name: tensors[name] for name in part}, folder / file, {"format": "pt"})
        weight_map |= {name: file for name in part}
    total = sum(tensor.nbytes for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    write_indented(folder / "model.safetensors.index.json", index)
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n", encoding="utf-8")
    tokenizer_config = {
        "tokenizer_class": "BertTokenizer",
        "do_lower_case": False,
        "model_max_length": 32,
    }
    write_indented(folder / "tokenizer_config.json", tokenizer_config)


def write_bert_gelu_new():
    """Saved by sentence-transformers 6 itself, so with its newer names."""
    config = BertConfig(
        vocab_size=len(word_pieces()),
        hidden_size=24,
        num_attention_heads=3,
        num_hidden_layers=1,
        intermediate_size=48,
        max_position_embeddings=48,
        hidden_act="gelu_new",
    )
    tokenizer = bert_tokenizer(model_max_length=20)
    plain = write_plain("plain", BertModel(config), tokenizer, 4)
    dense = Dense(24, 16, bias=True)
    randomise(dense, 5)
    dense.linear.weight.data *= 0.3  # within tanh's bend
    transformer = Transformer(str(plain))
    model = SentenceTransformer(
        modules=[transformer, Pooling(24, "cls"), dense, Normalize()], device="cpu"
    )
    folder = MODELS / "bert-gelu-new"
    shutil.rmtree(folder, ignore_errors=True)
    model.save(str(folder), create_model_card=False)
    # The tokenizer as `write_plain` cleaned it.
    shutil.copy(plain / "tokenizer_config.json", folder)
    shutil.rmtree(plain)


def write_roberta_small():
    tokenizer = roberta_tokenizer()
    config = RobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        num_attention_heads=4,
        num_hidden_layers=2,
        intermediate_size=64,
        max_position_embeddings=40,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
    )
    write_plain("roberta-small", RobertaModel(config), tokenizer, 6)


def write_xlmr_small():
    tokenizer = unigram_tokenizer()
    config = XLMRobertaConfig(
        vocab_size=len(tokenizer),
        hidden_size=24,
        num_attention_heads=2,
        num_hidden_layers=2,
        intermediate_size=48,
        max_position_embeddings=34,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
    )
    folder = write_plain("xlmr-small", XLMRobertaModel(config), tokenizer, 7)
    add_modules(folder, dim=24, max_seq_length=32, normalize=False)


def write_distilbert_small():
    """As published checkpoints are: the head of the pre-training beside it."""
    tokenizer = bert_tokenizer(model_max_length=40, model_input_names=["input_ids", "attention_mask"])
    config = DistilBertConfig(
        vocab_size=len(word_pieces()),
        dim=24,
        n_heads=3,
        n_layers=2,
        hidden_dim=40,
        max_position_embeddings=40,
    )
    write_plain("distilbert-small", DistilBertForMaskedLM(config), tokenizer, 8)


def write_nomic_small():
    """Weights under the published names, and a configuration with the published
    keys, those of GPT-2, beside those of transformers."""
    tokenizer = bert_tokenizer(model_max_length=8192)
    config = NomicBertConfig(
        vocab_size=len(word_pieces()),
        hidden_size=24,
        num_attention_heads=3,
        num_hidden_layers=2,
        intermediate_size=40,
        max_position_embeddings=64,
        rope_parameters={"rope_type": "default", "rope_theta": 1000.0},
        hidden_act="silu",
    )
    folder = write_plain("nomic-small", NomicBertModel(config), tokenizer, 9)
    described = json.loads((folder / "config.json").read_text())
    described |= {
        "activation_function": "swiglu",
        "attn_pdrop": 0.0,
        "causal": False,
        "embd_pdrop": 0.0,
        "layer_norm_epsilon": 1e-12,
        "max_trained_positions": 2048,
        "mlp_fc1_bias": False,
        "mlp_fc2_bias": False,
        "n_embd": 24,
        "n_head": 3,
        "n_inner": 40,
        "n_layer": 2,
        "n_positions": 8192,
        "parallel_block": False,
        "prenorm": False,
        "qkv_proj_bias": False,
        "resid_pdrop": 0.0,
        "rotary_emb_base": 1000,
        "rotary_emb_fraction": 1.0,
        "rotary_emb_interleaved": False,
        "rotary_emb_scale_base": None,
        "rotary_scaling_factor": None,
        "use_rms_norm": False,
    }
    write_indented(folder / "config.json", described)
    add_modules(folder, dim=24, max_seq_length=48, normalize=False)


def write_electra_small():
    """As published checkpoints are: the head of the pre-training beside it."""
    tokenizer = bert_tokenizer(model_max_length=48)
    config = ElectraConfig(
        vocab_size=len(word_pieces()),
        embedding_size=24,
        hidden_size=24,
        num_attention_heads=3,
        num_hidden_layers=2,
        intermediate_size=40,
        max_position_embeddings=48,
        layer_norm_eps=1e-5,
    )
    write_plain("electra-small", ElectraForPreTraining(config), tokenizer, 13)


def write_mpnet_small():
    tokenizer = roberta_tokenizer()
    config = MPNetConfig(
        vocab_size=len(tokenizer),
        hidden_size=24,
        num_attention_heads=3,
        num_hidden_layers=2,
        intermediate_size=40,
        max_position_embeddings=200,
        layer_norm_eps=1e-5,
    )
    tokenizer.model_max_length = 180
    write_plain("mpnet-small", MPNetModel(config), tokenizer, 10)


def write_jina(name, code, seed):
    folder = MODELS / name
    shutil.rmtree(folder, ignore_errors=True)
    vocabulary = len(word_pieces())
    rng = np.random.default_rng(seed)
    tensors = {
        name: noise_for(rng, name, shape).to(torch.float32)
        for name, shape in jina_bert.shapes(vocabulary, code).items()
    }
    folder.mkdir(parents=True)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    write_indented(folder / "config.json", jina_bert.config(code) | {"vocab_size": vocabulary})
    tokenizer = bert_tokenizer(model_max_length=8192)
    write_tokenizer(folder, tokenizer)

    wide = {name: tensor.double() for name, tensor in tensors.items()}
    token_ids = [tokenizer(text)["input_ids"] for text in TEXTS]
    vectors = [rounded(jina_bert.forward(wide, ids, code).mean(0)) for ids in token_ids]
    expected = {
        "max_tokens": 8192,
        "texts": TEXTS,
        "token_ids": token_ids,
        "embeddings": vectors,
    }
    write_json(folder / "expected.json", expected)


def write_jina_gradients(name, code, seed):
    tensors = load_file(MODELS / name / "model.safetensors")
    wide = {n: t.double().requires_grad_() for n, t in tensors.items() if is_trained(n)}
    tokenizer = AutoTokenizer.from_pretrained(MODELS / name)
    token_ids = [tokenizer(text)["input_ids"] for text in GRADIENT_TEXTS]
    embeddings = torch.stack([jina_bert.forward(wide, ids, code).mean(0) for ids in token_ids])
    cotangent = torch.randn(embeddings.shape, generator=torch.Generator().manual_seed(seed))
    (embeddings * cotangent).sum().backward()
    gradients = {n: t.grad for n, t in wide.items()}
    save_gradients(name, gradients, cotangent, embeddings, token_ids)


def limit_of(name, model, tokenizer):
    from_padding = model.config.model_type in ("roberta", "xlm-roberta", "mpnet")
    offset = model.config.pad_token_id + 1 if from_padding else 0
    positions = model.config.max_position_embeddings - offset
    settings = MODELS / name / "sentence_bert_config.json"
    stored = json.loads(settings.read_text()) if settings.exists() else {}
    return min(positions, tokenizer.model_max_length, stored.get("max_seq_length", positions))


@torch.no_grad()
def write_expected(name):
    folder = MODELS / name
    model, tokenizer = load(name)
    limit = limit_of(name, model, tokenizer)
    encoded = [tokenizer(text, truncation=True, max_length=limit, return_tensors="pt") for text in TEXTS]
    token_ids = [one["input_ids"][0].tolist() for one in encoded]
    hidden = [model(**one).last_hidden_state for one in encoded]

    # The embeddings with sentence-transformers, and in a plain folder twice.
    encoder = SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": torch.float32})
    embeddings = torch.stack([torch.from_numpy(encoder.encode(text)) for text in TEXTS])
    if not (folder / "modules.json").exists():
        means = [mean_pool(h, one["attention_mask"])[0] for h, one in zip(hidden, encoded)]
        assert (embeddings - torch.stack(means)).abs().max() < 1e-6
        embeddings = torch.stack(means)

    # A file that this library reads in its own way would be no reference for others.
    if (folder / "tokenizer.json").exists():
        raw = Tokenizer.from_file(str(folder / "tokenizer.json"))
        raw.no_padding()
        raw.enable_truncation(limit)
        assert [raw.encode(text).ids for text in TEXTS] == token_ids, name
    seen = [encoder.preprocess([text])["input_ids"][0].tolist() for text in TEXTS]
    assert seen == token_ids, name

    expected = {
        "max_tokens": limit,
        "texts": TEXTS,
        "token_ids": token_ids,
        "embeddings": rounded(embeddings),
    }
    if name == "bert-small":
        expected["pooled"] = {}
        for mode in Pooling.POOLING_MODES:
            pool = Pooling(32, mode)
            expected["pooled"][mode] = [
                rounded(
                    pool({"token_embeddings": h, "attention_mask": one["attention_mask"]})[
                        "sentence_embedding"
                    ][0]
                )
                for h, one in zip(hidden, encoded)
            ]
        first, second = "the dog is in the park", "A cat was sleeping!"
        pair = tokenizer(first, second, return_tensors="pt")
        expected["pair"] = {
            "first": first,
            "second": second,
            "token_ids": pair["input_ids"][0].tolist(),
            "segments": pair["token_type_ids"][0].tolist(),
            "last_hidden_mean": rounded(model(**pair).last_hidden_state[0].mean(0)),
        }
    write_json(folder / "expected.json", expected)


GRADIENT_TEXTS = [
    "the cat sat on the red mat",
    "a dog",
    "two birds singing in the old park, very slow",
    "Hello world!",
    "one man was not happy and the other one read a book",
]


def write_gradients(name, normalize, seed):
    """The gradient of sum(embedding * cotangent) over one padded batch."""
    model, tokenizer = load(name)
    encoded = tokenizer(GRADIENT_TEXTS, padding=True, return_tensors="pt")
    embeddings = mean_pool(model(**encoded).last_hidden_state, encoded["attention_mask"])
    if normalize:
        embeddings = torch.nn.functional.normalize(embeddings, dim=-1)
    cotangent = torch.randn(embeddings.shape, generator=torch.Generator().manual_seed(seed))
    (embeddings * cotangent).sum().backward()
    tensors = {n: p.grad for n, p in model.named_parameters() if is_trained(n)}
    token_ids = [
        ids[mask.bool()].tolist()
        for ids, mask in zip(encoded["input_ids"], encoded["attention_mask"])
    ]
    save_gradients(name, published(name, tensors), cotangent, embeddings, token_ids)


def published(name, tensors):
    """The names of Nomic's checkpoints, which keep fused what transformers splits."""
    if not name.startswith("nomic"):
        return tensors
    names = {
        "embeddings.LayerNorm": "emb_ln",
        "layers.": "encoder.layers.",
        "self_attn.o_proj": "attn.out_proj",
        "up_proj": "fc11",
        "gate_proj": "fc12",
        "down_proj": "fc2",
        "post_attention_layernorm": "norm1",
        "post_mlp_layernorm": "norm2",
    }
    renamed = {}
    for name, tensor in tensors.items():
        if "k_proj" in name or "v_proj" in name:
            continue
        if "q_proj" in name:
            parts = [tensors[name.replace("q_proj", f"{part}_proj")] for part in "qkv"]
            name, tensor = name.replace("self_attn.q_proj", "attn.Wqkv"), torch.cat(parts)
        for old, new in names.items():
            name = name.replace(old, new)
        renamed[name] = tensor
    return renamed


def save_gradients(name, gradients, cotangent, embeddings, token_ids):
    tensors = gradients | {"cotangent": cotangent, "embeddings": embeddings.detach()}
    tensors = {n: t.float().contiguous() for n, t in tensors.items()}
    folder = FIXTURES / "gradients"
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / f"{name}.safetensors")
    write_json(folder / f"{name}.json", {"texts": GRADIENT_TEXTS, "token_ids": token_ids})


def main():
    write_bert_odd()
    write_bert_small()
    write_bert_relu_prefixed()
    write_bert_gelu_new()
    write_roberta_small()
    write_xlmr_small()
    write_distilbert_small()
    write_nomic_small()
    write_jina("jina-small", jina_bert.PLAIN, seed=11)
    write_jina("jina-qk-norm", jina_bert.QK_NORM, seed=12)
    write_mpnet_small()
    write_electra_small()
    for folder in sorted(MODELS.iterdir()):
        if not folder.name.startswith("jina-"):
            write_expected(folder.name)
    write_gradients("bert-small", normalize=True, seed=1)
    write_gradients("roberta-small", normalize=False, seed=2)
    write_gradients("distilbert-small", normalize=False, seed=3)
    write_gradients("nomic-small", normalize=False, seed=4)
    write_jina_gradients("jina-small", jina_bert.PLAIN, seed=5)
    write_jina_gradients("jina-qk-norm", jina_bert.QK_NORM, seed=7)
    write_gradients("mpnet-small", normalize=False, seed=6)
    write_gradients("electra-small", normalize=False, seed=8)


if __name__ == "__main__":
    main()
