"""Tiny random cross-encoders of every family, with their scores and gradients."""

import json
import shutil

import torch
from safetensors.torch import save_file
from sentence_transformers import CrossEncoder
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
    CamembertConfig,
    CamembertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    ElectraConfig,
    ElectraForSequenceClassification,
    MPNetConfig,
    MPNetForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
    XLMRobertaConfig,
    XLMRobertaForSequenceClassification,
)

from common import FIXTURES, randomise, rounded, write_json
from make_models import (
    LONG,
    bert_tokenizer,
    roberta_tokenizer,
    unigram_tokenizer,
    word_pieces,
    write_indented,
    write_tokenizer,
)

FOLDER = FIXTURES / "cross_encoders"
IDENTITY = "torch.nn.modules.linear.Identity"

PAIRS = [
    ("the cat sat on the mat", "a cat was sitting on a mat"),
    ("", ""),
    ("a dog", ""),
    ("", "Hello world!"),
    ("  two birds\t", "\nthree birds  "),
    ("Café déjà-vu: naïve", "我爱北京"),
    ("one [MASK] and [SEP] two", "42 guitars"),
    # The longer text is cut first, then both in turn.
    (LONG.strip(), "a short one"),
    ("a short one", LONG.strip()),
    (LONG.strip(), LONG.strip()),
]

SHAPE = dict(hidden_size=24, num_attention_heads=3, num_hidden_layers=2, intermediate_size=40)


def bert(labels, **more):
    config = BertConfig(
        vocab_size=len(word_pieces()),
        max_position_embeddings=48,
        layer_norm_eps=1e-5,
        num_labels=labels,
        **SHAPE,
        **more,
    )
    return BertForSequenceClassification(config), bert_tokenizer(model_max_length=48)


def roberta():
    tokenizer = roberta_tokenizer()
    config = RobertaConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=40,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        num_labels=1,
        classifier_dropout=0.2,
        **SHAPE,
    )
    return RobertaForSequenceClassification(config), tokenizer


def xlmr(config_class=XLMRobertaConfig, model_class=XLMRobertaForSequenceClassification):
    tokenizer = unigram_tokenizer()
    tokenizer.model_max_length = 38
    config = config_class(
        vocab_size=len(tokenizer),
        max_position_embeddings=40,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        num_labels=1,
        pad_token_id=1,
        **SHAPE,
    )
    return model_class(config), tokenizer


def distilbert():
    tokenizer = bert_tokenizer(model_max_length=40, model_input_names=["input_ids", "attention_mask"])
    config = DistilBertConfig(
        vocab_size=len(word_pieces()),
        dim=24,
        n_heads=3,
        n_layers=2,
        hidden_dim=40,
        max_position_embeddings=40,
        num_labels=1,
    )
    return DistilBertForSequenceClassification(config), tokenizer


def electra():
    config = ElectraConfig(
        vocab_size=len(word_pieces()),
        embedding_size=24,
        max_position_embeddings=48,
        layer_norm_eps=1e-5,
        num_labels=1,
        **SHAPE,
    )
    return ElectraForSequenceClassification(config), bert_tokenizer(model_max_length=48)


def mpnet():
    tokenizer = roberta_tokenizer()
    tokenizer.model_max_length = 44
    config = MPNetConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=60,
        layer_norm_eps=1e-5,
        num_labels=1,
        **SHAPE,
    )
    return MPNetForSequenceClassification(config), tokenizer


def write(name, made, seed, library=None, as_library=False):
    """A folder of transformers, `library` what sentence-transformers adds to its
    config.json; or one as sentence-transformers 6 saves it."""
    model, tokenizer = made
    folder = FOLDER / name
    shutil.rmtree(folder, ignore_errors=True)
    randomise(model, seed)
    model.save_pretrained(folder)
    write_tokenizer(folder, tokenizer)
    if library:
        config = json.loads((folder / "config.json").read_text())
        write_indented(folder / "config.json", config | library)
    if as_library:
        plain = folder.with_name(name + "-plain")
        folder.rename(plain)
        CrossEncoder(
            str(plain), device="cpu", max_length=32, activation_fn=torch.nn.Identity()
        ).save_pretrained(str(folder), create_model_card=False)
        shutil.rmtree(plain)
        path = folder / "tokenizer_config.json"
        config = json.loads(path.read_text())
        for key in ("is_local", "local_files_only", "name_or_path"):
            config.pop(key, None)
        write_indented(path, config)
    expect(name, seed)


def expect(name, seed):
    folder = FOLDER / name
    library = CrossEncoder(str(folder), device="cpu", model_kwargs={"dtype": torch.float32})
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(
        folder, dtype=torch.float32, attn_implementation="eager"
    ).eval()
    scores = torch.stack([torch.as_tensor(library.predict(pair)) for pair in PAIRS])
    encoded = [library.preprocess([pair]) for pair in PAIRS]
    logits = torch.cat(
        [model(**{k: one[k] for k in tokenizer.model_input_names if k in one}).logits for one in encoded]
    )
    activated = library.activation_fn(logits.detach())
    assert (activated.squeeze(-1) - scores).abs().max() < 1e-5, name
    cotangent = torch.randn(logits.shape, generator=torch.Generator().manual_seed(seed))
    (logits * cotangent).sum().backward()
    gradients = {n: p.grad.contiguous() for n, p in model.named_parameters() if p.grad is not None}
    save_file(gradients, folder / "gradients.safetensors")
    kind = type(library.activation_fn).__name__.lower()
    write_json(
        folder / "expected.json",
        {
            "pairs": PAIRS,
            "activation": kind,
            "labels": logits.shape[1],
            "token_ids": [one["input_ids"][0].tolist() for one in encoded],
            "logits": rounded(logits),
            "scores": rounded(scores),
            "cotangent": rounded(cotangent),
        },
    )


def main():
    identity = {"sentence_transformers": {"activation_fn": IDENTITY, "version": "4.1.0"}}
    write("bert", bert(1), 21)
    write("bert-three-labels", bert(3, classifier_dropout=0.3), 22)
    write("roberta", roberta(), 23, library=identity)
    write("xlmr", xlmr(), 24, library={"sbert_ce_default_activation_function": IDENTITY})
    camembert = xlmr(CamembertConfig, CamembertForSequenceClassification)
    write("camembert", camembert, 25)
    write("distilbert", distilbert(), 26, library=identity)
    write("electra", electra(), 27)
    write("mpnet", mpnet(), 28, library=identity)
    write("bert-library-6", bert(1), 29, as_library=True)


if __name__ == "__main__":
    main()
