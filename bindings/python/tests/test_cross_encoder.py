import pickle

import numpy as np
import pytest

import gradus
from gradus import CrossEncoder, Grader


@pytest.fixture(scope="module")
def model(cross):
    return CrossEncoder(cross)


def test_pairs_have_scores(model, texts):
    pairs = list(zip(texts, texts[1:]))
    scores = model.predict(pairs)
    assert scores.shape == (len(pairs),) and scores.dtype == np.float32
    assert model.predict(pairs[3]) == scores[3]
    assert (model.predict(np.array(pairs[:4])) == scores[:4]).all()
    logits = model.predict(pairs, activation_fn=lambda x: x)
    assert logits.shape == scores.shape
    np.testing.assert_allclose(model.predict(pairs, activation_fn=lambda x: 1 / (1 + np.exp(-x))), 1 / (1 + np.exp(-logits)), rtol=1e-5)


def test_documents_are_ranked(model, texts):
    ranked = model.rank(texts[0], texts[:50], top_k=7, return_documents=True)
    scores = model.predict([(texts[0], text) for text in texts[:50]])
    assert [own["corpus_id"] for own in ranked] == sorted(range(50), key=lambda i: -scores[i])[:7]
    assert all(own["text"] == texts[own["corpus_id"]] for own in ranked)
    np.testing.assert_allclose([own["score"] for own in ranked], sorted(scores, reverse=True)[:7], rtol=1e-6)


def test_what_is_no_pair_is_named(model):
    for bad, says in [(["a", "b", "c"], "pair 0 is one text"), ([("a", "b"), ("a",)], "pair 1 has 1 texts"), ([("a", 3)], "second text of pair 0 is a int")]:
        with pytest.raises(TypeError, match=says):
            model.predict(bad)


def test_a_model_that_makes_vectors_is_no_cross_encoder(small, texts):
    with pytest.raises(gradus.GradusError, match="no cross-encoder"):
        CrossEncoder(small).predict([("a", "b")])


def test_grades(small, model, texts):
    grader = Grader(small)
    graded = grader.grade([("a dog", "the dog"), ("a dog", "two birds")])
    encoder = gradus.SentenceEncoder(small)
    cosines = encoder.similarity_pairwise(encoder.encode(["a dog"] * 2), encoder.encode(["the dog", "two birds"]))
    np.testing.assert_allclose([own["cosine"] for own in graded], cosines, atol=1e-6)
    assert all(own["is"] in ("cosine", "grade", "calibrated") for own in graded)
    again = pickle.loads(pickle.dumps(grader))
    assert again.grade(("a dog", "the dog")) == graded[0]
