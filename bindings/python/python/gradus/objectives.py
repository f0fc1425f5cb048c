"""What a stage of a training minimises: the losses that recipes name, and callables.

    Stage("grades", objectives.SmoothK2(k=3.5, x0=0.2), "pairs.tsv")
    Stage("mine", lambda batch: (loss, gradient), "pairs.tsv")

Settings that are not given are those of a recipe that does not say. `mse`, `l1`,
`smooth_k2`, `translated_relu`, `cross_entropy`, `list_net` and `list_mle` are losses of
sentence encoders and of cross-encoders, which have some of the settings each; docs/recipes.md
and docs/cross-encoders.md say which.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Callable, ClassVar, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np


@dataclass
class Objective:
    """A loss that recipes name."""

    loss: ClassVar[str]
    weight: Optional[float] = None
    widths: Optional[Sequence[int]] = None

    def to_dict(self) -> Dict[str, Any]:
        """As a recipe has it."""
        given = {own.name: getattr(self, own.name) for own in fields(self)}
        return {"loss": self.loss, **{name: value for name, value in given.items() if value is not None}}


@dataclass
class _Grades(Objective):
    form: Optional[str] = None
    features: Optional[str] = None
    scale: Optional[float] = None
    offset: Optional[float] = None
    learned: Optional[bool] = None
    out_of_range: Optional[str] = None
    range: Optional[Tuple[float, float]] = None


@dataclass
class SmoothK2(_Grades):
    """Smooth K2 (Zhang & Li 2024): `k (|e| - x0)^2` outside of a buffer."""

    loss = "smooth_k2"
    k: Optional[float] = None
    x0: Optional[float] = None
    spacing: Optional[float] = None


@dataclass
class TranslatedReLU(_Grades):
    """Translated ReLU (Zhang & Li 2024): `k max(0, |e| - x0)`."""

    loss = "translated_relu"
    k: Optional[float] = None
    x0: Optional[float] = None
    spacing: Optional[float] = None


@dataclass
class MSE(_Grades):
    """Squared error."""

    loss = "mse"


@dataclass
class L1(_Grades):
    """Absolute error."""

    loss = "l1"


@dataclass
class CrossEntropy(Objective):
    """Softmax over classes."""

    loss = "cross_entropy"
    form: Optional[str] = None
    features: Optional[str] = None
    out_of_range: Optional[str] = None
    range: Optional[Tuple[float, float]] = None
    classes: Optional[int] = None


@dataclass
class InfoNCE(Objective):
    """Each anchor finds its positive among all of the batch (SimCSE; Gao et al. 2021)."""

    loss = "info_nce"
    temperature: Optional[float] = None
    learned: Optional[bool] = None
    symmetric: Optional[bool] = None
    negative_weight: Optional[float] = None


@dataclass
class CoSENT(Objective):
    """The order of pairs by their cosines."""

    loss = "cosent"
    temperature: Optional[float] = None


@dataclass
class AnglE(Objective):
    """The same on angles in complex space (Li & Li 2024)."""

    loss = "angle"
    temperature: Optional[float] = None


@dataclass
class Pearson(Objective):
    """`1 - r` of cosines and grades."""

    loss = "pearson"


@dataclass
class ListNet(Objective):
    """Lists of similarities after those of teachers (RankCSE; Liu et al. 2023)."""

    loss = "list_net"
    temperature: Optional[float] = None
    teacher_temperature: Optional[float] = None
    include_self: Optional[bool] = None


@dataclass
class ListMLE(Objective):
    """The order of a list by its likelihood."""

    loss = "list_mle"
    temperature: Optional[float] = None
    include_self: Optional[bool] = None
    respect_input_order: Optional[bool] = None


@dataclass
class Consistency(Objective):
    """The two views of a text have the same list."""

    loss = "consistency"
    temperature: Optional[float] = None
    include_self: Optional[bool] = None


@dataclass
class EmbeddingMSE(Objective):
    """Vectors become the teachers'."""

    loss = "embedding_mse"


@dataclass
class BCE(Objective):
    """Binary cross-entropy of a cross-encoder's scores."""

    loss = "bce"
    pos_weight: Optional[float] = None
    scale: Optional[Tuple[float, float]] = None


@dataclass
class MarginMSE(Objective):
    """Differences of scores after a teacher's."""

    loss = "margin_mse"


@dataclass
class Lambda(Objective):
    """LambdaLoss of lists of scores."""

    loss = "lambda"
    weighting: Optional[str] = None
    mu: Optional[float] = None
    k: Optional[int] = None
    sigma: Optional[float] = None
    eps: Optional[float] = None
    reduction_log: Optional[str] = None


@dataclass
class RankNet(Objective):
    """LambdaLoss without weights."""

    loss = "rank_net"
    k: Optional[int] = None
    sigma: Optional[float] = None
    reduction_log: Optional[str] = None


@dataclass
class PListMLE(Objective):
    """ListMLE with weights by position."""

    loss = "p_list_mle"
    respect_input_order: Optional[bool] = None


@dataclass
class Batch:
    """What a callable sees of a batch of `n` examples."""

    vectors: Any
    """`[columns, n, dim]`: the first text of each example, then the second, and so on."""
    labels: Any
    """`[n]`: the grades; without meaning where examples have none."""
    weights: Any
    """`[n]`: what each example's loss weighs."""
    texts: Any
    """`[columns, n]`: which text each vector is of; equal numbers are one text."""
    teachers: List[Any]
    """`[n, width]` each: what the stage's teachers make of the first texts."""
    parameters: Any
    """The objective's own parameters, as they are now."""


Result = Union[Tuple[float, Any], Tuple[float, Any, Any]]


class Custom:
    """An objective of your own: `function(batch)` returns the batch's mean loss and its
    gradient by `batch.vectors`, in their shape; with parameters of its own also that by them.

    `labels` says whether examples have grades, `columns` how many texts an example has,
    `initial_parameters(dim, seed)` makes the parameters that are trained along. `name`
    stands in plans and model cards; a run goes on only with an objective of the same name.
    The same vectors must give the same loss, or a run that goes on is another one.
    """

    def __init__(
        self,
        function: Callable[[Batch], Any],
        *,
        labels: bool = True,
        columns: int = 2,
        min_batch: int = 1,
        name: Optional[str] = None,
        initial_parameters: Optional[Callable[[int, int], Any]] = None,
    ) -> None:
        if not callable(function):
            raise TypeError(f"an objective is a {type(function).__qualname__}, which cannot be called")
        self.function = function
        self.labels = labels
        self.columns = columns
        self.min_batch = min_batch
        self.name = name or f"custom objective {getattr(function, '__qualname__', type(function).__qualname__)}"
        self._initial = initial_parameters

    def to_dict(self) -> Dict[str, Any]:
        """What stands in a recipe in its place, and says how examples are read."""
        return {"loss": "mse", "form": "cosine"} if self.labels else {"loss": "info_nce"}

    def initial_parameters(self, dim: int, seed: int) -> np.ndarray:
        """What the extension asks for before the first step."""
        made = [] if self._initial is None else self._initial(dim, seed)
        return _flat(made, "initial_parameters")

    def __call__(
        self, vectors: Any, labels: Any, weights: Any, texts: Any, teachers: List[Any], parameters: Any
    ) -> Tuple[float, np.ndarray, np.ndarray]:
        """What the extension calls."""
        result = self.function(Batch(vectors, labels, weights, texts, teachers, parameters))
        if not isinstance(result, tuple) or len(result) not in (2, 3):
            raise TypeError(f"{self.name} returned {_kind(result)}; expected (loss, gradient)")
        loss, gradient = result[0], result[1]
        own = result[2] if len(result) == 3 else np.zeros(0, np.float32)
        gradient = _of_shape(gradient, vectors.shape, f"the gradient of {self.name}")
        own = _of_shape(own, parameters.shape, f"the gradient by parameters of {self.name}")
        return float(loss), gradient, own


class Torch(Custom):
    """The same in PyTorch: `function(batch)` gets tensors and returns the loss as a tensor
    of one value; gradients are autograd's."""

    def __call__(
        self, vectors: Any, labels: Any, weights: Any, texts: Any, teachers: List[Any], parameters: Any
    ) -> Tuple[float, np.ndarray, np.ndarray]:
        """What the extension calls."""
        import torch

        of = torch.from_numpy
        leaf, own = of(vectors).requires_grad_(), of(parameters).requires_grad_()
        seen = [of(teacher) for teacher in teachers]
        loss = self.function(Batch(leaf, of(labels), of(weights), of(texts.astype(np.int64)), seen, own))
        if not isinstance(loss, torch.Tensor) or loss.numel() != 1:
            raise TypeError(f"{self.name} returned {_kind(loss)}; expected a tensor of one value")
        loss.backward()
        gradient = np.zeros_like(vectors) if leaf.grad is None else leaf.grad.numpy()
        of_own = np.zeros_like(parameters) if own.grad is None else own.grad.numpy()
        return loss.item(), _flat(gradient, self.name), _flat(of_own, self.name)


def _flat(values: Any, what: str) -> np.ndarray:
    try:
        return np.ascontiguousarray(values, np.float32).reshape(-1)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{what}: {error}") from error


def _of_shape(values: Any, shape: Tuple[int, ...], what: str) -> np.ndarray:
    given = np.shape(values)
    if given != shape:
        raise ValueError(f"{what} has the shape {given}; expected {shape}")
    return _flat(values, what)


def _kind(value: Any) -> str:
    if isinstance(value, tuple):
        return f"{len(value)} values"
    return f"a {type(value).__qualname__}"
