"""scikit-learn: texts to vectors as a step of a pipeline.

>>> from gradus.sklearn import GradusVectorizer
"""

from __future__ import annotations

from typing import Any, Iterable, Optional

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin

from .sentence_encoder import SentenceEncoder


class GradusVectorizer(TransformerMixin, BaseEstimator):
    """Vectors of texts; there is nothing to fit."""

    def __init__(
        self,
        model: str = "all-MiniLM-L6-v2",
        *,
        normalize: bool = False,
        prompt: Optional[str] = None,
        truncate_dim: Optional[int] = None,
        threads: int = 0,
    ) -> None:
        self.model = model
        self.normalize = normalize
        self.prompt = prompt
        self.truncate_dim = truncate_dim
        self.threads = threads

    def fit(self, X: Iterable[str], y: Any = None) -> "GradusVectorizer":
        """Loads the model."""
        self.encoder_ = SentenceEncoder(self.model, threads=self.threads, truncate_dim=self.truncate_dim)
        return self

    def transform(self, X: Iterable[str]) -> np.ndarray:
        """Vectors, `[texts, dimension]`."""
        return self._loaded().encode(X, prompt=self.prompt, normalize_embeddings=self.normalize)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """A name for each value."""
        count = self._loaded().get_embedding_dimension()
        return np.array([f"gradus{place}" for place in range(count)], dtype=object)

    def _loaded(self) -> SentenceEncoder:
        if not hasattr(self, "encoder_"):
            self.fit([])
        return self.encoder_

    def __sklearn_is_fitted__(self) -> bool:
        return True
