"""Recipes in Python: what a recipe's file says, key by key (docs/recipes.md).

What is not given is as in a file that does not say.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from .objectives import Custom, Objective

Path = Union[str, "os.PathLike[str]"]
Column = Union[str, int]


@dataclass
class Source:
    """Where examples come from: a file, or a data set that `gradus pull` knows."""

    path: Optional[Path] = None
    dataset: Optional[str] = None
    split: Optional[str] = None
    format: Optional[str] = None
    header: Optional[bool] = None
    quoting: Optional[bool] = None
    delimiter: Optional[str] = None
    decimal: Optional[str] = None
    text: Optional[Column] = None
    first: Optional[Column] = None
    second: Optional[Column] = None
    label: Optional[Column] = None
    weight: Optional[Column] = None
    tolerance: Optional[Column] = None
    negative: Optional[Column] = None
    negatives: Optional[int] = None
    rows: Optional[str] = None
    max_pairs: Optional[int] = None
    exclude: Optional[Sequence[str]] = None
    exclude_by: Optional[str] = None
    labels: Optional[Mapping[str, Any]] = None

    def to_dict(self) -> Dict[str, Any]:
        """As a recipe has it."""
        return _given(self)


AnySource = Union[Source, Mapping[str, Any], Path]


def source(of: AnySource) -> Dict[str, Any]:
    """A source as a recipe has it; of a path its file."""
    if isinstance(of, Source):
        return of.to_dict()
    if isinstance(of, Mapping):
        return dict(of)
    return {"path": os.fspath(of)}


AnyObjective = Union[Objective, Custom, Mapping[str, Any], Callable[..., Any]]


@dataclass
class Stage:
    """A stage of a run. `train` is one source or several; `objective` a loss of
    `gradus.objectives`, or a callable as `objectives.Custom` has it."""

    name: str
    objective: AnyObjective
    train: Union[AnySource, Sequence[AnySource]]
    learning_rate: float = 2e-5
    epochs: Optional[float] = None
    steps: Optional[int] = None
    batch: Optional[int] = None
    also: Optional[Sequence[Union[Objective, Mapping[str, Any]]]] = None
    projection: Optional[str] = None
    keep_projection: Optional[bool] = None
    second_template: Optional[str] = None
    denoise: Optional[bool] = None
    views: Optional[int] = None
    teachers: Optional[Sequence[Union[str, Mapping[str, Any]]]] = None
    repetition: Optional[float] = None
    buffer: Optional[Mapping[str, Any]] = None
    difference: Optional[Mapping[str, Any]] = None
    self_distillation: Optional[Mapping[str, Any]] = None
    freeze: Optional[str] = None
    chunk_tokens: Optional[int] = None
    accumulate: Optional[int] = None
    head_learning_rate: Optional[float] = None
    schedule: Optional[str] = None
    warmup: Optional[float] = None
    weight_decay: Optional[float] = None
    layer_decay: Optional[float] = None
    clip: Optional[float] = None
    dropout: Optional[float] = None
    shuffle: Optional[bool] = None
    next_from: Optional[str] = None
    both_orders: Optional[bool] = None
    adamw: Optional[Mapping[str, float]] = None

    def custom(self) -> Optional[Custom]:
        """The objective, where it is a callable."""
        if isinstance(self.objective, Custom):
            return self.objective
        if isinstance(self.objective, (Objective, Mapping)):
            return None
        return Custom(self.objective)

    def to_dict(self) -> Dict[str, Any]:
        """As a recipe has it; one epoch unless `epochs` or `steps` is given."""
        made = _given(self)
        made["objective"] = _objective(self.custom() or self.objective)
        alone = isinstance(self.train, (str, os.PathLike, Source, Mapping))
        sources: Any = [self.train] if alone else self.train
        made["train"] = [source(of) for of in sources]
        if self.also is not None:
            made["also"] = [_objective(own) for own in self.also]
        if self.teachers is not None:
            made["teachers"] = [{"model": own} if isinstance(own, str) else dict(own) for own in self.teachers]
        if self.epochs is None and self.steps is None:
            made["epochs"] = 1
        return made


@dataclass
class Recipe:
    """A whole run. `dev` has the graded pairs that the best model is chosen by;
    `task="cross-encoder"` trains a cross-encoder."""

    model: Path
    stages: Sequence[Union[Stage, Mapping[str, Any]]]
    dev: Optional[AnySource] = None
    every: Optional[int] = None
    patience: Optional[int] = None
    task: Optional[str] = None
    description: Optional[str] = None
    seed: Optional[int] = None
    output: Optional[Path] = None
    max_tokens: Optional[int] = None
    prompt: Optional[str] = None
    prompt_text: Optional[str] = None
    normalize: Optional[bool] = None
    pooling: Optional[str] = None
    template: Optional[str] = None
    denoise: Optional[bool] = None
    precision: Optional[str] = None
    device: Optional[str] = None
    log_every: Optional[int] = None
    checkpoint_seconds: Optional[int] = None
    checkpoint_steps: Optional[int] = None
    exclude_overlap: Optional[bool] = None

    def to_dict(self) -> Dict[str, Any]:
        """As a file has it."""
        made = _given(self)
        evaluation = {name: made.pop(name) for name in ("dev", "every", "patience") if name in made}
        if self.dev is not None:
            evaluation["dev"] = source(self.dev)
        if evaluation:
            made["evaluation"] = evaluation
        del made["stages"]
        made["stage"] = [own.to_dict() if isinstance(own, Stage) else dict(own) for own in self.stages]
        return made

    def custom(self) -> Dict[str, Custom]:
        """The objectives that are callables, by their stages."""
        stages = [own for own in self.stages if isinstance(own, Stage)]
        return {own.name: custom for own in stages for custom in [own.custom()] if custom is not None}


AnyRecipe = Union[Path, Mapping[str, Any], Recipe]


def taken(
    recipe: AnyRecipe, objectives: Optional[Mapping[str, AnyObjective]]
) -> Tuple[str, Optional[Dict[str, Any]], Dict[str, Custom]]:
    """A recipe's path, or else its keys, and the objectives that are callables."""
    own: Dict[str, Custom] = recipe.custom() if isinstance(recipe, Recipe) else {}
    own.update(customs(objectives))
    if isinstance(recipe, Recipe):
        return "recipe", recipe.to_dict(), own
    if isinstance(recipe, Mapping):
        return "recipe", dict(recipe), own
    return os.fspath(recipe), None, own


def customs(objectives: Optional[Mapping[str, Any]]) -> Dict[str, Custom]:
    """Callables by their stages, each as an objective."""
    given = (objectives or {}).items()
    return {stage: own if isinstance(own, Custom) else Custom(own) for stage, own in given}


def _objective(own: Any) -> Dict[str, Any]:
    return own.to_dict() if isinstance(own, (Objective, Custom)) else dict(own)


def _given(of: Any) -> Dict[str, Any]:
    given: Dict[str, Any] = {own.name: getattr(of, own.name) for own in fields(of)}
    paths = (name for name, value in given.items() if isinstance(value, os.PathLike))
    given.update({name: os.fspath(given[name]) for name in list(paths)})
    return {name: value for name, value in given.items() if value is not None}


__all__: List[str] = ["Recipe", "Source", "Stage"]
