"""Adapters against the packages themselves, where they are installed."""

import os
import signal

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


@pytest.mark.parametrize("killed", ["nothing", "a Python worker", "an executor"])
def test_spark(small, texts, monkeypatch, tmp_path, killed):
    """Two executors of a core each, in processes of their own."""
    pyspark = pytest.importorskip("pyspark")
    import shutil
    import sys

    # Workers are of this environment.
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("SPARK_HOME", os.path.dirname(pyspark.__file__))

    if shutil.which("java") is None:
        pytest.skip("no Java")
    from pyspark.sql import SparkSession
    from pyspark.sql.functions import udf

    from gradus.spark import encoder

    marker = str(tmp_path / "killed")

    def passed_on(text):
        if killed != "nothing" and text == texts[500]:
            try:
                os.close(os.open(marker, os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return text
            # A worker's parent is the daemon that makes workers, whose parent is the executor.
            with open(f"/proc/{os.getppid()}/stat") as stat:
                executor = int(stat.read().rsplit(")", 1)[1].split()[1])
            os.kill(executor if killed == "an executor" else os.getpid(), signal.SIGKILL)
        return text

    spark = SparkSession.builder.master("local-cluster[2,1,1024]").config("spark.ui.enabled", "false")
    spark = spark.config("spark.driver.host", "localhost").getOrCreate()
    try:
        rows = [(i, text) for i, text in enumerate(texts)] + [(len(texts), None)]
        frame = spark.createDataFrame(rows, "place int, text string").repartition(8)
        encoded = frame.withColumn("vector", encoder(small)(udf(passed_on, "string")("text")))
        found = encoded.orderBy("place").collect()
    finally:
        spark.stop()
    assert os.path.exists(marker) == (killed != "nothing")
    assert found[-1]["vector"] is None
    vectors = np.float32([row["vector"] for row in found[:-1]])
    assert np.array_equal(vectors, SentenceEncoder(small).encode(texts))


def test_mteb(small, cross, texts, tmp_path):
    mteb = pytest.importorskip("mteb")
    from datasets import Dataset, DatasetDict
    from mteb.abstasks.retrieval import AbsTaskRetrieval
    from mteb.abstasks.sts import AbsTaskSTS
    from mteb.abstasks.task_metadata import TaskMetadata

    import gradus
    from gradus.mteb import GradusCrossEncoder, GradusEncoder

    def described(name, kind, score):
        return TaskMetadata(
            name=name, description="A test.", reference=None, type=kind, category="t2t", modalities=["text"],
            eval_splits=["test"], eval_langs=["eng-Latn"], main_score=score, date=None, domains=None, license=None,
            task_subtypes=None, annotations_creators=None, dialect=None, sample_creation=None, bibtex_citation="",
            dataset={"path": "none", "revision": "1"},
        )

    pairs = [(texts[i], texts[i + 1], float(i % 5)) for i in range(60)]

    class Graded(AbsTaskSTS):
        metadata = described("Graded", "STS", "cosine_spearman")
        min_score, max_score = 0, 4

        def load_data(self, **_):
            columns = dict(zip(("sentence1", "sentence2", "score"), map(list, zip(*pairs))))
            self.dataset = DatasetDict({"test": Dataset.from_dict(columns)})
            self.data_loaded = True

    def score(model, task):
        results = mteb.evaluate(model, [task], cache=None, overwrite_strategy="always", show_progress_bar=False)
        return results[0].scores["test"][0]

    found = score(GradusEncoder(small), Graded())
    report = gradus.evaluate(small, tasks=(), pairs=pairs)
    [own] = report["models"][0]["tasks"]
    assert abs(found["cosine_spearman"] - own["all"]["spearman"]) < 1e-5
    assert abs(found["cosine_pearson"] - own["all"]["pearson"]) < 1e-5

    queries, documents = texts[:4], texts[10:30]
    best = [CrossEncoder(cross).rank(query, documents, top_k=1)[0]["corpus_id"] for query in queries]

    class Ranked(AbsTaskRetrieval):
        metadata = described("Ranked", "Reranking", "ndcg_at_1")

        def load_data(self, **_):
            split = {
                "corpus": Dataset.from_dict({"id": [f"d{i}" for i in range(20)], "text": documents, "title": [""] * 20}),
                "queries": Dataset.from_dict({"id": [f"q{i}" for i in range(4)], "text": queries}),
                "relevant_docs": {f"q{i}": {f"d{own}": 1} for i, own in enumerate(best)},
                "top_ranked": {f"q{i}": [f"d{own}" for own in range(20)] for i in range(4)},
            }
            self.dataset = {"default": {"test": split}}
            self.data_loaded = True

    assert score(GradusCrossEncoder(cross), Ranked())["ndcg_at_1"] == 1
