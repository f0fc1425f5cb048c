"""Models that make vectors of texts."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Dict, Iterable, List, Literal, Optional, Set, Union

import numpy as np

from ._gradus import Encoder
from ._progress import bar
from .util import Similarity, quantize_embeddings, similarity, similarity_pairwise

Precision = Literal["float32", "int8", "uint8", "binary", "ubinary"]


class SentenceEncoder:
    """A model that makes vectors of texts, as sentence-transformers' SentenceTransformer.

    `model_name_or_path` is a folder or a name on the hub. `compute` is what products are
    computed in ("auto", "f32", "bf16", "int8"), `threads` how many there are (0: one per
    core). Vectors do not depend on threads, or on the other texts of a call.
    """

    def __init__(
        self,
        model_name_or_path: Union[str, Path],
        *,
        device: Optional[str] = None,
        prompts: Optional[Dict[str, str]] = None,
        default_prompt_name: Optional[str] = None,
        similarity_fn_name: Similarity = "cosine",
        truncate_dim: Optional[int] = None,
        compute: Optional[str] = None,
        threads: int = 0,
        max_seq_length: Optional[int] = None,
    ) -> None:
        self._options: Dict[str, Any] = {
            "precision": compute,
            "device": device,
            "threads": threads,
            "max_seq_length": max_seq_length,
        }
        self._name = str(model_name_or_path)
        self._model = Encoder(self._name, **self._options)
        self.prompts: Dict[str, str] = {**self._model.prompts, **(prompts or {})}
        self.default_prompt_name = default_prompt_name or self._model.default_prompt_name
        if self.default_prompt_name is not None and self.default_prompt_name not in self.prompts:
            known = ", ".join(self.prompts) or "none"
            raise ValueError(f"default_prompt_name {self.default_prompt_name!r} is no prompt; there are: {known}")
        self.similarity_fn_name: Similarity = similarity_fn_name
        self.truncate_dim = truncate_dim

    @classmethod
    def from_pretrained(cls, model_name_or_path: Union[str, Path], **options: Any) -> "SentenceEncoder":
        """The same as calling the class."""
        return cls(model_name_or_path, **options)

    def __repr__(self) -> str:
        return f"SentenceEncoder({self._name!r}, dimension={self.get_embedding_dimension()})"

    def __getstate__(self) -> Dict[str, Any]:
        state = dict(self.__dict__)
        del state["_model"]
        return state

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._model = Encoder(self._name, **self._options)

    def encode(
        self,
        sentences: Union[str, Iterable[str]],
        prompt_name: Optional[str] = None,
        prompt: Optional[str] = None,
        batch_size: int = 32,
        show_progress_bar: Optional[bool] = None,
        output_value: Optional[Literal["sentence_embedding", "token_embeddings"]] = "sentence_embedding",
        precision: Precision = "float32",
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
        normalize_embeddings: bool = False,
        truncate_dim: Optional[int] = None,
        *,
        task: Optional[Literal["query", "document"]] = None,
        batch_tokens: Optional[int] = None,
        **unused: Any,
    ) -> Any:
        """Vectors of texts: `[texts, dimension]` in float32, one of `[dimension]` for a str.

        `batch_size` is accepted and without effect: texts are packed by their tokens, at
        most `batch_tokens` at a time. `truncate_dim` cuts vectors, which keep that length
        unless `normalize_embeddings`.
        """
        _refuse(unused, {"device", "pool", "chunk_size"})
        prompt = self._prompt(prompt, prompt_name, task)
        if output_value == "token_embeddings":
            tokens, alone = self._model.token_vectors(sentences, prompt=prompt)
            of_all = [_tensor(own) for own in tokens] if convert_to_tensor else tokens
            return of_all[0] if alone else of_all
        if output_value != "sentence_embedding":
            raise ValueError(f"output_value {output_value!r}: expected 'sentence_embedding' or 'token_embeddings'")
        made, alone = self._model.encode(
            sentences,
            prompt=prompt,
            normalize=normalize_embeddings,
            truncate_dim=truncate_dim if truncate_dim is not None else self.truncate_dim,
            batch_tokens=batch_tokens,
            progress=bar(show_progress_bar, "Texts"),
        )
        vectors: Any = made if precision == "float32" else quantize_embeddings(made, precision)
        if convert_to_tensor:
            vectors = _tensor(vectors)
        elif not convert_to_numpy:
            vectors = [_tensor(row) for row in vectors]
        return vectors[0] if alone else vectors

    def encode_query(self, sentences: Union[str, Iterable[str]], **options: Any) -> Any:
        """As `encode`, behind the model's prompt for queries where it has one."""
        return self.encode(sentences, **{"task": "query", **options})

    def encode_document(self, sentences: Union[str, Iterable[str]], **options: Any) -> Any:
        """As `encode`, behind the model's prompt for documents where it has one."""
        return self.encode(sentences, **{"task": "document", **options})

    def _prompt(self, prompt: Optional[str], name: Optional[str], task: Optional[str]) -> str:
        if prompt is not None:
            return prompt
        if name is None and task is not None:
            names = {"query": ["query"], "document": ["document", "passage", "corpus"]}[task]
            name = next((own for own in names if own in self.prompts), None)
        if name is None:
            name = self.default_prompt_name
        if name is None:
            return ""
        if name not in self.prompts:
            known = ", ".join(self.prompts) or "none"
            raise ValueError(f"prompt_name {name!r} is no prompt of {self._name}; there are: {known}")
        return self.prompts[name]

    def similarity(self, embeddings1: Any, embeddings2: Any) -> np.ndarray:
        """How alike each row of the first is to each of the second, `[first, second]`."""
        return similarity(embeddings1, embeddings2, self.similarity_fn_name)

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> np.ndarray:
        """How alike rows of the same number are, `[rows]`."""
        return similarity_pairwise(embeddings1, embeddings2, self.similarity_fn_name)

    def get_embedding_dimension(self) -> int:
        """Values of a vector."""
        whole = self._model.dimension
        return whole if self.truncate_dim is None else min(whole, self.truncate_dim)

    get_sentence_embedding_dimension = get_embedding_dimension

    @property
    def max_seq_length(self) -> int:
        """The most tokens of a text; what is longer is cut."""
        return self._model.max_seq_length

    @max_seq_length.setter
    def max_seq_length(self, most: int) -> None:
        self._options["max_seq_length"] = most
        self._model = Encoder(self._name, **self._options)

    def get_max_seq_length(self) -> int:
        """The most tokens of a text."""
        return self.max_seq_length

    def tokenize(self, text: str) -> List[int]:
        """The ids of a text's tokens, special ones included."""
        return self._model.tokens(text).tolist()

    def save_pretrained(self, path: Union[str, Path], **unused: Any) -> None:
        """Copies the model's folder, which sentence-transformers reads too."""
        _refuse(unused, {"safe_serialization", "create_model_card", "model_name"})
        shutil.copytree(self._model.folder, path, dirs_exist_ok=True)

    save = save_pretrained


def _refuse(options: Dict[str, Any], without_effect: Set[str]) -> None:
    for name in options:
        if name not in without_effect:
            raise TypeError(f"there is no option {name!r}")


def _tensor(values: np.ndarray) -> Any:
    import torch

    return torch.from_numpy(values)


__all__: List[str] = ["SentenceEncoder"]
