"""Adapters against the packages themselves, where they are installed."""

import os

import numpy as np
import pytest

from gradus import CrossEncoder, SentenceEncoder


@pytest.fixture(scope="module")
def vectors(small, texts):
    return SentenceEncoder(small).encode(texts[:30], normalize_embeddings=True)


def test_langchain(small, cross, texts, vectors):
    pytest.importorskip("langchain_core")
    from langchain_core.documents import Document
    from langchain_core.vectorstores import InMemoryVectorStore

    from gradus.langchain import GradusEmbeddings, GradusRerank

    embeddings = GradusEmbeddings(small)
    assert np.array_equal(np.float32(embeddings.embed_documents(texts[:30])), vectors)
    assert np.array_equal(np.float32(embeddings.embed_query(texts[3])), vectors[3])
    store = InMemoryVectorStore(embeddings)
    store.add_texts(texts[:30])
    assert store.similarity_search(texts[3], k=1)[0].page_content == texts[3]
    documents = [Document(page_content=text, metadata={"place": i}) for i, text in enumerate(texts[:30])]
    ranked = GradusRerank(model=cross, top_n=4).compress_documents(documents, texts[0])
    expected = CrossEncoder(cross).rank(texts[0], texts[:30], top_k=4)
    assert [own.metadata["place"] for own in ranked] == [own["corpus_id"] for own in expected]
    assert ranked[0].metadata["relevance_score"] == expected[0]["score"]
    assert GradusRerank(model=cross).compress_documents([], "a") == []


def test_llama_index(small, texts, vectors):
    pytest.importorskip("llama_index.core")
    from gradus.llama_index import GradusEmbedding

    model = GradusEmbedding(small)
    assert np.array_equal(np.float32(model.get_text_embedding_batch(texts[:30])), vectors)
    assert np.array_equal(np.float32(model.get_query_embedding(texts[3])), vectors[3])
    assert model.similarity(model.get_text_embedding("a dog"), model.get_text_embedding("a dog")) > 0.999


def test_haystack(small, cross, texts, vectors):
    pytest.importorskip("haystack")
    from haystack import Document, Pipeline

    from gradus.haystack import GradusDocumentEmbedder, GradusRanker, GradusTextEmbedder

    documents = [Document(content=text, meta={"place": i}) for i, text in enumerate(texts[:30])]
    pipeline = Pipeline()
    pipeline.add_component("embedder", GradusDocumentEmbedder(small))
    again = Pipeline.loads(pipeline.dumps(), allowed_modules=["gradus.haystack"])
    found = again.run({"embedder": {"documents": documents}})["embedder"]["documents"]
    assert np.array_equal(np.float32([own.embedding for own in found]), vectors)
    query = GradusTextEmbedder(small).run(texts[3])["embedding"]
    assert np.array_equal(np.float32(query), vectors[3])
    titled = GradusDocumentEmbedder(small, meta_fields_to_embed=["place"]).run(documents[:1])["documents"]
    assert titled[0].embedding != found[0].embedding
    ranked = GradusRanker(cross, top_k=4).run(texts[0], documents)["documents"]
    expected = CrossEncoder(cross).rank(texts[0], texts[:30], top_k=4)
    assert [own.meta["place"] for own in ranked] == [own["corpus_id"] for own in expected]


def test_chroma(small, texts, vectors):
    chromadb = pytest.importorskip("chromadb")
    from gradus.chroma import GradusEmbeddingFunction

    function = GradusEmbeddingFunction(small)
    assert np.array_equal(np.stack(function(texts[:30])), vectors)
    assert GradusEmbeddingFunction.build_from_config(function.get_config()).model == small
    collection = chromadb.EphemeralClient().create_collection("texts", embedding_function=function)
    collection.add(ids=[str(i) for i in range(30)], documents=texts[:30])
    assert collection.query(query_texts=[texts[3]], n_results=1)["documents"][0][0] == texts[3]


def test_sklearn(small, texts):
    pytest.importorskip("sklearn")
    from sklearn.base import clone
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from gradus.sklearn import GradusVectorizer

    labels = [int("dog" in text) for text in texts]
    pipeline = make_pipeline(GradusVectorizer(small), LogisticRegression(max_iter=2000, C=100))
    pipeline.fit(texts[:500], labels[:500])
    most = max(np.mean(labels[500:]), 1 - np.mean(labels[500:]))
    assert pipeline.score(texts[500:], labels[500:]) > most
    assert clone(pipeline[0]).get_params()["model"] == small
    assert len(pipeline[0].get_feature_names_out()) == 32


def test_ray_loses_nothing_with_an_actor_that_dies(small, texts, tmp_path):
    ray = pytest.importorskip("ray")
    from gradus.ray import Encoder

    died = tmp_path / "died"

    class Dying(Encoder):
        """Ends its process in the middle of the first batch."""

        def __call__(self, batch):
            if not died.exists():
                died.touch()
                os._exit(1)
            return super().__call__(batch)

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        rows = ray.data.from_items([{"text": text, "place": i} for i, text in enumerate(texts)])
        found = rows.map_batches(
            Dying, fn_constructor_args=[small], concurrency=2, num_cpus=1, batch_size=100
        ).take_all()
        assert died.exists()
    finally:
        ray.shutdown()
    found.sort(key=lambda row: row["place"])
    assert np.array_equal(np.stack([row["vector"] for row in found]), SentenceEncoder(small).encode(texts))


def test_spark(small, texts, monkeypatch):
    pytest.importorskip("pyspark")
    import shutil
    import sys

    # Workers are of this environment.
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)

    if shutil.which("java") is None:
        pytest.skip("no Java")
    from pyspark.sql import SparkSession

    from gradus.spark import encoder

    spark = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false").getOrCreate()
    try:
        rows = [(i, text) for i, text in enumerate(texts)] + [(len(texts), None)]
        frame = spark.createDataFrame(rows, "place int, text string").repartition(4)
        found = frame.withColumn("vector", encoder(small)("text")).orderBy("place").collect()
    finally:
        spark.stop()
    assert found[-1]["vector"] is None
    vectors = np.float32([row["vector"] for row in found[:-1]])
    assert np.array_equal(vectors, SentenceEncoder(small).encode(texts))
