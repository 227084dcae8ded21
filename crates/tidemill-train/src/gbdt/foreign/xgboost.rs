//! `xgboost:`: the parameters of XGBoost 3.

use serde_json::{Value, json};
use tidemill_core::ParamIssue;

use super::super::{Combination, GradientBoosting, Growth, Levels, Loss, StopMetric};
use super::Meaning::{NoEffect, Refused, Sets};
use super::reading::{
    AMOUNT, BINARY, CLASSES, RANKING, Reading, count, directions, flag, is_off, is_one, limit, metric, number, numbers,
    positive_weight, sets, word,
};
use super::{Asked, Library, Parameter};

/// Gradient boosting by the names of XGBoost.
pub const XGBOOST: Library =
    Library { name: "xgboost", title: "XGBoost", parameters: PARAMETERS, defaults, space, finish };

/// Leaves where there is no limit of them: more than rows of most tables fill, and as many as a tree may have.
const LEAVES: u32 = 1 << 16;

/// As the searches of `TabArena` (2025); the rounds are as many as the rows for early stopping ask for.
fn space() -> Value {
    json!({
        "n_estimators": 1000,
        "early_stopping_rounds": 50,
        "eta": { "float": [0.015, 0.3], "log": true },
        "max_depth": { "int": [3, 10] },
        "min_child_weight": { "float": [0.1, 20.0], "log": true },
        "subsample": { "float": [0.6, 1.0] },
        "colsample_bytree": { "float": [0.5, 1.0] },
        "alpha": { "float": [0.0, 5.0] },
        "lambda": { "float": [0.01, 10.0], "log": true },
    })
}

fn defaults() -> GradientBoosting {
    GradientBoosting {
        rounds: 100,
        learning_rate: 0.3,
        early_stopping: Some(0),
        leaves: LEAVES,
        max_depth: Some(6),
        grow: Growth::DepthWise,
        min_data_in_leaf: 1,
        min_sum_hessian: 1.0,
        lambda_l2: 1.0,
        cat_smooth: 0.0,
        cat_l2: 0.0,
        truncation_level: 32,
        eval_at: vec![32],
        max_cat_threshold: 64,
        min_data_per_group: 1,
        ..GradientBoosting::default()
    }
}

const METRICS: &[(&str, StopMetric)] = &[
    ("auc", StopMetric::Auc),
    ("logloss", StopMetric::LogLoss),
    ("mlogloss", StopMetric::LogLoss),
    ("error", StopMetric::Error),
    ("merror", StopMetric::Error),
    ("rmse", StopMetric::Rmse),
    ("mae", StopMetric::Mae),
    ("ndcg", StopMetric::Ndcg),
    ("map", StopMetric::Map),
];

const ONE_SEED: &str = "`seed` next to `learner` decides everything random";

const PARAMETERS: &[Parameter] = &[
    (
        &["n_estimators", "num_boost_round", "num_round"],
        Sets(|asked, value| count(value).map(|found| asked.params.rounds = found)),
    ),
    (&["eta", "learning_rate"], Sets(|asked, value| number(value).map(|found| asked.params.learning_rate = found))),
    (&["max_leaves"], Sets(|asked, value| limit(value).map(|found| asked.params.leaves = found.unwrap_or(LEAVES)))),
    (&["max_depth"], Sets(|asked, value| limit(value).map(|found| asked.params.max_depth = found))),
    (
        &["grow_policy"],
        Sets(|asked, value| {
            asked.params.grow = match word(value)? {
                "depthwise" => Growth::DepthWise,
                "lossguide" => Growth::LeafWise,
                other => return Err(format!("is `depthwise` or `lossguide`, not `{other}`")),
            };
            Ok(())
        }),
    ),
    (&["min_child_weight"], Sets(|asked, value| number(value).map(|found| asked.params.min_sum_hessian = found))),
    (&["alpha", "reg_alpha"], Sets(|asked, value| number(value).map(|found| asked.params.lambda_l1 = found))),
    (&["lambda", "reg_lambda"], Sets(|asked, value| number(value).map(|found| asked.params.lambda_l2 = found))),
    (&["gamma", "min_split_loss"], Sets(|asked, value| number(value).map(|found| asked.params.min_gain = found))),
    (&["max_delta_step"], Sets(|asked, value| number(value).map(|found| asked.params.max_delta_step = found))),
    (&["subsample"], Sets(|asked, value| number(value).map(|found| asked.params.bagging_fraction = found))),
    (
        &["sampling_method"],
        Refused("rows are drawn at random; `gradient_boosting` has `sample: goss`", |value| {
            value.as_str() == Some("uniform")
        }),
    ),
    (&["colsample_bytree"], Sets(|asked, value| number(value).map(|found| asked.params.feature_fraction = found))),
    (
        &["colsample_bynode"],
        Sets(|asked, value| number(value).map(|found| asked.params.feature_fraction_by_node = found)),
    ),
    (&["colsample_bylevel"], Refused("features are drawn for a tree or for a split; use `colsample_bynode`", is_one)),
    (
        &["booster"],
        Sets(|asked, value| {
            match word(value)? {
                "gbtree" => {}
                "dart" => {
                    asked.params.boosting = Combination::Dart;
                    (asked.params.drop_rate, asked.params.skip_drop, asked.params.max_drop) = (0.0, 0.0, 0);
                }
                "gblinear" => return Err("is `gblinear`, and trees are grown here: use `learner: linear`".to_owned()),
                other => return Err(format!("is `gbtree` or `dart`, not `{other}`")),
            }
            Ok(())
        }),
    ),
    // With `booster: dart`, whose defaults they would be lost to.
    (&["rate_drop"], Sets(|_, value| number(value).map(|_| ()))),
    (&["skip_drop"], Sets(|_, value| number(value).map(|_| ()))),
    (&["one_drop"], Refused("a round may leave out no tree", is_off)),
    (
        &["sample_type"],
        Refused("trees that count more are left out more often", |value| value.as_str() == Some("weighted")),
    ),
    (
        &["normalize_type"],
        Refused("new trees count as much as one of those left out", |value| value.as_str() == Some("tree")),
    ),
    (&["num_parallel_tree"], Refused("a round grows one tree; `random_forest` averages many", is_one)),
    (
        &["max_bin"],
        Sets(|asked, value| {
            let found = count(value)?;
            asked.params.max_bin = found.min(255);
            if found > 256 {
                asked.warnings.push("`max_bin` is 255 at most here, beside a bin for missing values".to_owned());
            }
            Ok(())
        }),
    ),
    (&["max_cat_to_onehot"], Sets(|asked, value| count(value).map(|found| asked.params.max_cat_to_onehot = found))),
    (&["max_cat_threshold"], Sets(|asked, value| count(value).map(|found| asked.params.max_cat_threshold = found))),
    (&["enable_categorical"], NoEffect("the step `Transform` says which features are categories")),
    (&["monotone_constraints"], Sets(|asked, value| directions(value).map(|found| asked.params.monotone = found))),
    (&["interaction_constraints"], Sets(|asked, value| sets(value).map(|found| asked.params.interactions = found))),
    (
        &["early_stopping_rounds"],
        Sets(|asked, value| limit(value).map(|found| asked.params.early_stopping = Some(found.unwrap_or(0)))),
    ),
    (&["eval_metric"], Sets(|asked, value| metric(value, METRICS, asked))),
    (&["objective"], Sets(|asked, value| objective(word(value)?, asked))),
    (&["tweedie_variance_power"], Sets(|asked, value| number(value).map(|found| asked.params.tweedie_power = found))),
    (
        &["quantile_alpha"],
        Sets(|asked, value| numbers(value).map(|found| asked.params.quantile_level = Levels::several(found))),
    ),
    (
        &["lambdarank_pair_method"],
        Refused("pairs are those of the first rows of a query: `topk`", |value| value.as_str() == Some("topk")),
    ),
    (
        &["lambdarank_num_pair_per_sample"],
        Sets(|asked, value| count(value).map(|found| asked.params.truncation_level = found)),
    ),
    (&["lambdarank_normalization"], Sets(|asked, value| flag(value).map(|found| asked.params.lambdarank_norm = found))),
    // Read at the end: both are one parameter here.
    (&["lambdarank_score_normalization"], Sets(|_, value| flag(value).map(|_| ()))),
    (&["lambdarank_unbiased", "lambdarank_bias_norm"], Refused("there are no positions of clicks", is_off)),
    (&["ndcg_exp_gain"], Sets(exponential_gain)),
    (&["huber_slope"], Refused("the pseudo-Huber loss is none of the losses here", is_off)),
    (&["num_class"], NoEffect("the classes follow from the label")),
    (&["scale_pos_weight"], Sets(positive_weight)),
    (&["base_score"], Refused("the first score is always the best constant", Value::is_null)),
    (&["seed", "random_state"], NoEffect(ONE_SEED)),
    (&["seed_per_iteration"], NoEffect(ONE_SEED)),
    (&["nthread", "n_jobs"], NoEffect("`tidemill run --threads` sets the threads, and they never change the result")),
    (
        &["verbosity", "verbose", "silent", "validate_parameters", "disable_default_eval_metric"],
        NoEffect("nothing here depends on it"),
    ),
    (
        &["tree_method"],
        Refused("trees are grown over histograms", |value| matches!(value.as_str(), Some("hist" | "auto"))),
    ),
    (&["device"], Refused("trees are grown on the processor", |value| value.as_str() == Some("cpu"))),
    (&["missing"], NoEffect("missing values are always told from numbers")),
    (
        &["multi_strategy"],
        Refused("each class has its own trees", |value| value.as_str() == Some("one_output_per_tree")),
    ),
    (
        &["process_type", "updater", "refresh_leaf"],
        Refused("a training grows its trees itself", |value| value.as_str() == Some("default")),
    ),
    (&["feature_weights"], Refused("features have no weights", is_off)),
];

/// Gains of 2^label − 1, or labels as their own gains.
fn exponential_gain(asked: &mut Asked, value: &Value) -> Result<(), String> {
    asked.params.label_gain = if flag(value)? { Vec::new() } else { (0..=31).map(f64::from).collect() };
    Ok(())
}

fn objective(name: &str, asked: &mut Asked) -> Result<(), String> {
    let amount = match name {
        "binary:logistic" => {
            asked.tasks = Some(BINARY);
            return Ok(());
        }
        "multi:softprob" | "multi:softmax" => {
            asked.tasks = Some(CLASSES);
            return Ok(());
        }
        "rank:ndcg" => {
            asked.params.objective = Loss::Lambdarank;
            asked.extras.ranking_hessian = 2.0;
            asked.tasks = Some(RANKING);
            return Ok(());
        }
        "rank:pairwise" | "rank:map" => {
            return Err(format!(
                "is `{name}`, and pairs are weighted by what they change of the NDCG here: `rank:ndcg` is that loss"
            ));
        }
        "reg:squarederror" | "reg:linear" => Loss::SquaredError,
        "reg:absoluteerror" => Loss::AbsoluteError,
        "reg:quantileerror" => Loss::Quantile,
        "count:poisson" => Loss::Poisson,
        "reg:gamma" => Loss::Gamma,
        "reg:tweedie" => Loss::Tweedie,
        "reg:pseudohubererror" => {
            return Err("is the pseudo-Huber loss, which is not LightGBM's Huber loss: \
                        `gradient_boosting: { objective: huber }` has that one"
                .to_owned());
        }
        other => {
            return Err(format!(
                "is `{other}`; there are `binary:logistic`, `multi:softprob`, `reg:squarederror`, `reg:absoluteerror`, \
                 `reg:quantileerror`, `count:poisson`, `reg:gamma`, `reg:tweedie` and `rank:ndcg`"
            ));
        }
    };
    asked.params.objective = amount;
    asked.tasks = Some(AMOUNT);
    Ok(())
}

/// What parameters mean together.
fn finish(asked: &mut Asked, reading: &Reading<'_>) -> Vec<ParamIssue> {
    let given = |name: &str| reading.value(name).and_then(|value| number(value).ok());
    if asked.params.boosting == Combination::Dart {
        asked.params.drop_rate = given("rate_drop").unwrap_or(0.0);
        asked.params.skip_drop = given("skip_drop").unwrap_or(0.0);
        if asked.params.early_stopping == Some(0) {
            asked.params.early_stopping = None;
        }
    }
    if asked.params.objective == Loss::Lambdarank {
        let off = |name: &str| reading.value(name).is_some_and(|value| flag(value) == Ok(false));
        let names = ["lambdarank_normalization", "lambdarank_score_normalization"];
        if off(names[0]) != off(names[1]) {
            let message = format!("`{}` and `{}` are on or off together here", names[0], names[1]);
            let place = if off(names[0]) { names[0] } else { names[1] };
            return vec![ParamIssue::new([place], message).with_hint("write both, or neither")];
        }
    }
    if asked.params.objective == Loss::Poisson {
        // Its own default, which other objectives do not have.
        if reading.written("max_delta_step").is_none() {
            asked.params.max_delta_step = 0.7;
        }
        asked.params.poisson_max_delta_step = asked.params.max_delta_step;
    }
    if asked.params.objective == Loss::Quantile && reading.written("quantile_alpha").is_none() {
        return vec![
            ParamIssue::new(["objective"], "`reg:quantileerror` needs the quantile")
                .with_hint("add `quantile_alpha: 0.5`, or another number between 0 and 1"),
        ];
    }
    Vec::new()
}
