"""Writes `wine.csv` and `expected.json`: what LightGBM and scikit-learn make of the wine data that scikit-learn ships.

    pip install lightgbm scikit-learn && python record.py

Rows whose number is divisible by 3 are judged on, the others learned from.
"""

import csv
import json
from pathlib import Path

import lightgbm
import numpy
import sklearn
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

folder = Path(__file__).parent
wine = load_wine()
names = [name.replace("/", "_") for name in wine.feature_names]
kinds = ["Barolo", "Grignolino", "Barbera"]
with open(folder / "wine.csv", "w", newline="") as file:
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["id", *names, "cultivar"])
    for at, (row, target) in enumerate(zip(wine.data, wine.target)):
        writer.writerow([at, *(repr(float(value)) for value in row), kinds[target]])

judged = numpy.arange(len(wine.data)) % 3 == 0
# Classes in the order of their names, as Tidemill has them.
order = numpy.argsort(kinds)
target = numpy.argsort(order)[wine.target]
learned, held = ~judged, judged

curve = {}
params = {
    "objective": "multiclass", "num_class": 3, "learning_rate": 0.1, "num_leaves": 31, "min_data_in_leaf": 5,
    "max_bin": 255, "min_data_in_bin": 1, "verbosity": -1, "num_threads": 1, "deterministic": True,
    "feature_pre_filter": False,
}
train = lightgbm.Dataset(wine.data[learned], target[learned])
valid = train.create_valid(wine.data[held], target[held])
booster = lightgbm.train(params, train, 60, valid_sets=[valid], callbacks=[lightgbm.record_evaluation(curve)])
predicted = booster.predict(wine.data[held])

scaler = StandardScaler().fit(wine.data[learned])
scaled = scaler.transform(wine.data[learned])
multinomial = LogisticRegression(C=1.0, tol=1e-12, max_iter=100000).fit(scaled, target[learned])
binary = LogisticRegression(C=0.5, tol=1e-12, max_iter=100000).fit(scaled, target[learned] == 0)
# The first column from the others.
others = StandardScaler().fit(wine.data[learned][:, 1:])
ridge = Ridge(alpha=2.0, solver="cholesky").fit(others.transform(wine.data[learned][:, 1:]), wine.data[learned][:, 0])

(folder / "expected.json").write_text(json.dumps({
    "lightgbm": lightgbm.__version__,
    "scikit_learn": sklearn.__version__,
    "classes": [kinds[at] for at in order],
    "boosting": {
        "log_loss": curve["valid_0"]["multi_logloss"],
        "accuracy": float((predicted.argmax(1) == target[held]).mean()),
    },
    "multinomial": {"coefficients": multinomial.coef_.tolist(), "intercepts": multinomial.intercept_.tolist()},
    "binary": {"coefficients": binary.coef_.tolist(), "intercepts": binary.intercept_.tolist()},
    "ridge": {"coefficients": [ridge.coef_.tolist()], "intercepts": [float(ridge.intercept_)]},
}, indent=1) + "\n")
