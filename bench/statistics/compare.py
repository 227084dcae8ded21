"""Statistics and drift of a million rows: tidemill beside DuckDB, Polars and SciPy, each in a process of its own.

    python compare.py --tidemill PATH/TO/tidemill [--rows 1000000] [--repeat 3]

Prints CPU seconds of the whole process (user and system, with its children), wall seconds and peak memory, the
best of the repeats, and the ratio ours / theirs. See README.md for what each job does.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

DECILES = [i / 10 for i in range(1, 10)]


def columns(path):
    import pyarrow.parquet as parquet
    import pyarrow.types as types

    schema = parquet.read_schema(path)
    text = [field.name for field in schema if types.is_string(field.type) or types.is_large_string(field.type)]
    return [field.name for field in schema if field.name not in text], text


def duckdb_set(path, _):
    """Count, missing, mean, deviation, min, max, deciles, zeros, 10-bin histogram; text: distinct, top 20, mean length."""
    import duckdb

    db = duckdb.connect()
    source = f"read_parquet('{path}')"
    numbers, text = columns(path)
    parts = ["count(*)"]
    for c in numbers:
        q = f'"{c}"'
        parts += [f"count({q})", f"avg({q})", f"stddev_pop({q})", f"min({q})", f"max({q})"]
        parts += [f"approx_quantile({q}, {DECILES})", f"count(*) filter ({q} = 0)"]
    for c in text:
        q = f'"{c}"'
        parts += [f"count({q})", f"approx_count_distinct({q})", f"approx_top_k({q}, 20)", f"avg(length({q}))"]
    row = db.execute(f"select {', '.join(parts)} from {source}").fetchone()
    bins = []
    for i, c in enumerate(numbers):
        low, high = row[1 + 7 * i + 3], row[1 + 7 * i + 4]
        width = (high - low) / 10 or 1
        bins.append(f"histogram(least(floor((\"{c}\" - {low}) / {width}), 9))")
    db.execute(f"select {', '.join(bins)} from {source}").fetchone()


def polars_set(path, _):
    import polars as pl

    numbers, text = columns(path)
    frame = pl.read_parquet(path)
    parts = []
    for c in numbers:
        q = pl.col(c)
        parts += [q.count().alias(f"{c} n"), q.mean().alias(f"{c} mean"), q.std(ddof=0).alias(f"{c} std")]
        parts += [q.min().alias(f"{c} min"), q.max().alias(f"{c} max"), (q == 0).sum().alias(f"{c} zeros")]
        parts += [q.quantile(d).alias(f"{c} {d}") for d in DECILES]
    for c in text:
        q = pl.col(c)
        parts += [q.count().alias(f"{c} n"), q.n_unique().alias(f"{c} unique"), q.str.len_chars().mean().alias(f"{c} len")]
    frame.select(parts)
    for c in numbers:
        frame[c].drop_nulls().hist(bin_count=10)
    for c in text:
        frame[c].value_counts(sort=True).head(20)


def scipy_drift(before, after):
    """Kolmogorov-Smirnov, Wasserstein and Jensen-Shannon of every column, from the values themselves."""
    import numpy as np
    import pandas as pd
    from scipy.spatial.distance import jensenshannon
    from scipy.stats import ks_2samp, wasserstein_distance

    numbers, text = columns(before)
    a, b = pd.read_parquet(before), pd.read_parquet(after)
    for c in numbers:
        x, y = a[c].dropna().to_numpy(), b[c].dropna().to_numpy()
        ks_2samp(x, y, method="asymp")
        wasserstein_distance(x, y)
        edges = np.unique(np.concatenate([np.quantile(side, np.arange(0, 1.01, 0.1)) for side in (x, y)]))
        jensenshannon(np.histogram(x, edges)[0], np.histogram(y, edges)[0], base=2)
    for c in text:
        x, y = a[c].value_counts(normalize=True), b[c].value_counts(normalize=True)
        x, y = x.align(y, fill_value=0)
        jensenshannon(x, y, base=2)
        (x - y).abs().max()


def measured(command):
    """CPU seconds, wall seconds and peak MiB of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    # 1 is a verdict: the two days differ.
    assert code in (0, 1), f"{command}: {code}"
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - start, usage.ru_maxrss / 1024


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--tidemill", default="target/release/tidemill")
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--repeat", type=int, default=3)
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        days = [f"{folder}/day{i}.parquet" for i in (1, 2)]
        for span, day in enumerate(days):
            sample = [options.tidemill, "sample", "taxi", "--rows", str(options.rows), "--span", str(span), "--out", day, "-q"]
            subprocess.run(sample, check=True, stdout=subprocess.DEVNULL)
        statistics = []
        for day in days:
            made = subprocess.run([options.tidemill, "stats", day, "-o", "json", "-q"], check=True, capture_output=True)
            statistics.append(day.replace("parquet", "json"))
            with open(statistics[-1], "wb") as file:
                file.write(made.stdout)
        job = lambda name: [sys.executable, __file__, "job", name, *days]
        jobs = {
            "tidemill stats": [options.tidemill, "stats", days[0], "-o", "json", "-q"],
            "DuckDB set": job("duckdb_set"),
            "Polars set": job("polars_set"),
            "tidemill drift": [options.tidemill, "drift", *days, "-q"],
            "SciPy by hand": job("scipy_drift"),
            "tidemill drift of statistics": [options.tidemill, "drift", *statistics, "-q"],
        }
        best = {}
        for _ in range(options.repeat):
            for name, command in jobs.items():
                best[name] = min(best.get(name, (9e9, 0, 0)), measured(command))
        for name, (cpu, wall, memory) in best.items():
            print(f"{name:30} {cpu:7.3f} s CPU {wall:7.3f} s wall {memory:7.0f} MiB")
        for ours, theirs in [("stats", "DuckDB set"), ("stats", "Polars set"), ("drift", "SciPy by hand")]:
            print(f"{ours} / {theirs}: {best['tidemill ' + ours][0] / best[theirs][0]:.3f} of the CPU")


if __name__ == "__main__":
    if sys.argv[1:2] == ["job"]:
        {"duckdb_set": duckdb_set, "polars_set": polars_set, "scipy_drift": scipy_drift}[sys.argv[2]](*sys.argv[3:])
    else:
        main()
