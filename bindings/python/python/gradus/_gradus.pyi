"""The extension behind the package; `tests/test_stubs.py` compares this with it."""

from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
from numpy.typing import NDArray

__version__: str

class GradusError(Exception): ...

class Encoder:
    def __new__(
        cls,
        name: str,
        *,
        precision: Optional[str] = None,
        device: Optional[str] = None,
        threads: int = 0,
        max_seq_length: Optional[int] = None,
    ) -> Encoder: ...
    @property
    def folder(self) -> str: ...
    @property
    def dimension(self) -> int: ...
    @property
    def max_seq_length(self) -> int: ...
    @property
    def prompts(self) -> Dict[str, str]: ...
    @property
    def last_computed(self) -> float: ...
    @property
    def default_prompt_name(self) -> Optional[str]: ...
    def encode(
        self,
        sentences: Any,
        *,
        prompt: str = "",
        normalize: bool = False,
        truncate_dim: Optional[int] = None,
        batch_tokens: Optional[int] = None,
        progress: Optional[Callable[..., None]] = None,
    ) -> Tuple[NDArray[np.float32], bool]: ...
    def token_vectors(
        self,
        sentences: Any,
        *,
        prompt: str = "",
    ) -> Tuple[List[NDArray[np.float32]], bool]: ...
    def tokens(self, text: str) -> NDArray[np.uint32]: ...

class Scorer:
    def __new__(
        cls,
        name: str,
        *,
        precision: Optional[str] = None,
        device: Optional[str] = None,
        threads: int = 0,
    ) -> Scorer: ...
    @property
    def folder(self) -> str: ...
    @property
    def num_labels(self) -> Optional[int]: ...
    def predict(
        self,
        of: Any,
        *,
        activation: bool = True,
        progress: Optional[Callable[..., None]] = None,
    ) -> Tuple[NDArray[np.float32], bool]: ...
    def rank(self, query: str, documents: Any, *, top: Optional[int] = None) -> List[Tuple[int, float]]: ...
    def grade(
        self,
        of: Any,
        *,
        progress: Optional[Callable[..., None]] = None,
    ) -> Tuple[List[Dict[str, Any]], bool]: ...

class Searcher:
    def __new__(
        cls,
        folder: str,
        *,
        model: Optional[str] = None,
        hybrid: Optional[bool] = None,
        recall: Optional[float] = None,
        rerank: Optional[str] = None,
        candidates: int = 100,
        precision: Optional[str] = None,
        device: Optional[str] = None,
        threads: int = 0,
    ) -> Searcher: ...
    @property
    def texts(self) -> int: ...
    def search(
        self,
        queries: Any,
        *,
        top: int = 10,
        filter: Optional[str] = None,
    ) -> Tuple[List[List[Dict[str, Any]]], bool]: ...

def nearest(
    queries: NDArray[np.float32],
    corpus: NDArray[np.float32],
    top: int,
    *,
    cosine: bool = True,
    threads: int = 0,
) -> Tuple[NDArray[np.int64], NDArray[np.float32]]: ...
def pairs(
    vectors: NDArray[np.float32],
    *,
    most: int,
    neighbours: Optional[int] = None,
    threshold: float = -1.0,
    threads: int = 0,
    progress: Optional[Callable[..., None]] = None,
) -> Tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]: ...
def communities(
    vectors: NDArray[np.float32],
    *,
    threshold: float,
    smallest: int,
    threads: int = 0,
    progress: Optional[Callable[..., None]] = None,
) -> List[NDArray[np.int64]]: ...
def index_build(
    texts: str,
    model: str,
    folder: str,
    *,
    threads: int = 0,
    progress: Optional[Callable[..., None]] = None,
) -> int: ...
def index_add(
    folder: str,
    texts: str,
    *,
    model: Optional[str] = None,
    threads: int = 0,
    progress: Optional[Callable[..., None]] = None,
) -> int: ...
def index_remove(folder: str, ids: List[str]) -> int: ...
def index_graph(
    folder: str,
    *,
    threads: int = 0,
    progress: Optional[Callable[..., None]] = None,
) -> List[Tuple[int, float]]: ...
def index_words(folder: str, *, progress: Optional[Callable[..., None]] = None) -> int: ...
def train(
    recipe: str,
    *,
    text: Optional[str] = None,
    set: Sequence[str] = [],
    output: Optional[str] = None,
    overwrite: bool = False,
    objectives: Optional[Dict[str, Any]] = None,
    precision: Optional[str] = None,
    device: Optional[str] = None,
    threads: int = 0,
    callback: Optional[Callable[[Dict[str, Any]], Any]] = None,
) -> str: ...
def plan(
    recipe: str,
    *,
    text: Optional[str] = None,
    set: Sequence[str] = [],
    timed: bool = True,
    objectives: Optional[Dict[str, Any]] = None,
    precision: Optional[str] = None,
    device: Optional[str] = None,
    threads: int = 0,
    callback: Optional[Callable[[Dict[str, Any]], Any]] = None,
) -> str: ...
def resume(
    folder: str,
    *,
    objectives: Optional[Dict[str, Any]] = None,
    precision: Optional[str] = None,
    device: Optional[str] = None,
    threads: int = 0,
    callback: Optional[Callable[[Dict[str, Any]], Any]] = None,
) -> str: ...
def recipe_keys() -> Dict[str, List[str]]: ...
def evaluate(
    models: List[str],
    *,
    tasks: List[str],
    pairs: str,
    text: str = "original",
    precision: Optional[str] = None,
    device: Optional[str] = None,
    threads: int = 0,
    progress: Optional[Callable[..., None]] = None,
) -> str: ...
def calibrate(
    model: str,
    pairs: str,
    *,
    scale: Optional[Tuple[float, float]] = None,
    score: Optional[str] = None,
    coverage: float = 0.8,
    output: Optional[str] = None,
    overwrite: bool = False,
    precision: Optional[str] = None,
    device: Optional[str] = None,
    threads: int = 0,
    progress: Optional[Callable[..., None]] = None,
) -> Tuple[str, str]: ...
def mine(
    texts: str,
    *,
    model: Optional[str] = None,
    kept: Optional[str] = None,
    threshold: float = 0.8,
    top: int = 500000,
    neighbours: Optional[int] = None,
    precision: Optional[str] = None,
    device: Optional[str] = None,
    threads: int = 0,
    progress: Optional[Callable[..., None]] = None,
) -> List[str]: ...
def cluster(
    texts: str,
    output: str,
    *,
    model: Optional[str] = None,
    kept: Optional[str] = None,
    method: str = "k-means",
    clusters: int = 0,
    seed: int = 42,
    min_size: int = 10,
    neighbours: Optional[int] = None,
    select: str = "stable",
    threshold: float = 0.75,
    keywords: int = 10,
    examples: int = 3,
    precision: Optional[str] = None,
    device: Optional[str] = None,
    threads: int = 0,
    progress: Optional[Callable[..., None]] = None,
) -> Tuple[NDArray[np.int64], NDArray[np.float32], List[str], List[str]]: ...
