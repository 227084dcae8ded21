//! Numbers of the train split inside row expressions.

use std::sync::Arc;

use arrow::array::{Array, Float64Array, RecordBatch, StringArray};
use proptest::prelude::*;
use serde_json::{Value, json};
use tidemill_core::NoProgress;
use tidemill_model::{FeatureBlock, Source};
use tidemill_transform::{FitOptions, Fitted, MemoryRows, TransformConfig, TransformError, fit};

fn batch(miles: &[Option<f64>]) -> RecordBatch {
    let rows = miles.len();
    let columns: [(&str, Arc<dyn Array>); 4] = [
        ("miles", Arc::new(Float64Array::from(miles.to_vec()))),
        ("empty", Arc::new(Float64Array::from(vec![None::<f64>; rows]))),
        ("company", Arc::new(StringArray::from(vec!["a"; rows]))),
        ("tips", Arc::new(Float64Array::from((0..rows).map(|row| (row % 2) as f64).collect::<Vec<_>>()))),
    ];
    RecordBatch::try_from_iter(columns).unwrap()
}

fn params(features: Value) -> Value {
    json!({ "label": { "column": "tips" }, "features": features })
}

fn run(rows: &RecordBatch, features: Value) -> Result<Fitted, TransformError> {
    let config = TransformConfig::from_params(&params(features)).unwrap_or_else(|issues| panic!("{issues:?}"));
    let source = MemoryRows::new(rows.schema(), vec![("train".into(), vec![rows.clone()])]);
    fit(&config, &source, &FitOptions { split: "train", threads: 2, progress: &NoProgress, cancel: None, schema: None })
}

fn expressions(fitted: &Fitted) -> Vec<String> {
    let text = |source: &Source| if let Source::Expression(text) = source { text.clone() } else { String::new() };
    fitted.graph.definitions().iter().map(|feature| text(&feature.source)).collect()
}

const MILES: [Option<f64>; 6] = [Some(1.0), Some(4.0), None, Some(-2.0), Some(2.5), Some(100.0)];

/// Expected numbers by Python 3: `statistics.mean` and `statistics.pstdev` of 1, 4, -2, 2.5, 100; the rest by hand.
#[test]
fn constants_are_of_the_train_split_and_stand_in_the_graph_as_numbers() {
    let fitted = run(
        &batch(&MILES),
        json!({
            "a": { "expression": "(miles - m) / s", "constants": { "m": { "take": "mean" }, "s": { "take": "std_dev" } } },
            "b": { "expression": "least(miles, high) - low",
                   "constants": { "high": { "take": "max" }, "low": { "take": "min", "of": "miles" } } },
        }),
    )
    .unwrap();
    assert_eq!(expressions(&fitted), ["(miles - 21.1) / 39.49987341751869", "least(miles, 100.0) - (-2.0)"]);
    assert_eq!(fitted.scans, 1, "they share the first scan");
    let inputs: Vec<&str> = fitted.graph.inputs().iter().map(|input| input.name.as_str()).collect();
    assert_eq!(inputs, ["miles"], "requests bring the columns of the expression");
    assert!(fitted.warnings.is_empty(), "{:?}", fitted.warnings);
}

#[test]
fn a_constant_of_a_column_that_serving_need_not_have() {
    let features = json!({ "x": { "expression": "length(company) / usual", "constants": { "usual": { "take": "median", "of": "miles" } },
                                  "steps": "z_score" } });
    let fitted = run(&batch(&MILES), features).unwrap();
    assert_eq!(expressions(&fitted), ["length(company) / 2.5"]);
    assert_eq!(fitted.scans, 2, "steps see the finished expression");
    assert_eq!(fitted.graph.inputs().len(), 1);
}

#[test]
fn what_cannot_be_fitted_is_told() {
    let with =
        |expression: &str, constants: Value| json!({ "x": { "expression": expression, "constants": constants } });
    for take in [json!({ "take": "mean" }), json!({ "take": "std_dev" }), json!({ "quantile": 0.5 })] {
        let error = run(&batch(&MILES), with("empty / c", json!({ "c": take }))).unwrap_err().to_string();
        assert_eq!(
            error,
            "feature `x`: column `empty` has no value in the train split, so `constants` cannot be fitted"
        );
    }
    let fitted =
        run(&batch(&[Some(3.0), Some(3.0)]), with("miles / c", json!({ "c": { "take": "std_dev" } }))).unwrap();
    assert_eq!(expressions(&fitted), ["miles / 0.0"], "a column that never varies has a deviation");
    let error =
        run(&batch(&MILES), with("miles / c", json!({ "c": { "take": "mean", "of": "company" } }))).unwrap_err();
    assert!(error.to_string().contains("`z_score` does not apply to text"), "{error}");
    let error = run(&batch(&MILES), with("miles / c", json!({ "c": { "take": "mean", "of": "mile" } }))).unwrap_err();
    assert!(error.to_string().contains("`mile`"), "{error}");

    let issue = |features: Value| {
        let issues = TransformConfig::from_params(&params(features)).unwrap_err();
        let [issue] = &issues[..] else { panic!("{issues:?}") };
        (issue.path.join("."), issue.message.clone())
    };
    let at = |place: &str, message: &str| (place.to_owned(), message.to_owned());
    assert_eq!(
        issue(with("miles / c", json!({ "c": { "take": "mean" }, "d": { "take": "mean", "of": "miles" } }))),
        at("features.x.constants.d", "the expression does not use `d`")
    );
    assert_eq!(
        issue(with("miles / c", json!({ "c": { "quantile": 1.5 } }))),
        at("features.x.constants.c.quantile", "`quantile` is a share from 0 to 1")
    );
    assert_eq!(
        issue(with("miles / tips * c", json!({ "c": { "take": "mean" } }))).0,
        "features.x.constants.c",
        "of which column is not said"
    );
    assert_eq!(issue(with("miles / (c", json!({ "c": { "take": "mean" } }))).0, "features.x.expression");
    let leak = issue(with("miles / c", json!({ "c": { "take": "mean", "of": "tips" } })));
    assert_eq!(leak, at("features.x", "the label `tips` cannot be a feature"));
}

proptest! {
    /// What a step fits and what an expression fits are the same.
    #[test]
    fn expressions_with_constants_do_what_steps_do(
        miles in prop::collection::vec(prop::option::weighted(0.8, -1e6..1e6f64), 2..40),
        share in 0.0..=1.0f64,
    ) {
        prop_assume!(miles.iter().flatten().count() > 1);
        let rows = batch(&miles);
        let fitted = run(&rows, json!({
            "step": { "from": "miles", "steps": { "clip": { "quantiles": [0, share.max(1e-9)] } } },
            "own": { "expression": "case when miles is null then null else least(greatest(miles, low), p) end",
                     "constants": { "low": { "take": "min" }, "p": { "quantile": share.max(1e-9) } } },
        })).unwrap();
        let mut block = FeatureBlock::new();
        fitted.graph.bind(rows.schema_ref()).unwrap().apply(&rows, &mut block).unwrap();
        for (step, own) in block.columns[0].iter().zip(&block.columns[1]) {
            prop_assert!(step.to_bits() == own.to_bits() || (step.is_nan() && own.is_nan()), "{} {}", step, own);
        }
    }
}
