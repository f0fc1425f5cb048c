"""LlamaIndex: an embedding model.

>>> from gradus.llama_index import GradusEmbedding
"""

from __future__ import annotations

from typing import Any, List

from llama_index.core.base.embeddings.base import BaseEmbedding
from llama_index.core.bridge.pydantic import PrivateAttr

from .sentence_encoder import SentenceEncoder


class GradusEmbedding(BaseEmbedding):
    """Vectors of length 1, behind the model's prompts for queries and documents. Options
    are those of `SentenceEncoder`."""

    _encoder: SentenceEncoder = PrivateAttr()

    def __init__(self, model_name: str, *, embed_batch_size: int = 512, **options: Any) -> None:
        super().__init__(model_name=model_name, embed_batch_size=embed_batch_size)
        self._encoder = SentenceEncoder(model_name, **options)

    @classmethod
    def class_name(cls) -> str:
        """What it is called where it is stored."""
        return "GradusEmbedding"

    def _get_query_embedding(self, query: str) -> List[float]:
        return self._encoder.encode_query(query, normalize_embeddings=True).tolist()

    async def _aget_query_embedding(self, query: str) -> List[float]:
        return self._get_query_embedding(query)

    def _get_text_embedding(self, text: str) -> List[float]:
        return self._get_text_embeddings([text])[0]

    def _get_text_embeddings(self, texts: List[str]) -> List[List[float]]:
        return self._encoder.encode_document(texts, normalize_embeddings=True).tolist()
