//! What other libraries write, and what to write here.

use tidemill_core::{ParamIssue, advice_for, suggest};

use crate::metrics::{Metric, UnknownMetric};

/// What people write for the keys of a threshold, and what to write here.
pub(crate) const KEYS_ELSEWHERE: &[(&str, &str)] = &[
    ("min", "write `at_least`"),
    ("minimum", "write `at_least`"),
    ("lower_bound", "write `at_least`"),
    ("gte", "write `at_least`"),
    ("max", "write `at_most`"),
    ("maximum", "write `at_most`"),
    ("upper_bound", "write `at_most`"),
    ("lte", "write `at_most`"),
];

/// What other libraries call metrics, and what they are called here.
pub(crate) const ELSEWHERE: &[(&str, &str)] = &[
    ("roc_auc", "the area under the ROC curve is `auc`"),
    ("roc_auc_score", "the area under the ROC curve is `auc`"),
    ("auroc", "the area under the ROC curve is `auc`"),
    ("average_precision", "the area under the precision-recall curve is `pr_auc`"),
    ("auprc", "the area under the precision-recall curve is `pr_auc`"),
    ("aucpr", "the area under the precision-recall curve is `pr_auc`"),
    ("accuracy_score", "write `accuracy`"),
    ("acc", "write `accuracy`"),
    ("f1_score", "write `f1`, or `macro_f1` for several classes"),
    ("f1_macro", "write `macro_f1`"),
    ("f1_micro", "write `micro_f1`"),
    ("matthews_corrcoef", "write `mcc`"),
    ("ndcg_score", "write `ndcg`, or `ndcg@1`, `ndcg@3`, `ndcg@5`, `ndcg@10` for the first rows of each query"),
    ("mean_average_precision", "write `map`"),
    ("mean_reciprocal_rank", "write `mrr`"),
    ("mean_pinball_loss", "write `pinball_loss`"),
    ("quantile_loss", "write `pinball_loss`"),
    ("exact_match", "write `subset_accuracy`"),
    ("matthews", "write `mcc`"),
    ("cohen_kappa", "write `kappa`"),
    ("cohen_kappa_score", "write `kappa`"),
    ("jaccard_score", "write `threat_score` of a binary label, or `jaccard` of several"),
    ("balanced_accuracy_score", "write `balanced_accuracy`"),
    ("top_k_accuracy", "write the number of classes: `top_k_accuracy@3`"),
    ("top_k_accuracy_score", "write the number of classes: `top_k_accuracy@3`"),
    ("npv", "write `negative_predictive_value`"),
    ("fdr", "write `false_discovery_rate`"),
    ("selection_rate", "write `positive_rate`"),
    ("mean_squared_log_error", "write `msle`"),
    ("explained_variance_score", "write `explained_variance`"),
    ("mean_poisson_deviance", "write `poisson_deviance`"),
    ("mean_gamma_deviance", "write `gamma_deviance`"),
    ("medae", "write `median_absolute_error`"),
    ("label_ranking_average_precision_score", "write `label_ranking_precision`"),
    ("demographic_parity_difference", "name the column: `demographic_parity_difference[COLUMN]`"),
    ("equalized_odds_difference", "name the column: `equalized_odds_difference[COLUMN]`"),
    ("binary_logloss", "write `log_loss`"),
    ("multi_logloss", "write `log_loss`"),
    ("cross_entropy", "write `log_loss`"),
    ("neg_log_loss", "write `log_loss`, which is better when it is lower"),
    ("brier_score", "write `brier`"),
    ("ece", "write `calibration_error`"),
    ("root_mean_squared_error", "write `rmse`"),
    ("mean_squared_error", "write `mse`"),
    ("l2", "write `mse`"),
    ("mean_absolute_error", "write `mae`"),
    ("l1", "write `mae`"),
    ("r2_score", "write `r2`"),
    ("mean_absolute_percentage_error", "write `mape`"),
    ("symmetric_mean_absolute_percentage_error", "write `smape`"),
    ("sensitivity", "write `recall`"),
    ("specificity", "write `true_negative_rate`"),
    ("fpr", "write `false_positive_rate`"),
    ("fnr", "write `false_negative_rate`"),
    ("tpr", "write `true_positive_rate`, which is `recall`"),
];

/// The issue of a name that is not that of a metric, with the nearest name or all of them.
pub(crate) fn unknown_metric(error: &UnknownMetric, name: &str, own: &[Metric], path: Vec<String>) -> ParamIssue {
    let issue = ParamIssue::new(path, error.to_string());
    if matches!(error, UnknownMetric::Parameter { .. }) {
        return issue.with_hint("`docs/metrics.md` lists the metrics and their parameters");
    }
    let names: Vec<&str> = Metric::ALL.iter().chain(own).map(|metric| metric.name()).collect();
    issue.with_hint(match (advice_for(name, ELSEWHERE), suggest(name, names.iter().copied())) {
        (Some(ours), _) => ours.to_owned(),
        (None, Some(near)) => format!("did you mean `{near}`?"),
        (None, None) => format!("the metrics are {}", names.join(", ")),
    })
}
