"""Records what scikit-learn, fairlearn and statsmodels say of the rows of `tests/it/scikit_learn.rs`.

    python crates/tidemill-evaluate/tests/record/metrics.py > crates/tidemill-evaluate/tests/it/recorded.rs

Recorded with scikit-learn 1.9.1, fairlearn 0.15.0, SciPy 1.17.1, NumPy 2.4.6. What they lack is computed here by its definition:
the largest difference of a ROC curve, Spiegelhalter's z, the debiased calibration error over ten bins of 100 rows, DeLong's
intervals from the placements of every pair.
"""

import numpy as np
from sklearn.metrics import *

print("//! Recorded numbers: see `tests/record/metrics.py`.\n")
print('#![allow(clippy::unreadable_literal, clippy::excessive_precision, reason = "numbers as recorded")]\n')
M = 2**64


def lcg(seed, n=1000):
    s = seed
    o = []
    for _ in range(n):
        s = (s * 6364136223846793005 + 1442695040888963407) % M
        o.append((s >> 11) / 2**53)
    return np.array(o)


def show(name, pairs):
    print(f"pub const {name}: &[(&str, f64)] = &[")
    for k, v in pairs:
        print(f'    ("{k}", {float(v)!r}),')
    print("];\n")


a, b, c, w = lcg(1), lcg(2), lcg(3), lcg(4)
y = (b < a).astype(float)
p = 0.5 * a + 0.3 * c + 0.1
t = np.floor(p * 10) / 10
t[:50] = 0
t[50:100] = 1


def binary(y, p, w, at=0.3):
    q = p > 0.5
    tn, fp, fn, tp = confusion_matrix(y, q, sample_weight=w).ravel()
    q3 = p > at
    tn3, fp3, fn3, tp3 = confusion_matrix(y, q3, sample_weight=w).ravel()
    pr, rc, _ = precision_recall_curve(y, p, sample_weight=w)
    f, tpr, _ = roc_curve(y, p, sample_weight=w, drop_intermediate=False)
    ww = np.ones(len(y)) if w is None else w
    z = np.sum(ww * (y - p) * (1 - 2 * p)) / np.sqrt(np.sum(ww**2 * (1 - 2 * p) ** 2 * p * (1 - p)))
    lr = None
    out = [
        ("balanced_accuracy", balanced_accuracy_score(y, q, sample_weight=w)),
        ("kappa", cohen_kappa_score(y, q, sample_weight=w)),
        ("threat_score", jaccard_score(y, q, sample_weight=w)),
        ("fowlkes_mallows", np.sqrt(precision_score(y, q, sample_weight=w) * recall_score(y, q, sample_weight=w))),
        ("negative_predictive_value", tn / (tn + fn)),
        ("false_discovery_rate", fp / (tp + fp)),
        ("false_omission_rate", fn / (tn + fn)),
        ("negative_rate", (tn + fn) / (tn + fn + tp + fp)),
        ("informedness", tp / (tp + fn) + tn / (tn + fp) - 1),
        ("markedness", tp / (tp + fp) + tn / (tn + fn) - 1),
        ("positive_likelihood_ratio", class_likelihood_ratios(y, q, sample_weight=w)[0]),
        ("negative_likelihood_ratio", class_likelihood_ratios(y, q, sample_weight=w)[1]),
        ("diagnostic_odds_ratio", tp * tn / (fp * fn)),
        ("true_positives", tp),
        ("false_negatives", fn),
        ("weighted_count", ww.sum()),
        ("ks", np.max(np.abs(tpr - f))),
        ("calibration_z", z),
        ("brier_uncertainty", np.average(y, weights=w) * (1 - np.average(y, weights=w))),
        ("precision@0.3", precision_score(y, q3, sample_weight=w)),
        ("recall@0.3", recall_score(y, q3, sample_weight=w)),
        ("f1@0.3", f1_score(y, q3, sample_weight=w)),
        ("mcc@0.3", matthews_corrcoef(y, q3, sample_weight=w)),
        ("accuracy@0.3", accuracy_score(y, q3, sample_weight=w)),
        ("false_positive_rate@0.3", fp3 / (fp3 + tn3)),
        ("recall@precision=0.75", max(rc[pr >= 0.75])),
        ("precision@recall=0.8", max(pr[rc >= 0.8])),
        ("true_positive_rate@false_positive_rate=0.1", max(tpr[f <= 0.1])),
        ("true_negative_rate@recall=0.9", max((1 - f)[tpr >= 0.9])),
    ]
    return out


show("BINARY_REQUESTED", binary(y, p, None))
show("BINARY_REQUESTED_WEIGHTED", binary(y, t, w))
# calibration of distinct scores: ten bins of 100 rows
o = np.argsort(p, kind="stable")
bins = np.array_split(o, 10)
gap = np.array([y[i].mean() - p[i].mean() for i in bins])
lab = np.array([y[i].mean() for i in bins])
deb = np.mean(gap**2 - lab * (1 - lab) / (100 - 1))
show(
    "CALIBRATION",
    [
        ("calibration_error", np.mean(abs(gap))),
        ("calibration_error_debiased", np.sqrt(max(deb, 0))),
        ("max_calibration_error", abs(gap).max()),
        ("brier_reliability", np.mean(gap**2)),
        ("brier_resolution", np.mean((lab - y.mean()) ** 2)),
    ],
)
# classes
d = lcg(5)
P = np.stack([a + 0.1, b + 0.1, c + 0.1], 1)
P /= P.sum(1, keepdims=True)
k = np.where(d < P[:, 0], 0, np.where(d < P[:, 0] + P[:, 1], 1, 2))


def classes(w):
    q = P.argmax(1)
    oh = np.eye(3)[k]
    ap = [average_precision_score(k == i, P[:, i], sample_weight=w) for i in range(3)]
    au = [roc_auc_score(k == i, P[:, i], sample_weight=w) for i in range(3)]
    pc = precision_score(k, q, average=None, sample_weight=w)
    ww = np.ones(1000) if w is None else w
    return [
        ("pr_auc", np.mean(ap)),
        ("mcc", matthews_corrcoef(k, q, sample_weight=w)),
        ("kappa", cohen_kappa_score(k, q, sample_weight=w)),
        ("brier", brier_score_loss(k, P, sample_weight=w, scale_by_half=False)),
        ("macro_precision", precision_score(k, q, average="macro", sample_weight=w)),
        ("macro_recall", recall_score(k, q, average="macro", sample_weight=w)),
        ("weighted_precision", precision_score(k, q, average="weighted", sample_weight=w)),
        ("weighted_recall", recall_score(k, q, average="weighted", sample_weight=w)),
        ("weighted_f1", f1_score(k, q, average="weighted", sample_weight=w)),
        ("auc_weighted", roc_auc_score(k, P, multi_class="ovr", average="weighted", sample_weight=w)),
        ("top_k_accuracy@2", top_k_accuracy_score(k, P, k=2, sample_weight=w)),
        ("precision[b]", pc[1]),
        ("recall[c]", recall_score(k, q, average=None, sample_weight=w)[2]),
        ("f1[a]", f1_score(k, q, average=None, sample_weight=w)[0]),
        ("auc[c]", au[2]),
        ("pr_auc[a]", ap[0]),
    ]


show("CLASSES_REQUESTED", classes(None))
show("CLASSES_REQUESTED_WEIGHTED", classes(w))
# labels
e = lcg(6)
L = np.stack([d < a, e < b, (d + e) / 2 < c], 1).astype(int)
S = np.stack([a, b, c], 1)


def labels(w):
    q = (S > 0.5).astype(int)
    kw = dict(sample_weight=w, zero_division=1)
    return [
        ("pr_auc", average_precision_score(L, S, average="macro", sample_weight=w)),
        ("macro_precision", precision_score(L, q, average="macro", **kw)),
        ("macro_recall", recall_score(L, q, average="macro", **kw)),
        ("micro_precision", precision_score(L, q, average="micro", **kw)),
        ("micro_recall", recall_score(L, q, average="micro", **kw)),
        ("weighted_precision", precision_score(L, q, average="weighted", **kw)),
        ("weighted_f1", f1_score(L, q, average="weighted", **kw)),
        ("auc_weighted", roc_auc_score(L, S, average="weighted", sample_weight=w)),
        ("sample_f1", f1_score(L, q, average="samples", **kw)),
        ("jaccard", jaccard_score(L, q, average="samples", **kw)),
        ("label_ranking_precision", label_ranking_average_precision_score(L, S, sample_weight=w)),
        ("label_ranking_loss", label_ranking_loss(L, S, sample_weight=w)),
        ("recall[b]", recall_score(L[:, 1], q[:, 1], sample_weight=w)),
        ("auc[a]", roc_auc_score(L[:, 0], S[:, 0], sample_weight=w)),
    ]


for n, ww in [("LABELS_REQUESTED", None), ("LABELS_REQUESTED_WEIGHTED", w)]:
    show(n, labels(ww))
# regression
v = 100 * a + 10 * b - 20
u = 95 * a + 5 * c - 12


def reg(w):
    vp, up = v + 25, u + 25
    return [
        ("median_absolute_error", median_absolute_error(v, u, sample_weight=w)),
        ("max_error", max_error(v, u)),
        ("explained_variance", explained_variance_score(v, u, sample_weight=w)),
        ("correlation", (lambda C: C[0, 1] / np.sqrt(C[0, 0] * C[1, 1]))(np.cov(v, u, aweights=w))),
    ]


def regpos(w):
    vp, up = v + 25, u + 25
    return [
        ("msle", mean_squared_log_error(vp, up, sample_weight=w)),
        ("poisson_deviance", mean_poisson_deviance(vp, up, sample_weight=w)),
        ("gamma_deviance", mean_gamma_deviance(vp, up, sample_weight=w)),
    ]


for n, ww in [("", None), ("_WEIGHTED", w)]:
    show("REGRESSION_REQUESTED" + n, reg(ww))
    show("POSITIVE_REQUESTED" + n, regpos(ww))
# quantiles
Q = np.sort(np.stack([95 * a - 8, 95 * a + 5 * c - 12 + 3, 95 * a + 10], 1), 1)
show(
    "QUANTILES_REQUESTED",
    [
        ("pinball_loss@0.9", mean_pinball_loss(v, Q[:, 2], alpha=0.9)),
        ("pinball_loss@0.1", mean_pinball_loss(v, Q[:, 0], alpha=0.1)),
        ("coverage@0.5", np.mean(v <= Q[:, 1])),
    ],
)
# ranking
rel = np.clip(np.floor(4 * d * d * 1.2), 0, 3)
s = 0.6 * a + 0.1 * rel / 3 + 0.05 * e
g = np.arange(1000) % 100
res = {k: [] for k in ["ndcg@7", "precision@3", "recall@3", "mrr@2", "map@3"]}
for qn in range(100):
    i = np.where(g == qn)[0]
    if not (rel[i] > 0).any():
        continue
    r, sc = rel[i], s[i]
    oo = np.argsort(-sc)
    h = r[oo] > 0
    res["ndcg@7"].append(ndcg_score([2**r - 1], [sc], k=7))
    res["precision@3"].append(h[:3].mean())
    res["recall@3"].append(h[:3].sum() / h.sum())
    f = np.argmax(h) + 1
    res["mrr@2"].append(1 / f if f <= 2 else 0)
    pr = np.cumsum(h) / np.arange(1, len(h) + 1)
    res["map@3"].append((pr[:3] * h[:3]).sum() / min(h.sum(), 3))
show("RANKING_REQUESTED", [(k, np.mean(x)) for k, x in res.items()])
# fairness
import fairlearn.metrics as fm

grp = np.arange(1000) % 3
for n, ww, pp in [("FAIRNESS", None, p), ("FAIRNESS_WEIGHTED", w, t)]:
    q = (pp > 0.5).astype(int)
    kw = dict(sensitive_features=grp, sample_weight=ww)
    mf = fm.MetricFrame(
        metrics=recall_score,
        y_true=y,
        y_pred=q,
        sensitive_features=grp,
        sample_params={"sample_weight": ww} if ww is not None else None,
    )
    au = [
        roc_auc_score(y[grp == i], pp[grp == i], sample_weight=None if ww is None else ww[grp == i]) for i in range(3)
    ]
    show(
        n,
        [
            ("demographic_parity_difference[g]", fm.demographic_parity_difference(y, q, **kw)),
            ("demographic_parity_ratio[g]", fm.demographic_parity_ratio(y, q, **kw)),
            ("equalized_odds_difference[g]", fm.equalized_odds_difference(y, q, **kw)),
            ("equalized_odds_ratio[g]", fm.equalized_odds_ratio(y, q, **kw)),
            ("equal_opportunity_difference[g]", fm.equal_opportunity_difference(y, q, **kw)),
            ("difference(recall)[g]", mf.difference()),
            ("difference_to_overall(recall)[g]", mf.difference(method="to_overall")),
            ("ratio(recall)[g]", mf.ratio()),
            ("difference(auc)[g]", max(au) - min(au)),
        ],
    )
# DeLong, by the definition: placements of every pair
import scipy.stats as st


def delong(y, p1, p2, level):
    def place(p):
        pos, neg = p[y == 1], p[y == 0]
        psi = (pos[:, None] > neg[None]) + 0.5 * (pos[:, None] == neg[None])
        return psi.mean(1), psi.mean(0), psi.mean()

    v1, n1, a1 = place(p1)
    v2, n2, a2 = place(p2)
    z = st.norm.ppf(0.5 + level / 2)
    se = np.sqrt(v1.var(ddof=1) / len(v1) + n1.var(ddof=1) / len(n1))
    dd = np.sqrt((v1 - v2).var(ddof=1) / len(v1) + (n1 - n2).var(ddof=1) / len(n1))
    return a1 - z * se, a1 + z * se, a1 - a2 - z * dd, a1 - a2 + z * dd


print("/// The ends of the interval of the AUC, then of its change.")
print(f"pub const DELONG: [f64; 4] = {[float(x) for x in delong(y,p,t,.95)]};")
