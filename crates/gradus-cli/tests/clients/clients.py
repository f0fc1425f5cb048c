"""What people's clients make of `gradus serve`: the OpenAI package, LangChain, Cohere's
client and Hugging Face's InferenceClient.

    python clients.py http://127.0.0.1:3000 KEY

The server has the models `words`, a sentence encoder, and `ranks`, a cross-encoder.
Prints a line for each client; fails where one gets something else than the plain route.
"""

import json
import sys
import urllib.request

AT, KEY = sys.argv[1:3]
TEXTS = ["a dog in the park", "the dog is in a park", "two birds"]


def plain(path, body):
    request = urllib.request.Request(
        AT + path, json.dumps(body).encode(), {"Authorization": f"Bearer {KEY}"}
    )
    return json.load(urllib.request.urlopen(request))


def same(found, expected, tolerance=0.0):
    assert len(found) == len(expected), (len(found), len(expected))
    for a, b in zip(found, expected):
        assert len(a) == len(b)
        assert all(abs(x - y) <= tolerance for x, y in zip(a, b)), (a[:4], b[:4])


EXPECTED = plain("/embed", {"inputs": TEXTS, "model": "words"})


def openai_package():
    import openai

    client = openai.OpenAI(base_url=AT + "/v1", api_key=KEY)
    # Asks for base64, where rounding to text plays no part.
    given = client.embeddings.create(model="words", input=TEXTS)
    same([d.embedding for d in given.data], EXPECTED, 1e-7)
    assert given.usage.prompt_tokens > 0
    given = client.embeddings.create(model="words", input=TEXTS, encoding_format="float")
    same([d.embedding for d in given.data], EXPECTED)
    short = client.embeddings.create(model="words", input=TEXTS[0], dimensions=5)
    assert len(short.data[0].embedding) == 5
    ids = [t["id"] for t in plain("/tokenize", {"inputs": TEXTS[0], "model": "words"})[0]]
    same([client.embeddings.create(model="words", input=ids).data[0].embedding], EXPECTED[:1], 1e-7)
    assert {m.id for m in client.models.list()} == {"words", "ranks"}
    assert client.models.retrieve("ranks").id == "ranks"
    for wrong, kind in (
        (lambda: client.embeddings.create(model="none", input="a"), openai.NotFoundError),
        (lambda: client.embeddings.create(model="words", input=""), openai.BadRequestError),
        (
            lambda: openai.OpenAI(base_url=AT + "/v1", api_key="x").models.list(),
            openai.AuthenticationError,
        ),
    ):
        try:
            wrong()
        except kind as error:
            assert error.body["message"], error.body
        else:
            raise AssertionError(kind)


def langchain():
    from langchain_openai import OpenAIEmbeddings

    model = OpenAIEmbeddings(
        base_url=AT + "/v1", api_key=KEY, model="words", check_embedding_ctx_length=False
    )
    same(model.embed_documents(TEXTS), EXPECTED, 1e-7)
    same([model.embed_query(TEXTS[0])], EXPECTED[:1], 1e-7)


def cohere_client():
    import cohere

    expected = plain("/v2/rerank", {"query": "the dog", "documents": TEXTS})["results"]
    client = cohere.ClientV2(base_url=AT, api_key=KEY)
    given = client.rerank(model="ranks", query="the dog", documents=TEXTS, top_n=2)
    found = [(r.index, r.relevance_score) for r in given.results]
    assert found == [(r["index"], r["relevance_score"]) for r in expected[:2]], found
    older = cohere.Client(base_url=AT, api_key=KEY)
    given = older.rerank(model="ranks", query="the dog", documents=TEXTS)
    assert [r.index for r in given.results] == [r["index"] for r in expected]
    try:
        client.rerank(model="none", query="a", documents=["b"])
    except cohere.errors.NotFoundError:
        pass
    else:
        raise AssertionError("an unknown model")


def inference_client():
    from huggingface_hub import InferenceClient

    client = InferenceClient(base_url=AT, token=KEY)
    # It sends to the server's root what text-embeddings-inference answers there.
    given = client.feature_extraction(TEXTS[0], normalize=True)
    same(given.tolist(), EXPECTED[:1], 1e-6)
    given = client.sentence_similarity(TEXTS[0], other_sentences=TEXTS[1:])
    asked = {"inputs": {"source_sentence": TEXTS[0], "sentences": TEXTS[1:]}, "model": "words"}
    assert given == plain("/similarity", asked)


for client in (openai_package, langchain, cohere_client, inference_client):
    client()
    print(client.__name__, "ok")
