"""LightGBM's own library as the learner."""

import lightgbm
import tidemill

job = tidemill.job()
X, y = job.train.numpy()
valid = job.validation.numpy()


def report(env):
    job.progress(env.iteration + 1, env.end_iteration)
    for _, name, value, _ in env.evaluation_result_list:
        job.metric(name, value, step=env.iteration + 1)


model = lightgbm.LGBMClassifier(**job.params, n_jobs=job.threads, random_state=job.seed, verbose=-1)
model.fit(X, y, eval_set=[valid], callbacks=[lightgbm.early_stopping(20, verbose=False), report])
job.save(model)
