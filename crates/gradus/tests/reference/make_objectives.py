"""Loss and gradients of every objective, in float64.

The loss of a batch is sum_i w_i f_i / n; n counts pairs, whatever their weights.
"""

import torch

from common import FIXTURES, rounded, write_json

PAIRS, DIM = 6, 5
LOWEST, HIGHEST = 0.0, 5.0
FEATURES = {
    "uv_diff": lambda u, v: torch.cat([u, v, (u - v).abs()], dim=1),
    "uv": lambda u, v: torch.cat([u, v], dim=1),
    "diff": lambda u, v: (u - v).abs(),
}
REGRESSION = [
    {"loss": "l1"},
    {"loss": "mse"},
    {"loss": "translated_relu", "k": 2.5, "x0": 0.25},
    {"loss": "smooth_k2", "k": 3.0, "x0": 0.25},
]
LABELS = [0.0, 1.25, 2.5, 3.75, 5.0, 4.5]
WEIGHTS = [1.0, 0.5, 2.0, 0.25, 1.5, 3.0]
TOLERANCES = [0.0, 0.1, 0.5, 0.25, 1.0, 0.75]
# Errors below and beyond x0 = 0.25, on both sides; the tolerances turn some over.
RANGES = [(0.05, 0.2), (1.3, 1.45), (2.8, 2.95), (3.0, 3.4), (4.2, 4.6), (3.3, 3.7)]
# One pair beyond each end with the label there and one without, two inside.
RULE_LABELS = [0.0, 1.5, 5.0, 3.0, 4.0, 0.5]
RULE_RANGES = [(-1.2, -0.3), (-1.2, -0.3), (5.3, 6.5), (5.3, 6.5), (1, 2), (2, 3)]


def pair_losses(case, predictions, labels, x0):
    if case["loss"] == "cross_entropy":
        return torch.nn.functional.cross_entropy(predictions, labels.long(), reduction="none")
    x = (predictions - labels).abs()
    if case["loss"] == "l1":
        return x
    if case["loss"] == "mse":
        return x**2
    if case["loss"] == "translated_relu":
        return case["k"] * torch.relu(x - x0)
    return torch.where(x >= x0, case["k"] * (x - x0) ** 2, torch.zeros_like(x))


def apply_rule(rule, p, labels):
    """What a prediction outside the labels' range counts as. The boundary that
    takes its place is a constant, so nothing flows back from it."""
    below, above = p < LOWEST, p > HIGHEST
    if rule == "none":
        below, above = below & False, above & False
    elif rule == "lower":
        above = above & False
    elif rule == "label_aware":
        below, above = below & (labels == LOWEST), above & (labels == HIGHEST)
    p = torch.where(below, torch.full_like(p, LOWEST), p)
    return torch.where(above, torch.full_like(p, HIGHEST), p)


def predict(features, u, v, weight, bias):
    if features == "cosine":  # the affine a*cos + b, as a 1x1 weight and a bias
        return weight[0, 0] * torch.nn.functional.cosine_similarity(u, v) + bias[0]
    return (FEATURES[features](u, v) @ weight.T + bias).squeeze(1)


def evaluate(case, u, v, weight, bias):
    u, v, weight, bias = leaves = [t.clone().requires_grad_() for t in (u, v, weight, bias)]
    labels = torch.tensor(case["labels"], dtype=torch.float64)
    predictions = predict(case["features"], u, v, weight, bias)
    counted = predictions
    if case["loss"] != "cross_entropy":
        counted = apply_rule(case["rule"], predictions, labels)
    x0 = torch.tensor(case.get("tolerances", case.get("x0", 0.0)), dtype=torch.float64)
    weights = torch.tensor(case.get("weights", [1.0] * PAIRS), dtype=torch.float64)
    loss = (weights * pair_losses(case, counted, labels, x0)).sum() / PAIRS
    loss.backward()
    names = ["u", "v", "weight", "bias"]
    exact = {name: t for name, t in zip(names, leaves)}
    exact |= {"expected_predictions": predictions, "expected_loss": loss}
    exact |= {f"grad_{name}": t.grad for name, t in zip(names, leaves)}
    return case | {name: rounded(t, 17) for name, t in exact.items()}


class Draw:
    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, *shape, scale=1.0):
        return scale * torch.randn(shape, generator=self.generator, dtype=torch.float64)


def cosine_affine(a, b):
    return torch.tensor([[a]], dtype=torch.float64), torch.tensor([b], dtype=torch.float64)


def head_for(features, draw, classes=1):
    width = {"uv_diff": 3, "uv": 2, "diff": 1}[features] * DIM
    return draw(classes, width, scale=0.5), 2.0 + draw(classes, scale=0.5)


def draw_within(draw, features, weight, bias, ranges):
    """Draws each pair again until its prediction is where it is wanted."""
    rows = []
    for low, high in ranges:
        while True:
            u, v = draw(1, DIM), draw(1, DIM)
            if low < predict(features, u, v, weight, bias).item() < high:
                break
        rows.append((u, v))
    return [torch.cat(part) for part in zip(*rows)]


def make_cases():
    cases = []

    def add(name, case, u, v, weight, bias):
        case = {"name": name} | {"rule": "none", "labels": LABELS} | case
        cases.append(evaluate(case, u, v, weight, bias))

    draw = Draw(21)
    for features in FEATURES:
        weight, bias = head_for(features, draw)
        u, v = draw_within(draw, features, weight, bias, RANGES)
        for loss in REGRESSION:
            name = f"{features}-{loss['loss']}"
            case = {"features": features, **loss}
            add(name, case, u, v, weight, bias)
            if features != "uv_diff":
                continue
            add(f"{name}-weights", case | {"weights": WEIGHTS}, u, v, weight, bias)
            if "x0" in loss:
                tolerant = case | {"tolerances": TOLERANCES}
                add(f"{name}-tolerances", tolerant, u, v, weight, bias)
                add(f"{name}-tolerances-weights", tolerant | {"weights": WEIGHTS}, u, v, weight, bias)

    for features in FEATURES:
        weight, bias = head_for(features, draw, classes=6)
        u, v = draw(PAIRS, DIM), draw(PAIRS, DIM)
        labels = [float(label) for label in (0, 1, 2, 3, 4, 5)]
        case = {"features": features, "loss": "cross_entropy", "labels": labels}
        add(f"{features}-cross_entropy", case, u, v, weight, bias)
        add(f"{features}-cross_entropy-weights", case | {"weights": WEIGHTS}, u, v, weight, bias)

    affines = [(5.0, 0.0), (2.5, 2.5)]
    u, v = draw_within(draw, "cosine", *cosine_affine(*affines[1]), RANGES)
    for a, b in affines:
        weight, bias = cosine_affine(a, b)
        for loss in REGRESSION:
            name = f"cosine-{a}-{b}-{loss['loss']}"
            case = {"features": "cosine", **loss}
            add(name, case, u, v, weight, bias)
            add(f"{name}-weights", case | {"weights": WEIGHTS}, u, v, weight, bias)
            if "x0" in loss:
                add(f"{name}-tolerances", case | {"tolerances": TOLERANCES}, u, v, weight, bias)

    weight, bias = head_for("uv_diff", draw)
    u, v = draw_within(draw, "uv_diff", weight, bias, RULE_RANGES)
    for rule in ["none", "both", "lower", "label_aware"]:
        for loss in REGRESSION:
            case = {"features": "uv_diff", **loss, "rule": rule, "labels": RULE_LABELS}
            add(f"rule-{rule}-{loss['loss']}", case, u, v, weight, bias)
    return cases


def check_away_from_kinks(case):
    """Finite differences and other ways of summing must land on the same side."""
    u, v = torch.tensor(case["u"]), torch.tensor(case["v"])
    assert case["features"] == "cosine" or (u - v).abs().min() > 1e-3, case["name"]
    if case["loss"] == "cross_entropy":
        return
    p, y = torch.tensor(case["expected_predictions"]), torch.tensor(case["labels"])
    x0 = torch.tensor(case.get("tolerances", case.get("x0", 0.0)))
    assert ((p - y).abs() - x0).abs().min() > 1e-3, case["name"]
    assert torch.stack([p - LOWEST, p - HIGHEST]).abs().min() > 1e-3, case["name"]


if __name__ == "__main__":
    cases = make_cases()
    for case in cases:
        check_away_from_kinks(case)
    write_json(FIXTURES / "objectives.json", {"lowest": LOWEST, "highest": HIGHEST, "cases": cases})
