import dataclasses
import inspect

import numpy as np
import pytest

import gradus
from gradus import Recipe, SentenceEncoder, Source, Stage, objectives, plan, resume, save_pairs, train
from gradus import recipe as recipes


@pytest.fixture
def pairs(texts, tmp_path):
    grades = [i % 6 for i in range(30)]
    return save_pairs(tmp_path / "pairs.jsonl", zip(texts[:30], texts[1:31], grades))


def weights(run):
    return (run / "model/model.safetensors").read_bytes()


def of(small, pairs, objective, **more):
    stage = Stage("tune", objective, pairs, learning_rate=1e-3, batch=8, steps=6, **more)
    return Recipe(small, [stage], seed=3)


def test_the_keys_are_those_of_recipes():
    def names(kind):
        return {own.name for own in dataclasses.fields(kind)}

    keys = {table: set(own) for table, own in gradus._gradus.recipe_keys().items()}
    assert names(Source) == keys["source"]
    assert names(Stage) == keys["stage"] | keys["cross-encoder stage"]
    shown = {"stages" if own == "stage" else own for own in keys["recipe"] | keys["cross-encoder"]}
    assert names(Recipe) == shown - {"evaluation"} | keys["evaluation"]
    losses = {}
    for table, own in keys.items():
        if " objective " in " " + table:
            losses.setdefault(table.split()[-1], set()).update(own - {"loss"})
    kinds = [own for _, own in inspect.getmembers(objectives, inspect.isclass) if hasattr(own, "loss")]
    assert {own.loss for own in kinds} == set(losses)
    for own in kinds:
        # Those of cross-encoders have neither.
        assert names(own) | {"weight", "widths"} == losses[own.loss] | {"weight", "widths"}, own


def test_a_recipe_a_dictionary_and_a_file_train_the_same(small, pairs, tmp_path):
    recipe = of(small, pairs, objectives.SmoothK2(k=3.5, x0=0.2, form="cosine"))
    heard = []
    trained = train(recipe, output=tmp_path / "a", callback=heard.append)
    assert trained.model == tmp_path / "a/model" and trained.best is None
    steps = [event for event in heard if event["event"] == "step"]
    assert [event["step"] for event in steps] == [1, 2, 3, 4, 5, 6]
    assert all(event["loss"] > 0 and event["unit"] == "pairs" for event in steps)
    assert heard[-1]["event"] == "end" and {"event": "stage", "stage": "tune", "index": 0, "step": 0, "steps": 6} in heard
    assert (trained.load().encode("a dog") != SentenceEncoder(small).encode("a dog")).any()

    train({**recipe.to_dict(), "prompt": None, "output": str(tmp_path / "b")}, threads=1)
    assert weights(tmp_path / "a") == weights(tmp_path / "b")
    file = tmp_path / "recipe.toml"
    file.write_text(f'''
        model = "{small}"
        seed = 3
        [[stage]]
        name = "tune"
        objective = {{ loss = "smooth_k2", k = 3.5, x0 = 0.2, form = "cosine" }}
        train = [{{ path = "pairs.jsonl" }}]
        learning_rate = 2e-5
        steps = 6
        batch = 8
    ''')
    planned = plan(file, set={"stage.0.learning_rate": 1e-3}, timed=False)
    assert planned["stages"][0]["steps"] == 6
    train(file, output=tmp_path / "c", set=["stage.0.learning_rate=1e-3"])
    assert weights(tmp_path / "a") == weights(tmp_path / "c")
    with pytest.raises(gradus.GradusError, match="overwrite"):
        train(recipe, output=tmp_path / "a")
    train(recipe, output=tmp_path / "a", overwrite=True)
    assert weights(tmp_path / "a") == weights(tmp_path / "b")


def test_the_best_model_is_chosen(small, pairs, tmp_path):
    recipe = dataclasses.replace(of(small, pairs, objectives.CoSENT()), dev=pairs, every=2)
    heard = []
    trained = train(recipe, output=tmp_path / "run", callback=heard.append)
    scores = [event["score"] for event in heard if event["event"] == "evaluated"]
    assert len(scores) == 4 and scores[0] == trained.initial and max(scores[1:]) == trained.best
    assert trained.metric.startswith("Spearman") and trained.selected_by == "cosine"


def mean_squares(batch):
    u, v = batch.vectors
    length = np.linalg.norm(u, axis=1) * np.linalg.norm(v, axis=1)
    cosine = (u * v).sum(1) / length
    error = 5 * cosine - batch.labels
    by_cosine = (10 * error * batch.weights / len(error))[:, None]
    by_u = v / length[:, None] - (cosine / (u * u).sum(1))[:, None] * u
    by_v = u / length[:, None] - (cosine / (v * v).sum(1))[:, None] * v
    return float((error**2 * batch.weights).mean()), np.stack([by_cosine * by_u, by_cosine * by_v])


def losses(run):
    heard = []
    train(*run[0], callback=heard.append, **run[1])
    return [event["loss"] for event in heard if event["event"] == "step"]


def test_a_callable_trains_as_the_named_loss_does(small, pairs, tmp_path):
    named = objectives.MSE(form="cosine", scale=5, offset=0)
    named = losses(((of(small, pairs, named),), {"output": tmp_path / "named", "compute": "f32"}))
    own = losses(((of(small, pairs, mean_squares),), {"output": tmp_path / "own", "compute": "f32"}))
    np.testing.assert_allclose(own, named, rtol=1e-4)
    card = (tmp_path / "own/model/README.md").read_text()
    assert "custom objective mean_squares" in card
    torch = pytest.importorskip("torch")

    def in_torch(batch):
        u, v = batch.vectors
        error = 5 * torch.nn.functional.cosine_similarity(u, v) - batch.labels
        return (error**2 * batch.weights).mean()

    own = losses(((of(small, pairs, objectives.Torch(in_torch)),), {"output": tmp_path / "torch", "compute": "f32"}))
    np.testing.assert_allclose(own, named, rtol=1e-4)


def test_parameters_of_ones_own_are_trained(small, pairs, tmp_path):
    seen = []

    def scaled(batch):
        u, v = batch.vectors
        seen.append(batch.parameters.copy())
        error = batch.parameters[0] * (u * v).sum(1) + batch.parameters[1] - batch.labels
        by_error = 2 * error / len(error)
        factor = (by_error * batch.parameters[0])[:, None]
        return (error**2).mean(), np.stack([factor * v, factor * u]), np.array([(by_error * (u * v).sum(1)).sum(), by_error.sum()])

    objective = objectives.Custom(scaled, initial_parameters=lambda dim, seed: [1.0, 0.5])
    train(of(small, pairs, objective), output=tmp_path / "run")
    assert seen[0].tolist() == [1.0, 0.5] and len(seen) == 6
    assert all((a != b).all() for a, b in zip(seen, seen[1:]))


def test_a_run_that_stops_goes_on_to_the_same_bits(small, pairs, tmp_path):
    recipe = of(small, pairs, mean_squares)
    train(recipe, output=tmp_path / "whole")

    def stops(event):
        if event["event"] == "step" and event["step"] == 3:
            raise KeyboardInterrupt("enough")

    with pytest.raises(KeyboardInterrupt, match="enough"):
        train(recipe, output=tmp_path / "run", callback=stops)
    # Only with the same objective.
    with pytest.raises(gradus.GradusError, match="the objective of stage `tune` changed"):
        resume(tmp_path / "run")
    trained = resume(tmp_path / "run", objectives={"tune": mean_squares})
    assert trained.model == tmp_path / "run/model"
    assert weights(tmp_path / "whole") == weights(tmp_path / "run")


def test_a_cross_encoder_trains(cross, pairs, tmp_path):
    stage = Stage("tune", objectives.BCE(scale=(0, 5)), pairs, steps=3, batch=8)
    trained = train(Recipe(cross, [stage], task="cross-encoder"), output=tmp_path / "run")
    assert gradus.CrossEncoder(trained.model).predict([("a dog", "a cat")]).shape == (1,)
    with pytest.raises(gradus.GradusError, match="an objective of vectors is for recipes of sentence encoders"):
        train(Recipe(cross, [stage], task="cross-encoder"), output=tmp_path / "other", objectives={"tune": mean_squares})


@pytest.mark.parametrize(
    "objective, error, says",
    [
        (lambda batch: 1 / 0, ZeroDivisionError, "division by zero"),
        (lambda batch: 3.0, TypeError, "returned a float; expected"),
        (lambda batch: (1.0, batch.vectors[0]), ValueError, r"has the shape \(8, 32\); expected \(2, 8, 32\)"),
        (lambda batch: (1.0, np.full(batch.vectors.shape, np.nan)), gradus.GradusError, "not finite"),
        (lambda batch: (1.0, batch.vectors, [1.0]), ValueError, r"by parameters of .* has the shape \(1,\); expected \(0,\)"),
        ("cosent", TypeError, "an objective is a str"),
    ],
)
def test_what_is_wrong_with_an_objective_is_said(small, pairs, tmp_path, objective, error, says):
    with pytest.raises(error, match=says):
        train(of(small, pairs, objective), output=tmp_path / "run")


def test_what_is_wrong_with_a_recipe_is_said(small, pairs, tmp_path):
    with pytest.raises(gradus.GradusError, match="learning_rat"):
        train({"model": small, "stage": [{"learning_rat": 1}]})
    with pytest.raises(gradus.GradusError, match="nowhere.toml"):
        train(tmp_path / "nowhere.toml")
    with pytest.raises(gradus.GradusError, match="no such stage"):
        train(of(small, pairs, objectives.CoSENT()), output=tmp_path / "run", objectives={"other": mean_squares})
    with pytest.raises(TypeError, match="pair 1 is no"):
        save_pairs(tmp_path / "other.jsonl", [("a", "b", 1), ("a", "b")])
    with pytest.raises(gradus.GradusError):
        resume(tmp_path / "nowhere")
    assert recipes.source("a.tsv") == {"path": "a.tsv"}
