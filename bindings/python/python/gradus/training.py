"""Training, and going on with it."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Union

from . import _gradus
from ._progress import steps
from .recipe import AnyObjective, AnyRecipe, customs, taken
from .sentence_encoder import SentenceEncoder

Callback = Callable[[Dict[str, Any]], Any]


@dataclass
class Trained:
    """A run that is over."""

    model: Path
    """The model's folder, which sentence-transformers reads too."""
    best: Optional[float]
    """Its score on the dev set, where there was one."""
    best_step: int
    """The step of that."""
    initial: Optional[float]
    """The score before training."""
    dev: Optional[str]
    """The dev set."""
    metric: str
    """By what the model was chosen."""
    selected_by: str
    """Of what that is: `cosine` or `score`."""

    def load(self, **options: Any) -> SentenceEncoder:
        """The model."""
        return SentenceEncoder(self.model, **options)


def train(
    recipe: AnyRecipe,
    *,
    output: Optional[Union[str, Path]] = None,
    set: Union[Mapping[str, Any], Sequence[str]] = (),
    overwrite: bool = False,
    objectives: Optional[Mapping[str, AnyObjective]] = None,
    callback: Optional[Callback] = None,
    show_progress_bar: Optional[bool] = None,
    compute: Optional[str] = None,
    device: Optional[str] = None,
    threads: int = 0,
) -> Trained:
    """Trains by a recipe: a TOML file, a dictionary of its keys, or a `Recipe`.

    The run goes to `output`, or where the recipe says. `set` changes keys of the recipe
    (`{"stage.0.learning_rate": 1e-5}`). `objectives` has callables by the names of their
    stages, as `gradus.objectives.Custom`. `callback` gets a dictionary of each `event`:
    `stage`, `step`, `evaluated`, `progress`, `note`, `warning`, `end`; where it raises, and
    at Ctrl-C, the run stops behind a checkpoint, and `resume` goes on with it.
    """
    path, keys, own = taken(recipe, objectives)
    ended = _gradus.train(
        path,
        text=None if keys is None else json.dumps(keys, default=os.fspath),
        set=_assignments(set),
        output=None if output is None else str(output),
        overwrite=overwrite,
        objectives=own,
        precision=compute,
        device=device,
        threads=threads,
        callback=_both(callback, show_progress_bar),
    )
    return _trained(ended)


def resume(
    folder: Union[str, Path],
    *,
    objectives: Optional[Mapping[str, AnyObjective]] = None,
    callback: Optional[Callback] = None,
    show_progress_bar: Optional[bool] = None,
    compute: Optional[str] = None,
    device: Optional[str] = None,
    threads: int = 0,
) -> Trained:
    """Goes on with the run in `folder`, to the bits of one that was never stopped. Callables
    are given again."""
    ended = _gradus.resume(
        str(folder),
        objectives=customs(objectives),
        precision=compute,
        device=device,
        threads=threads,
        callback=_both(callback, show_progress_bar),
    )
    return _trained(ended)


def plan(
    recipe: AnyRecipe,
    *,
    set: Union[Mapping[str, Any], Sequence[str]] = (),
    timed: bool = True,
    objectives: Optional[Mapping[str, AnyObjective]] = None,
    compute: Optional[str] = None,
    device: Optional[str] = None,
    threads: int = 0,
) -> Dict[str, Any]:
    """What `train` would do: steps, rates, tokens, memory; where `timed` a few batches are
    tried, and it says how long. Nothing is written."""
    path, keys, own = taken(recipe, objectives)
    planned = _gradus.plan(
        path,
        text=None if keys is None else json.dumps(keys, default=os.fspath),
        set=_assignments(set),
        timed=timed,
        objectives=own,
        precision=compute,
        device=device,
        threads=threads,
    )
    made: Dict[str, Any] = json.loads(planned)
    return made


def _trained(ended: str) -> Trained:
    fields = json.loads(ended)
    return Trained(**{**fields, "model": Path(fields["model"])})


def _assignments(set: Union[Mapping[str, Any], Sequence[str]]) -> Sequence[str]:
    if isinstance(set, Mapping):
        return [f"{key}={json.dumps(value, default=os.fspath)}" for key, value in set.items()]
    return list(set)


def _both(callback: Optional[Callback], show: Optional[bool]) -> Optional[Callback]:
    shown = steps(show)
    if callback is None or shown is None:
        return callback or shown

    def both(event: Dict[str, Any]) -> None:
        shown(event)
        callback(event)

    return both


__all__ = ["Trained", "plan", "resume", "train"]
