"""XGBoost's own library as the learner."""

import tidemill
import xgboost

job = tidemill.job()
X, y = job.train.numpy()
model = xgboost.XGBClassifier(**job.params, n_jobs=job.threads, random_state=job.seed, early_stopping_rounds=20)
model.fit(X, y, eval_set=[job.validation.numpy()], verbose=False)
job.metric("logloss", model.best_score, step=model.best_iteration)
job.save(model)
