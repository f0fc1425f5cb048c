"""Texts and pairs of Python in passing files, as the library reads them."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Union

from .recipe import AnySource, Source, source


@contextmanager
def texts_file(
    texts: Iterable[str],
    ids: Optional[Sequence[str]] = None,
    columns: Optional[Sequence[Mapping[str, Any]]] = None,
    first: int = 0,
) -> Iterator[str]:
    """Lines of JSON with `id`, `text` and other columns; without ids numbers from `first`."""
    texts = list(texts)
    for name, other in (("ids", ids), ("columns", columns)):
        if other is not None and len(other) != len(texts):
            raise ValueError(f"{len(texts)} texts have {len(other)} {name}")
    rows: List[Dict[str, Any]] = []
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"text {place} is a {type(text).__qualname__}, not a str")
        own = dict(columns[place]) if columns is not None else {}
        for name in ("id", "text"):
            if name in own:
                raise ValueError(f"columns of text {place} have {name!r}, which is no column")
        name = str(first + place) if ids is None else str(ids[place])
        rows.append({"id": name, "text": text, **own})
    with _passing("texts.jsonl", rows) as path:
        yield path


AnyPairs = Union[AnySource, Iterable[Sequence[Any]]]
"""A source, or pairs with their grades: `(first, second, grade)` each."""


@contextmanager
def pairs_source(pairs: AnyPairs) -> Iterator[str]:
    """A source of graded pairs as JSON."""
    if isinstance(pairs, (str, os.PathLike, Source, Mapping)):
        yield json.dumps(source(pairs), default=os.fspath)
        return
    with _passing("pairs.jsonl", pair_rows(pairs)) as path:
        yield json.dumps({"path": path})


def pair_rows(pairs: Iterable[Sequence[Any]]) -> List[Dict[str, Any]]:
    """Pairs with their grades as objects."""
    rows: List[Dict[str, Any]] = []
    for place, pair in enumerate(pairs):
        pair = list(pair.values()) if isinstance(pair, Mapping) else list(pair)
        if len(pair) != 3 or not all(isinstance(text, str) for text in pair[:2]):
            raise TypeError(f"pair {place} is no (first text, second text, grade)")
        rows.append({"sentence1": pair[0], "sentence2": pair[1], "score": float(pair[2])})
    return rows


@contextmanager
def _passing(name: str, rows: List[Dict[str, Any]]) -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="gradus-") as folder:
        path = Path(folder) / name
        write_rows(path, rows)
        yield str(path)


def write_rows(path: Path, rows: List[Dict[str, Any]]) -> None:
    """Writes lines of JSON."""
    with path.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row) + "\n")
