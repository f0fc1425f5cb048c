"""Reference isotonic maps, by scikit-learn. Writes isotonic.json beside itself.

Run with any Python that has numpy and scikit-learn:
    python isotonic.py
"""

import json
import pathlib

import numpy
import sklearn
from sklearn.isotonic import IsotonicRegression

rng = numpy.random.default_rng(31)


def graded(n, step, noise):
    x = rng.uniform(-0.2, 1, n)
    if step:
        x = numpy.round(x / step) * step
    return x, numpy.clip(5 * x + rng.normal(0, noise, n), 0, 5)


cases = {
    "rising": ([0, 1, 2, 3], [0, 1, 1, 4]),
    "falling": ([0, 1, 2, 3], [4, 3, 2, 0]),
    "one violation": ([0, 1, 2, 3], [0, 3, 1, 4]),
    "graded": graded(60, None, 1.0),
    "scores with ties": graded(80, 0.1, 1.5),
    "nearly all tied": ([0.5] * 9 + [0.7], [5, 4, 3, 2, 1, 0, 1, 2, 3, 4]),
    "unrelated": (rng.normal(size=40), rng.normal(size=40)),
}
written = []
for name, (x, y) in cases.items():
    x, y = numpy.asarray(x, float), numpy.asarray(y, float)
    fitted = IsotonicRegression(out_of_bounds="clip").fit(x, y)
    at = numpy.linspace(x.min() - 0.3, x.max() + 0.3, 41)
    written.append({
        "name": name, "x": x.tolist(), "y": y.tolist(),
        "at": at.tolist(), "expected": fitted.predict(at).tolist(),
    })
path = pathlib.Path(__file__).with_suffix(".json")
path.write_text(json.dumps({"sklearn": sklearn.__version__, "cases": written}) + "\n")
