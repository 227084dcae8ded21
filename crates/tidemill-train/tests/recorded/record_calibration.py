"""Writes `calibration.json`: what scikit-learn makes of probabilities that are too extreme.

    pip install scikit-learn && python record_calibration.py

`platt`, `isotonic` and `temperature` are the calibrators of `CalibratedClassifierCV`, on log-odds and on probabilities. `beta`
is the logistic regression of betacal (`_beta_calibration`, "abm"), written out with scikit-learn.
"""

import json
from pathlib import Path

import numpy
import sklearn
from sklearn.calibration import _SigmoidCalibration, _TemperatureScaling
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss

random = numpy.random.RandomState(3)
eps = numpy.finfo(float).eps


def odds(p):
    p = numpy.clip(p, eps, 1 - eps)
    return numpy.log(p) - numpy.log(1 - p)


def logs(p):
    p = numpy.clip(p, eps, 1 - eps)
    return numpy.column_stack([numpy.log(p), -numpy.log(1 - p)])


def platt(p, y, w, at):
    return _SigmoidCalibration().fit(odds(p), y, w).predict(odds(at))


def isotonic(p, y, w, at):
    return IsotonicRegression(out_of_bounds="clip", y_min=0, y_max=1).fit(p, y, w).predict(at)


def temperature(p, y, w, at):
    model = _TemperatureScaling().fit(odds(p), y, w)
    return model.predict(odds(at))[:, 1]


def beta(p, y, w, at):
    exact = {"C": 1e11, "tol": 1e-10, "max_iter": 100_000, "solver": "newton-cholesky"}
    columns = [0, 1]
    model = LogisticRegression(**exact).fit(logs(p), y, w)
    if (model.coef_ < 0).any():
        columns = [1] if model.coef_[0, 0] < 0 else [0]
        model = LogisticRegression(**exact).fit(logs(p)[:, columns], y, w)
    return model.predict_proba(logs(at)[:, columns])[:, 1]


rows = 300
true = random.uniform(0.02, 0.98, rows)
y = (random.uniform(size=rows) < true).astype(float)
p = numpy.round(1 / (1 + numpy.exp(-2.2 * odds(true) - 0.4)), 3)
w = random.choice([0.5, 1.0, 2.0], rows)
at = numpy.array([0.0, 0.001, 0.05, 0.2, 0.35, 0.5, 0.635, 0.8, 0.97, 0.9995, 1.0])
# A model whose low probabilities rise where they should fall has a weight below 0.
bent = numpy.round(numpy.where(p < 0.5, 0.5 - p, p), 3)
methods = {"platt": platt, "isotonic": isotonic, "beta": beta, "temperature": temperature}
binary = []
for name, of in [("plain", p), ("bent", bent)]:
    for weighted in [False, True]:
        weights = w if weighted else None
        binary.append({
            "name": name,
            "probabilities": of.tolist(),
            "weights": w.tolist() if weighted else None,
            "quality": [log_loss(y, of, sample_weight=weights), brier_score_loss(y, of, sample_weight=weights)],
            "calibrated": {method: fit(of, y, weights, at).tolist() for method, fit in methods.items()},
        })

scores = random.normal(size=(rows, 3))
true = numpy.exp(scores) / numpy.exp(scores).sum(axis=1, keepdims=True)
classes = numpy.array([random.choice(3, p=one) for one in true])
sharp = numpy.exp(2.5 * scores + [0.3, 0, 0])
sharp /= sharp.sum(axis=1, keepdims=True)
several = {}
for method in ["platt", "isotonic", "beta"]:
    columns = [methods[method](sharp[:, k], (classes == k).astype(float), None, sharp[:, k]) for k in range(3)]
    columns = numpy.column_stack(columns)
    several[method] = (columns / columns.sum(axis=1, keepdims=True)).tolist()
several["temperature"] = _TemperatureScaling().fit(numpy.log(sharp), classes).predict(numpy.log(sharp)).tolist()

Path(__file__).with_name("calibration.json").write_text(json.dumps({
    "scikit_learn": sklearn.__version__,
    "labels": y.tolist(),
    "at": at.tolist(),
    "binary": binary,
    "classes": {"labels": classes.tolist(), "probabilities": sharp.tolist(), "calibrated": several},
}) + "\n")
