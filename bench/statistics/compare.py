"""Statistics and drift of a million rows: tidemill beside DuckDB, Polars, SciPy and Evidently, each in a process of its own.

    python compare.py --tidemill PATH/TO/tidemill [--rows 1000000] [--repeat 3] [--csv] [--evidently] [--day-two] [--only stats]

Prints CPU seconds of the whole process (user and system, with its children), wall seconds and peak memory, the
best of the repeats, and the ratio ours / theirs. See README.md for what each job does.
"""

import argparse
import importlib.util
import json
import os
import re
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


def kinds(path):
    """Columns of numbers and of text, of Parquet from its schema, of CSV as DuckDB decides over all rows."""
    if path.endswith(".parquet"):
        return columns(path)
    import duckdb

    found = duckdb.sql(f"describe select * from {source_of(path)}").fetchall()
    text = [name for name, kind, *_ in found if kind == "VARCHAR"]
    return [name for name, kind, *_ in found if name not in text and kind != "BOOLEAN"], text


def source_of(path):
    # Types are decided over all rows, as ours are.
    return f"read_parquet('{path}')" if path.endswith(".parquet") else f"read_csv('{path}', sample_size=-1, auto_type_candidates=['BIGINT', 'DOUBLE', 'BOOLEAN', 'VARCHAR'])"


def duckdb_set(path, *_):
    """Count, missing, mean, deviation, min, max, deciles, zeros, 10-bin histogram; text: distinct, top 20, mean length."""
    import duckdb

    db = duckdb.connect()
    source = source_of(path)
    numbers, text = kinds(path)
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


def polars_set(path, *_):
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


def scipy_drift(before, after, *_):
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


def duckdb_csv(_, __, path):
    duckdb_set(path)


def duckdb_summarize(path, *_):
    import duckdb

    duckdb.sql(f"summarize select * from {source_of(path)}").fetchall()


def evidently_report(preset, before, after):
    import pandas as pd

    a, b = pd.read_parquet(before), pd.read_parquet(after)
    try:
        from evidently import Report
        from evidently import presets

        return Report([getattr(presets, preset)()]).run(b, a).json()
    except ImportError:
        # Before 0.7.
        from evidently import metric_preset as presets
        from evidently.report import Report

        report = Report([getattr(presets, preset.replace("Summary", "Quality"))()])
        report.run(reference_data=a, current_data=b)
        return report.json()


def evidently_drift(before, after, *_):
    evidently_report("DataDriftPreset", before, after)


def evidently_summary(before, after, *_):
    evidently_report("DataSummaryPreset", before, after)


def evidently_day_two(before, after, *_):
    """Columns that Evidently calls drifted, with its defaults."""
    report = json.loads(evidently_report("DataDriftPreset", before, after))
    for metric in report.get("metrics", []):
        found = re.match(r"ValueDrift\(column=(.*),method=(.*),threshold=(.*)\)", str(metric.get("metric_name") or metric.get("metric_id")))
        if found:
            column, method, threshold = found[1], found[2], float(found[3])
            # A small p-value is a difference, a small distance is none.
            drifted = metric["value"] < threshold if "p_value" in method else metric["value"] >= threshold
            print(f"{'drifted' if drifted else '-':8} {column:24} {method} {metric['value']:.4g}")


def measured(command):
    """CPU seconds, wall seconds and peak MiB of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    code = os.waitstatus_to_exitcode(status)
    # Of ours 1 is a verdict: the two days differ.
    if code != 0 and (code != 1 or command[0] == sys.executable):
        sys.exit(f"{' '.join(command)} ended with {code}")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - start, usage.ru_maxrss / 1024


def there(module):
    if importlib.util.find_spec(module):
        return True
    print(f"left out: {module} is not installed", file=sys.stderr)
    return False


def day_two(options, folder, before):
    """The four faults of a second day: which are found with the schema inferred from the first and default comparators."""
    after, schema = f"{folder}/day_two.parquet", f"{folder}/schema.yaml"
    ours = lambda *arguments: subprocess.run([options.tidemill, *arguments, "-q"], capture_output=True, text=True)
    plants = "shifted-span,negative-fares,new-category,missing-companies"
    made = ours("sample", "taxi", "--rows", str(options.rows), "--span", "1", "--plant", plants, "--out", after)
    assert made.returncode == 0, made.stderr
    ours("infer-schema", before, "--out", schema)
    anomalies = json.loads(ours("validate", after, "--schema", schema, "-o", "json").stdout)["anomalies"]
    anomalies += json.loads(ours("drift", before, after, "-o", "json").stdout)["anomalies"]
    print("\nday two, tidemill:")
    for anomaly in anomalies:
        print(f"  {anomaly['severity']:8} {anomaly['type']:42} {anomaly['description'][:110]}")
    if options.evidently and there("evidently"):
        print("day two, Evidently:")
        job = [sys.executable, __file__, "job", "evidently_day_two", before, after, ""]
        print("  " + subprocess.run(job, capture_output=True, text=True).stdout.replace("\n", "\n  "))


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--tidemill", default="target/release/tidemill")
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--repeat", type=int, default=3)
    arguments.add_argument("--csv", action="store_true", help="statistics of CSV too")
    arguments.add_argument("--evidently", action="store_true", help="Evidently too; it takes about a minute a job")
    arguments.add_argument("--day-two", action="store_true", help="which faults of a second day are found")
    arguments.add_argument("--only", default="", help="jobs whose name holds this, as in `stats`")
    options = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        days = [f"{folder}/day{i}.parquet" for i in (1, 2)]
        csv = f"{folder}/day1.csv"
        sample = lambda span, out: subprocess.run(
            [options.tidemill, "sample", "taxi", "--rows", str(options.rows), "--span", str(span), "--out", out, "-q"],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        for span, day in enumerate(days):
            sample(span, day)
        if options.csv:
            sample(0, csv)
        statistics = []
        for day in days:
            made = subprocess.run([options.tidemill, "stats", day, "-o", "json", "-q"], check=True, capture_output=True)
            statistics.append(day.replace("parquet", "json"))
            with open(statistics[-1], "wb") as file:
                file.write(made.stdout)
        job = lambda name: [sys.executable, __file__, "job", name, *days, csv]
        ours = lambda *arguments: [options.tidemill, *arguments, "-q"]
        jobs = {"tidemill stats": ours("stats", days[0], "-o", "json")}
        pairs = []
        if there("duckdb"):
            jobs["DuckDB set"] = job("duckdb_set")
            jobs["DuckDB SUMMARIZE"] = job("duckdb_summarize")
            pairs += [("tidemill stats", "DuckDB set"), ("tidemill stats", "DuckDB SUMMARIZE")]
        if there("polars"):
            jobs["Polars set"] = job("polars_set")
            pairs.append(("tidemill stats", "Polars set"))
        if options.csv:
            jobs["tidemill stats of CSV"] = ours("stats", csv, "-o", "json")
            if there("duckdb"):
                jobs["DuckDB set of CSV"] = job("duckdb_csv")
                pairs.append(("tidemill stats of CSV", "DuckDB set of CSV"))
        jobs["tidemill drift"] = ours("drift", *days)
        if there("scipy"):
            jobs["SciPy by hand"] = job("scipy_drift")
            pairs.append(("tidemill drift", "SciPy by hand"))
        if options.evidently and there("evidently"):
            jobs["Evidently summary"] = job("evidently_summary")
            jobs["Evidently drift"] = job("evidently_drift")
            pairs += [("tidemill stats", "Evidently summary"), ("tidemill drift", "Evidently drift")]
        jobs["tidemill drift of statistics"] = ours("drift", *statistics)
        jobs = {name: command for name, command in jobs.items() if options.only in name}
        best = {}
        for _ in range(options.repeat):
            for name, command in jobs.items():
                best[name] = min(best.get(name, (9e9, 0, 0)), measured(command))
        for name, (cpu, wall, memory) in best.items():
            print(f"{name:30} {cpu:7.3f} s CPU {wall:7.3f} s wall {memory:7.0f} MiB")
        for mine, theirs in pairs:
            if mine in best and theirs in best:
                print(f"{mine} / {theirs}: {best[mine][0] / best[theirs][0]:.3f} of the CPU")
        if options.day_two:
            day_two(options, folder, days[0])


JOBS = [
    duckdb_set,
    duckdb_csv,
    duckdb_summarize,
    polars_set,
    scipy_drift,
    evidently_drift,
    evidently_summary,
    evidently_day_two,
]

if __name__ == "__main__":
    if sys.argv[1:2] == ["job"]:
        {job.__name__: job for job in JOBS}[sys.argv[2]](*sys.argv[3:])
    else:
        main()
