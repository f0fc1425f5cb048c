"""How alike are two texts?

>>> from gradus import SentenceEncoder
>>> model = SentenceEncoder("all-MiniLM-L6-v2")
>>> vectors = model.encode(["A plane is taking off.", "An air plane takes off."])
>>> model.similarity(vectors, vectors)

Names and defaults are those of sentence-transformers where it has them, so that a script
runs with the import changed. `gradus.util` has `semantic_search`, `paraphrase_mining` and
`community_detection`.
"""

from . import objectives, util
from ._gradus import GradusError, __version__
from .cross_encoder import CrossEncoder, Grader
from .index import Index
from .jobs import Clusters, calibrate, cluster, evaluate, mine, save_pairs
from .recipe import Recipe, Source, Stage
from .sentence_encoder import SentenceEncoder
from .training import Trained, plan, resume, train
from .util import cos_sim, quantize_embeddings

SentenceTransformer = SentenceEncoder
"""The name that sentence-transformers has for it."""

__all__ = [
    "Clusters",
    "CrossEncoder",
    "Grader",
    "GradusError",
    "Index",
    "Recipe",
    "SentenceEncoder",
    "SentenceTransformer",
    "Source",
    "Stage",
    "Trained",
    "calibrate",
    "cluster",
    "cos_sim",
    "evaluate",
    "mine",
    "objectives",
    "plan",
    "quantize_embeddings",
    "resume",
    "save_pairs",
    "train",
    "util",
    "__version__",
]
