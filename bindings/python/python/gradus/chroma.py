"""Chroma: an embedding function.

>>> from gradus.chroma import GradusEmbeddingFunction
"""

from __future__ import annotations

from typing import Any, Dict, List

from chromadb.api.types import Documents, EmbeddingFunction, Embeddings, Space
from chromadb.utils.embedding_functions import register_embedding_function

from .sentence_encoder import SentenceEncoder


@register_embedding_function
class GradusEmbeddingFunction(EmbeddingFunction[Documents]):
    """Vectors of length 1, behind the model's prompts for queries and documents."""

    def __init__(self, model: str, threads: int = 0) -> None:
        self.model, self.threads = model, threads
        self._encoder = SentenceEncoder(model, threads=threads)

    def __call__(self, input: Documents) -> Embeddings:
        return list(self._encoder.encode_document(list(input), normalize_embeddings=True))

    def embed_query(self, input: Documents) -> Embeddings:
        """Vectors of queries."""
        return list(self._encoder.encode_query(list(input), normalize_embeddings=True))

    @staticmethod
    def name() -> str:
        """What it is called where it is stored."""
        return "gradus"

    def get_config(self) -> Dict[str, Any]:
        """What it is made from."""
        return {"model": self.model, "threads": self.threads}

    @staticmethod
    def build_from_config(config: Dict[str, Any]) -> "GradusEmbeddingFunction":
        """Made from that."""
        return GradusEmbeddingFunction(**config)

    def default_space(self) -> Space:
        """How its vectors are compared."""
        return "cosine"

    def supported_spaces(self) -> List[Space]:
        """How they may be."""
        return ["cosine", "l2", "ip"]
