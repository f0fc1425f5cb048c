"""Ray Data: vectors of a column of texts.

>>> import ray
>>> from gradus.ray import Encoder
>>> texts = ray.data.read_parquet("texts.parquet")
>>> texts.map_batches(Encoder, fn_constructor_args=["all-MiniLM-L6-v2"], concurrency=2, num_cpus=4,
...                   batch_size=1024)

Each actor loads the model once and works on as many threads as it has CPUs. The vectors
are those of one process, bit by bit; an actor that dies is begun again by Ray, and its
batch with it.
"""

from __future__ import annotations

from typing import Any, Dict, Optional

import numpy as np

from .sentence_encoder import SentenceEncoder


class Encoder:
    """Adds vectors, in `output`, to batches with texts in `column`. Options are those of
    `SentenceEncoder`."""

    def __init__(
        self,
        model: str,
        *,
        column: str = "text",
        output: str = "vector",
        normalize: bool = False,
        prompt: Optional[str] = None,
        threads: Optional[int] = None,
        **options: Any,
    ) -> None:
        self.column, self.output = column, output
        self.normalize, self.prompt = normalize, prompt
        own = _cpus() if threads is None else threads
        self.model = SentenceEncoder(model, threads=own, **options)

    def __call__(self, batch: Dict[str, Any]) -> Dict[str, Any]:
        if self.column not in batch:
            known = ", ".join(batch)
            raise KeyError(f"no column {self.column!r}; there are: {known}")
        vectors = self.model.encode(batch[self.column], prompt=self.prompt, normalize_embeddings=self.normalize)
        return {**batch, self.output: np.ascontiguousarray(vectors)}


def _cpus() -> int:
    """CPUs of this actor; one where it has less than one."""
    import ray

    assigned = ray.get_runtime_context().get_assigned_resources()
    return max(1, int(assigned.get("CPU", 1)))
