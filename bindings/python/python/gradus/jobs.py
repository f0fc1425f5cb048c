"""What the commands do with models and texts: evaluate, calibrate, mine, cluster."""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np

from . import _gradus
from ._files import AnyPairs, pair_rows, pairs_source, texts_file, write_rows
from ._progress import bar
from .index import Index

Texts = Union[Iterable[str], Index, Path]
"""Texts, or an index: itself, or its folder as a `Path`."""

SUITE = ["STS12", "STS13", "STS14", "STS15", "STS16", "STS-B", "SICK-R"]
"""The seven tasks of published tables."""


def save_pairs(path: Union[str, Path], pairs: Iterable[Sequence[Any]]) -> Path:
    """Writes pairs with their grades, `(first, second, grade)` each, to a file of lines of
    JSON that recipes read; returns its path."""
    path = Path(path)
    if not path.name.endswith(".jsonl"):
        raise ValueError(f"{path}: lines of JSON have names that end in .jsonl")
    write_rows(path, pair_rows(pairs))
    return path


def evaluate(
    models: Union[str, Path, Sequence[Union[str, Path]]],
    *,
    tasks: Sequence[str] = SUITE,
    pairs: Optional[AnyPairs] = None,
    text: str = "original",
    show_progress_bar: Optional[bool] = None,
    compute: Optional[str] = None,
    device: Optional[str] = None,
    threads: int = 0,
) -> Dict[str, Any]:
    """Scores models on the seven STS tasks, or those of `tasks`, and on graded `pairs`: a
    file, a `Source`, or `(first, second, grade)` each. Pairs alone with `tasks=()`. Returns
    the report of `gradus eval --format json`."""
    names = [str(models)] if isinstance(models, (str, Path)) else [str(own) for own in models]
    with ExitStack() as stack:
        own = [] if pairs is None else [json.loads(stack.enter_context(pairs_source(pairs)))]
        report = _gradus.evaluate(
            names,
            tasks=list(tasks),
            pairs=json.dumps(own),
            text=text,
            precision=compute,
            device=device,
            threads=threads,
            progress=bar(show_progress_bar, "Texts"),
        )
    made: Dict[str, Any] = json.loads(report)
    return made


def calibrate(
    model: Union[str, Path],
    pairs: AnyPairs,
    *,
    scale: Optional[Tuple[float, float]] = None,
    score: Optional[str] = None,
    coverage: float = 0.8,
    output: Optional[Union[str, Path]] = None,
    overwrite: bool = False,
    show_progress_bar: Optional[bool] = None,
    compute: Optional[str] = None,
    device: Optional[str] = None,
    threads: int = 0,
) -> Dict[str, Any]:
    """Fits a map from a model's scores to the grades of pairs and keeps it in the model's
    folder, or in a copy at `output`; `Grader` then gives grades with intervals that hold
    `coverage` of them. Returns the calibration."""
    with pairs_source(pairs) as of:
        made, _ = _gradus.calibrate(
            str(model),
            of,
            scale=scale,
            score=score,
            coverage=coverage,
            output=None if output is None else str(output),
            overwrite=overwrite,
            precision=compute,
            device=device,
            threads=threads,
            progress=bar(show_progress_bar, "Pairs"),
        )
    calibration: Dict[str, Any] = json.loads(made)
    return calibration


def mine(
    texts: Texts,
    model: Optional[Union[str, Path]] = None,
    *,
    threshold: float = 0.8,
    top: int = 500_000,
    neighbours: Optional[int] = None,
    show_progress_bar: Optional[bool] = None,
    compute: Optional[str] = None,
    device: Optional[str] = None,
    threads: int = 0,
) -> List[Dict[str, Any]]:
    """Pairs of texts of at least `threshold` cosine, the best first, as `gradus mine` finds
    them: with `id1`, `id2`, `sentence1`, `sentence2`, `cosine`, and `recommended`, which is
    the grade where the model has one. Ids are places in `texts`."""
    with _input(texts, model) as (of, kept):
        found = _gradus.mine(
            of,
            model=None if model is None else str(model),
            kept=kept,
            threshold=threshold,
            top=top,
            neighbours=neighbours,
            precision=compute,
            device=device,
            threads=threads,
            progress=bar(show_progress_bar, "Texts"),
        )
    return [json.loads(pair) for pair in found]


@dataclass
class Clusters:
    """Clusters of texts, the largest first."""

    labels: np.ndarray
    """`[texts]`: of each text its cluster; -1 where it is in none."""
    cosines: np.ndarray
    """`[texts]`: of each text its cosine with the mean of its cluster."""
    clusters: List[Dict[str, Any]]
    """Of each cluster its `size`, `cosine`, `keywords` and `examples`."""


def cluster(
    texts: Texts,
    model: Optional[Union[str, Path]] = None,
    *,
    method: str = "k-means",
    clusters: Optional[int] = None,
    seed: int = 42,
    min_size: int = 10,
    neighbours: Optional[int] = None,
    select: str = "stable",
    threshold: float = 0.75,
    keywords: int = 10,
    examples: int = 3,
    output: Optional[Union[str, Path]] = None,
    show_progress_bar: Optional[bool] = None,
    compute: Optional[str] = None,
    device: Optional[str] = None,
    threads: int = 0,
) -> Clusters:
    """Clusters of texts with their telling words: `method` is `k-means`, `density` (HDBSCAN)
    or `communities`. The folder `output` gets the files of `gradus cluster`, `map.html`
    among them."""
    with ExitStack() as stack:
        of, kept = stack.enter_context(_input(texts, model))
        if output is None:
            output = stack.enter_context(tempfile.TemporaryDirectory(prefix="gradus-")) + "/clusters"
        labels, cosines, found, _ = _gradus.cluster(
            of,
            str(output),
            model=None if model is None else str(model),
            kept=kept,
            method=method,
            clusters=clusters or 0,
            seed=seed,
            min_size=min_size,
            neighbours=neighbours,
            select=select,
            threshold=threshold,
            keywords=keywords,
            examples=examples,
            precision=compute,
            device=device,
            threads=threads,
            progress=bar(show_progress_bar, "Texts"),
        )
    return Clusters(labels, cosines, [json.loads(own) for own in found])


@contextmanager
def _input(texts: Texts, model: Optional[Union[str, Path]]) -> Iterator[Tuple[str, Optional[str]]]:
    """An index, or a passing file and where its vectors are kept meanwhile."""
    if isinstance(texts, (Index, Path)):
        yield str(texts.path if isinstance(texts, Index) else texts), None
        return
    if isinstance(texts, str):
        raise TypeError("texts is one str; give several texts, or an index as a Path")
    if model is None:
        raise TypeError("texts need a model that compares them; give one, such as 'all-MiniLM-L6-v2'")
    with texts_file(texts) as path:
        yield path, str(Path(path).parent / "texts.index")


__all__ = ["Clusters", "calibrate", "cluster", "evaluate", "mine", "save_pairs"]
