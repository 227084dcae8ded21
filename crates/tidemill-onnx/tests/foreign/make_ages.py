"""Adds models of other ages and kinds to this folder and to `expected.json`: `python make_ages.py`.

LightGBM with `sqrt` and `cross_entropy_lambda`; XGBoost as UBJSON, as a linear model, and with the bare word NaN that
versions up to 2.1 write among the conditions of splits by category.
"""

import json
import math
import pathlib

import lightgbm
import numpy
import xgboost

HERE = pathlib.Path(__file__).parent
random = numpy.random.default_rng(5)
x = random.normal(size=(400, 5)).round(3)
x[:, 4] = random.integers(0, 12, 400)
x[random.random(x.shape) < 0.05] = numpy.nan
filled = numpy.nan_to_num(x)
value = (filled[:, 0] + 2 * filled[:, 3] + (filled[:, 4] % 3 == 0)) * 3
binary = (value > 0).astype(int)
names = ["a", "b", "c", "d", "kind"]
expected = json.loads((HERE / "expected.json").read_text())


def record(name, predictions):
    cells = [[None if math.isnan(v) else v for v in row] for row in x[:40]]
    expected[name] = {"rows": cells, "predictions": numpy.asarray(predictions, dtype=float).tolist()}


def light(name, label, **params):
    settings = {"num_leaves": 8, "min_data_in_leaf": 5, "verbose": -1, "seed": 1, "num_threads": 1, **params}
    model = lightgbm.train(settings, lightgbm.Dataset(x, label, feature_name=names), num_boost_round=6)
    text = model.model_to_string()
    (HERE / name).write_text(text.split("\nparameters:")[0] + "\n")
    record(name, lightgbm.Booster(model_str=text).predict(x[:40]))


def xg(name, label, categories=False, **params):
    settings = {"max_depth": 4, "seed": 1, "nthread": 1, "eta": 0.4, **params}
    types = ["q", "q", "q", "q", "c" if categories else "q"]
    data = xgboost.DMatrix(x, label, feature_names=names, feature_types=types, enable_categorical=categories)
    model = xgboost.train(settings, data, num_boost_round=5)
    model.save_model(HERE / name)
    at = xgboost.DMatrix(x[:40], feature_names=names, feature_types=types, enable_categorical=categories)
    record(name, model.predict(at))


light("sqrt.txt", value * numpy.abs(value), objective="regression", reg_sqrt=True)
light("cross_entropy_lambda.txt", binary * 0.8 + 0.1, objective="cross_entropy_lambda")
xg("linear.json", value, booster="gblinear", objective="reg:squarederror", updater="coord_descent")
xg("linear_three.json", numpy.digitize(value, [-2, 2]), booster="gblinear", objective="multi:softprob", num_class=3)
xg("logistic.ubj", binary, objective="binary:logistic")
xg("bare_nan.json", binary, categories=True, objective="binary:logistic", max_cat_to_onehot=2)
# As versions up to 2.1 wrote it.
model = json.loads((HERE / "bare_nan.json").read_text())
for tree in model["learner"]["gradient_booster"]["model"]["trees"]:
    for node in tree["categories_nodes"]:
        tree["split_conditions"][node] = math.nan
(HERE / "bare_nan.json").write_text(json.dumps(model, separators=(",", ":")))
(HERE / "expected.json").write_text(json.dumps(expected) + "\n")
