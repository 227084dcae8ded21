"""The taxi pipeline beside the same work by hand, in one run: wall time, CPU time, peak memory, and the ratio.

    python3 bench/pipeline/compare.py --tidemill target/release/tidemill --rows 1000000

Needs pandas, scikit-learn, lightgbm and joblib in the Python that runs it.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time


def measured(command, cwd):
    """Wall seconds, CPU seconds and peak MiB of a whole process with its children."""
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    out = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - began
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit(f"{command[0]} failed")
    return {"wall": wall, "cpu": usage.ru_utime + usage.ru_stime, "mib": usage.ru_maxrss / 1024}, out


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tidemill", default="target/release/tidemill")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    arguments = parser.parse_args()
    tidemill = os.path.abspath(arguments.tidemill)
    by_hand = os.path.join(os.path.dirname(os.path.abspath(__file__)), "by_hand.py")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([tidemill, "init", "taxi", "taxi", "--rows", str(arguments.rows), "-q"], cwd=folder, check=True,
                       stdout=subprocess.DEVNULL)
        project = os.path.join(folder, "taxi")
        rows = []
        for _ in range(arguments.repeat):
            ours, report = measured([tidemill, "run", "--no-cache", "-q", "-o", "json"], project)
            theirs, facts = measured([sys.executable, by_hand, "data/trips.csv", "model.joblib"], project)
            rows.append((ours, theirs))
        headline = next(s["outcome"]["headline"] for s in json.loads(report)["steps"] if s["step"] == "evaluate")
        auc = re.search(r"AUC ([0-9.]+)", headline)
        print(f"{arguments.rows:,} rows, median of {arguments.repeat}; AUC ours {auc and auc[1]}, theirs {json.loads(facts.splitlines()[-1])['auc']:.3f}")
        print(f"{'':6}{'tidemill':>10}{'by hand':>10}{'ratio':>8}")
        for key, unit in [("wall", "s"), ("cpu", "s"), ("mib", "MiB")]:
            middle = sorted(rows, key=lambda pair: pair[0][key] / pair[1][key])[len(rows) // 2]
            ours, theirs = middle[0][key], middle[1][key]
            print(f"{key:6}{ours:8.2f} {unit[:1]}{theirs:8.2f} {unit[:1]}{ours / theirs:8.2f}")


main()
