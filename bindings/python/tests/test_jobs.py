import json
import shutil
import subprocess
from os import environ
from pathlib import Path

import numpy as np
import pytest

import gradus
from gradus import Grader, Index, SentenceEncoder, Source, calibrate, cluster, evaluate, mine


@pytest.fixture
def graded(texts):
    return [(texts[i], texts[i + 1], float(i % 5)) for i in range(60)]


def command(*words):
    binary = environ.get("GRADUS_BINARY")
    if not binary:
        pytest.skip("GRADUS_BINARY names no gradus")
    return subprocess.run([binary, *map(str, words)], check=True, capture_output=True, text=True).stdout


def test_pairs_are_scored_as_the_command_does(small, graded, tmp_path):
    file = gradus.save_pairs(tmp_path / "pairs.jsonl", graded)
    report = evaluate(small, tasks=(), pairs=graded)
    assert report == evaluate([small], tasks=(), pairs=file) == evaluate(small, tasks=(), pairs=Source(file))
    assert report == json.loads(command("eval", small, "--only-pairs", "--pairs", file, "--format", "json"))
    with pytest.raises(ValueError, match='"STS99" is none'):
        evaluate(small, tasks=["STS99"])
    with pytest.raises(ValueError, match="unknown field `pfad`"):
        evaluate(small, tasks=(), pairs={"pfad": "x"})


def test_a_calibrated_model_gives_grades(small, graded, tmp_path):
    made = calibrate(small, graded, output=tmp_path / "model", scale=(0, 4))
    assert {"format": 1, **made} == json.loads((tmp_path / "model/calibration.json").read_text())
    grade, low, high = Grader(tmp_path / "model").grade([graded[0][:2]])[0]["calibrated"]
    assert 0 <= low <= grade <= high <= 4
    shutil.rmtree(tmp_path / "model")
    file = gradus.save_pairs(tmp_path / "pairs.jsonl", graded)
    shown = command("calibrate", small, file, "--output", tmp_path / "model", "--scale", "0,4", "--json")
    assert json.loads(shown) == made
    with pytest.raises(ValueError, match="expected cosine, grade or score"):
        calibrate(small, graded, score="best", output=tmp_path / "other")


def test_pairs_are_mined_from_texts_and_indexes(small, texts, tmp_path):
    texts = sorted(set(texts))
    found = mine(texts, small, threshold=0.5, top=40)
    vectors = SentenceEncoder(small).encode(texts, normalize_embeddings=True)
    cosines = vectors @ vectors.T
    assert len(found) == 40 and [pair["cosine"] for pair in found] == sorted((p["cosine"] for p in found), reverse=True)
    for pair in found:
        first, second = int(pair["id1"]), int(pair["id2"])
        assert (texts[first], texts[second]) == (pair["sentence1"], pair["sentence2"])
        assert abs(cosines[first, second] - pair["cosine"]) < 1e-5
    index = Index.build(tmp_path / "index", texts, small)
    assert mine(index, threshold=0.5, top=40) == mine(Path(tmp_path / "index"), threshold=0.5, top=40) == found
    for bad, says in [(lambda: mine(texts), "need a model"), (lambda: mine("a", small), "texts is one str"), (lambda: mine(["a", 1], small), "text 1 is a int")]:
        with pytest.raises(TypeError, match=says):
            bad()


@pytest.mark.parametrize("method", ["k-means", "density", "communities"])
def test_clusters_have_their_texts(small, texts, tmp_path, method):
    texts = sorted(set(texts))
    found = cluster(texts, small, method=method, min_size=4, output=tmp_path / "clusters")
    assert found.labels.shape == found.cosines.shape == (len(texts),)
    assert [own["size"] for own in found.clusters] == [(found.labels == i).sum() for i in range(len(found.clusters))]
    for own in found.clusters:
        assert all(found.labels[int(example["id"])] == own["cluster"] for example in own["examples"])
    rows = [json.loads(line) for line in (tmp_path / "clusters/texts.jsonl").read_text().splitlines()]
    assert [-1 if row["cluster"] is None else row["cluster"] for row in rows] == found.labels.tolist()
    again = cluster(texts, small, method=method, min_size=4, threads=1)
    assert (again.labels == found.labels).all() and again.clusters == found.clusters
    with pytest.raises(ValueError, match='method "best"'):
        cluster(texts, small, method="best")


def test_more_clusters_than_texts_are_refused(small):
    with pytest.raises(gradus.GradusError):
        cluster(["a dog", "a cat"], small, clusters=5)
    assert np.array_equal(cluster(["a dog", "a cat"], small, clusters=1).labels, [0, 0])
