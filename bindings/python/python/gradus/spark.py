"""Spark: a function of columns that makes vectors of texts.

>>> from gradus.spark import encoder
>>> encode = encoder("all-MiniLM-L6-v2")
>>> texts.withColumn("vector", encode("text"))

Each Python worker loads the model once; weights are those of a file, whose memory workers
of a machine share. The vectors are those of one process, bit by bit; a worker that dies is
begun again by Spark, and its task with it.
"""

from __future__ import annotations

from typing import Any, Dict, Iterator, Optional, Tuple

import pandas as pd
from pyspark.sql.functions import pandas_udf
from pyspark.sql.types import ArrayType, FloatType

from .sentence_encoder import SentenceEncoder

_LOADED: Dict[Tuple[Any, ...], SentenceEncoder] = {}


def encoder(
    model: str,
    *,
    normalize: bool = False,
    prompt: Optional[str] = None,
    threads: int = 1,
    **options: Any,
) -> Any:
    """A pandas UDF from texts to vectors, on so many `threads` a worker (as
    `spark.task.cpus` says). A text that is null has no vector."""

    def encode(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
        own = _loaded(model, threads, options)
        for texts in batches:
            there = texts.notna()
            found = pd.Series([None] * len(texts), index=texts.index, dtype=object)
            vectors = own.encode(texts[there], prompt=prompt, normalize_embeddings=normalize)
            found[there] = pd.Series(list(vectors), index=texts.index[there], dtype=object)
            yield found

    # Spark reads what goes in and out from these.
    encode.__annotations__ = {"batches": Iterator[pd.Series], "return": Iterator[pd.Series]}
    return pandas_udf(encode, returnType=ArrayType(FloatType()))


def _loaded(model: str, threads: int, options: Dict[str, Any]) -> SentenceEncoder:
    key = (model, threads, *sorted(options.items()))
    if key not in _LOADED:
        _LOADED[key] = SentenceEncoder(model, threads=threads, **options)
    return _LOADED[key]
