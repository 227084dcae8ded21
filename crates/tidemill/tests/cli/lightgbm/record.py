"""Trains LightGBM on three tables and records its losses on the eval rows, which our learner is compared with.

    python record.py        (needs lightgbm and scikit-learn; recorded with LightGBM 4.7)

Writes train and eval rows of each table as CSV and `recorded.json`. Every third row is an eval row.
"""

import csv
import json
import pathlib

import lightgbm
import numpy
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.metrics import log_loss, mean_squared_error, roc_auc_score

HERE = pathlib.Path(__file__).parent
TRIPS = HERE.parents[4] / "examples/taxi/data/trips.csv"
PARAMETERS = {"learning_rate": 0.1, "num_leaves": 15, "min_data_in_leaf": 20, "min_data_in_bin": 1, "seed": 1, "deterministic": True,
              "force_row_wise": True, "num_threads": 1, "verbose": -1}
ROUNDS = 60
TRIP_COLUMNS = ["trip_miles", "trip_seconds", "trip_start_hour", "pickup_latitude", "pickup_longitude"]


def trips():
    """The fare of the first 6,000 trips that have one; cells of the other columns may be missing."""
    found = [row for row in csv.DictReader(TRIPS.open()) if row["fare"]][:6000]
    rows = [[float(row[column]) if row[column] else numpy.nan for column in TRIP_COLUMNS] for row in found]
    return TRIP_COLUMNS, numpy.array(rows), numpy.array([float(row["fare"]) for row in found])


def from_sklearn(bunch):
    names = [name.replace(" ", "_") for name in bunch.feature_names]
    return names, bunch.data.round(6), bunch.target


def main():
    recorded = {}
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
        if task == "binary":
            figures = {"log_loss": log_loss(truth, predicted), "auc": roc_auc_score(truth, predicted)}
        else:
            figures = {"rmse": mean_squared_error(truth, predicted) ** 0.5}
        recorded[name] = {key: round(float(value), 6) for key, value in figures.items()}
    text = json.dumps({"lightgbm": lightgbm.__version__, "tables": recorded}, indent=2)
    (HERE / "recorded.json").write_text(text + "\n")
    print(text)


main()
