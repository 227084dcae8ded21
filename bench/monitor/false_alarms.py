"""False alarms of a month as usual, and how soon a shift is found.

    python false_alarms.py BINARY

The log has six numbers, two texts and a probability; a month is 720 hourly windows.
"""

import datetime as dt
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

binary = os.path.abspath(sys.argv[1])


def table(random, count, start, shift):
    numbers = {f"x{i}": random.normal(0, 1, count) for i in range(6)}
    numbers["x0"] += shift
    texts = {f"c{i}": random.choice(["a", "b", "c", "d"], count, p=[0.5, 0.3, 0.15, 0.05]) for i in range(2)}
    times = np.datetime64(start, "us") + (np.arange(count) * (3.6e9 / count)).astype("timedelta64[us]")
    return pa.table({**numbers, **texts, "_probability": 1 / (1 + np.exp(-numbers["x1"])),
                     "_time": pa.array([f"{t}Z" for t in times.astype(str)]), "_version": np.ones(count, dtype=np.int64)})


def replay(per_window, windows, shift_from, shift, seed):
    random = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "log/m").mkdir(parents=True)
        (folder / "pipeline.yaml").write_text("version: 1\npipeline: bench\nsteps: {}\n")
        pq.write_table(table(random, 10_000, "2026-01-01", 0).drop(["_time", "_version"]), folder / "reference.parquet")
        (folder / "monitor.yaml").write_text("version: 1\nmonitor: b\nmodel: m\nlog: log\nreference: { file: reference.parquet }\n")
        for window in range(windows):
            start = dt.datetime(2026, 3, 1) + dt.timedelta(hours=window)
            at = shift if window >= shift_from else 0.0
            pq.write_table(table(random, per_window, start, at), folder / f"log/m/{start:%Y%m%dT%H%M%S}.000000Z-1-{window}.parquet")
        done = subprocess.run([binary, "monitor", "replay", "-o", "json"], cwd=folder, capture_output=True, text=True)
        return json.loads(done.stdout)


print("rows per window | unusual windows of 720 | alerts in a month")
for per_window in (100, 500, 2000):
    found = replay(per_window, 720, 10**6, 0, per_window)
    unusual = sum(bool(window["findings"]) for window in found["windows"])
    fired = sum(alert["state"] == "firing" for alert in found["alerts"])
    print(f"{per_window} | {unusual} | {fired}")
print("rows per window | shift of one of nine columns, in standard deviations | windows until drift is found")
for per_window in (100, 500, 2000):
    for shift in (0.1, 0.25, 0.5, 1.0, 2.0):
        found = replay(per_window, 24, 12, shift, 5)
        first = next((at for at, window in enumerate(found["windows"][12:], 1) if any(f["kind"] == "drift" for f in window["findings"])), None)
        print(f"{per_window} | {shift} | {first}")
