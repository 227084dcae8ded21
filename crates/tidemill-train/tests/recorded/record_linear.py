"""Writes `linear.json`: the weights that scikit-learn finds on the wine data with every loss and penalty.

    pip install scikit-learn && python record_linear.py

Rows whose number is divisible by 3 are not learned from. `alpha` is what the learner `linear` calls so: 1 / `C` of
`LogisticRegression`, and the number of rows times `alpha` of the others.
"""

import csv
import json
import warnings
from pathlib import Path

import numpy
import sklearn
from sklearn.linear_model import (
    ElasticNet, GammaRegressor, Lasso, LogisticRegression, PoissonRegressor, TweedieRegressor,
)
from sklearn.preprocessing import StandardScaler

warnings.simplefilter("error")
folder = Path(__file__).parent
with open(folder / "wine.csv", newline="") as file:
    rows = [row for at, row in enumerate(csv.DictReader(file)) if at % 3]
names = [name for name in rows[0] if name not in ("id", "cultivar")]
table = numpy.array([[float(row[name]) for name in names] for row in rows])
cultivars = numpy.array([row["cultivar"] for row in rows])
scaled = StandardScaler().fit_transform(table)
weights = 1.0 + numpy.arange(len(rows)) % 3
# An amount and the columns that it is learned from.
place = names.index("color_intensity")
amount, others = table[:, place], numpy.delete(scaled, place, axis=1)
amounts = {
    "squared_error": amount,
    "poisson": numpy.floor(amount),
    "gamma": amount,
    "tweedie": numpy.maximum(amount - 3.0, 0.0),
}


def found(model, x, y, **about):
    weighted = about.pop("weighted", False)
    model.fit(x, y, sample_weight=weights if weighted else None)
    return {
        **about,
        "weighted": weighted,
        "coefficients": numpy.atleast_2d(model.coef_).tolist(),
        "intercepts": numpy.atleast_1d(model.intercept_).tolist(),
    }


def logistic(alpha, l1_ratio, y, **more):
    model = LogisticRegression(C=1 / alpha, l1_ratio=l1_ratio, solver="saga", tol=1e-14, max_iter=1_000_000)
    return found(model, scaled, y, loss="log_loss", alpha=alpha, l1_ratio=l1_ratio, **more)


def regression(loss, model, alpha, l1_ratio=0.0, **more):
    # `Lasso` and its relatives have the mean of the losses, weighted by what rows count for.
    total = weights.sum() if more.get("weighted") else len(rows)
    return found(model, others, amounts[loss], loss=loss, alpha=alpha * total, l1_ratio=l1_ratio, **more)


exact = {"tol": 1e-14, "max_iter": 1_000_000}
newton = {"solver": "newton-cholesky", "tol": 1e-12, "max_iter": 1_000}
barolo = cultivars == "Barolo"
fits = [
    logistic(2.0, 1.0, barolo, task="binary"),
    logistic(1.0, 0.5, barolo, task="binary", weighted=True),
    logistic(3.0, 1.0, cultivars, task="multi_class"),
    regression("squared_error", Lasso(alpha=0.05, **exact), 0.05, 1.0),
    regression("squared_error", ElasticNet(alpha=0.3, l1_ratio=0.4, **exact), 0.3, 0.4, weighted=True),
    regression("poisson", PoissonRegressor(alpha=0.01, **newton), 0.01),
    regression("poisson", PoissonRegressor(alpha=0.1, **newton), 0.1, weighted=True),
    regression("gamma", GammaRegressor(alpha=0.02, **newton), 0.02),
    regression("tweedie", TweedieRegressor(power=1.5, link="log", alpha=0.05, **newton), 0.05),
]
(folder / "linear.json").write_text(json.dumps({
    "scikit_learn": sklearn.__version__,
    "classes": sorted(set(cultivars)),
    "amount": "color_intensity",
    "fits": fits,
}, indent=1) + "\n")
