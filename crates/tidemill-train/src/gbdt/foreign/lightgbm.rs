//! `lightgbm:`: the parameters of LightGBM 4.

use serde_json::{Value, json};
use tidemill_core::ParamIssue;

use super::super::learner::PositiveWeight;
use super::super::{Combination, GradientBoosting, Levels, Loss, MonotoneMethod, Sampling, StopMetric};
use super::Meaning::{NoEffect, Refused, Sets};
use super::reading::{
    AMOUNT, BINARY, CLASSES, RANKING, Reading, count, directions, flag, is_off, limit, metric, number, numbers, places,
    positive_weight, sets, word,
};
use super::{Asked, Library, Parameter};

/// Gradient boosting by the names of LightGBM.
pub const LIGHTGBM: Library =
    Library { name: "lightgbm", title: "LightGBM", parameters: PARAMETERS, defaults, space, finish };

/// As the searches of `TabArena` (2025); the rounds are as many as the rows for early stopping ask for.
fn space() -> Value {
    json!({
        "num_iterations": 1000,
        "early_stopping_round": 50,
        "bagging_freq": 1,
        "learning_rate": { "float": [0.015, 0.2], "log": true },
        "num_leaves": { "int": [4, 200], "log": true },
        "min_data_in_leaf": { "int": [1, 64], "log": true },
        "feature_fraction": { "float": [0.4, 1.0] },
        "bagging_fraction": { "float": [0.7, 1.0] },
        "lambda_l1": { "float": [0.0, 1.0] },
        "lambda_l2": { "float": [0.0, 2.0] },
        "extra_trees": [false, true],
        "cat_smooth": { "float": [0.1, 100.0], "log": true },
        "cat_l2": { "float": [0.1, 20.0], "log": true },
    })
}

fn defaults() -> GradientBoosting {
    GradientBoosting { rounds: 100, early_stopping: Some(0), ..GradientBoosting::default() }
}

const METRICS: &[(&str, StopMetric)] = &[
    ("auc", StopMetric::Auc),
    ("binary_logloss", StopMetric::LogLoss),
    ("binary", StopMetric::LogLoss),
    ("binary_error", StopMetric::Error),
    ("multi_logloss", StopMetric::LogLoss),
    ("multiclass", StopMetric::LogLoss),
    ("softmax", StopMetric::LogLoss),
    ("multi_error", StopMetric::Error),
    ("l2", StopMetric::Rmse),
    ("mse", StopMetric::Rmse),
    ("mean_squared_error", StopMetric::Rmse),
    ("regression", StopMetric::Rmse),
    ("rmse", StopMetric::Rmse),
    ("root_mean_squared_error", StopMetric::Rmse),
    ("l2_root", StopMetric::Rmse),
    ("l1", StopMetric::Mae),
    ("mae", StopMetric::Mae),
    ("mean_absolute_error", StopMetric::Mae),
    ("mape", StopMetric::Mape),
    ("mean_absolute_percentage_error", StopMetric::Mape),
    ("r2", StopMetric::R2),
    ("ndcg", StopMetric::Ndcg),
    ("lambdarank", StopMetric::Ndcg),
    ("rank_xendcg", StopMetric::Ndcg),
    ("xendcg", StopMetric::Ndcg),
    ("map", StopMetric::Map),
    ("mean_average_precision", StopMetric::Map),
];

const ONE_SEED: &str = "`seed` next to `learner` decides everything random";
const NO_THREADS: &str = "`tidemill run --threads` sets the threads, and they never change the result";
const ALWAYS: &str = "results are always the same at any number of threads";
const GROUP: &str =
    "the column of the query belongs to the task: `task: { ranking: { group: COLUMN } }` next to `learner`";
const NO_LAYOUT: &str = "the layout in memory is chosen here";

const PARAMETERS: &[Parameter] = &[
    (
        &[
            "num_iterations",
            "num_iteration",
            "n_iter",
            "num_tree",
            "num_trees",
            "num_round",
            "num_rounds",
            "nrounds",
            "num_boost_round",
            "n_estimators",
            "max_iter",
        ],
        Sets(|asked, value| count(value).map(|found| asked.params.rounds = found)),
    ),
    (
        &["learning_rate", "shrinkage_rate", "eta"],
        Sets(|asked, value| number(value).map(|found| asked.params.learning_rate = found)),
    ),
    (
        &["num_leaves", "num_leaf", "max_leaves", "max_leaf", "max_leaf_nodes"],
        Sets(|asked, value| count(value).map(|found| asked.params.leaves = found)),
    ),
    (&["max_depth"], Sets(|asked, value| limit(value).map(|found| asked.params.max_depth = found))),
    (
        &["min_data_in_leaf", "min_data_per_leaf", "min_data", "min_child_samples", "min_samples_leaf"],
        // None and 0 are the same: a leaf has a row.
        Sets(|asked, value| count(value).map(|found| asked.params.min_data_in_leaf = found.max(1))),
    ),
    (
        &["min_sum_hessian_in_leaf", "min_sum_hessian_per_leaf", "min_sum_hessian", "min_hessian", "min_child_weight"],
        Sets(|asked, value| number(value).map(|found| asked.params.min_sum_hessian = found)),
    ),
    (
        &["lambda_l1", "reg_alpha", "l1_regularization"],
        Sets(|asked, value| number(value).map(|found| asked.params.lambda_l1 = found)),
    ),
    (
        &["lambda_l2", "reg_lambda", "lambda", "l2_regularization"],
        Sets(|asked, value| number(value).map(|found| asked.params.lambda_l2 = found)),
    ),
    (
        &["min_gain_to_split", "min_split_gain"],
        Sets(|asked, value| number(value).map(|found| asked.params.min_gain = found)),
    ),
    (
        &["max_delta_step", "max_tree_output", "max_leaf_output"],
        Sets(|asked, value| number(value).map(|found| asked.params.max_delta_step = found.max(0.0))),
    ),
    (
        &["bagging_fraction", "sub_row", "subsample", "bagging"],
        Sets(|asked, value| number(value).map(|found| asked.params.bagging_fraction = found)),
    ),
    // Read at the end, as it decides whether anything is sampled.
    (&["bagging_freq", "subsample_freq"], Sets(|_, value| count(value).map(|_| ()))),
    (
        &["pos_bagging_fraction", "pos_sub_row", "pos_subsample", "pos_bagging"],
        Sets(|asked, value| number(value).map(|found| asked.params.pos_bagging_fraction = found)),
    ),
    (
        &["neg_bagging_fraction", "neg_sub_row", "neg_subsample", "neg_bagging"],
        Sets(|asked, value| number(value).map(|found| asked.params.neg_bagging_fraction = found)),
    ),
    (
        &["feature_fraction", "sub_feature", "colsample_bytree"],
        Sets(|asked, value| number(value).map(|found| asked.params.feature_fraction = found)),
    ),
    (
        &["feature_fraction_bynode", "sub_feature_bynode", "colsample_bynode"],
        Sets(|asked, value| number(value).map(|found| asked.params.feature_fraction_by_node = found)),
    ),
    (&["extra_trees", "extra_tree"], Sets(|asked, value| flag(value).map(|found| asked.params.extra_trees = found))),
    (
        &["data_sample_strategy"],
        Sets(|asked, value| match word(value)? {
            "bagging" => Ok(()),
            "goss" => {
                asked.params.sample = Sampling::Goss;
                Ok(())
            }
            other => Err(format!("is `bagging` or `goss`, not `{other}`")),
        }),
    ),
    (&["top_rate"], Sets(|asked, value| number(value).map(|found| asked.params.top_rate = found))),
    (&["other_rate"], Sets(|asked, value| number(value).map(|found| asked.params.other_rate = found))),
    (
        &["boosting", "boosting_type", "boost"],
        Sets(|asked, value| {
            match word(value)? {
                "gbdt" | "gbrt" => {}
                "dart" => asked.params.boosting = Combination::Dart,
                "rf" | "random_forest" => asked.params.boosting = Combination::RandomForest,
                "goss" => asked.params.sample = Sampling::Goss,
                other => return Err(format!("is `gbdt`, `dart`, `rf` or `goss`, not `{other}`")),
            }
            Ok(())
        }),
    ),
    (&["drop_rate", "rate_drop"], Sets(|asked, value| number(value).map(|found| asked.params.drop_rate = found))),
    (&["skip_drop"], Sets(|asked, value| number(value).map(|found| asked.params.skip_drop = found))),
    (&["max_drop"], Sets(|asked, value| limit(value).map(|found| asked.params.max_drop = found.unwrap_or(0)))),
    (&["uniform_drop"], Refused("trees that count more are left out more often", is_off)),
    (&["xgboost_dart_mode"], Refused("DART shrinks as LightGBM does by default", is_off)),
    (
        &["max_bin", "max_bins"],
        Sets(|asked, value| {
            asked.params.max_bin = count(value)?.min(255);
            if count(value)? > 255 {
                asked.warnings.push("`max_bin` is 255 at most here, beside a bin for missing values".to_owned());
            }
            Ok(())
        }),
    ),
    (&["min_data_in_bin"], NoEffect("every bin may hold a single row")),
    (
        &["bin_construct_sample_cnt", "subsample_for_bin"],
        NoEffect("bins are chosen from 200,000 rows, and categories from all"),
    ),
    (&["cat_smooth"], Sets(|asked, value| number(value).map(|found| asked.params.cat_smooth = found))),
    (&["cat_l2"], Sets(|asked, value| number(value).map(|found| asked.params.cat_l2 = found))),
    (&["max_cat_threshold"], Sets(|asked, value| count(value).map(|found| asked.params.max_cat_threshold = found))),
    (&["max_cat_to_onehot"], Sets(|asked, value| count(value).map(|found| asked.params.max_cat_to_onehot = found))),
    (&["min_data_per_group"], Sets(|asked, value| count(value).map(|found| asked.params.min_data_per_group = found))),
    (
        &["monotone_constraints", "mc", "monotone_constraint", "monotonic_cst"],
        Sets(|asked, value| directions(value).map(|found| asked.params.monotone = found)),
    ),
    (
        &["monotone_constraints_method", "monotone_constraining_method", "mc_method"],
        Sets(|asked, value| {
            asked.params.monotone_method = match word(value)? {
                "basic" => MonotoneMethod::Basic,
                "intermediate" => MonotoneMethod::Intermediate,
                other => return Err(format!("is `basic` or `intermediate` here, not `{other}`")),
            };
            Ok(())
        }),
    ),
    (
        &["monotone_penalty", "monotone_splits_penalty", "ms_penalty", "mc_penalty"],
        Refused("there is no penalty", is_off),
    ),
    (&["interaction_constraints"], Sets(|asked, value| sets(value).map(|found| asked.params.interactions = found))),
    (&["path_smooth"], Sets(|asked, value| number(value).map(|found| asked.params.path_smooth = found))),
    (
        &["early_stopping_round", "early_stopping_rounds", "early_stopping", "n_iter_no_change"],
        Sets(|asked, value| limit(value).map(|found| asked.params.early_stopping = Some(found.unwrap_or(0)))),
    ),
    (&["early_stopping_min_delta"], Refused("any better metric counts", is_off)),
    (&["first_metric_only"], NoEffect("early stopping looks at the first metric")),
    (&["metric", "metrics", "metric_types"], Sets(|asked, value| metric(value, METRICS, asked))),
    (&["metric_freq", "output_freq"], NoEffect("the metric is computed every round")),
    (
        &["objective", "objective_type", "app", "application", "loss"],
        Sets(|asked, value| objective(word(value)?, asked)),
    ),
    // Read with the objective, at the end: huber's or a quantile's.
    (&["alpha"], Sets(|_, value| number(value).map(|_| ()))),
    (&["fair_c"], Sets(|asked, value| number(value).map(|found| asked.params.fair_c = found))),
    (&["tweedie_variance_power"], Sets(|asked, value| number(value).map(|found| asked.params.tweedie_power = found))),
    (
        &["poisson_max_delta_step"],
        Sets(|asked, value| number(value).map(|found| asked.params.poisson_max_delta_step = found)),
    ),
    (
        &["lambdarank_truncation_level"],
        Sets(|asked, value| count(value).map(|found| asked.params.truncation_level = found)),
    ),
    (&["lambdarank_norm"], Sets(|asked, value| flag(value).map(|found| asked.params.lambdarank_norm = found))),
    (&["label_gain"], Sets(|asked, value| numbers(value).map(|found| asked.params.label_gain = found))),
    (
        &["eval_at", "ndcg_eval_at", "ndcg_at", "map_eval_at", "map_at"],
        Sets(|asked, value| places(value).map(|found| asked.params.eval_at = found)),
    ),
    (&["lambdarank_position_bias_regularization"], Refused("there are no positions of clicks", is_off)),
    (&["group_column", "group", "group_id", "query_column", "query", "query_id"], Refused(GROUP, is_off)),
    (&["num_class", "num_classes"], NoEffect("the classes follow from the label")),
    (
        &["is_unbalance", "unbalance", "unbalanced_sets"],
        Sets(|asked, value| {
            if flag(value)? {
                asked.extras.positive = PositiveWeight::Balanced;
            }
            Ok(())
        }),
    ),
    (&["scale_pos_weight"], Sets(positive_weight)),
    (&["boost_from_average"], Refused("the first score is always the best constant", |value| flag(value) == Ok(true))),
    (&["sigmoid"], Refused("scores are log-odds", super::reading::is_one)),
    (&["reg_sqrt"], Refused("make the label a square root by its expression", is_off)),
    (&["seed", "random_seed", "random_state"], NoEffect(ONE_SEED)),
    (
        &[
            "bagging_seed",
            "bagging_fraction_seed",
            "feature_fraction_seed",
            "extra_seed",
            "drop_seed",
            "objective_seed",
            "data_random_seed",
            "data_seed",
        ],
        NoEffect(ONE_SEED),
    ),
    (&["num_threads", "num_thread", "nthread", "nthreads", "n_jobs"], NoEffect(NO_THREADS)),
    (&["deterministic"], NoEffect(ALWAYS)),
    (&["force_col_wise", "force_row_wise", "histogram_pool_size", "hist_pool_size"], NoEffect(NO_LAYOUT)),
    (
        &[
            "two_round",
            "two_round_loading",
            "use_two_round_loading",
            "is_enable_sparse",
            "is_sparse",
            "enable_sparse",
            "sparse",
            "enable_bundle",
            "is_enable_bundle",
            "bundle",
            "pre_partition",
            "is_pre_partition",
        ],
        NoEffect(NO_LAYOUT),
    ),
    (&["verbosity", "verbose", "silent"], NoEffect("the progress is always shown")),
    (&["device_type", "device"], Refused("trees are grown on the processor", |value| value.as_str() == Some("cpu"))),
    (
        &["tree_learner", "tree", "tree_type", "tree_learner_type"],
        Refused("one machine grows the trees", |value| value.as_str() == Some("serial")),
    ),
    (
        &["use_missing", "zero_as_missing"],
        Refused("missing values are always told from numbers", |value| {
            matches!(value, Value::Bool(_)) && !is_off(value)
        }),
    ),
    (
        &["input_model", "model_input", "model_in"],
        Refused("the model to start from is `warm_start` next to `learner`", is_off),
    ),
    (&["linear_tree", "linear_trees"], Refused("leaves hold a number", is_off)),
    (
        &["forcedsplits_filename", "fs", "forced_splits_filename", "forced_splits_file", "forced_splits"],
        Refused("splits are found, not given", is_off),
    ),
    (&["forcedbins_filename"], Refused("bins are chosen from the data", is_off)),
    (&["use_quantized_grad"], Refused("gradients are kept exactly", is_off)),
    (
        &["cegb_tradeoff", "cegb_penalty_split", "cegb_penalty_feature_lazy", "cegb_penalty_feature_coupled"],
        Refused("features have no costs", |value| is_off(value) || super::reading::is_one(value)),
    ),
    (
        &["feature_contri", "feature_contrib", "fc", "fp", "feature_penalty"],
        Refused("features have no weights", is_off),
    ),
    (
        &["categorical_feature", "cat_feature", "categorical_column", "cat_column", "categorical_features"],
        Refused("the step `Transform` says which features are categories", is_off),
    ),
];

fn objective(name: &str, asked: &mut Asked) -> Result<(), String> {
    let amount = match name {
        "binary" => {
            asked.tasks = Some(BINARY);
            return Ok(());
        }
        "multiclass" | "softmax" => {
            asked.tasks = Some(CLASSES);
            return Ok(());
        }
        "multiclassova" | "multiclass_ova" | "ova" | "ovr" => {
            asked.params.objective = Loss::OneVsAll;
            asked.tasks = Some(CLASSES);
            return Ok(());
        }
        "lambdarank" | "rank_xendcg" | "xendcg" | "xe_ndcg" | "xe_ndcg_mart" | "xendcg_mart" => {
            asked.params.objective = if name == "lambdarank" { Loss::Lambdarank } else { Loss::RankXendcg };
            asked.tasks = Some(RANKING);
            return Ok(());
        }
        "regression"
        | "regression_l2"
        | "l2"
        | "mean_squared_error"
        | "mse"
        | "l2_root"
        | "root_mean_squared_error"
        | "rmse" => Loss::SquaredError,
        "regression_l1" | "l1" | "mean_absolute_error" | "mae" => Loss::AbsoluteError,
        "huber" => Loss::Huber,
        "fair" => Loss::Fair,
        "poisson" => Loss::Poisson,
        "quantile" => Loss::Quantile,
        "mape" | "mean_absolute_percentage_error" => Loss::PercentageError,
        "gamma" => Loss::Gamma,
        "tweedie" => Loss::Tweedie,
        other => {
            return Err(format!(
                "is `{other}`; there are `binary`, `multiclass`, `multiclassova`, `regression`, `regression_l1`, `huber`, `fair`, \
                 `poisson`, `quantile`, `mape`, `gamma`, `tweedie`, `lambdarank` and `rank_xendcg`"
            ));
        }
    };
    asked.params.objective = amount;
    asked.tasks = Some(AMOUNT);
    Ok(())
}

/// What parameters mean together.
fn finish(asked: &mut Asked, reading: &Reading<'_>) -> Vec<ParamIssue> {
    let mut issues = Vec::new();
    let alpha = reading.value("alpha").and_then(|value| number(value).ok()).unwrap_or(0.9);
    asked.params.huber_delta = alpha;
    if asked.params.objective == Loss::Quantile {
        asked.params.quantile_level = Levels::one(alpha);
    }
    let frequency = reading.value("bagging_freq").and_then(|value| count(value).ok()).unwrap_or(0);
    let fractions = ["bagging_fraction", "pos_bagging_fraction", "neg_bagging_fraction"];
    let written = fractions.iter().find_map(|name| reading.written(name));
    if frequency == 0 {
        if let Some(name) = written.filter(|_| asked.params.samples_rows() && asked.params.sample != Sampling::Goss) {
            asked.warnings.push(format!(
                "`{name}` has no effect, as in LightGBM: `bagging_freq` is 0; write `bagging_freq: 1` to draw rows every round"
            ));
        }
        asked.params.bagging_fraction = 1.0;
        asked.params.pos_bagging_fraction = 1.0;
        asked.params.neg_bagging_fraction = 1.0;
    } else {
        asked.params.bagging_freq = frequency;
    }
    if let (Some(name), Some(_)) = (reading.written("scale_pos_weight"), reading.written("is_unbalance"))
        && reading.value("is_unbalance").is_some_and(|value| flag(value) == Ok(true))
    {
        let message = format!("`{name}` and `is_unbalance` both weigh the positive rows");
        issues.push(ParamIssue::new([name], message).with_hint("keep one of them"));
    }
    if asked.params.boosting != Combination::Gbdt && asked.params.early_stopping == Some(0) {
        asked.params.early_stopping = None;
    }
    issues
}
