"""Loss and gradients of the objectives over whole batches, in float64."""

import math

import torch
import torch.nn.functional as F

from common import FIXTURES, rounded, write_json

N, DIM = 6, 8
LABELS = [0.0, 1.5, 1.5, 3.0, 5.0, 4.0]
WEIGHTS = [1.0, 0.5, 2.0, 0.25, 1.5, 3.0]


def cosines(a, b):
    return F.normalize(a, dim=1) @ F.normalize(b, dim=1).T


def same_text(texts, columns):
    """[n, candidates]: candidates that are no negatives of an anchor."""
    anchors, candidates = torch.tensor(texts[:N]), torch.tensor(texts[N:])
    target = candidates[:N].unsqueeze(1)
    same = (candidates == anchors.unsqueeze(1)) | (candidates == target)
    own = torch.zeros(N, (columns - 1) * N, dtype=torch.bool)
    own[torch.arange(N), torch.arange(N)] = True
    return same & ~own


def info_nce(case, x, weights):
    columns, t = case["columns"], case["temperature"]
    a, c = x[:N], x[N:]
    logits = cosines(a, c) / t
    if columns > 2:
        own = torch.arange(N)
        extra = torch.zeros_like(logits)
        for column in range(1, columns - 1):
            extra[own, column * N + own] = math.log(case["negative_weight"])
        logits = logits + extra
    logits = logits.masked_fill(same_text(case["texts"], columns), -torch.inf)
    each = F.cross_entropy(logits, torch.arange(N), reduction="none")
    if case.get("symmetric"):
        back = (cosines(a, c[:N]) / t).T
        swapped = case["texts"][N : 2 * N] + case["texts"][:N]
        back = back.masked_fill(same_text(swapped, 2), -torch.inf)
        each = (each + F.cross_entropy(back, torch.arange(N), reduction="none")) / 2
    return (weights * each).sum() / N


def angle(u, v):
    a, b = u.chunk(2, dim=1)
    c, d = v.chunk(2, dim=1)
    z = (c**2 + d**2).sum(1, keepdim=True)
    re, im = (a * c + b * d) / z, (b * c - a * d) / z
    ratio = ((a**2 + b**2).sum(1, keepdim=True) / z).sqrt()
    return (torch.cat([re / ratio, im / ratio], dim=1)).sum(1).abs()


def cosent(case, x, weights):
    u, v = x[:N], x[N:]
    s = F.cosine_similarity(u, v) if case["loss"] == "cosent" else angle(u, v)
    y = torch.tensor(case["labels"])
    terms = (s.unsqueeze(1) - s.unsqueeze(0)) / case["temperature"]
    terms = terms + weights.log().unsqueeze(1) + weights.log().unsqueeze(0)
    chosen = terms[y.unsqueeze(1) < y.unsqueeze(0)]
    return torch.logsumexp(torch.cat([torch.zeros(1, dtype=x.dtype), chosen]), 0)


def pearson(case, x, weights):
    s = F.cosine_similarity(x[:N], x[N:])
    y = torch.tensor(case["labels"], dtype=x.dtype)
    w = weights / weights.sum()
    a, b = s - (w * s).sum(), y - (w * y).sum()
    return 1 - (w * a * b).sum() / ((w * a * a).sum() * (w * b * b).sum()).sqrt()


def lists(matrix, include_self):
    """Each row without its own place."""
    if include_self:
        return matrix
    keep = ~torch.eye(N, dtype=torch.bool)
    return matrix[keep].view(N, N - 1)


def consistency(case, x, weights):
    s = cosines(x[:N], x[N:])
    log_p = F.log_softmax(lists(s, case["include_self"]) / case["temperature"], dim=1)
    log_q = F.log_softmax(lists(s.T, case["include_self"]) / case["temperature"], dim=1)
    log_m = torch.logaddexp(log_p, log_q) - torch.log(torch.tensor(2.0, dtype=x.dtype))
    each = (log_p.exp() * (log_p - log_m) + log_q.exp() * (log_q - log_m)).sum(1) / 2
    return (weights * each).sum() / N


def ranking(case, x, weights):
    t = case["temperature"]
    student = lists(cosines(x[:N], x[N:]), case["include_self"])
    total = sum(case["teacher_weights"])
    teacher = sum(
        w / total * cosines(v, v)
        for w, v in zip(case["teacher_weights"], map(torch.tensor, case["teachers"]))
    )
    teacher = lists(teacher, case["include_self"])
    if case["loss"] == "list_net":
        wanted = F.softmax(teacher / case["teacher_temperature"], dim=1)
        each = -(wanted * F.log_softmax(student / t, dim=1)).sum(1)
    else:
        ordered = student.gather(1, teacher.argsort(dim=1, descending=True)) / t
        rest = ordered.flip(1).logcumsumexp(1).flip(1)
        each = (rest - ordered).mean(1)
    return (weights * each).sum() / N


def embedding_mse(case, x, weights):
    """Each view of an example's first text against the teachers' mean."""
    total = sum(case["teacher_weights"])
    target = sum(
        w / total * v for w, v in zip(case["teacher_weights"], map(torch.tensor, case["teachers"]))
    )
    loss, views = 0, 0
    for row, text in enumerate(case["texts"]):
        if text == case["texts"][row % N]:
            difference = x[row] - target[row % N].to(x.dtype)
            loss, views = loss + weights[row % N] * difference.square().sum(), views + 1
    return loss / views


LOSSES = {
    "info_nce": info_nce,
    "cosent": cosent,
    "angle": cosent,
    "pearson": pearson,
    "consistency": consistency,
    "list_net": ranking,
    "list_mle": ranking,
    "embedding_mse": embedding_mse,
}


def batch_norm(x):
    return F.batch_norm(x, None, None, training=True, eps=1e-5)


def projected(name, parameters, x):
    """The layers in front of an objective; parameters in the order of ours."""
    if name == "mlp":
        weight, bias = parameters.split([DIM * DIM, DIM])
        return torch.tanh(F.linear(x, weight.view(DIM, DIM), bias))
    wide = 2 * DIM
    up, scale, shift, down = parameters.split([wide * DIM, wide, wide, wide * DIM])
    hidden = batch_norm(F.linear(x, up.view(wide, DIM))) * scale + shift
    return batch_norm(F.linear(torch.relu(hidden), down.view(DIM, wide)))


def evaluate(case, x, parameters):
    x, parameters = x.clone().requires_grad_(), parameters.clone().requires_grad_()
    weights = torch.tensor(case["weights"], dtype=torch.float64)
    seen = projected(case["projection"], parameters, x) if "projection" in case else x
    widths = case.get("widths", [x.shape[1]])
    loss = 0
    for width in widths:
        loss = loss + LOSSES[case["loss"]](case, seen[:, :width], weights)
    loss.backward()
    exact = {"embeddings": x, "expected_loss": loss, "gradient": x.grad}
    if "projection" in case:
        exact |= {"parameters": parameters, "parameter_gradient": parameters.grad}
    return case | {name: rounded(t, 17) for name, t in exact.items()}


def main():
    generator = torch.Generator().manual_seed(31)

    def draw(*shape):
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    cases = []

    def add(loss, columns=2, **settings):
        case = {"loss": loss, "columns": columns, "labels": LABELS, "weights": [1.0] * N}
        case |= {"texts": list(range(columns * N)), "toml": ""} | settings
        sizes = {"mlp": DIM * DIM + DIM, "batch_norm": 4 * DIM * DIM + 4 * DIM}
        count = sizes.get(settings.get("projection"), 0)
        cases.append(evaluate(case, draw(columns * N, DIM), 0.5 * draw(count)))

    for temperature in (0.05, 0.5):
        toml = f"temperature = {temperature}\n"
        add("info_nce", temperature=temperature, toml=toml)
        add("info_nce", temperature=temperature, symmetric=True, toml=toml + "symmetric = true\n")
        for loss in ("cosent", "angle"):
            add(loss, temperature=temperature, toml=toml)
    shared = [0, 1, 2, 0, 4, 5, 6, 7, 8, 9, 1, 6]
    add("info_nce", temperature=0.3, texts=shared, weights=WEIGHTS, toml="temperature = 0.3\n")
    add("info_nce", temperature=0.3, texts=shared, symmetric=True,
        toml="temperature = 0.3\nsymmetric = true\n")
    for columns in (3, 4):
        add("info_nce", columns=columns, temperature=0.3, negative_weight=2.5,
            toml="temperature = 0.3\nnegative_weight = 2.5\n")
    add("cosent", temperature=0.2, weights=WEIGHTS, toml="temperature = 0.2\n")
    add("cosent", temperature=0.2, widths=[8, 4, 2], toml="temperature = 0.2\nwidths = [8, 4, 2]\n")
    add("pearson")
    add("pearson", weights=WEIGHTS)
    for include_self in (False, True):
        own = f"include_self = {str(include_self).lower()}\n"
        common = {"temperature": 0.1, "include_self": include_self, "weights": WEIGHTS}
        add("consistency", **common, toml="temperature = 0.1\n" + own)
        teachers = {"teachers": [draw(N, 3).tolist(), draw(N, 5).tolist()], "teacher_weights": [1.0, 2.0]}
        add("list_net", **common, **teachers, teacher_temperature=0.07,
            toml="temperature = 0.1\nteacher_temperature = 0.07\n" + own)
        add("list_mle", **common, **teachers, toml="temperature = 0.1\n" + own)
    for projection in ("mlp", "batch_norm"):
        add("info_nce", temperature=0.3, projection=projection, toml="temperature = 0.3\n")
    alone, twice = list(range(N)), [*range(N), *range(N)]
    for columns, texts in ((1, alone), (2, twice), (2, [*range(2 * N)])):
        teachers = {"teachers": [draw(N, DIM).tolist(), draw(N, DIM).tolist()]}
        add("embedding_mse", columns=columns, texts=texts, weights=WEIGHTS, **teachers,
            teacher_weights=[1.0, 2.0])
    write_json(FIXTURES / "batch_objectives.json", {"cases": cases})


if __name__ == "__main__":
    main()
