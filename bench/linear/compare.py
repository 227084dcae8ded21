"""Fits the same logistic regression with tidemill and with scikit-learn, on the same rows, in one run.

    cargo build --release -p tidemill -p tidemill-train --example linear_bench
    python compare.py --binary target/release/examples/linear_bench --rows 1000000 --features 30
    python compare.py --binary target/release/examples/linear_bench --rows 100000 --l1 50

Prints CPU seconds of fitting with one thread, the value of the objective that was reached (smaller is better), and the largest difference
between the weights. Scaling is part of both times.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

parser = argparse.ArgumentParser()
parser.add_argument("--binary", required=True)
parser.add_argument("--rows", type=int, default=1_000_000)
parser.add_argument("--features", type=int, default=30)
parser.add_argument("--l1", type=float, default=0.0)
parser.add_argument("--l2", type=float, default=1.0)
parser.add_argument("--tolerance", type=float, default=1e-6)
args = parser.parse_args()
l2 = 0.0 if args.l1 else args.l2

random = numpy.random.default_rng(7)
x = random.normal(size=(args.rows, args.features)) * random.uniform(0.1, 10, args.features) + random.normal(size=args.features)
score = ((x - x.mean(0)) / x.std(0)) @ random.normal(size=args.features) * 0.5 - 1
y = (random.uniform(size=args.rows) < 1 / (1 + numpy.exp(-score))).astype(float)

with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    numpy.ascontiguousarray(x.T).tofile(folder / "columns.f64")
    y.tofile(folder / "labels.f64")
    job = {"rows": args.rows, "features": args.features, "l1": args.l1, "l2": l2, "tolerance": args.tolerance}
    (folder / "job.json").write_text(json.dumps(job))
    ours = json.loads(subprocess.run([args.binary, folder], check=True, capture_output=True, env={**os.environ, "RAYON_NUM_THREADS": "1"}).stdout)


def objective(weights, intercept, scaled):
    score = scaled @ weights + intercept
    loss = numpy.logaddexp(0, score).sum() - (y * score).sum()
    return loss + args.l1 * numpy.abs(weights).sum() + 0.5 * l2 * (weights**2).sum()


start = time.process_time()
scaled = StandardScaler().fit_transform(x)
model = LogisticRegression(C=1 / (args.l1 or l2), l1_ratio=1.0 if args.l1 else 0.0, solver="saga" if args.l1 else "lbfgs", tol=1e-4, max_iter=1000)
model.fit(scaled, y)
theirs_cpu = time.process_time() - start
point = numpy.array(ours["point"])
print(f"tidemill      {ours['cpu_secs']:6.2f} CPU s, {ours['steps']} steps, objective {objective(point[1:], point[0], scaled):.6f}")
print(f"scikit-learn  {theirs_cpu:6.2f} CPU s, {int(model.n_iter_.max())} steps, objective {objective(model.coef_[0], model.intercept_[0], scaled):.6f}")
print(f"largest difference of weights {numpy.abs(model.coef_[0] - point[1:]).max():.2e}")
