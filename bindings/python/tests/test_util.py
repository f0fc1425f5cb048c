import numpy as np
import pytest

from gradus import util

rng = np.random.default_rng(7)
A = rng.standard_normal((40, 24)).astype(np.float32)
B = rng.standard_normal((300, 24)).astype(np.float32)


def cosines(a, b):
    a, b = (x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True) for x in (a, b))
    return a @ b.T


def test_similarities():
    np.testing.assert_allclose(util.cos_sim(A, B), cosines(A, B), atol=1e-6)
    np.testing.assert_allclose(util.dot_score(A, B), A @ B.T, rtol=1e-5)
    np.testing.assert_allclose(util.similarity(A, B, "euclidean")[3, 5], -np.linalg.norm(A[3] - B[5]), rtol=1e-5)
    np.testing.assert_allclose(util.similarity(A, B, "manhattan")[3, 5], -np.abs(A[3] - B[5]).sum(), rtol=1e-5)
    for kind in ("cosine", "dot", "euclidean", "manhattan"):
        whole = util.similarity(A, B[:40], kind)
        np.testing.assert_allclose(util.similarity_pairwise(A, B[:40], kind), np.diag(whole), rtol=1e-4, atol=1e-6)
    with pytest.raises(ValueError, match="expected cosine"):
        util.similarity(A, B, "cos")


def test_semantic_search_is_exact():
    for score, all_scores in [(None, cosines(A, B)), (util.dot_score, (A @ B.T).astype(np.float64))]:
        found = util.semantic_search(A, B, top_k=7, score_function=score)
        for own, scores in zip(found, all_scores):
            assert [hit["corpus_id"] for hit in own] == list(np.argsort(-scores)[:7])
            np.testing.assert_allclose([hit["score"] for hit in own], np.sort(scores)[::-1][:7], rtol=1e-4)
    assert len(util.semantic_search(A[0], B, top_k=1000)[0]) == 300
    with pytest.raises(ValueError, match="24 values"):
        util.semantic_search(A, B[:, :20])


def test_pairs_and_communities():
    close = np.concatenate([B, B[:50] + 0.05 * rng.standard_normal((50, 24)).astype(np.float32)])
    pairs = util.paraphrase_mining_embeddings(close, max_pairs=50, top_k=3)
    assert {(i, j) for _, i, j in pairs} == {(i, 300 + i) for i in range(50)}
    assert [score for score, _, _ in pairs] == sorted((score for score, _, _ in pairs), reverse=True)
    groups = util.community_detection(close, threshold=0.95, min_community_size=2)
    assert sorted(map(tuple, map(sorted, groups))) == [(i, 300 + i) for i in range(50)]


def test_results_do_not_depend_on_threads():
    one, three = (util.semantic_search(A, B, threads=threads) for threads in (1, 3))
    assert one == three


def test_progress_may_end_a_job():
    from gradus import _gradus

    def progress(what, done, total):
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        _gradus.pairs(np.tile(B, (20, 1)), most=5, progress=progress)
