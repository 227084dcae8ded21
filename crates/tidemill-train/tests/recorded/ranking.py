"""Writes `ranking.json`: what LightGBM and XGBoost make of generated queries.

    pip install lightgbm xgboost && python ranking.py

The same numbers are generated in `tests/it/ranking.rs`: a linear congruential generator, no library's. Rows of a query are
not adjacent there. Queries whose number is divisible by 3 are judged on, the others learned from. The NDCG is that of
Tidemill: queries without a relevant row are left out, and rows of one score share their places.
"""

import json
from pathlib import Path

import lightgbm
import numpy
import xgboost

QUERIES, ROWS, FEATURES = 600, 9000, 6


def table():
    state = 42
    rows = numpy.zeros((ROWS, FEATURES))
    labels = numpy.zeros(ROWS)
    for row in range(ROWS):
        drawn = []
        for _ in range(FEATURES + 1):
            state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
            drawn.append((state >> 11) / 2**53)
        rows[row] = drawn[:FEATURES]
        f, noise = rows[row], drawn[FEATURES]
        score = 2.0 * f[0] + 3.0 * f[1] * f[2] + numpy.sin(6.0 * f[3]) + 2.0 * noise
        labels[row] = sum(score > limit for limit in (3.0, 3.75, 4.5, 5.25))
    return rows, labels, numpy.arange(ROWS) % QUERIES


def ndcg(scores, labels, at):
    order = numpy.argsort(-labels, kind="stable")
    discounts = 1.0 / numpy.log2(numpy.arange(len(labels)) + 2.0)
    best = ((2.0 ** labels[order] - 1.0) * discounts)[:at].sum()
    if best == 0:
        return None
    discounts[at:] = 0.0
    ranks = numpy.argsort(-scores, kind="stable")
    found, first = 0.0, 0
    while first < len(ranks):
        end = first + 1
        while end < len(ranks) and scores[ranks[end]] == scores[ranks[first]]:
            end += 1
        found += (2.0 ** labels[ranks[first:end]] - 1.0).mean() * discounts[first:end].sum()
        first = end
    return found / best


def mean_ndcg(scores, labels, queries, at):
    values = [ndcg(scores[queries == query], labels[queries == query], at) for query in numpy.unique(queries)]
    return float(numpy.mean([value for value in values if value is not None]))


rows, labels, queries = table()
judged = queries % 3 == 0
# Both libraries want the rows of a query side by side.
order = numpy.argsort(queries[~judged], kind="stable")
learned = (rows[~judged][order], labels[~judged][order], queries[~judged][order])
sizes = numpy.unique(learned[2], return_counts=True)[1]
record = {"lightgbm": lightgbm.__version__, "xgboost": xgboost.__version__}
params = {
    "learning_rate": 0.1, "num_leaves": 15, "min_data_in_leaf": 20, "verbosity": -1, "num_threads": 1,
    "deterministic": True, "min_data_in_bin": 1,
}
for objective in ("lambdarank", "rank_xendcg"):
    data = lightgbm.Dataset(learned[0], learned[1], group=sizes)
    booster = lightgbm.train({**params, "objective": objective}, data, 60)
    scores = booster.predict(rows[judged])
    record[objective] = {str(at): mean_ndcg(scores, labels[judged], queries[judged], at) for at in (1, 3, 5, 10)}
data = xgboost.DMatrix(learned[0], learned[1])
data.set_group(sizes)
booster = xgboost.train({"objective": "rank:ndcg", "eta": 0.1, "max_depth": 4, "nthread": 1}, data, 60)
scores = booster.predict(xgboost.DMatrix(rows[judged]))
record["rank:ndcg"] = {str(at): mean_ndcg(scores, labels[judged], queries[judged], at) for at in (1, 3, 5, 10)}
(Path(__file__).parent / "ranking.json").write_text(json.dumps(record, indent=1) + "\n")
