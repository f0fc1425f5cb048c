"""A model in the shape of BERT-base, with random weights."""

import json
import shutil
from pathlib import Path

import torch
from transformers import BertConfig, BertModel

WIDTH = 768


def base_model(setup, max_tokens=None):
    """Its folder; tokenizer and modules are those of the given model, and the longest
    input, unless another is wanted."""
    folder = setup.folder / f"bert-base-{max_tokens or setup.max_tokens}"
    if folder.exists():
        return str(folder)
    source = Path(setup.model)
    given = json.loads((source / "config.json").read_text(encoding="utf-8"))
    torch.manual_seed(1)
    # The defaults are the shape of BERT-base.
    config = BertConfig(vocab_size=given["vocab_size"])
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("*.safetensors", "*.bin", "*.onnx"))
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    pooling = folder / "1_Pooling" / "config.json"
    if pooling.exists():
        settings = json.loads(pooling.read_text(encoding="utf-8"))
        settings.pop("word_embedding_dimension", None)
        settings.pop("embedding_dimension", None)
        settings["word_embedding_dimension"] = WIDTH
        pooling.write_text(json.dumps(settings), encoding="utf-8")
    if max_tokens:
        limit = folder / "sentence_bert_config.json"
        settings = json.loads(limit.read_text(encoding="utf-8")) if limit.exists() else {}
        limit.write_text(json.dumps(settings | {"max_seq_length": max_tokens}), encoding="utf-8")
    return str(folder)
