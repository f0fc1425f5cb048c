import pickle

import numpy as np
import pytest

import gradus
from gradus import Index, SentenceEncoder


def test_an_index_is_built_searched_and_changed(small, cross, texts, tmp_path):
    texts = sorted(set(texts))
    columns = [{"even": i % 2 == 0} for i in range(len(texts))]
    index = Index.build(tmp_path / "i", texts, small, columns=columns)
    assert len(index) == len(texts)
    model = SentenceEncoder(small)
    vectors = model.encode(texts, normalize_embeddings=True)
    query = model.encode("two birds", normalize_embeddings=True)
    best = np.argsort(-(vectors @ query), kind="stable")[:5]
    found = index.search("two birds", top=5)
    np.testing.assert_allclose([own["cosine"] for own in found], (vectors @ query)[best], atol=1e-6)
    assert {own["text"] for own in found} <= set(texts) and all("even" in own["columns"] for own in found)
    several = index.search(["two birds", "a dog"], top=5)
    assert several[0] == found and len(several) == 2
    assert all(own["columns"]["even"] for own in index.search("two birds", filter="even = true"))
    # Through the graph, and by words.
    assert max(index.make_graph().values()) > 0.9
    assert Index(index.path, recall=1.0).search("two birds", top=5) == found
    assert index.keep_words() == len(texts)
    assert Index(index.path, hybrid=True).search("two birds", top=5)[0]["fused"] > 0
    assert Index(index.path, rerank=cross, candidates=9).search("two birds", top=5)[0]["score"] is not None
    # What is added and removed.
    assert index.add(["two birds two birds"], ids=["new"]) == 1
    assert "new" in [own["id"] for own in index.search("two birds two birds", top=3)]
    assert index.remove(["new"]) == 1
    assert index.search("two birds", top=5) == found
    assert pickle.loads(pickle.dumps(index)).search("two birds", top=5) == found


def test_what_is_wrong_is_said(small, tmp_path):
    with pytest.raises(gradus.GradusError, match="no index.json"):
        Index(tmp_path)
    with pytest.raises(ValueError, match="2 texts have 1 ids"):
        Index.build(tmp_path / "i", ["a", "b"], small, ids=["x"])
    with pytest.raises(TypeError, match="text 1 is a int"):
        Index.build(tmp_path / "i", ["a", 2], small)
    index = Index.build(tmp_path / "i", ["a", "b"], small)
    with pytest.raises(gradus.GradusError, match="no text with the id"):
        index.remove(["z"])
    with pytest.raises(gradus.GradusError, match="--filter"):
        index.search("a", filter="lang =")
