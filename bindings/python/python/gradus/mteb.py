"""Models as MTEB evaluates them (`pip install mteb`, version 2).

>>> import mteb
>>> from gradus.mteb import GradusEncoder
>>> model = GradusEncoder("all-MiniLM-L6-v2")
>>> mteb.evaluate(model, mteb.get_tasks(tasks=["STSBenchmark"]))
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, List, Optional, Union

import numpy as np
from mteb.models.abs_encoder import AbsEncoder, get_prompt_name
from mteb.models.model_meta import ModelMeta, ScoringFunction
from mteb.types import PromptType

from .cross_encoder import CrossEncoder
from .sentence_encoder import SentenceEncoder


def _meta(kind: type, name: str, revision: Optional[str], **more: Any) -> ModelMeta:
    name = name if name.count("/") == 1 and not Path(name).exists() else f"gradus/{Path(name).name}"
    known = {"loader": kind, "name": name, "revision": revision or "local"}
    return ModelMeta.create_empty({**known, **more})


class GradusEncoder(AbsEncoder):
    """A `SentenceEncoder` with MTEB's choice of prompts."""

    def __init__(
        self, model_name: Union[str, Path], revision: Optional[str] = None, device: Optional[str] = None, **options: Any
    ) -> None:
        self.model = SentenceEncoder(model_name, device=device, **options)
        self.model_prompts, _ = self.validate_task_to_prompt_name(self.model.prompts or None, raise_for_invalid_keys=False)
        self.mteb_model_meta = _meta(
            type(self),
            str(model_name),
            revision,
            max_tokens=self.model.max_seq_length,
            embed_dim=self.model.get_embedding_dimension(),
            similarity_fn_name=ScoringFunction.COSINE,
        )

    def encode(
        self,
        inputs: Any,
        *,
        task_metadata: Any,
        hf_split: str,
        hf_subset: str,
        prompt_type: Optional[PromptType] = None,
        **options: Any,
    ) -> np.ndarray:
        """Vectors of the texts of batches."""
        texts: List[str] = [text for batch in inputs for text in batch["text"]]
        name = get_prompt_name(self.model_prompts, task_metadata, prompt_type)
        shown = options.get("show_progress_bar")
        vectors: np.ndarray = self.model.encode(texts, prompt_name=name, show_progress_bar=shown)
        return vectors


class GradusCrossEncoder:
    """A `CrossEncoder` that MTEB ranks with."""

    def __init__(
        self, model_name: Union[str, Path], revision: Optional[str] = None, device: Optional[str] = None, **options: Any
    ) -> None:
        self.model = CrossEncoder(model_name, device=device, **options)
        self.mteb_model_meta = _meta(type(self), str(model_name), revision, model_type=["cross-encoder"])

    def predict(
        self,
        inputs1: Any,
        inputs2: Any,
        *,
        task_metadata: Any,
        hf_split: str,
        hf_subset: str,
        prompt_type: Optional[PromptType] = None,
        **options: Any,
    ) -> np.ndarray:
        """Scores of pairs of texts, batch by batch."""
        texts = [[text for batch in of for text in batch["text"]] for of in (inputs1, inputs2)]
        scores: np.ndarray = self.model.predict(list(zip(*texts)))
        return scores


__all__ = ["GradusCrossEncoder", "GradusEncoder"]
