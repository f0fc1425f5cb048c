"""Reference correlations, by SciPy. Writes correlations.json beside itself.

Run with any Python that has numpy and scipy:
    python correlations.py
"""

import json
import pathlib
import warnings

import numpy
import scipy
from scipy import stats

rng = numpy.random.default_rng(20)


def noisy(n, step, noise):
    grades = numpy.round(rng.uniform(0, 5, n) / step) * step
    return grades + rng.normal(0, noise, n), grades


cases = {
    "line": ([1, 2, 3, 4], [2, 4, 6, 8]),
    "falling": ([1, 2, 3, 4], [5, 1, 0, -7]),
    "two values": ([3, 1], [0.5, 0.25]),
    "ties on both sides": ([1, 1, 2, 2, 3, 3, 3], [2, 1, 1, 2, 2, 3, 2]),
    "zero has no sign": ([0.0, -0.0, 1.0, -1.0], [1, 2, 3, 3]),
    "nearly all tied": ([0, 0, 0, 0, 0, 1], [5, 4, 3, 2, 1, 0]),
    "graded": noisy(60, 0.25, 1.0),
    "few grades": noisy(40, 1.0, 2.0),
    "unrelated": (rng.normal(size=30), rng.normal(size=30)),
    "far from zero": (1e9 + rng.normal(size=20), 1e9 + rng.normal(size=20)),
    "large": (1e300 * rng.normal(size=12), 1e300 * rng.normal(size=12)),
    "small": (1e-300 * rng.normal(size=12), 1e-300 * rng.normal(size=12)),
    "constant": ([2, 2, 2], [1, 2, 3]),
    "constant beyond its mean": ([0.1] * 7, [1, 2, 3, 4, 5, 6, 7]),
    "not a number": ([1, float("nan"), 3], [1, 2, 3]),
    "infinite": ([1, 2, float("inf"), 0], [1, 3, 2, 4]),
}

def text(values):
    """As strings: JSON has no NaN or infinity."""
    return [repr(float(v)) for v in values]


def number(value):
    return None if numpy.isnan(value) else float(value)


warnings.simplefilter("ignore")
out = {"scipy": scipy.__version__, "cases": []}
for name, (x, y) in cases.items():
    with numpy.errstate(all="ignore"):
        case = {
            "name": name,
            "x": text(x),
            "y": text(y),
            "pearson": number(stats.pearsonr(x, y).statistic),
            "spearman": number(stats.spearmanr(x, y).statistic),
        }
    out["cases"].append(case)
path = pathlib.Path(__file__).with_name("correlations.json")
path.write_text(json.dumps(out, indent=1) + "\n")
