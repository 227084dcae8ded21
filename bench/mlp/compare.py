"""Trains tidemill's `mlp` and scikit-learn's `MLPClassifier` on the same rows until both have the same loss on rows aside, and
prints how long each took.

    python compare.py --rows 30000 --ours path/to/examples/mlp_bench

Both have the same layers, batches and activation (ReLU) and Adam. Each runs with one thread. See README.md.
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


def made(rows, features=20, seed=7):
    """Two classes told by products, waves and steps of standard normal numbers."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, features))
    score = (
        x[:, 0] * x[:, 1] + np.sin(2 * x[:, 2]) + 0.8 * x[:, 3] * (x[:, 4] > 0) + 0.5 * np.abs(x[:, 5])
        + 0.3 * x[:, 6:12].sum(axis=1)
    )
    return x, (score + rng.logistic(size=rows) * 0.5 > 0.4).astype(float)


def log_loss(y, p):
    p = np.clip(p, 1e-12, 1 - 1e-12)
    return float(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))


def scikit_learn(folder):
    from sklearn.neural_network import MLPClassifier

    job = json.load(open(f"{folder}/job.json"))

    def table(name, rows):
        data = np.fromfile(f"{folder}/{name}.f64").reshape(job["features"] + 1, rows)
        return np.ascontiguousarray(data[:-1].T), data[-1]

    x, y = table("train", job["train_rows"])
    ex, ey = table("eval", job["eval_rows"])
    model = MLPClassifier(hidden_layer_sizes=tuple(job["hidden"]), batch_size=job["batch_size"], random_state=1)
    curve, seconds = [], 0.0
    for _ in range(job["epochs"]):
        started = time.process_time()
        model.partial_fit(x, y, classes=[0.0, 1.0])
        seconds += time.process_time() - started
        curve.append([seconds, log_loss(ey, model.predict_proba(ex)[:, 1])])
    print(json.dumps({"curve": curve}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", help="of a job, for the process of scikit-learn")
    parser.add_argument("--rows", type=int, default=30_000)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--hidden", type=int, nargs="+", default=[256, 256])
    parser.add_argument("--ours", default="target/release/examples/mlp_bench", help="the built example")
    args = parser.parse_args()
    if args.folder:
        return scikit_learn(args.folder)
    x, y = made(args.rows)
    held = np.arange(args.rows) % 3 == 0
    with tempfile.TemporaryDirectory() as folder:
        for name, rows in {"train": ~held, "eval": held}.items():
            np.concatenate([x[rows].T, y[rows][None]]).tofile(f"{folder}/{name}.f64")
        job = {
            "features": x.shape[1], "train_rows": int((~held).sum()), "eval_rows": int(held.sum()), "hidden": args.hidden,
            "batch_size": 200, "epochs": args.epochs,
        }
        json.dump(job, open(f"{folder}/job.json", "w"))
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
        results = {}
        for name, command in {
            "tidemill": [args.ours, folder], "scikit-learn": [sys.executable, __file__, folder],
        }.items():
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            out = subprocess.run(command, capture_output=True, text=True, env=environment)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            if out.returncode:
                sys.exit(out.stderr)
            results[name] = json.loads(out.stdout.strip().splitlines()[-1])["curve"]
            if name == "tidemill":
                # The whole process: reading, scaling, and the loss on the rows aside after each epoch.
                taken = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
                each = taken / len(results[name])
                results[name] = [[each * at, loss] for at, loss in enumerate(results[name], 1)]
        best = {name: min(loss for _, loss in curve) for name, curve in results.items()}
        # The better of both has to reach what the other one can.
        target = max(best.values())
        print(f"equal loss: {target:.4f}")
        seconds = {}
        for name, curve in results.items():
            seconds[name] = next(taken for taken, loss in curve if loss <= target)
            epochs = next(at for at, (_, loss) in enumerate(curve, 1) if loss <= target)
            each = curve[-1][0] / len(curve)
            print(f"{name}: {seconds[name]:.2f} s of CPU, epoch {epochs} of {len(curve)}, {each:.3f} s an epoch, best loss {best[name]:.4f}")
        print(f"ratio {seconds['tidemill'] / seconds['scikit-learn']:.2f}")


if __name__ == "__main__":
    main()
