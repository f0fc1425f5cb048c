"""Texts and their vectors in a folder, searched exactly, approximately, and by words."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Iterable, List, Mapping, Optional, Sequence, Union

from . import _gradus
from ._files import texts_file
from ._progress import bar


class Index:
    """An index that `gradus index` or `Index.build` made.

    It stays as it was when it was opened, whatever is added to the folder since; what `add`
    and `remove` do through it is seen at once.
    """

    def __init__(
        self,
        path: Union[str, Path],
        *,
        model: Optional[Union[str, Path]] = None,
        hybrid: bool = False,
        recall: Optional[float] = None,
        rerank: Optional[Union[str, Path]] = None,
        candidates: int = 100,
        compute: Optional[str] = None,
        device: Optional[str] = None,
        threads: int = 0,
    ) -> None:
        self.path = Path(path)
        self._options: Dict[str, Any] = {
            "model": None if model is None else str(model),
            "hybrid": hybrid,
            "recall": recall,
            "rerank": None if rerank is None else str(rerank),
            "candidates": candidates,
            "precision": compute,
            "device": device,
            "threads": threads,
        }
        self._open()

    def _open(self) -> None:
        self._searcher = _gradus.Searcher(str(self.path), **self._options)

    def __getstate__(self) -> Dict[str, Any]:
        return {"path": self.path, "_options": self._options}

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()

    @classmethod
    def build(
        cls,
        path: Union[str, Path],
        texts: Iterable[str],
        model: Union[str, Path],
        *,
        ids: Optional[Sequence[str]] = None,
        columns: Optional[Sequence[Mapping[str, Any]]] = None,
        show_progress_bar: Optional[bool] = None,
        **options: Any,
    ) -> "Index":
        """Makes an index of texts in a new folder and opens it. Without ids texts are called
        by their number, from 0; `columns` has what filters see of each text."""
        with texts_file(texts, ids, columns, 0) as lines:
            _gradus.index_build(lines, str(model), str(path), progress=bar(show_progress_bar, "Texts"))
        return cls(path, model=model, **options)

    def add(
        self,
        texts: Iterable[str],
        *,
        ids: Optional[Sequence[str]] = None,
        columns: Optional[Sequence[Mapping[str, Any]]] = None,
        show_progress_bar: Optional[bool] = None,
    ) -> int:
        """Adds texts; returns how many."""
        with texts_file(texts, ids, columns, len(self)) as lines:
            added = _gradus.index_add(
                str(self.path), lines, model=self._options["model"], progress=bar(show_progress_bar, "Texts")
            )
        self._open()
        return added

    def remove(self, ids: Sequence[str]) -> int:
        """Removes texts by their ids, all or none; returns how many."""
        removed = _gradus.index_remove(str(self.path), [str(own) for own in ids])
        self._open()
        return removed

    def make_graph(self) -> Dict[int, float]:
        """Makes the graph for approximate search (`Index(..., recall=0.95)`); returns what
        searches of several widths find."""
        made = dict(_gradus.index_graph(str(self.path)))
        self._open()
        return made

    def keep_words(self) -> int:
        """Keeps the words of texts for search by words (`Index(..., hybrid=True)`)."""
        return _gradus.index_words(str(self.path))

    def search(
        self,
        queries: Union[str, Iterable[str]],
        top: int = 10,
        filter: Optional[str] = None,
    ) -> Any:
        """The texts nearest to a query, best first: a dictionary each with `id`, `cosine`,
        `text` and `columns`; a list of those for each of several queries."""
        found, alone = self._searcher.search(queries, top=top, filter=filter)
        return found[0] if alone else found

    def __len__(self) -> int:
        return self._searcher.texts


__all__ = ["Index"]
