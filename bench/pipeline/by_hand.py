"""What a user writes instead: pandas, scikit-learn and LightGBM, from CSV to a judged model on disk.

The same work as the taxi pipeline, no more: read, describe, split, fit the features, train with early stopping, metrics with a
bootstrap interval, slices by hour and payment type, save. No lineage, no cache, no checks, no registry, no serving.
"""

import json
import sys

import joblib
import lightgbm
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import KBinsDiscretizer, OrdinalEncoder, StandardScaler

source, target = sys.argv[1:3]
trips = pd.read_csv(source)
summary = trips.describe(include="all", percentiles=[i / 10 for i in range(1, 10)])
missing = trips.isna().mean()
top = {name: trips[name].value_counts().head(20) for name in ["payment_type", "company"]}

label = (trips["tips"] > trips["fare"] * 0.2).to_numpy()
train = (pd.util.hash_pandas_object(trips, index=False) % 3 < 2).to_numpy()
buckets = ["pickup_latitude", "pickup_longitude", "dropoff_latitude", "dropoff_longitude"]
codes = ["payment_type", "company", "pickup_community_area", "dropoff_community_area", "trip_start_hour", "trip_start_day",
         "trip_start_month"]
encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)
features = ColumnTransformer([
    ("scaled", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), ["trip_miles", "fare", "trip_seconds"]),
    ("buckets", make_pipeline(SimpleImputer(strategy="median"), KBinsDiscretizer(10, encode="ordinal")), buckets),
    ("codes", encoder, codes),
])
x_train = features.fit_transform(trips[train])
x_eval = features.transform(trips[~train])
categorical = list(range(3 + len(buckets), 3 + len(buckets) + len(codes)))
data = lightgbm.Dataset(x_train, label[train], categorical_feature=categorical)
params = {"objective": "binary", "num_leaves": 31, "learning_rate": 0.1, "num_threads": 2, "verbosity": -1}
model = lightgbm.train(params, data, 300, valid_sets=[data.create_valid(x_eval, label[~train])],
                       callbacks=[lightgbm.early_stopping(20, verbose=False)])

score = model.predict(x_eval)
truth = label[~train]
random = np.random.default_rng(7)
replicas = [roc_auc_score(truth, score, sample_weight=random.poisson(1, len(truth))) for _ in range(20)]
slices = {}
for column in ["trip_start_hour", "payment_type"]:
    for value, rows in trips[~train].reset_index(drop=True).groupby(column).groups.items():
        one_class = truth[rows].all() or not truth[rows].any()
        slices[f"{column}={value}"] = None if one_class else roc_auc_score(truth[rows], score[rows])
joblib.dump((features, model), target)
print(json.dumps({
    "rows": len(trips), "trees": model.best_iteration, "auc": roc_auc_score(truth, score), "auc_std": float(np.std(replicas)),
    "pr_auc": average_precision_score(truth, score), "log_loss": log_loss(truth, score), "slices": len(slices),
}))
