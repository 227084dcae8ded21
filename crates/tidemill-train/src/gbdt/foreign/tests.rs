use serde_json::{Value, json};

use super::super::{Combination, Direction, GradientBoosting, Growth, Levels, Loss, Sampling, StopMetric};
use super::{LIGHTGBM, XGBOOST};
use crate::gbdt::learner::PositiveWeight;
use crate::learner::Learner;

fn ours(learner: &dyn Learner, block: &Value) -> GradientBoosting {
    let estimator = learner.configure(block).map_err(|issues| format!("{issues:?}")).unwrap();
    serde_json::from_value(estimator.params()["gradient_boosting"].clone()).unwrap()
}

fn asked(learner: &super::Library, block: &Value) -> super::Asked {
    learner.read(block).map_err(|issues| format!("{issues:?}")).unwrap().asked
}

fn issues(learner: &dyn Learner, block: &Value) -> Vec<String> {
    let issues = learner.configure(block).err().unwrap();
    issues
        .into_iter()
        .map(|issue| format!("{}: {} ({})", issue.path.join("."), issue.message, issue.hint.unwrap_or_default()))
        .collect()
}

#[test]
fn defaults_are_those_of_the_library() {
    let lightgbm = ours(&LIGHTGBM, &json!({}));
    assert_eq!((lightgbm.rounds, lightgbm.learning_rate, lightgbm.leaves, lightgbm.patience()), (100, 0.1, 31, 0));
    assert_eq!((lightgbm.min_data_in_leaf, lightgbm.lambda_l2, lightgbm.grow), (20, 0.0, Growth::LeafWise));
    let xgboost = ours(&XGBOOST, &json!({}));
    assert_eq!((xgboost.rounds, xgboost.learning_rate, xgboost.max_depth, xgboost.lambda_l2), (100, 0.3, Some(6), 1.0));
    assert_eq!((xgboost.min_data_in_leaf, xgboost.min_sum_hessian, xgboost.grow), (1, 1.0, Growth::DepthWise));
}

#[test]
fn the_same_name_means_what_the_library_means() {
    let quantile = ours(&LIGHTGBM, &json!({ "objective": "quantile", "alpha": 0.3 }));
    assert_eq!(
        (quantile.objective, quantile.quantile_level, quantile.lambda_l1),
        (Loss::Quantile, Levels::one(0.3), 0.0)
    );
    let penalty = ours(&XGBOOST, &json!({ "alpha": 0.3, "gamma": 2 }));
    assert_eq!((penalty.lambda_l1, penalty.min_gain, penalty.quantile_level), (0.3, 2.0, Levels::one(0.5)));
    let gamma = ours(&LIGHTGBM, &json!({ "objective": "gamma", "reg_alpha": 0.5, "colsample_bytree": 0.5 }));
    assert_eq!((gamma.objective, gamma.lambda_l1, gamma.feature_fraction), (Loss::Gamma, 0.5, 0.5));
    let unlimited = ours(&XGBOOST, &json!({ "max_depth": 0, "grow_policy": "lossguide", "max_leaves": 31 }));
    assert_eq!((unlimited.max_depth, unlimited.grow, unlimited.leaves), (None, Growth::LeafWise, 31));
    let poisson = ours(&XGBOOST, &json!({ "objective": "count:poisson" }));
    assert_eq!((poisson.objective, poisson.max_delta_step), (Loss::Poisson, 0.7));
    let dart = ours(&XGBOOST, &json!({ "booster": "dart", "rate_drop": 0.2 }));
    assert_eq!((dart.boosting, dart.drop_rate, dart.skip_drop, dart.patience()), (Combination::Dart, 0.2, 0.0, 0));
    let many = json!({
        "n_estimators": 500, "boosting_type": "goss", "metric": ["auc", "binary_logloss"], "max_depth": -1, "mc": { "fare": 1, "age": -1 },
        "early_stopping_round": 30, "num_leaf": 7, "subsample_freq": 0, "min_child_samples": 0,
    });
    let many = ours(&LIGHTGBM, &many);
    assert_eq!((many.rounds, many.sample, many.metric), (500, Sampling::Goss, Some(StopMetric::Auc)));
    assert_eq!((many.max_depth, many.patience(), many.leaves, many.min_data_in_leaf), (None, 30, 7, 1));
    let directions = [("age".to_owned(), Direction::Decreasing), ("fare".to_owned(), Direction::Increasing)];
    assert_eq!(many.monotone.into_iter().collect::<Vec<_>>(), directions);
}

#[test]
fn bagging_without_a_frequency_does_nothing_and_says_so() {
    let asked_of = |block: Value| asked(&LIGHTGBM, &block);
    let silent = asked_of(json!({ "subsample": 0.5 }));
    assert_eq!(silent.params.bagging_fraction, 1.0);
    assert!(silent.warnings[0].starts_with("`subsample` has no effect, as in LightGBM"), "{:?}", silent.warnings);
    let drawn = asked_of(json!({ "subsample": 0.5, "subsample_freq": 3 }));
    assert_eq!((drawn.params.bagging_fraction, drawn.params.bagging_freq, drawn.warnings.len()), (0.5, 3, 0));
    assert_eq!(ours(&XGBOOST, &json!({ "subsample": 0.5 })).bagging_fraction, 0.5);
}

#[test]
fn what_has_no_effect_is_said_once_and_what_cannot_be_done_is_refused() {
    let asked =
        asked(&LIGHTGBM, &json!({ "n_jobs": 4, "verbose": -1, "seed": 7, "device": "cpu", "linear_tree": false }));
    assert_eq!(asked.warnings.len(), 1);
    for name in ["`n_jobs`", "`verbose`", "`seed`"] {
        assert!(asked.warnings[0].contains(name), "{:?}", asked.warnings);
    }
    for (learner, block, told) in [
        (&LIGHTGBM as &dyn Learner, json!({ "linear_tree": true }), "linear_tree: `linear_tree` cannot be done here"),
        (&LIGHTGBM, json!({ "device_type": "gpu" }), "device_type: "),
        (&LIGHTGBM, json!({ "objective": "cross_entropy" }), "objective: `objective` is `cross_entropy`; there are"),
        (&XGBOOST, json!({ "objective": "rank:map" }), "`rank:ndcg` is that loss"),
        (&XGBOOST, json!({ "objective": "rank:ndcg", "lambdarank_normalization": false }), "on or off together"),
        (&LIGHTGBM, json!({ "num_leavs": 3 }), "did you mean `num_leaves`?"),
        (&LIGHTGBM, json!({ "eta": 0.1, "learning_rate": 0.2 }), "are the same parameter of LightGBM"),
        (&LIGHTGBM, json!({ "num_leaves": 1 }), "num_leaves: `num_leaves` must be from 2 to"),
        (&LIGHTGBM, json!({ "max_depth": "deep" }), "must be a number, and is \"deep\""),
        (&LIGHTGBM, json!({ "monotone_constraints": [1, -1] }), "must name features"),
        (&LIGHTGBM, json!({ "is_unbalance": true, "scale_pos_weight": 3 }), "both weigh the positive rows"),
        (&LIGHTGBM, json!({ "boosting": "dart", "early_stopping": 10 }), "early_stopping"),
        (&XGBOOST, json!({ "tree_method": "exact" }), "tree_method: "),
        (&XGBOOST, json!({ "booster": "gblinear" }), "use `learner: linear`"),
        (&XGBOOST, json!({ "objective": "reg:pseudohubererror" }), "which is not LightGBM's Huber loss"),
        (&XGBOOST, json!({ "objective": "reg:quantileerror" }), "quantile_alpha: 0.5"),
        (&XGBOOST, json!({ "subsample": 1.5 }), "subsample: `subsample` must be above 0 and not above 1"),
    ] {
        let found = issues(learner, &block);
        assert!(found.iter().any(|issue| issue.contains(told)), "{block}: {found:?}");
    }
    let weighed = XGBOOST.read(&json!({ "scale_pos_weight": 4 })).ok().unwrap();
    assert_eq!(weighed.asked.extras.positive, PositiveWeight::Times(4.0));
}

#[test]
fn rankings_are_read_by_the_names_of_both_libraries() {
    let block = json!({
        "objective": "lambdarank", "lambdarank_truncation_level": 10, "ndcg_eval_at": "10,3", "label_gain": "0,1,5", "metric": "map",
    });
    let theirs = ours(&LIGHTGBM, &block);
    assert_eq!(
        (theirs.objective, theirs.truncation_level, theirs.metric),
        (Loss::Lambdarank, 10, Some(StopMetric::Map))
    );
    assert_eq!((theirs.eval_at, theirs.label_gain), (vec![3, 10], vec![0.0, 1.0, 5.0]));
    let block = json!({ "objective": "rank:ndcg", "eval_metric": "ndcg@8", "ndcg_exp_gain": false });
    let theirs = ours(&XGBOOST, &block);
    assert_eq!((theirs.objective, theirs.truncation_level, theirs.eval_at), (Loss::Lambdarank, 32, vec![8]));
    assert_eq!(theirs.label_gain[..4], [0.0, 1.0, 2.0, 3.0]);
    assert_eq!(asked(&XGBOOST, &block).extras.ranking_hessian, 2.0);
    let levels = ours(&XGBOOST, &json!({ "objective": "reg:quantileerror", "quantile_alpha": [0.1, 0.9] }));
    assert_eq!(levels.quantile_level.all(), [0.1, 0.9]);
}
