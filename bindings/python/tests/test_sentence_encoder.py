import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

import gradus
from gradus import SentenceEncoder


@pytest.fixture(scope="module")
def model(small):
    return SentenceEncoder(small)


def test_vectors_do_not_depend_on_what_else_is_encoded(model, small, texts):
    vectors = model.encode(texts)
    assert vectors.shape == (len(texts), model.get_embedding_dimension()) and vectors.dtype == np.float32
    some = [0, 17, 555, 699]
    alone = np.stack([model.encode(texts[i]) for i in some])
    assert (alone == vectors[some]).all()
    assert (SentenceEncoder(small, threads=3).encode(texts, batch_tokens=64) == vectors).all()


def test_vectors_are_those_of_the_command(model, small, texts, tmp_path):
    binary = os.environ.get("GRADUS_BINARY")
    if binary is None:
        pytest.skip("GRADUS_BINARY names the command")
    lines = tmp_path / "texts.txt"
    lines.write_text("\n".join(texts) + "\n")
    out = tmp_path / "vectors.npy"
    subprocess.run([binary, "encode", small, "--input", lines, "--format", "npy", "--output", out], check=True)
    assert (np.load(out) == model.encode(texts)).all()


def test_texts_come_in_many_forms(model, texts):
    vectors = model.encode(texts[:5])
    forms = [tuple(texts[:5]), np.array(texts[:5]), np.array(texts[:5], dtype=object), iter(texts[:5])]
    try:
        import pandas

        forms.append(pandas.Series(texts[:5]))
    except ImportError:
        pass
    try:
        import pyarrow

        forms += [pyarrow.array(texts[:5]), pyarrow.chunked_array([texts[:2], texts[2:5]])]
    except ImportError:
        pass
    for form in forms:
        assert (model.encode(form) == vectors).all(), type(form)
    assert model.encode([]).shape == (0, vectors.shape[1])
    assert model.encode("").shape == vectors.shape[1:]


@pytest.mark.parametrize("bad, says", [(["a", None], "text 1 is a NoneType"), ([3], "text 0 is a int"), (7, "iterable")])
def test_what_is_no_text_is_named(model, bad, says):
    with pytest.raises(TypeError, match=says):
        model.encode(bad)


def test_errors_have_the_text_of_the_library(tmp_path):
    with pytest.raises(gradus.GradusError, match="no such folder"):
        SentenceEncoder(tmp_path / "none")
    with pytest.raises(ValueError, match="expected auto, f32"):
        SentenceEncoder(tmp_path, compute="f64")


def test_options_of_encode(model, texts):
    vectors = model.encode(texts[:9])
    cut = model.encode(texts[:9], truncate_dim=7)
    assert (cut == vectors[:, :7]).all()
    unit = model.encode(texts[:9], normalize_embeddings=True, truncate_dim=7)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, rtol=1e-6)
    prompted = model.encode(texts[:9], prompt="two birds: ")
    assert (prompted != vectors).any()
    assert (prompted == model.encode(["two birds: " + text for text in texts[:9]])).all()
    with pytest.raises(ValueError, match="no prompt"):
        model.encode(texts[:9], prompt_name="query")
    assert (model.encode_query(texts[:9]) == vectors).all()
    tokens = model.encode(texts[:2], output_value="token_embeddings")
    assert [len(own) for own in tokens] == [len(model.tokenize(text)) for text in texts[:2]]
    assert model.encode(texts[:2], convert_to_numpy=True, batch_size=1).shape == vectors[:2].shape
    with pytest.raises(ValueError, match="truncate_dim is 0"):
        model.encode(texts[:2], truncate_dim=0)
    with pytest.raises(TypeError, match="no option 'normalise'"):
        model.encode(texts[:2], normalise=True)


def test_prompts_of_ones_own(small, texts):
    model = SentenceEncoder(small, prompts={"query": "find: ", "passage": "book: "}, default_prompt_name="query")
    plain = SentenceEncoder(small)
    assert (model.encode(texts[:3]) == plain.encode(texts[:3], prompt="find: ")).all()
    assert (model.encode_document(texts[:3]) == plain.encode(texts[:3], prompt="book: ")).all()
    with pytest.raises(ValueError, match="there are: query"):
        SentenceEncoder(small, prompts={"query": ""}, default_prompt_name="none")


@pytest.mark.parametrize("precision, dtype, width", [("int8", np.int8, 32), ("uint8", np.uint8, 32), ("binary", np.int8, 4), ("ubinary", np.uint8, 4)])
def test_fewer_bytes(model, texts, precision, dtype, width):
    small = model.encode(texts, precision=precision)
    assert small.dtype == dtype and small.shape == (len(texts), width)
    vectors = model.encode(texts)
    if precision == "ubinary":
        assert (np.unpackbits(small, axis=1) == (vectors > 0)).all()
    if precision == "uint8":
        low, high = vectors.min(0), vectors.max(0)
        assert np.abs(low + (small + 0.5) * (high - low) / 255 - vectors).max() < 1e-2


def test_a_model_is_pickled_by_its_path(model, texts):
    again = pickle.loads(pickle.dumps(model))
    assert (again.encode(texts[:3]) == model.encode(texts[:3])).all()


def test_a_model_is_saved(model, texts, tmp_path):
    model.save_pretrained(tmp_path / "copy")
    assert (SentenceEncoder(tmp_path / "copy").encode(texts[:3]) == model.encode(texts[:3])).all()


def test_longer_inputs_are_cut(small, texts):
    short = SentenceEncoder(small, max_seq_length=5)
    assert short.max_seq_length == 5 and len(short.tokenize("a dog is in the park")) == 5
    short.max_seq_length = 8
    assert len(short.tokenize("a dog is in the park")) == 8


def in_child(model, texts, queue):
    queue.put(model.encode(texts))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_a_forked_process_encodes(model, texts):
    vectors = model.encode(texts)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    children = [context.Process(target=in_child, args=(model, texts, queue)) for _ in range(2)]
    for child in children:
        child.start()
    found = [queue.get(timeout=60) for _ in children]
    for child in children:
        child.join(60)
        assert child.exitcode == 0
    assert all((own == vectors).all() for own in found)
    assert (model.encode(texts) == vectors).all()


def test_other_threads_run_meanwhile(model, texts):
    counted, ended = 0, threading.Event()

    def encode():
        model.encode(texts * 20)
        ended.set()

    thread = threading.Thread(target=encode)
    thread.start()
    while not ended.is_set():
        counted += 1
        time.sleep(0)
    thread.join()
    assert counted > 100


ENDLESS = """
import sys
from gradus import SentenceEncoder
model = SentenceEncoder(sys.argv[1])
texts = ["a dog is in the park"] * 2_000_000
print("begun", flush=True)
model.encode(texts)
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_ends_a_call(small):
    child = subprocess.Popen([sys.executable, "-c", ENDLESS, small], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout.readline() == b"begun\n"
    time.sleep(0.5)
    child.send_signal(signal.SIGINT)
    _, said = child.communicate(timeout=60)
    assert b"KeyboardInterrupt" in said and child.returncode != 0


def test_progress_may_end_a_call(model, texts):
    seen = []

    def progress(done, total):
        seen.append((done, total))
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        model._model.encode(texts, progress=progress)
    assert seen == [(512, len(texts))]
