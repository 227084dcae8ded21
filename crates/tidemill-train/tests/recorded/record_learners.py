"""Writes `breast_cancer.csv`, `diabetes.csv` and `expected_learners.json`: what scikit-learn and interpret make of tables that
scikit-learn ships.

    pip install scikit-learn interpret && python record_learners.py

Rows whose number is divisible by 3 are judged on, the others learned from.
"""

import csv
import json
from pathlib import Path

import numpy as np
import sklearn
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import StandardScaler

folder = Path(__file__).parent
# Probabilities count as this at least: forests are often certain and wrong.
FLOOR = 0.005


def write(name, data, target):
    with open(folder / f"{name}.csv", "w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["id", *(f"x{at}" for at in range(data.shape[1])), "label"])
        for at, (row, label) in enumerate(zip(data, target)):
            writer.writerow([at, *(repr(float(value)) for value in row), repr(float(label))])


cancer, diabetes, wine = load_breast_cancer(), load_diabetes(scaled=False), load_wine()
write("breast_cancer", cancer.data, cancer.target)
write("diabetes", diabetes.data, diabetes.target)
# Classes in the order of their names, as Tidemill has them.
kinds = ["Barolo", "Grignolino", "Barbera"]
of_wine = np.argsort(np.argsort(kinds))[wine.target]
tables = {
    "breast_cancer": (cancer.data, cancer.target, "binary"),
    "diabetes": (diabetes.data, diabetes.target, "regression"),
    "wine": (wine.data, of_wine, "classes"),
}


def parts(name):
    data, target, task = tables[name]
    judged = np.arange(len(data)) % 3 == 0
    return data[~judged], target[~judged], data[judged], target[judged], task


def loss(task, predicted, target, floor=1e-12):
    if task == "regression":
        return float(np.sqrt(np.mean((predicted - target) ** 2)))
    likely = predicted[np.arange(len(target)), target]
    return float(-np.mean(np.log(np.clip(likely, floor, 1.0))))


def judge(name, make, floor=1e-12):
    x, y, xj, yj, task = parts(name)
    model = make(task).fit(x, y)
    return loss(task, model.predict(xj) if task == "regression" else model.predict_proba(xj), yj, floor)


forest = {}
for name in tables:
    def random_forest(task, seed):
        if task == "regression":
            return RandomForestRegressor(100, max_features=1 / 3, random_state=seed)
        return RandomForestClassifier(100, random_state=seed)

    def extra_trees(task, seed):
        if task == "regression":
            return ExtraTreesRegressor(100, max_features=1 / 3, random_state=seed)
        return ExtraTreesClassifier(100, random_state=seed)

    forest[name] = {
        kind: [judge(name, lambda task: make(task, seed), FLOOR) for seed in range(10)]
        for kind, make in [("random_forest", random_forest), ("extra_trees", extra_trees)]
    }

neighbors = {}
for name in tables:
    x, y, xj, yj, task = parts(name)
    scaler = StandardScaler().fit(x)
    neighbors[name] = []
    for k, weights, p in [(5, "uniform", 2), (7, "distance", 2), (10, "distance", 1), (3, "uniform", 1.5)]:
        kind = KNeighborsRegressor if task == "regression" else KNeighborsClassifier
        model = kind(k, weights=weights, p=p, algorithm="brute").fit(scaler.transform(x), y)
        xs = scaler.transform(xj)
        predicted = model.predict(xs)[:, None] if task == "regression" else model.predict_proba(xs)
        if task == "binary":
            predicted = predicted[:, 1:]
        neighbors[name].append({
            "k": k, "weights": weights, "p": p, "predicted": [[float(value) for value in column] for column in predicted.T],
        })

network = {}
for name in tables:
    x, y, xj, yj, task = parts(name)
    scaler = StandardScaler().fit(x)
    losses = []
    for seed in range(5):
        kind = MLPRegressor if task == "regression" else MLPClassifier
        scale = y.std() if task == "regression" else 1.0
        centre = y.mean() if task == "regression" else 0
        model = kind(hidden_layer_sizes=(100,), max_iter=1000, early_stopping=True, n_iter_no_change=30, random_state=seed)
        model.fit(scaler.transform(x), (y - centre) / scale if task == "regression" else y)
        predicted = (model.predict(scaler.transform(xj)) * scale + centre if task == "regression"
                     else model.predict_proba(scaler.transform(xj)))
        losses.append(loss(task, predicted, yj))
    network[name] = losses

expected = {"scikit_learn": sklearn.__version__, "forest": forest, "neighbors": neighbors, "network": network}

try:
    import interpret
    from interpret.glassbox import ExplainableBoostingClassifier, ExplainableBoostingRegressor

    additive = {}
    # One of these takes a minute.
    for name in ["diabetes", "wine"]:
        def ebm(task, seed):
            kind = ExplainableBoostingRegressor if task == "regression" else ExplainableBoostingClassifier
            return kind(random_state=seed, n_jobs=1, **({"interactions": 0} if task == "classes" else {}))

        additive[name] = [judge(name, lambda task: ebm(task, seed)) for seed in range(2 if name == "diabetes" else 1)]
    expected |= {"interpret": interpret.__version__, "additive": additive}
except ImportError:
    # Without the package, what was recorded with it stays.
    before = json.loads((folder / "expected_learners.json").read_text())
    expected |= {key: before[key] for key in ("interpret", "additive")}

(folder / "expected_learners.json").write_text(json.dumps(expected, indent=1) + "\n")
