"""Trains tidemill's gradient boosting and LightGBM on the same rows with the same parameters, in one run.

    python compare.py synthetic --rows 1000000      # 30 features, binary
    python compare.py synthetic --rows 100000 --task regression --categorical
    python compare.py taxi --csv trips.csv          # the Chicago taxi columns; label tips > 0.2 * fare

Prints one line a learner and the ratios. See README.md for how to set it up.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time

import numpy as np


def synthetic(rows, task, categorical, seed=7):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 30))
    x[:, 5] = np.exp(x[:, 5])
    x[:, 6] = np.round(x[:, 6] * 3)
    x[:, 7] = rng.integers(0, 12, rows)
    x[:, 8][rng.random(rows) < 0.2] = np.nan
    x[:, 9][x[:, 0] > 1.5] = np.nan
    cats = []
    if categorical:
        effect = rng.normal(size=200)
        x[:, 10] = np.minimum(rng.zipf(1.3, rows) - 1, 199)
        x[:, 11] = rng.integers(0, 40, rows)
        cats = [10, 11]
        extra = effect[x[:, 10].astype(int)] + 0.7 * effect[x[:, 11].astype(int)]
    else:
        extra = x[:, 10] * x[:, 11]
    score = (
        x[:, 0] + 0.8 * x[:, 1] * (x[:, 2] > 0) + np.sin(2 * x[:, 3]) + 0.5 * np.abs(x[:, 4]) + 0.3 * x[:, 5]
        + 0.2 * x[:, 6] - 0.3 * np.isnan(x[:, 8]) + 0.5 * extra + 0.1 * x[:, 12:20].sum(axis=1)
    )
    noise = rng.logistic(size=rows)
    y = (score + noise > 1.0).astype(float) if task == "binary" else score + noise
    return x, y, cats


def taxi(path):
    import pandas as pd

    table = pd.read_csv(path)
    y = (table["tips"] > 0.2 * table["fare"]).astype(float).to_numpy()
    table = table.drop(columns=["tips"])
    cats = []
    for at, name in enumerate(table.columns):
        if name in ("payment_type", "company", "trip_start_hour", "trip_start_day", "trip_start_month",
                    "pickup_community_area", "dropoff_community_area"):
            codes, _ = pd.factorize(table[name], sort=True)
            table[name] = np.where(codes < 0, np.nan, codes)
            cats.append(at)
    return table.to_numpy(dtype=float), y, cats


def lightgbm(folder):
    """Runs in a process of its own, so that its peak memory is its own."""
    import lightgbm as lgb

    job = json.load(open(f"{folder}/job.json"))
    def table(name, rows):
        data = np.fromfile(f"{folder}/{name}.f64").reshape(job["features"] + 1, rows)
        return np.ascontiguousarray(data[:-1].T), data[-1]

    x, y = table("train", job["train_rows"])
    ex, ey = table("eval", job["eval_rows"])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    p = job["params"]
    params = {
        "objective": job["task"], "num_threads": job["threads"], "verbosity": -1, "seed": 42,
        "learning_rate": p["learning_rate"], "num_leaves": p["leaves"], "min_data_in_leaf": p["min_data_in_leaf"],
        "max_bin": p["max_bin"], "metric": "binary_logloss" if job["task"] == "binary" else "rmse",
        "bagging_fraction": p["bagging_fraction"], "bagging_freq": 1 if p["bagging_fraction"] < 1 else 0,
        "feature_fraction": p["feature_fraction"],
    }
    started = time.perf_counter()
    data = lgb.Dataset(x, y, categorical_feature=job["categorical"], params=params)
    data.construct()
    eval_data = lgb.Dataset(ex, ey, reference=data, categorical_feature=job["categorical"], params=params)
    eval_data.construct()
    bin_secs = time.perf_counter() - started
    history = {}
    callbacks = [lgb.record_evaluation(history)]
    if p.get("early_stopping"):
        callbacks.append(lgb.early_stopping(p["early_stopping"], verbose=False))
    started = time.perf_counter()
    model = lgb.train(params, data, p["rounds"], valid_sets=[eval_data], callbacks=callbacks)
    train_secs = time.perf_counter() - started
    started = time.perf_counter()
    predictions = model.predict(ex, num_threads=1)
    predict_secs = time.perf_counter() - started
    started = time.perf_counter()
    for row in range(300):
        model.predict(ex[row : row + 1], num_threads=1)
    single_row_us = (time.perf_counter() - started) / 300 * 1e6
    predictions.tofile(f"{folder}/lightgbm.f64")
    curve = next(iter(next(iter(history.values())).values()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps({
        "bin_secs": bin_secs, "train_secs": train_secs, "predict_secs": predict_secs, "single_row_us": single_row_us,
        "eval_metric": curve[(model.best_iteration or len(curve)) - 1], "rounds": len(curve),
        "best_round": model.best_iteration or len(curve),
        "peak_mib": (peak - before) / 1024, "input_mib": before / 1024,
    }))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=["synthetic", "taxi", "lightgbm"])
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--csv")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--task", choices=["binary", "regression"], default="binary")
    parser.add_argument("--categorical", action="store_true")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--leaves", type=int, default=31)
    parser.add_argument("--bagging", type=float, default=1.0)
    parser.add_argument("--feature-fraction", type=float, default=1.0)
    parser.add_argument("--early-stopping", type=int)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--ours", default="target/release/examples/gbdt_bench", help="the built example")
    parser.add_argument("--repeat", type=int, default=1)
    args = parser.parse_args()
    if args.data == "lightgbm":
        return lightgbm(args.folder)

    if args.data == "taxi":
        x, y, cats = taxi(args.csv)
    else:
        x, y, cats = synthetic(args.rows, args.task, args.categorical)
    order = np.random.default_rng(1).permutation(len(y))
    third = len(y) // 3
    parts = {"eval": np.sort(order[:third]), "train": np.sort(order[third:])}
    with tempfile.TemporaryDirectory() as folder:
        for name, rows in parts.items():
            np.concatenate([x[rows].T, y[rows][None]]).tofile(f"{folder}/{name}.f64")
        job = {
            "features": x.shape[1], "categorical": cats, "train_rows": len(parts["train"]),
            "eval_rows": len(parts["eval"]), "task": args.task, "threads": args.threads,
            "params": {"rounds": args.rounds, "learning_rate": 0.1, "leaves": args.leaves, "max_bin": 255,
                       "min_data_in_leaf": 20, "bagging_fraction": args.bagging,
                       "feature_fraction": args.feature_fraction, "early_stopping": args.early_stopping or 0},
        }
        json.dump(job, open(f"{folder}/job.json", "w"))
        label = y[parts["eval"]]
        results = {}
        for _ in range(args.repeat):
            for name, command in {
                "tidemill": [args.ours, folder],
                "lightgbm": [sys.executable, __file__, "lightgbm", folder],
            }.items():
                out = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": str(args.threads)})
                if out.returncode:
                    sys.exit(out.stderr)
                result = json.loads(out.stdout.strip().splitlines()[-1])
                best = results.get(name)
                if best is None or result["train_secs"] < best["train_secs"]:
                    results[name] = result
        for name, file in {"tidemill": "ours", "lightgbm": "lightgbm"}.items():
            if args.task == "binary":
                from sklearn.metrics import roc_auc_score

                results[name]["eval_auc"] = roc_auc_score(label, np.fromfile(f"{folder}/{file}.f64"))
            print(name, json.dumps(results[name]))
        ours, theirs = results["tidemill"], results["lightgbm"]
        ratio = {key: round(ours[key] / theirs[key], 3) for key in
                 ("bin_secs", "train_secs", "predict_secs", "single_row_us", "eval_metric", "peak_mib")}
        print("ratio", json.dumps(ratio))


if __name__ == "__main__":
    main()
