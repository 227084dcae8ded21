"""Features of a million rows, Parquet in, Parquet out: tidemill beside Polars and scikit-learn by hand, each in a process of its own.

    python compare.py --tidemill PATH/TO/tidemill [--rows 1000000] [--repeat 3] [--skip-sklearn]

Prints CPU seconds of the whole process (user and system, with its children), wall seconds and peak memory, the
best of the repeats, and the ratio ours / theirs. See README.md for what each job does.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

SCALED = ["fare", "trip_miles", "trip_seconds"]
BUCKETS = ["pickup_latitude", "pickup_longitude", "dropoff_latitude", "dropoff_longitude"]
WORDS = ["payment_type", "company"]
ONE_HOT = ["trip_start_hour", "trip_start_day", "trip_start_month"]
AREA, AREAS = "pickup_community_area", 12
OUTPUT_COLUMNS = 65

FEATURES = (
    'label: { name: big_tip, expression: "tips > fare * 0.2" }\nfeatures:\n'
    + "".join(f"  {c}: z_score\n" for c in SCALED)
    + "".join(f"  {c}: {{ bucketize: 10 }}\n" for c in BUCKETS)
    + "".join(f"  {c}: {{ vocabulary: {{ top_k: 1000, oov_buckets: 10 }} }}\n" for c in WORDS)
    + "".join(f"  {c}: one_hot\n" for c in ONE_HOT)
    + f"  {AREA}: {{ one_hot: {{ top_k: {AREAS}, oov_buckets: 1 }} }}\n"
)


def polars_by_hand(path, out):
    import polars as pl

    used = SCALED + BUCKETS + WORDS + ONE_HOT + [AREA]
    rows = pl.scan_parquet(path).select(used)
    fitted = rows.select(
        [pl.col(c).mean().alias(f"{c} mean") for c in SCALED]
        + [pl.col(c).std(ddof=0).alias(f"{c} std") for c in SCALED]
        + [pl.col(c).quantile(i / 10).alias(f"{c} {i}") for c in BUCKETS for i in range(1, 10)]
    ).collect(engine="streaming").row(0, named=True)

    def values(column, limit=None):
        counts = rows.filter(pl.col(column).is_not_null()).group_by(column).len().collect(engine="streaming")
        ranked = counts.sort(["len", column], descending=True)[column].to_list()
        return ranked if limit is None else ranked[:limit]

    features = [((pl.col(c) - fitted[f"{c} mean"]) / fitted[f"{c} std"]).alias(c) for c in SCALED]
    for c in BUCKETS:
        edges = sorted({fitted[f"{c} {i}"] for i in range(1, 10)})
        features.append(pl.col(c).cut(edges, left_closed=True).to_physical().cast(pl.Int64).alias(c))
    for c in WORDS:
        listed = values(c, 1000)
        codes = pl.col(c).replace_strict(listed, range(len(listed)), default=None, return_dtype=pl.Int64)
        other = (len(listed) + pl.col(c).hash() % 10).cast(pl.Int64)
        features.append(pl.coalesce(codes, pl.when(pl.col(c).is_not_null()).then(other)).alias(c))
    for c in ONE_HOT:
        features += [(pl.col(c) == v).fill_null(False).cast(pl.Float64).alias(f"{c}={v}") for v in sorted(values(c))]
    areas = values(AREA, AREAS)
    features += [(pl.col(AREA) == v).fill_null(False).cast(pl.Float64).alias(f"{AREA}={v}") for v in areas]
    other = pl.col(AREA).is_not_null() & ~pl.col(AREA).is_in(areas)
    features.append(other.fill_null(False).cast(pl.Float64).alias(f"{AREA}.other"))
    rows.select(features).sink_parquet(out, compression="zstd", compression_level=1)


def sklearn_by_hand(path, out):
    import pandas as pd
    from sklearn.compose import ColumnTransformer
    from sklearn.preprocessing import KBinsDiscretizer, OneHotEncoder, OrdinalEncoder, StandardScaler

    frame = pd.read_parquet(path, columns=SCALED + BUCKETS + WORDS + ONE_HOT + [AREA])
    frame[BUCKETS] = frame[BUCKETS].fillna(frame[BUCKETS].median())
    frame[WORDS] = frame[WORDS].fillna("")
    transformer = ColumnTransformer(
        [
            ("scaled", StandardScaler(), SCALED),
            ("buckets", KBinsDiscretizer(10, encode="ordinal", quantile_method="averaged_inverted_cdf"), BUCKETS),
            ("words", OrdinalEncoder(max_categories=1000, handle_unknown="use_encoded_value", unknown_value=-1), WORDS),
            ("one_hot", OneHotEncoder(sparse_output=False), ONE_HOT),
            ("area", OneHotEncoder(sparse_output=False, max_categories=AREAS + 1), [AREA]),
        ]
    )
    values = transformer.fit_transform(frame)
    pd.DataFrame(values, columns=transformer.get_feature_names_out()).to_parquet(out, compression="zstd")


def measure(command):
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"failed: {' '.join(command)}")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - start, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tidemill", required=True)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--skip-sklearn", action="store_true")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    parser.add_argument("paths", nargs="*", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.job:
        return {"polars": polars_by_hand, "sklearn": sklearn_by_hand}[args.job](*args.paths)

    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "trips.parquet")
        out = lambda name: os.path.join(folder, f"{name}.parquet")
        subprocess.run([args.tidemill, "-q", "sample", "taxi", "--rows", str(args.rows), "--out", path], check=True)
        features = os.path.join(folder, "features.yaml")
        with open(features, "w") as file:
            file.write(FEATURES)
        by_hand = lambda job: [sys.executable, __file__, "--tidemill", "-", "--job", job, path, out(job)]
        jobs = {
            "tidemill transform": [args.tidemill, "-q", "transform", features, path, "--out", out("tidemill")],
            "Polars by hand": by_hand("polars"),
        }
        if not args.skip_sklearn:
            jobs["scikit-learn by hand"] = by_hand("sklearn")
        best = {}
        for _ in range(args.repeat):
            for name, command in jobs.items():
                best[name] = min(best.get(name, (float("inf"),)), measure(command))

        import pyarrow.parquet as parquet

        for name in ["tidemill", "polars"]:
            file = parquet.ParquetFile(out(name))
            assert file.metadata.num_columns == OUTPUT_COLUMNS, f"{name}: {file.metadata.num_columns} columns"
            assert file.metadata.num_rows == args.rows
        ours, theirs = (parquet.read_table(out(name), columns=["fare", "trip_start_hour=7"]) for name in ["tidemill", "polars"])
        for column in ours.column_names:
            a, b = ours[column].to_numpy(), theirs[column].to_numpy()
            assert abs(a - b).max() < 1e-9, column

        print(f"{args.rows:,} rows, {OUTPUT_COLUMNS} columns of features\n")
        print("| job | CPU | wall | peak memory | ours / theirs, CPU |\n|---|---|---|---|---|")
        ours = best["tidemill transform"][0]
        for name, (cpu, wall, memory) in best.items():
            ratio = "" if name.startswith("tidemill") else f"{ours / cpu:.2f}"
            print(f"| {name} | {cpu:.2f} s | {wall:.2f} s | {memory:.0f} MiB | {ratio} |")


if __name__ == "__main__":
    main()
