"""LangChain: embeddings, and a compressor that ranks documents by a cross-encoder.

>>> from gradus.langchain import GradusEmbeddings, GradusRerank
"""

from __future__ import annotations

from typing import Any, List, Optional, Sequence

from langchain_core.documents import BaseDocumentCompressor, Document
from langchain_core.embeddings import Embeddings
from pydantic import ConfigDict, PrivateAttr

from .cross_encoder import CrossEncoder
from .sentence_encoder import SentenceEncoder


class GradusEmbeddings(Embeddings):
    """Vectors of length 1, behind the model's prompts for queries and documents. Options
    are those of `SentenceEncoder`."""

    def __init__(self, model: str, *, normalize: bool = True, **options: Any) -> None:
        self.model = SentenceEncoder(model, **options)
        self.normalize = normalize

    def embed_documents(self, texts: List[str]) -> List[List[float]]:
        """A vector a text."""
        return self.model.encode_document(texts, normalize_embeddings=self.normalize).tolist()

    def embed_query(self, text: str) -> List[float]:
        """The vector of a query."""
        return self.model.encode_query(text, normalize_embeddings=self.normalize).tolist()


class GradusRerank(BaseDocumentCompressor):
    """The `top_n` documents of highest score by a cross-encoder, which stands in the
    metadata as `relevance_score`."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    model: str
    top_n: Optional[int] = 3
    _cross: CrossEncoder = PrivateAttr()

    def model_post_init(self, context: Any) -> None:
        """Loads the model."""
        self._cross = CrossEncoder(self.model)

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Any = None
    ) -> List[Document]:
        """Documents, best first."""
        if not documents:
            return []
        ranked = self._cross.rank(query, [own.page_content for own in documents], top_k=self.top_n)
        found = []
        for own in ranked:
            document = documents[own["corpus_id"]]
            metadata = {**document.metadata, "relevance_score": own["score"]}
            found.append(Document(page_content=document.page_content, metadata=metadata))
        return found
