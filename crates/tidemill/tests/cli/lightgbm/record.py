"""Trains LightGBM and XGBoost on three tables and records their losses on the eval rows, which our learners are compared with.

    python record.py        (needs lightgbm, xgboost and scikit-learn; recorded with LightGBM 4.7 and XGBoost 3.2)

Writes train and eval rows of each table as CSV and `recorded.json`. Every third row is an eval row. The variants have the
parameters that a block `lightgbm:` or `xgboost:` of a pipeline file has.
"""

import csv
import json
import pathlib

import lightgbm
import numpy
import xgboost
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.metrics import log_loss, mean_absolute_error, mean_squared_error, roc_auc_score

HERE = pathlib.Path(__file__).parent
TRIPS = HERE.parents[4] / "examples/taxi/data/trips.csv"
PARAMETERS = {"learning_rate": 0.1, "num_leaves": 15, "min_data_in_leaf": 20, "min_data_in_bin": 1, "seed": 1, "deterministic": True,
              "force_row_wise": True, "num_threads": 1, "verbose": -1}
ROUNDS = 60
# Table, library, parameters.
VARIANTS = [
    ("trips", "lightgbm", {"objective": "regression_l1", "num_leaves": 15}),
    ("trips", "lightgbm", {"objective": "huber", "alpha": 2.0}),
    ("trips", "lightgbm", {"objective": "fair", "fair_c": 2.0}),
    ("trips", "lightgbm", {"objective": "quantile", "alpha": 0.8}),
    ("trips", "lightgbm", {"objective": "mape"}),
    ("trips", "lightgbm", {"objective": "poisson"}),
    ("diabetes", "lightgbm", {"objective": "gamma", "num_leaves": 7}),
    ("trips", "lightgbm", {"objective": "tweedie", "tweedie_variance_power": 1.3}),
    ("trips", "lightgbm", {"objective": "regression", "path_smooth": 10.0, "max_delta_step": 3.0}),
    ("trips", "lightgbm", {"objective": "regression", "boosting": "rf", "bagging_fraction": 0.6, "bagging_freq": 1}),
    ("trips", "lightgbm", {"objective": "regression", "data_sample_strategy": "goss"}),
    ("trips", "lightgbm", {"objective": "regression", "extra_trees": True, "n_estimators": 200}),
    ("trips", "lightgbm", {"objective": "regression", "boosting": "dart", "learning_rate": 0.3}),
    ("trips", "lightgbm", {"objective": "regression", "monotone_constraints": {"trip_miles": 1, "trip_seconds": 1}}),
    ("trips", "lightgbm", {"objective": "regression", "interaction_constraints": [["trip_miles", "trip_seconds"]]}),
    ("breast_cancer", "lightgbm", {"objective": "binary", "scale_pos_weight": 3.0}),
    ("breast_cancer", "lightgbm", {"objective": "binary", "is_unbalance": True, "feature_fraction_bynode": 0.5}),
    ("diabetes", "xgboost", {"objective": "reg:squarederror", "n_estimators": 40, "eta": 0.1}),
    ("trips", "xgboost", {"objective": "reg:squarederror", "eta": 0.1, "max_depth": 4, "gamma": 1.0}),
    ("trips", "xgboost", {"objective": "count:poisson", "eta": 0.1}),
    ("diabetes", "xgboost", {"objective": "reg:gamma", "eta": 0.1, "max_leaves": 15, "grow_policy": "lossguide"}),
    ("breast_cancer", "xgboost", {"objective": "binary:logistic", "n_estimators": 40, "scale_pos_weight": 2.0}),
]
TRIP_COLUMNS = ["trip_miles", "trip_seconds", "trip_start_hour", "pickup_latitude", "pickup_longitude"]


def trips():
    """The fare of the first 6,000 trips that have one; cells of the other columns may be missing."""
    found = [row for row in csv.DictReader(TRIPS.open()) if row["fare"]][:6000]
    rows = [[float(row[column]) if row[column] else numpy.nan for column in TRIP_COLUMNS] for row in found]
    return TRIP_COLUMNS, numpy.array(rows), numpy.array([float(row["fare"]) for row in found])


def from_sklearn(bunch):
    names = [name.replace(" ", "_") for name in bunch.feature_names]
    return names, bunch.data.round(6), bunch.target


def figures(task, truth, predicted):
    if task == "binary":
        return {"log_loss": log_loss(truth, predicted), "auc": roc_auc_score(truth, predicted)}
    return {"rmse": mean_squared_error(truth, predicted) ** 0.5, "mae": mean_absolute_error(truth, predicted)}


def rounded(values):
    return {key: round(float(value), 6) for key, value in values.items()}


def fitted(library, parameters, columns, rows, labels, judged):
    """The predictions of a library's own model."""
    parameters = dict(parameters)
    rounds = parameters.pop("n_estimators", 100)
    monotone = parameters.get("monotone_constraints")
    if monotone:
        parameters["monotone_constraints"] = [monotone.get(column, 0) for column in columns]
    if sets := parameters.get("interaction_constraints"):
        named = [[columns.index(name) for name in members] for members in sets]
        alone = [[at] for at, name in enumerate(columns) if not any(name in members for members in sets)]
        parameters["interaction_constraints"] = named + alone
    if library == "lightgbm":
        fixed = {"min_data_in_bin": 1, "seed": 1, "deterministic": True, "force_row_wise": True, "num_threads": 1, "verbose": -1}
        data = lightgbm.Dataset(rows, labels)
        return lightgbm.train(fixed | parameters, data, rounds).predict(judged)
    data = xgboost.QuantileDMatrix(rows, labels)
    model = xgboost.train({"nthread": 1, "seed": 1} | parameters, data, rounds)
    return model.predict(xgboost.DMatrix(judged))


def main():
    recorded, tables = {}, {}
    for name, (columns, rows, labels), task in [
        ("breast_cancer", from_sklearn(load_breast_cancer()), "binary"),
        ("diabetes", from_sklearn(load_diabetes(scaled=False)), "regression"),
        ("trips", trips(), "regression"),
    ]:
        is_eval = numpy.arange(len(rows)) % 3 == 2
        for split, mask in [("train", ~is_eval), ("eval", is_eval)]:
            if name != "trips":
                with (HERE / f"{name}.{split}.csv").open("w", newline="") as file:
                    writer = csv.writer(file, lineterminator="\n")
                    writer.writerow([*columns, "label"])
                    for row, label in zip(rows[mask], labels[mask]):
                        writer.writerow([*(repr(float(cell)) for cell in row), int(label)])
        parameters = PARAMETERS | {"objective": task}
        model = lightgbm.train(parameters, lightgbm.Dataset(rows[~is_eval], labels[~is_eval]), ROUNDS)
        predicted, truth = model.predict(rows[is_eval]), labels[is_eval]
        recorded[name] = rounded(figures(task, truth, predicted))
        tables[name] = (task, columns, rows[~is_eval], labels[~is_eval], rows[is_eval], truth)
    variants = []
    for table, library, parameters in VARIANTS:
        task, columns, rows, labels, judged, truth = tables[table]
        found = rounded(figures(task, truth, fitted(library, parameters, columns, rows, labels, judged)))
        variants.append({"table": table, "library": library, "parameters": parameters, "metrics": found})
    versions = {"lightgbm": lightgbm.__version__, "xgboost": xgboost.__version__}
    text = json.dumps(versions | {"tables": recorded, "variants": variants}, indent=2)
    (HERE / "recorded.json").write_text(text + "\n")
    print(text)


main()
