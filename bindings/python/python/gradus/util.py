"""Vectors compared with each other: names, defaults and results of `sentence_transformers.util`."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, List, Literal, Optional, Tuple, Union

import numpy as np

from . import _gradus
from ._progress import bar

Similarity = Literal["cosine", "dot", "euclidean", "manhattan"]


def _rows(vectors: Any) -> np.ndarray:
    """An array of NumPy, of torch, or rows, as `[rows, dim]` in float32."""
    if hasattr(vectors, "detach"):
        vectors = vectors.detach().cpu().numpy()
    elif isinstance(vectors, (list, tuple)) and vectors and hasattr(vectors[0], "detach"):
        vectors = [own.detach().cpu().numpy() for own in vectors]
    array = np.asarray(vectors, dtype=np.float32)
    array = array[None] if array.ndim == 1 else array
    if array.ndim != 2:
        raise ValueError(f"expected vectors [rows, dim], not an array of {array.ndim} axes")
    return np.ascontiguousarray(array)


def normalize_embeddings(embeddings: Any) -> np.ndarray:
    """Rows divided by their length."""
    rows = _rows(embeddings)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def similarity(a: Any, b: Any, kind: Similarity = "cosine") -> np.ndarray:
    """How alike each row of `a` is to each of `b`, `[a, b]`; distances are negated."""
    a, b = _rows(a), _rows(b)
    if kind == "cosine":
        return normalize_embeddings(a) @ normalize_embeddings(b).T
    if kind == "dot":
        return a @ b.T
    if kind == "euclidean":
        return -np.stack([np.sqrt(np.square(row - b).sum(1)) for row in a])
    if kind == "manhattan":
        return -np.stack([np.abs(row - b).sum(1) for row in a])
    raise ValueError(f"similarity {kind!r}: expected cosine, dot, euclidean or manhattan")


def similarity_pairwise(a: Any, b: Any, kind: Similarity = "cosine") -> np.ndarray:
    """How alike rows of the same number are, `[rows]`; distances are negated."""
    a, b = _rows(a), _rows(b)
    if kind == "cosine":
        return (normalize_embeddings(a) * normalize_embeddings(b)).sum(1)
    if kind == "dot":
        return (a * b).sum(1)
    if kind == "euclidean":
        return -np.sqrt(np.square(a - b).sum(1))
    if kind == "manhattan":
        return -np.abs(a - b).sum(1)
    raise ValueError(f"similarity {kind!r}: expected cosine, dot, euclidean or manhattan")


def cos_sim(a: Any, b: Any) -> np.ndarray:
    """Cosines of each row of `a` with each of `b`."""
    return similarity(a, b, "cosine")


def dot_score(a: Any, b: Any) -> np.ndarray:
    """Products of each row of `a` with each of `b`."""
    return similarity(a, b, "dot")


def pairwise_cos_sim(a: Any, b: Any) -> np.ndarray:
    """Cosines of rows of the same number."""
    return similarity_pairwise(a, b, "cosine")


def pairwise_dot_score(a: Any, b: Any) -> np.ndarray:
    """Products of rows of the same number."""
    return similarity_pairwise(a, b, "dot")


def quantize_embeddings(
    embeddings: Any,
    precision: Literal["float32", "int8", "uint8", "binary", "ubinary"],
    ranges: Optional[np.ndarray] = None,
    calibration_embeddings: Optional[Any] = None,
) -> np.ndarray:
    """Vectors of fewer bytes, as sentence-transformers makes them.

    Of `int8` and `uint8` each value is one of 256 steps between the least and the most of
    its column, by `ranges` `[2, dim]`, else those of `calibration_embeddings`, else those
    of `embeddings`; of `binary` and `ubinary` its sign, eight to a byte.
    """
    rows = _rows(embeddings)
    if precision == "float32":
        return rows
    if precision in ("binary", "ubinary"):
        packed = np.packbits(rows > 0, axis=1)
        return packed if precision == "ubinary" else (packed.astype(np.int16) - 128).astype(np.int8)
    if precision not in ("int8", "uint8"):
        raise ValueError(f"precision {precision!r}: expected float32, int8, uint8, binary or ubinary")
    if ranges is None:
        of = rows if calibration_embeddings is None else _rows(calibration_embeddings)
        ranges = np.vstack([of.min(0), of.max(0)])
    least = ranges[0]
    steps = (ranges[1] - ranges[0]) / 255
    steps = np.where(steps == 0, np.float32(1), steps)
    places = np.clip(np.floor((rows - least) / steps), 0, 255)
    return places.astype(np.uint8) if precision == "uint8" else (places - 128).astype(np.int8)


def semantic_search(
    query_embeddings: Any,
    corpus_embeddings: Any,
    query_chunk_size: int = 100,
    corpus_chunk_size: int = 500_000,
    top_k: int = 10,
    score_function: Optional[Callable[..., Any]] = None,
    *,
    threads: int = 0,
) -> List[List[Dict[str, Union[int, float]]]]:
    """For each query the `top_k` rows of the corpus of highest cosine, best first, exactly.

    `score_function` is `cos_sim` or `dot_score`. Chunk sizes are accepted and without
    effect.
    """
    name = getattr(score_function, "__name__", "cos_sim")
    if name not in ("cos_sim", "dot_score"):
        raise ValueError(f"score_function {name}: expected cos_sim or dot_score")
    queries, corpus = _rows(query_embeddings), _rows(corpus_embeddings)
    rows, scores = _gradus.nearest(queries, corpus, top_k, cosine=name == "cos_sim", threads=threads)
    return [
        [{"corpus_id": row, "score": score} for row, score in zip(*found) if row >= 0]
        for found in zip(rows.tolist(), scores.tolist())
    ]


def paraphrase_mining(
    model: Any,
    sentences: Iterable[str],
    show_progress_bar: bool = False,
    batch_size: int = 32,
    query_chunk_size: int = 5000,
    corpus_chunk_size: int = 100_000,
    max_pairs: int = 500_000,
    top_k: int = 100,
    **options: Any,
) -> List[List[Union[float, int]]]:
    """The most alike pairs of texts: lists of cosine, first and second number, best first."""
    vectors = model.encode(sentences, show_progress_bar=show_progress_bar)
    return paraphrase_mining_embeddings(vectors, max_pairs=max_pairs, top_k=top_k, **options)


def paraphrase_mining_embeddings(
    embeddings: Any,
    query_chunk_size: int = 5000,
    corpus_chunk_size: int = 100_000,
    max_pairs: int = 500_000,
    top_k: int = 100,
    *,
    threshold: float = -1.0,
    threads: int = 0,
    show_progress_bar: bool = False,
) -> List[List[Union[float, int]]]:
    """The same of vectors: of each row with its `top_k` nearest."""
    first, second, cosines = _gradus.pairs(
        _rows(embeddings),
        most=max_pairs,
        neighbours=top_k,
        threshold=threshold,
        threads=threads,
        progress=bar(show_progress_bar, "Rows"),
    )
    return [list(pair) for pair in zip(cosines.tolist(), first.tolist(), second.tolist())]


def community_detection(
    embeddings: Any,
    threshold: float = 0.75,
    min_community_size: int = 10,
    batch_size: int = 1024,
    show_progress_bar: bool = False,
    *,
    threads: int = 0,
) -> List[List[int]]:
    """Groups of rows of at least `threshold` cosine with the row in their middle, which
    comes first; the largest first."""
    found = _gradus.communities(
        _rows(embeddings),
        threshold=threshold,
        smallest=min_community_size,
        threads=threads,
        progress=bar(show_progress_bar, "Rows"),
    )
    return [rows.tolist() for rows in found]


__all__ = [
    "community_detection",
    "cos_sim",
    "dot_score",
    "normalize_embeddings",
    "pairwise_cos_sim",
    "pairwise_dot_score",
    "paraphrase_mining",
    "paraphrase_mining_embeddings",
    "quantize_embeddings",
    "semantic_search",
    "similarity",
    "similarity_pairwise",
]

Pair = Tuple[str, str]
