"""Models that score pairs of texts, and grades."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence, Tuple, Union

import numpy as np

from ._gradus import Scorer
from ._progress import bar

Pairs = Union[Tuple[str, str], Sequence[Sequence[str]]]


class _Scoring:
    """A model that is loaded anew where it is unpickled."""

    def __init__(
        self,
        model_name_or_path: Union[str, Path],
        *,
        device: Optional[str] = None,
        compute: Optional[str] = None,
        threads: int = 0,
    ) -> None:
        self._options: Dict[str, Any] = {"precision": compute, "device": device, "threads": threads}
        self._name = str(model_name_or_path)
        self._model = Scorer(self._name, **self._options)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._name!r})"

    def __getstate__(self) -> Dict[str, Any]:
        state = dict(self.__dict__)
        del state["_model"]
        return state

    def __setstate__(self, state: Dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._model = Scorer(self._name, **self._options)


class CrossEncoder(_Scoring):
    """A model that reads two texts together, as sentence-transformers' CrossEncoder."""

    def predict(
        self,
        sentences: Pairs,
        batch_size: int = 32,
        show_progress_bar: Optional[bool] = None,
        activation_fn: Optional[Callable[[Any], Any]] = None,
        apply_softmax: bool = False,
        convert_to_numpy: bool = True,
        convert_to_tensor: bool = False,
    ) -> Any:
        """Scores of pairs: `[pairs]`, or `[pairs, labels]` of a model of several.

        Without `activation_fn` the model's own is applied; one that is given gets logits,
        an array or, where it is a module of torch, a tensor. `batch_size` is accepted and
        without effect.
        """
        scores, alone = self._model.predict(
            sentences,
            activation=activation_fn is None,
            progress=bar(show_progress_bar, "Pairs"),
        )
        if activation_fn is not None:
            scores = _applied(activation_fn, scores)
        if apply_softmax and scores.shape[1] > 1:
            raised = np.exp(scores - scores.max(1, keepdims=True))
            scores = raised / raised.sum(1, keepdims=True)
        if scores.shape[1] == 1:
            scores = scores[:, 0]
        found = scores[0] if alone else scores
        if convert_to_tensor:
            import torch

            return torch.as_tensor(found)
        return found if convert_to_numpy or alone else list(found)

    def rank(
        self,
        query: str,
        documents: Iterable[str],
        top_k: Optional[int] = None,
        return_documents: bool = False,
        batch_size: int = 32,
        show_progress_bar: Optional[bool] = None,
    ) -> List[Dict[str, Any]]:
        """Documents by their score with a query, best first: `corpus_id`, `score`, and
        `text` if `return_documents`."""
        documents = list(documents)
        ranked = self._model.rank(query, documents, top=top_k)
        found: List[Dict[str, Any]] = [{"corpus_id": place, "score": score} for place, score in ranked]
        if return_documents:
            for own in found:
                own["text"] = documents[own["corpus_id"]]
        return found

    @property
    def num_labels(self) -> int:
        """Scores of a pair."""
        labels = self._model.num_labels
        if labels is None:
            raise ValueError(f"{self._name} is no cross-encoder: it makes vectors")
        return labels


class Grader(_Scoring):
    """How alike texts are, on the scale of the labels that a model was calibrated on, else
    as its regression head, its cosine or its score says: what `gradus score` prints."""

    def grade(self, pairs: Pairs, show_progress_bar: Optional[bool] = None) -> Any:
        """For each pair a dictionary: `score`, the number to use, and which one that `is`;
        `cosine`, `grade`, `calibrated` (grade, low, high), each None where there is none;
        whether a text was `truncated` or `unknown` to the model."""
        found, alone = self._model.grade(pairs, progress=bar(show_progress_bar, "Pairs"))
        return found[0] if alone else found


def _applied(function: Callable[[Any], Any], logits: np.ndarray) -> np.ndarray:
    if type(function).__module__.startswith("torch"):
        import torch

        return function(torch.from_numpy(logits)).numpy()
    return np.asarray(function(logits))


__all__ = ["CrossEncoder", "Grader"]
