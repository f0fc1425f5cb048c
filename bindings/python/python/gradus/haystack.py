"""Haystack: embedders of texts and of documents, and a ranker.

>>> from gradus.haystack import GradusDocumentEmbedder, GradusRanker, GradusTextEmbedder
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Dict, List, Optional

from haystack import Document, component, default_from_dict, default_to_dict

from .cross_encoder import CrossEncoder
from .sentence_encoder import SentenceEncoder


@component
class GradusTextEmbedder:
    """The vector of a query, of length 1."""

    def __init__(self, model: str, threads: int = 0) -> None:
        self.model, self.threads = model, threads
        self._encoder: Optional[SentenceEncoder] = None

    def warm_up(self) -> None:
        """Loads the model."""
        self._loaded()

    def _loaded(self) -> SentenceEncoder:
        if self._encoder is None:
            self._encoder = SentenceEncoder(self.model, threads=self.threads)
        return self._encoder

    @component.output_types(embedding=List[float])
    def run(self, text: str) -> Dict[str, Any]:
        """Encodes a query."""
        return {"embedding": self._loaded().encode_query(text, normalize_embeddings=True).tolist()}

    def to_dict(self) -> Dict[str, Any]:
        """What it is made from."""
        return default_to_dict(self, model=self.model, threads=self.threads)

    @classmethod
    def from_dict(cls, data: Dict[str, Any]) -> "GradusTextEmbedder":
        """Made from that."""
        return default_from_dict(cls, data)


@component
class GradusDocumentEmbedder:
    """Documents with their vectors, of length 1; `meta_fields_to_embed` stand before the
    content."""

    def __init__(
        self,
        model: str,
        threads: int = 0,
        meta_fields_to_embed: Optional[List[str]] = None,
        embedding_separator: str = "\n",
    ) -> None:
        self.model, self.threads = model, threads
        self.meta_fields_to_embed = meta_fields_to_embed or []
        self.embedding_separator = embedding_separator
        self._encoder: Optional[SentenceEncoder] = None

    def warm_up(self) -> None:
        """Loads the model."""
        self._loaded()

    def _loaded(self) -> SentenceEncoder:
        if self._encoder is None:
            self._encoder = SentenceEncoder(self.model, threads=self.threads)
        return self._encoder

    @component.output_types(documents=List[Document])
    def run(self, documents: List[Document]) -> Dict[str, Any]:
        """Encodes documents."""
        texts = []
        for own in documents:
            fields = [str(own.meta[name]) for name in self.meta_fields_to_embed if own.meta.get(name) is not None]
            texts.append(self.embedding_separator.join([*fields, own.content or ""]))
        vectors = self._loaded().encode_document(texts, normalize_embeddings=True).tolist()
        return {"documents": [replace(own, embedding=vector) for own, vector in zip(documents, vectors)]}

    def to_dict(self) -> Dict[str, Any]:
        """What it is made from."""
        return default_to_dict(
            self,
            model=self.model,
            threads=self.threads,
            meta_fields_to_embed=self.meta_fields_to_embed,
            embedding_separator=self.embedding_separator,
        )

    @classmethod
    def from_dict(cls, data: Dict[str, Any]) -> "GradusDocumentEmbedder":
        """Made from that."""
        return default_from_dict(cls, data)


@component
class GradusRanker:
    """The `top_k` documents of highest score by a cross-encoder."""

    def __init__(self, model: str, top_k: int = 10, threads: int = 0) -> None:
        self.model, self.top_k, self.threads = model, top_k, threads
        self._cross: Optional[CrossEncoder] = None

    def warm_up(self) -> None:
        """Loads the model."""
        self._loaded()

    def _loaded(self) -> CrossEncoder:
        if self._cross is None:
            self._cross = CrossEncoder(self.model, threads=self.threads)
        return self._cross

    @component.output_types(documents=List[Document])
    def run(self, query: str, documents: List[Document], top_k: Optional[int] = None) -> Dict[str, Any]:
        """Ranks documents."""
        if not documents:
            return {"documents": []}
        texts = [own.content or "" for own in documents]
        ranked = self._loaded().rank(query, texts, top_k=top_k or self.top_k)
        return {"documents": [replace(documents[own["corpus_id"]], score=own["score"]) for own in ranked]}

    def to_dict(self) -> Dict[str, Any]:
        """What it is made from."""
        return default_to_dict(self, model=self.model, top_k=self.top_k, threads=self.threads)

    @classmethod
    def from_dict(cls, data: Dict[str, Any]) -> "GradusRanker":
        """Made from that."""
        return default_from_dict(cls, data)
