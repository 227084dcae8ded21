"""A pipeline of scikit-learn as the learner, handed over as ONNX."""

import tidemill
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline

job = tidemill.job()
X, y = job.train.numpy()
forest = RandomForestClassifier(**job.params, n_jobs=job.threads, random_state=job.seed)
job.save(make_pipeline(SimpleImputer(), forest).fit(X, y))
