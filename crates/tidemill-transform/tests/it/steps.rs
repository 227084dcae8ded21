//! Fitting of features with several columns, of expressions, crosses and times; the label's target and its leaks.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use serde_json::{Value, json};
use tidemill_core::{Code, Coded as _, Component as _, NoProgress};
use tidemill_model::{FeatureBlock, Keys, Mapper, Scalar, steps};
use tidemill_transform::{FitOptions, Fitted, MemoryRows, Transform, TransformConfig, TransformError, fit};

fn trips() -> RecordBatch {
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("fare", Arc::new(Float64Array::from(vec![12.0, 5.0, 7.5, 30.0, 60.0, 9.0])), true),
        ("seconds", Arc::new(Int64Array::from(vec![Some(600), None, Some(300), Some(1500), Some(0), Some(600)])), true),
        (
            "payment",
            Arc::new(StringArray::from(vec![
                Some("Card"),
                Some("Cash"),
                None,
                Some("Card"),
                Some("cash "),
                Some("Cash"),
            ])),
            true,
        ),
        ("hour", Arc::new(Int64Array::from(vec![19, 19, 5, 0, 23, 5])), true),
        ("shared", Arc::new(BooleanArray::from(vec![true, false, false, true, false, false])), true),
        ("start", Arc::new(Int64Array::from(vec![0, 3600, 7200, 86_400, 90_000, 1_709_209_805])), true),
        ("tips", Arc::new(Float64Array::from(vec![4.0, 0.0, 0.0, 8.0, 0.0, 1.0])), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn fit_with(label: Value, features: Value) -> Result<Fitted, TransformError> {
    let rows = MemoryRows::new(
        trips().schema(),
        vec![
            ("train".into(), vec![trips().slice(0, 2), trips().slice(2, 4)]),
            ("eval".into(), vec![trips().slice(1, 3)]),
        ],
    );
    let params = json!({ "label": label, "features": features });
    let config = TransformConfig::from_params(&params).unwrap_or_else(|issues| panic!("{issues:?}"));
    let options = FitOptions { split: "train", threads: 2, progress: &NoProgress, cancel: None, schema: None };
    fit(&config, &rows, &options)
}

fn run(features: Value) -> Fitted {
    fit_with(json!({ "name": "big_tip", "expression": "tips > fare * 0.2" }), features).unwrap()
}

/// The columns of the feature `x` over all trips.
fn columns(feature: Value) -> Vec<(String, Vec<f64>)> {
    let graph = run(json!({ "x": feature })).graph;
    let mut block = FeatureBlock::new();
    graph.bind(trips().schema_ref()).unwrap().apply(&trips(), &mut block).unwrap();
    graph.features().iter().map(|spec| spec.name.clone()).zip(block.columns).collect()
}

fn names(feature: Value) -> Vec<String> {
    columns(feature).into_iter().map(|(name, _)| name).collect()
}

fn nodes(feature: Value) -> Vec<Mapper> {
    run(json!({ "x": feature })).graph.definitions()[0].mappers.clone()
}

fn issues(label: Value, features: Value) -> Vec<(String, String)> {
    let found = Transform::default().check(&json!({ "label": label, "features": features })).into_iter();
    found.map(|issue| (issue.path.join("."), issue.message)).collect()
}

fn issue(feature: Value) -> (String, String) {
    let mut found = issues(json!({ "name": "y", "expression": "tips > 1" }), json!({ "x": feature }));
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

#[test]
fn one_hot_lists_all_values_or_those_chosen() {
    assert_eq!(names(json!({ "from": "payment", "steps": "one_hot" })), ["x=Card", "x=Cash", "x=cash "]);
    let chosen = json!({ "from": "payment", "steps": { "one_hot": { "top_k": 1, "oov_buckets": 1 } } });
    // Both occur twice; ties are in reverse lexicographic order, as in a vocabulary.
    assert_eq!(names(chosen), ["x=Cash", "x.other"]);
    let imputed = json!({ "from": "payment", "steps": [{ "impute": { "value": "none" } }, "one_hot"] });
    assert_eq!(names(imputed), ["x=Card", "x=Cash", "x=cash ", "x=none"]);
    assert_eq!(names(json!({ "from": "hour", "steps": "one_hot" })), ["x=0", "x=5", "x=19", "x=23"]);
    assert_eq!(names(json!({ "from": "shared", "steps": "one_hot" })), ["x=false", "x=true"]);
    assert_eq!(names(json!({ "from": "fare", "steps": [{ "bucketize": 2 }, "one_hot"] })), ["x=0", "x=1"]);
    let (path, message) = issue(json!([{ "bucketize": 2 }, { "one_hot": { "top_k": 3 } }]));
    assert_eq!(path, "features.x");
    assert!(message.contains("`one_hot` of buckets has nothing to choose"), "{message}");
}

#[test]
fn imputing_with_an_indicator_gives_two_columns_and_the_next_step_sees_the_value() {
    let fitted = run(json!({ "seconds": [{ "impute": { "with": "mean", "indicator": true } }, "z_score"] }));
    assert_eq!(fitted.scans, 2);
    // np.mean([600, 300, 1500, 0, 600]); np.std of the column imputed by it
    let [
        Mapper::MissingIndicator,
        Mapper::Impute(steps::Impute { value }),
        Mapper::ZScore(steps::ZScore { mean, std_dev }),
    ] = &fitted.graph.definitions()[0].mappers[..]
    else {
        panic!()
    };
    assert_eq!((value, *mean), (&Scalar::Float(600.0), 600.0));
    assert!((std_dev - 458.257_569_495_584).abs() < 1e-12, "{std_dev}");
    let specs: Vec<&str> = fitted.graph.features().iter().map(|spec| spec.name.as_str()).collect();
    assert_eq!(specs, ["seconds", "seconds.missing"]);
    assert!(fitted.graph.inputs()[0].optional);
    let constant =
        nodes(json!({ "from": "hour", "steps": [{ "impute": { "value": 3, "indicator": true } }, "categorical"] }));
    assert_eq!(constant[1], Mapper::Impute(steps::Impute { value: Scalar::Int(3) }));
    assert_eq!(
        issue(json!({ "impute": { "value": 1, "with": "mean" } })),
        ("features.x.impute".into(), "`impute` takes either `value` or `with`".into())
    );
}

#[test]
fn expressions_and_crosses_are_fitted_as_columns_are() {
    let ratio = nodes(json!({ "expression": "fare / greatest(seconds, 1)", "steps": ["z_score"] }));
    // np.mean and np.std of [12/600, 5/1, 7.5/300, 30/1500, 60/1, 9/600]: `greatest` skips a null.
    let [Mapper::ZScore(steps::ZScore { mean, std_dev })] = ratio[..] else { panic!() };
    assert!(
        (mean - 10.846_666_666_666_666).abs() < 1e-13 && (std_dev - 22.057_125_014_128_403).abs() < 1e-12,
        "{mean} {std_dev}"
    );
    let lower = nodes(json!({ "expression": "lower(trim(payment))", "steps": "vocabulary" }));
    let strings = |values: &[&str]| Keys::Strings(values.iter().map(ToString::to_string).collect());
    assert_eq!(lower, [Mapper::Vocabulary(steps::Vocabulary { values: strings(&["cash", "card"]), oov_buckets: 0 })]);
    let cross = nodes(json!({ "cross": ["payment", "hour"], "steps": { "vocabulary": { "top_k": 2 } } }));
    assert_eq!(
        cross,
        [Mapper::Vocabulary(steps::Vocabulary { values: strings(&["cash  × 23", "Cash × 5"]), oov_buckets: 0 })]
    );
    assert_eq!(names(json!({ "cross": ["payment", "shared"], "steps": { "hash_buckets": 4 } })), ["x"]);
    assert_eq!(columns(json!({ "expression": "fare > 8" }))[0].1, [1.0, 0.0, 0.0, 1.0, 1.0, 1.0]);
    let fitted = run(
        json!({ "x": { "expression": "fare + seconds" }, "y": { "cross": ["payment", "hour"], "steps": "categorical" } }),
    );
    let inputs: Vec<(&str, bool)> =
        fitted.graph.inputs().iter().map(|input| (input.name.as_str(), input.optional)).collect();
    assert_eq!(inputs, [("fare", false), ("seconds", true), ("payment", true), ("hour", false)]);
}

#[test]
fn times_and_cycles_need_no_fitting() {
    let fitted = run(json!({
        "hour": { "from": "start", "steps": [{ "date_part": "hour" }, { "cyclic": 24 }] },
        "day": { "from": "start", "steps": [{ "date_part": "day_of_week" }, "categorical"] },
        "year": { "from": "start", "steps": [{ "date_part": "year" }, "z_score"] },
        "root": { "from": "fare", "steps": "sqrt" },
        "cube": { "from": "fare", "steps": { "power": 3 } },
    }));
    assert_eq!(fitted.scans, 1);
    let names: Vec<&str> = fitted.graph.features().iter().map(|spec| spec.name.as_str()).collect();
    assert_eq!(names, ["hour.sin", "hour.cos", "day", "year", "root", "cube"]);
    assert_eq!(
        columns(json!({ "from": "start", "steps": { "date_part": "hour" } }))[0].1,
        [0.0, 1.0, 2.0, 0.0, 1.0, 12.0]
    );
}

#[test]
fn mistakes_are_shown_at_their_place_before_a_run() {
    let shown = |path: &str, message: &str| (path.to_owned(), message.to_owned());
    assert_eq!(issue(json!({ "date_part": "huor" })), shown("features.x.date_part", "`huor` is not a part of a time"));
    assert_eq!(
        issue(json!({ "cyclic": 0 })),
        shown("features.x.cyclic", "`cyclic` needs a period above 0: `cyclic: 24`")
    );
    assert_eq!(issue(json!("power")), shown("features.x", "`power` needs an exponent: `power: 2`"));
    assert!(issue(json!({ "hash_buckets": 0 })).1.contains("from 1 to 16777216"));
    assert_eq!(
        issue(json!({ "expression": "fare /" })),
        shown("features.x.expression", "a value is expected, not the end of the expression at column 7 of `fare /`")
    );
    assert!(issue(json!({ "expression": "1 + 1" })).1.contains("uses no column"));
    assert_eq!(
        issue(json!({ "cross": ["a"], "steps": "vocabulary" })),
        shown("features.x.cross", "a cross needs at least two columns")
    );
    assert!(issue(json!({ "cross": ["a", "b"] })).1.contains("needs `steps`"));
    assert!(issue(json!({ "cross": ["a", "b"], "steps": "z_score" })).1.contains("`z_score` does not apply to text"));
    assert!(issue(json!({ "expression": "a", "step": "log" })).1.contains("unknown field `step`"));
    assert!(issue(json!([{ "cyclic": 7 }, "log"])).1.contains("`log` does not apply to several columns"));
    assert!(issue(json!({ "expression": "log(tips)" })).1.contains("would leak the label"));
    assert!(
        issue(json!({ "cross": ["hour", "y"], "steps": "vocabulary" })).1.contains("the label `y` cannot be a feature")
    );
    let schema = serde_json::to_string(&Transform::default().params_schema()).unwrap();
    for name in [
        "target",
        "cross",
        "sqrt",
        "power",
        "hash_buckets",
        "date_part",
        "day_of_week",
        "one_hot",
        "cyclic",
        "indicator",
    ] {
        assert!(schema.contains(&format!("\"{name}\"")), "{name}");
    }
}

#[test]
fn a_label_names_what_it_is_about() {
    let label = |target: Value| json!({ "name": "y", "expression": "fare * 0.2 < tips", "target": target });
    let config =
        |target| TransformConfig::from_params(&json!({ "label": label(target), "features": { "fare": "log" } }));
    assert_eq!(config(json!("tips")).unwrap().label.target, ["tips"]);
    assert!(config(json!(["fare", "tips"])).is_err());
    assert_eq!(
        issues(label(json!("tips")), json!({ "tips": "log" }))[0],
        ("features.tips".into(), "column `tips` would leak the label: `y` is about it".into())
    );
    let (path, message) = issues(label(json!(["tip"])), json!({ "fare": "log" })).remove(0);
    assert_eq!(
        (path.as_str(), message.as_str()),
        ("label.target", "the label does not use column `tip`, so it is not about it")
    );
    assert_eq!(issues(label(json!([])), json!({ "fare": "log" }))[0].1, "the list of columns is empty");
    let fitted = fit_with(label(json!("tips")), json!({ "fare": "numeric" })).unwrap();
    assert_eq!(fitted.graph.label().unwrap().target, ["tips"]);
}

#[test]
fn a_column_that_decides_the_label_does_not_pass_unnoticed() {
    // The label reads as one about `fare`. `tips` alone ranks all big tips above all others: its AUC is 1.
    let label = |extra: Value| {
        let mut label = json!({ "name": "y", "expression": "fare * 0.2 < tips" });
        label.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        label
    };
    let error = fit_with(label(json!({})), json!({ "tips": "numeric" })).unwrap_err();
    assert_eq!(error.code(), Code::LabelLeak);
    assert_eq!(
        error.to_string(),
        "feature `tips` uses column `tips` of the label's expression, which alone decides the label `y`: AUC 1.0000 in split `train`"
    );
    assert!(error.hint().unwrap().contains("add `target: tips` to the label"));
    let inside = fit_with(label(json!({})), json!({ "x": { "expression": "tips + hour" } })).unwrap_err();
    assert_eq!(inside.code(), Code::LabelLeak);
    // Whoever names the target has thought about it, and is warned.
    let fitted = fit_with(label(json!({ "target": "fare" })), json!({ "tips": "numeric", "hour": "numeric" })).unwrap();
    assert_eq!(fitted.warnings.len(), 1);
    assert!(fitted.warnings[0].contains("alone nearly decides the label `y` (AUC 1.0000)"), "{:?}", fitted.warnings);
    let text = json!({ "name": "y", "expression": "fare > 0 and coalesce(payment, '') = 'Card'" });
    assert_eq!(fit_with(text, json!({ "payment": "one_hot" })).unwrap_err().code(), Code::LabelLeak);
    // The fare says little about whether the tip is large, and a regression has no such measure.
    let fare = fit_with(label(json!({ "target": "tips" })), json!({ "hour": "numeric", "fare": "numeric" })).unwrap();
    assert!(fare.warnings.is_empty(), "{:?}", fare.warnings);
    let regression = json!({ "name": "y", "expression": "tips + fare" });
    assert!(fit_with(regression, json!({ "fare": "numeric" })).unwrap().warnings.is_empty());
}

#[test]
fn all_missing_columns_are_one_error() {
    let label = json!({ "name": "y", "expression": "tip > fair" });
    let features = json!({
        "hours": "numeric",
        "x": { "expression": "fare / second" },
        "z": { "cross": ["paymnt", "hours"], "steps": "categorical" },
    });
    let error = fit_with(label, features).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the data does not have 5 columns: `hours` (feature `hours`), `second` (feature `x`), `paymnt` (feature `z`), `tip` (label `y`), `fair` (label `y`)"
    );
    assert_eq!(error.hint().as_deref(), Some("the data has `hour`, `seconds`, `payment`, `tips`, `fare`"));
    assert_eq!(error.code(), Code::ColumnNotFound);
    let types =
        fit_with(json!({ "name": "y", "expression": "tips > 1" }), json!({ "x": { "expression": "fare + payment" } }));
    assert_eq!(types.unwrap_err().code(), Code::Expression);
}

#[test]
fn neither_threads_nor_batches_change_the_graph() {
    let params = json!({
        "label": { "name": "y", "expression": "tips > fare * 0.2", "target": "tips" },
        "features": {
            "payment": [{ "impute": { "with": "most_frequent", "indicator": true } }, "one_hot"],
            "seconds": [{ "impute": { "with": "median", "indicator": true } }, "sqrt", "z_score"],
            "ratio": { "expression": "fare / seconds", "steps": [{ "clip": { "quantiles": [0.1, 0.9] } }, "min_max"] },
            "pair": { "cross": ["payment", "shared", "hour"], "steps": { "vocabulary": { "oov_buckets": 3 } } },
            "hour": [{ "hash_buckets": 5 }, "one_hot"],
            "week": { "from": "start", "steps": [{ "date_part": "week" }, { "bucketize": 2 }, "categorical"] },
        },
    });
    let graph = |cuts: &[usize], threads| {
        let parts = cuts.windows(2).map(|cut| trips().slice(cut[0], cut[1] - cut[0])).collect();
        let rows = MemoryRows::new(trips().schema(), vec![("train".into(), parts)]);
        let config = TransformConfig::from_params(&params).unwrap();
        let options = FitOptions { split: "train", threads, progress: &NoProgress, cancel: None, schema: None };
        serde_json::to_string(&fit(&config, &rows, &options).unwrap().graph).unwrap()
    };
    let whole = graph(&[0, 6], 1);
    for (cuts, threads) in [(&[0, 1, 2, 3, 4, 5, 6][..], 3), (&[0, 4, 6], 2), (&[0, 0, 5, 6], 4)] {
        assert_eq!(graph(cuts, threads), whole);
    }
}
