"""Hourly monitors over a large log: CPU seconds and peak memory.

    python replay.py BINARY [ROWS] [COLUMNS]
"""

import datetime as dt
import os
import pathlib
import resource
import subprocess
import sys
import tempfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

binary = os.path.abspath(sys.argv[1])
rows = int(sys.argv[2]) if len(sys.argv) > 2 else 10_000_000
columns = int(sys.argv[3]) if len(sys.argv) > 3 else 30
files = 48
random = np.random.default_rng(7)


def table(count, start, step):
    numbers = {f"x{i}": random.normal(i, 1 + i / 10, count) for i in range(columns - columns // 5)}
    texts = {f"c{i}": random.choice([f"v{k}" for k in range(5 + i)], count) for i in range(columns // 5)}
    answer = 1 / (1 + np.exp(-numbers["x0"]))
    times = np.datetime64(start, "us") + (np.arange(count) * step).astype("timedelta64[us]")
    return pa.table({
        **numbers, **texts, "_probability": answer,
        "_time": pa.array([f"{t}Z" for t in times.astype(str)]),
        "_model": pa.array(["m"] * count).dictionary_encode().cast(pa.string()),
        "_version": np.ones(count, dtype=np.int64),
        "_request_id": pa.array([f"r{i}" for i in range(count)]),
        "_row": np.zeros(count, dtype=np.int64),
        "_latency_us": random.integers(50, 200, count),
    })


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    (folder / "log/m").mkdir(parents=True)
    (folder / "pipeline.yaml").write_text("version: 1\npipeline: bench\nsteps: {}\n")
    pq.write_table(table(20_000, "2026-02-28T00:00:00", 1).drop(["_time", "_model", "_version", "_request_id", "_row", "_latency_us"]), folder / "reference.parquet")
    (folder / "monitor.yaml").write_text("version: 1\nmonitor: bench\nmodel: m\nlog: log\nreference: { file: reference.parquet }\n")
    each = rows // files
    for number in range(files):
        start = dt.datetime(2026, 3, 1) + dt.timedelta(minutes=30 * number)
        name = f"{start:%Y%m%dT%H%M%S}.000000Z-1-{number}.parquet"
        pq.write_table(table(each, start, 1_800_000_000 / each), folder / "log/m" / name, row_group_size=65_536)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([binary, "monitor", "replay"], cwd=folder, capture_output=True, text=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(done.stdout, done.stderr)
    print(f"{rows:,} requests x {columns}: {cpu:.1f} CPU s, {after.ru_maxrss / 1024:.0f} MiB")
