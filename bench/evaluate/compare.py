"""Evaluates stored predictions with Tidemill and by hand with scikit-learn, and prints CPU seconds and ratios of one run.

    python bench/evaluate/compare.py PATH/TO/tidemill [--large]

* 200,000 predictions, 361 slices (19 × 19 crossings of two columns), 9 metrics each.
* The search for bad slices in 327,000 rows of 6 columns, with a planted slice of three conditions.
* With --large: 10,000,000 predictions, 24 slices, all metrics with intervals.

scikit-learn computes the same metrics in a loop over the slices; it has neither intervals nor a search.
"""

import argparse
import json
import pathlib
import resource
import subprocess
import tempfile
import time

import numpy as np
import pandas as pd
from sklearn import metrics as m

arguments = argparse.ArgumentParser()
arguments.add_argument("tidemill", type=lambda path: str(pathlib.Path(path).resolve()))
arguments.add_argument("--large", action="store_true")
arguments = arguments.parse_args()
random = np.random.default_rng(7)
folder = pathlib.Path(tempfile.mkdtemp())


def tidemill(*words):
    """Runs a command; returns its document, CPU seconds and the most memory in MiB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([arguments.tidemill, *words, "-o", "json"], capture_output=True, text=True, cwd=folder)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stderr)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return json.loads(done.stdout), cpu, after.ru_maxrss / 1024


def predictions(rows, **columns):
    score = random.random(rows)
    label = (random.random(rows) < score).astype(int)
    return pd.DataFrame({"label": label, "score": score, **columns})


def sliced():
    rows = 200_000
    table = predictions(rows, a=random.integers(0, 19, rows), b=random.integers(0, 19, rows))
    table.to_parquet(folder / "sliced.parquet")
    config = folder / "plain.yaml"
    config.write_text("slices: [[a, b]]\nconfidence_intervals: false\n")
    common = ["evaluate", "sliced.parquet", "--label", "label", "--prediction", "score", "--config", str(config)]
    found, ours, memory = tidemill(*common)
    assert len(found["slices"]) == 362
    start = time.process_time()
    for _, rows in table.groupby(["a", "b"]):
        y, p = rows.label.to_numpy(), rows.score.to_numpy()
        q = p > 0.5
        (m.roc_auc_score(y, p), m.average_precision_score(y, p), m.log_loss(y, p), m.brier_score_loss(y, p))
        (m.accuracy_score(y, q), m.precision_score(y, q), m.recall_score(y, q), m.f1_score(y, q))
        m.matthews_corrcoef(y, q)
    theirs = time.process_time() - start
    print(f"200 k x 361 slices: {ours:.2f} CPU s, {memory:.0f} MiB; scikit-learn {theirs:.2f} CPU s, {theirs / ours:.1f} times")


def searched():
    rows = 327_000
    table = predictions(rows, **{f"c{at}": random.integers(0, 25, rows) for at in range(5)}, x=random.random(rows))
    bad = (table.c0 == 3) & (table.c1 < 8) & (table.x > 0.6)
    table.loc[bad, "label"] = 1 - table.loc[bad, "label"]
    table.to_parquet(folder / "searched.parquet")
    plain = ["evaluate", "searched.parquet", "--label", "label", "--prediction", "score"]
    _, without, _ = tidemill(*plain)
    found, ours, memory = tidemill(*plain, "--find-slices", "3")
    first = found["found_slices"]["slices"][0]
    tried = found["found_slices"]["tried"]
    print(f"search in 327 k x 6 columns: {ours - without:.2f} CPU s, {memory:.0f} MiB, {tried:,} slices tried")
    print(f"  first: {first['conditions']}, confirmed p {first['confirmed']['p_value']:.1e}")


def large():
    rows = 10_000_000
    predictions(rows, hour=random.integers(0, 24, rows)).to_parquet(folder / "large.parquet")
    config = folder / "large.yaml"
    config.write_text("slices: [[hour]]\nconfidence_intervals: { slices: true }\n")
    start = time.time()
    _, cpu, memory = tidemill(
        "evaluate", "large.parquet", "--label", "label", "--prediction", "score", "--config", str(config)
    )
    print(f"10 M x 24 slices with intervals: {time.time() - start:.1f} s, {cpu:.1f} CPU s, {memory:.0f} MiB")


sliced()
searched()
if arguments.large:
    large()
