"""Loss and gradient of every loss of scores, by sentence-transformers' own classes.

A model without an encoder stands in for the cross-encoder: the texts are the numbers
of the rows, and it gives each row its logits. All is in float64, as what the classes
cast to float is cast to double.
"""

import torch
from sentence_transformers.cross_encoder import CrossEncoder, losses

from common import FIXTURES, rounded, write_json

torch.set_default_dtype(torch.float64)
torch.Tensor.float = torch.Tensor.double

WEIGHTINGS = {
    "ndcg_loss1": losses.NDCGLoss1Scheme,
    "ndcg_loss2": losses.NDCGLoss2Scheme,
    "lambda_rank": losses.LambdaRankScheme,
    "ndcg_loss2pp": losses.NDCGLoss2PPScheme,
    "none": losses.NoWeightingScheme,
}


class Table(CrossEncoder):
    """Gives pair (q, "i") the logits of row i."""

    def __init__(self, logits):
        torch.nn.Module.__init__(self)
        self.logits = torch.nn.Parameter(logits)

    num_labels = property(lambda self: self.logits.shape[1])
    device = property(lambda self: self.logits.device)

    def preprocess(self, pairs, prompt=None, task=None):
        return {"rows": torch.tensor([int(row) for _, row in pairs])}

    def forward(self, features):
        return {"scores": self.logits[features["rows"]]}


def of_pairs(loss, case):
    rows = [str(row) for row in range(len(case["targets"]))]
    kind = torch.long if case["loss"] == "cross_entropy" else torch.float64
    return loss([rows, rows], torch.tensor(case["targets"], dtype=kind))


def of_lists(loss, case):
    rows = [str(row) for row in range(len(case["targets"]))]
    lists = list(zip(case["lists"], case["lists"][1:]))
    documents = [rows[start:end] for start, end in lists]
    targets = [torch.tensor(case["targets"][start:end]) for start, end in lists]
    return loss([["q"] * len(lists), documents], targets)


def of_columns(loss, case):
    rows = [str(row) for row in range(len(case["targets"]))]
    lists = list(zip(case["lists"], case["lists"][1:]))
    columns = zip(*(rows[start:end] for start, end in lists))
    targets = [torch.tensor(case["targets"][start:end]) for start, end in lists]
    return loss([["q"] * len(lists), *map(list, columns)], targets)


def make_loss(model, case):
    s = case["settings"]
    if case["loss"] == "bce":
        weight = torch.tensor(s["pos_weight"]) if "pos_weight" in s else None
        return losses.BinaryCrossEntropyLoss(model, pos_weight=weight)
    if case["loss"] == "lambda":
        name = s.get("weighting", "ndcg_loss2pp")
        scheme = WEIGHTINGS[name](*([s["mu"]] if "mu" in s else []))
        rest = {k: v for k, v in s.items() if k not in ("weighting", "mu")}
        return losses.LambdaLoss(model, weighting_scheme=scheme, **rest)
    return {
        "mse": losses.MSELoss,
        "cross_entropy": losses.CrossEntropyLoss,
        "margin_mse": losses.MarginMSELoss,
        "rank_net": losses.RankNetLoss,
        "list_net": losses.ListNetLoss,
        "list_mle": losses.ListMLELoss,
        "p_list_mle": losses.PListMLELoss,
    }[case["loss"]](model, **s)


def evaluate(case, logits, how):
    model = Table(logits.to(torch.float32).double())
    loss = how(make_loss(model, case), case)
    loss.backward()
    exact = {"logits": model.logits, "expected_loss": loss, "gradient": model.logits.grad}
    return case | {name: rounded(value, 15) for name, value in exact.items()}


class Draw:
    def __init__(self, seed):
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, *shape, scale=2.0):
        return scale * torch.randn(shape, generator=self.generator, dtype=torch.float64)


def make_cases():
    cases, draw = [], Draw(31)

    def add(loss, settings, targets, how, sizes=None, outputs=1, logits=None):
        case = {"loss": loss, "settings": settings, "outputs": outputs, "targets": targets}
        if sizes is None:
            sizes = [1] * len(targets)
        case["lists"] = [sum(sizes[:i]) for i in range(len(sizes) + 1)]
        logits = draw(len(targets), outputs) if logits is None else logits
        cases.append(evaluate(case, logits, how))

    soft = [0.0, 1.0, 0.25, 0.9, 0.5, 1.0]
    add("bce", {}, soft, of_pairs)
    add("bce", {"pos_weight": 2.5}, soft, of_pairs)
    far = torch.tensor([[80.0], [-80.0], [1e4], [-1e4], [0.0], [-3.0]])
    add("bce", {}, soft, of_pairs, logits=far)
    add("mse", {}, [0.0, 1.25, 5.0, -2.0, 3.5], of_pairs)
    add("cross_entropy", {}, [2.0, 0.0, 1.0, 2.0, 2.0], of_pairs, outputs=3)

    teacher = [4.0, 1.5, -2.0, 3.0, 3.5, 0.0, 7.25, -1.0, 2.0]
    add("margin_mse", {}, teacher, of_columns, sizes=[3, 3, 3])
    add("margin_mse", {}, teacher[:6], of_columns, sizes=[2, 2, 2])

    graded = [3.0, 2.0, 2.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.5, 1.0]
    falling = [3.0, 2.0, 1.0, 0.5, 0.0, 1.0, 3.0, 2.0, 1.0, 0.0, 2.0, 1.0, 0.25, 0.0]
    negative = [1.0, -1.0, -2.0, 0.5, -1.0, 1.0, 2.0, 0.0, -3.0, 1.0, 1.5, 0.0, 0.0, -0.5]
    sizes = [5, 1, 4, 4]  # one document alone, and padded lists
    lambdas = [{}, {"mu": 3.0}, {"k": 2}, {"k": 1, "sigma": 2.0}, {"reduction_log": "natural"}]
    lambdas += [{"weighting": name} for name in WEIGHTINGS]
    lambdas += [{"weighting": name, "k": 3} for name in WEIGHTINGS]
    for targets in (graded, negative):
        for settings in lambdas:
            add("lambda", settings, targets, of_lists, sizes)
        for settings in ({}, {"k": 2}, {"sigma": 0.5, "reduction_log": "natural"}):
            add("rank_net", settings, targets, of_lists, sizes)
    tied = torch.tensor([[0.5], [0.5], [1.0], [0.5], [-1.0], [2.0], [0.0], [0.0], [0.0], [0.0],
                         [1.5], [1.5], [-2.0], [1.5]])
    for settings in ({}, {"weighting": "ndcg_loss1"}, {"k": 2}):
        add("lambda", settings, graded, of_lists, sizes, logits=tied)
    wide = torch.linspace(-1e4, 1e4, 14)[:, None]
    for loss in ("lambda", "rank_net", "list_net", "list_mle", "p_list_mle"):
        add(loss, {}, graded, of_lists, sizes, logits=wide)
    for targets in (graded, falling, [2.0] * 14):
        add("list_net", {}, targets, of_lists, sizes)
        for loss in ("list_mle", "p_list_mle"):
            add(loss, {}, targets, of_lists, sizes)
            add(loss, {"respect_input_order": False}, targets, of_lists, sizes)
    add("p_list_mle", {}, [float(i % 3) for i in range(140)], of_lists, [135, 5])
    add("lambda", {}, [1.0] * 14, of_lists, sizes)
    return cases


if __name__ == "__main__":
    write_json(FIXTURES / "score_losses.json", {"cases": make_cases()})
