"""Small models of LightGBM and XGBoost, with their own predictions over edge cases.

    pip install lightgbm==4.7.0 xgboost-cpu==3.2.0 numpy && python make.py

writes the models beside this script and `expected.json`: for each model the rows (null is NaN) and what the library
says of them. `tests/it/foreign.rs` compares. Numbers are random with a fixed seed; another version of a library may grow
other trees, so models and predictions are committed together.
"""

import json
import math
from pathlib import Path

import lightgbm
import numpy
import xgboost

HERE = Path(__file__).parent
random = numpy.random.default_rng(7)
COUNT = 600


def features(count):
    """Four numbers, one mostly zero, one category; some missing."""
    x = numpy.column_stack([
        random.normal(size=count),
        random.normal(size=count) * 100,
        random.integers(0, 20, size=count) / 4,
        numpy.where(random.random(count) < 0.6, 0.0, random.normal(size=count)),
        random.integers(0, 40, size=count).astype(float),
    ])
    x[random.random(x.shape) < 0.08] = numpy.nan
    return x


def edges(x):
    """Rows that a model could get wrong: values on thresholds, far out, missing, near zero, odd categories."""
    special = [0.0, -0.0, 1e-36, -1e-36, 1e-34, 1e300, -1e300, math.inf, -math.inf, math.nan, 0.1, 1 / 3, 16777217.0]
    rows = [list(row) for row in x[:24]]
    for column in range(4):
        for value in special:
            row = list(x[len(rows) % 24])
            row[column] = value
            rows.append(row)
    for value in [-1.0, 0.0, 39.0, 40.0, 63.0, 64.0, 1000.0, math.nan]:
        row = list(x[len(rows) % 24])
        row[4] = value
        rows.append(row)
    rows.append([math.nan] * 5)
    rows.append([0.0] * 5)
    return numpy.array(rows)


x = features(COUNT)
signal = numpy.nan_to_num(x[:, 0]) + numpy.nan_to_num(x[:, 3]) * 2 + (numpy.nan_to_num(x[:, 4], nan=3) % 3 == 0)
noise = random.normal(size=COUNT) * 0.3
binary = (signal + noise > 0.5).astype(int)
value = signal * 10 + noise
counts = numpy.floor(numpy.exp(numpy.clip(signal, -2, 2)))
classes = numpy.digitize(signal + noise, [0.0, 1.0])

expected = {}


def record(name, rows, predictions):
    cells = [[None if math.isnan(v) else ("inf" if v == math.inf else "-inf" if v == -math.inf else v) for v in row]
             for row in rows]
    expected[name] = {"rows": cells, "predictions": numpy.asarray(predictions, dtype=float).tolist()}


def light(name, label, cat=True, **params):
    settings = {"num_leaves": 8, "min_data_in_leaf": 5, "verbose": -1, "seed": 1, "num_threads": 1,
                "deterministic": True, "max_cat_to_onehot": 4, "min_data_per_group": 5, **params}
    data = lightgbm.Dataset(x, label, feature_name=["a", "b", "c", "d", "kind"],
                            categorical_feature=["kind"] if cat else [], params=settings)
    model = lightgbm.train(settings, data, num_boost_round=6)
    text = model.model_to_string()
    # The parameters at the end do not matter for predictions and are most of the file.
    (HERE / name).write_text(text.split("\nparameters:")[0] + "\n")
    rows = edges(x)
    record(name, rows, lightgbm.Booster(model_str=text).predict(rows))


def xg(name, label, categories=False, **params):
    settings = {"max_depth": 4, "seed": 1, "nthread": 1, "eta": 0.4, "tree_method": "hist", **params}
    types = ["q", "q", "q", "q", "c" if categories else "q"]
    names = ["a", "b", "c", "d", "kind"]
    data = xgboost.DMatrix(x, label, feature_names=names, feature_types=types, enable_categorical=categories)
    model = xgboost.train(settings, data, num_boost_round=5)
    model.save_model(HERE / name)
    rows = edges(x)
    # XGBoost refuses infinite numbers in a matrix, and numbers that are infinite in 32 bits with them.
    rows = rows[~(numpy.abs(numpy.nan_to_num(rows)) > 3e38).any(axis=1)]
    rows = rows[~numpy.isinf(rows).any(axis=1)]
    if categories:
        rows = rows[~(rows[:, 4] < 0)]
    at = xgboost.DMatrix(rows, feature_names=names, feature_types=types, enable_categorical=categories)
    record(name, rows, xgboost.Booster(model_file=HERE / name).predict(at))


light("binary.txt", binary, objective="binary", sigmoid=0.7)
light("regression.txt", value, objective="regression")
light("zero_missing.txt", value, objective="regression", zero_as_missing=True)
light("no_missing.txt", value, objective="regression", use_missing=False)
light("poisson.txt", counts, objective="poisson")
light("multiclass.txt", classes, objective="multiclass", num_class=3)
light("one_versus_all.txt", classes, objective="multiclassova", num_class=3)
light("forest.txt", value, objective="regression", boosting="rf", bagging_freq=1, bagging_fraction=0.7)
light("forest_binary.txt", binary, objective="binary", boosting="rf", bagging_freq=1, bagging_fraction=0.7)
light("cross_entropy.txt", binary * 0.8 + 0.1, objective="cross_entropy")

xg("logistic.json", binary, objective="binary:logistic")
xg("squared.json", value, objective="reg:squarederror")
xg("poisson.json", counts, objective="count:poisson")
xg("softprob.json", classes, objective="multi:softprob", num_class=3)
xg("softmax.json", classes, objective="multi:softmax", num_class=3)
xg("dart.json", binary, objective="binary:logistic", booster="dart", rate_drop=0.5)
xg("categories.json", binary, categories=True, objective="binary:logistic", max_cat_to_onehot=4)
xg("hinge.json", binary, objective="binary:hinge")
xg("logitraw.json", binary, objective="binary:logitraw")

(HERE / "expected.json").write_text(json.dumps(expected) + "\n")
