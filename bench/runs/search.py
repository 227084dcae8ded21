#!/usr/bin/env python3
"""Search among many runs: 10,000 runs with 100 metrics each, filtered and ordered.

    bench/runs/search.py PATH/TO/tidemill [RUNS [METRICS]]

The store is filled as `tidemill log` does it, in one transaction; the commands are then timed from outside, process start
included. The issue asks for less than 200 ms.
"""

import os
import pathlib
import random
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time

binary = pathlib.Path(sys.argv[1]).resolve()
runs, metrics = (int(text) for text in (sys.argv[2:] + ["10000", "100"][len(sys.argv) - 2 :])[:2])


def tidemill(*arguments):
    return subprocess.run([binary, *arguments], check=True, capture_output=True, text=True).stdout


with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    pathlib.Path("tidemill.toml").write_text("")
    pathlib.Path("pipeline.yaml").write_text("version: 1\npipeline: empty\nsteps: {}\n")
    tidemill("log", "--experiment", "first", "--metric", "auc=0.5")
    random.seed(7)
    database = sqlite3.connect(".tidemill/metadata.db")
    for number in range(runs):
        run = f"01900000-{number // 65536:04x}-7000-8000-{number:012x}"
        at = "2026-01-01T00:00:00.000Z"
        database.execute(
            "INSERT INTO runs (id, pipeline, state, started_at, finished_at, params, plan, summary, pid, lease) "
            "VALUES (?, ?, 'COMPLETE', ?, ?, '{}', '[]', '{}', 1, 'bench.log')",
            (run, f"experiment-{number % 20}", at, at),
        )
        values = [(run, "metric", f"m{key}", 0, at, str(value), value) for key in range(metrics) for value in [random.random()]]
        values.append((run, "param", "rounds", 0, at, str(number % 7), None))
        database.executemany("INSERT INTO run_values VALUES (?, ?, ?, ?, ?, ?, ?)", values)
    database.commit()
    database.close()
    for title, arguments in [
        ("list the newest 20", ["runs"]),
        ("filter by a metric and a setting", ["runs", "--filter", "metrics.m7 > 0.9 and params.rounds = '3'"]),
        ("order all by a metric", ["runs", "--order-by", "metrics.m42 DESC"]),
        ("filter and order", ["runs", "--filter", "metrics.m7 > 0.5 and metrics.m8 < 0.5", "--order-by", "metrics.m9 DESC", "-n", "100"]),
    ]:
        times = []
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        for _ in range(7):
            began = time.perf_counter()
            tidemill(*arguments)
            times.append(time.perf_counter() - began)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / len(times)
        print(f"{title:36} {statistics.median(times) * 1000:7.1f} ms  {cpu * 1000:7.1f} CPU ms")
