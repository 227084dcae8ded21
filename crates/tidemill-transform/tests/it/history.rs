//! Joining rows to what came before them, and features of it.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{Float64Type, Int64Type};
use proptest::prelude::*;
use serde_json::{Value, json};
use tidemill_core::NoProgress;
use tidemill_model::FeatureBlock;
use tidemill_transform::{
    FitOptions, Fitted, HistoryJoin, HistoryOptions, MemoryRows, TransformConfig, TransformError, fit,
};

const DAY: i64 = 86_400;

/// Store, day, sales.
type Sale = (Option<&'static str>, Option<i64>, Option<f64>);

fn table(sales: &[Sale]) -> RecordBatch {
    let columns: Vec<(&str, ArrayRef, bool)> = vec![
        ("store", Arc::new(sales.iter().map(|sale| sale.0).collect::<StringArray>()), true),
        ("date", Arc::new(sales.iter().map(|sale| sale.1.map(|day| day * DAY)).collect::<Int64Array>()), true),
        ("sales", Arc::new(sales.iter().map(|sale| sale.2).collect::<Float64Array>()), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn options(params: &Value) -> HistoryOptions {
    let mut all = json!({ "entity": "store", "time": "date", "columns": ["sales"] });
    all.as_object_mut().unwrap().extend(params.as_object().unwrap().clone());
    HistoryOptions::from_params(&all).unwrap_or_else(|issues| panic!("{issues:?}"))
}

/// The rows of two splits with their past.
fn joined(train: &RecordBatch, eval: &RecordBatch, params: &Value) -> (RecordBatch, RecordBatch) {
    let splits = [("train", train), ("eval", eval)].map(|(name, rows)| (name.to_owned(), vec![rows.clone()]));
    let rows = MemoryRows::new(train.schema(), splits.to_vec());
    let join = HistoryJoin::read(&rows, &options(params), &NoProgress, None).unwrap();
    let with_past = |rows: &RecordBatch| concat_batches(&join.schema(), &join.batches(rows).unwrap()).unwrap();
    (with_past(train), with_past(eval))
}

fn past(rows: &RecordBatch, row: usize) -> Vec<(i64, Option<f64>)> {
    let list = |name: &str| rows.column_by_name(name).unwrap().as_list::<i32>().value(row);
    let (times, values) = (list("past_date"), list("past_sales"));
    let (times, values) = (times.as_primitive::<Int64Type>(), values.as_primitive::<Float64Type>());
    times.values().iter().map(|time| time / DAY).zip(values.iter()).collect()
}

fn fit_on(rows: &RecordBatch, horizon: &str, features: &Value) -> Result<Fitted, TransformError> {
    let params = json!({
        "label": { "column": "sales", "horizon": horizon },
        "history": { "time": "date" },
        "features": features,
    });
    let config = TransformConfig::from_params(&params).unwrap_or_else(|issues| panic!("{issues:?}"));
    let source = MemoryRows::new(rows.schema(), vec![("train".into(), vec![rows.clone()])]);
    let options = FitOptions { split: "train", threads: 1, progress: &NoProgress, cancel: None, schema: None };
    fit(&config, &source, &options)
}

fn values(fitted: &Fitted, rows: &RecordBatch) -> Vec<Vec<f64>> {
    let mut block = FeatureBlock::new();
    fitted.graph.bind(rows.schema_ref()).unwrap().apply(rows, &mut block).unwrap();
    block.columns
}

#[test]
fn a_row_gets_what_came_strictly_before_it_from_every_split() {
    let train = table(&[
        (Some("a"), Some(3), Some(30.0)),
        (Some("b"), Some(2), Some(200.0)),
        (Some("a"), Some(1), Some(10.0)),
        (Some("a"), Some(5), None),
        (None, Some(4), Some(1.0)),
    ]);
    let eval = table(&[
        (Some("a"), Some(4), Some(40.0)),
        (Some("c"), Some(9), Some(7.0)),
        (Some("a"), Some(6), Some(60.0)),
        (Some("a"), None, Some(5.0)),
    ]);
    let (train, eval) = joined(&train, &eval, &json!({}));
    assert_eq!(past(&train, 0), [(1, Some(10.0))]);
    assert_eq!(past(&train, 1), []);
    assert_eq!(past(&eval, 0), [(1, Some(10.0)), (3, Some(30.0))]);
    assert_eq!(past(&eval, 1), [], "a new store has an empty past, which is no missing one");
    assert_eq!(past(&eval, 2), [(1, Some(10.0)), (3, Some(30.0)), (4, Some(40.0)), (5, None)]);
    assert_eq!((past(&train, 4), past(&eval, 3)), (vec![], vec![]), "without an entity or a time there is no past");
    assert_eq!(train.column_by_name("past_sales").unwrap().null_count(), 0);
}

#[test]
fn length_rows_and_horizon_bound_a_past() {
    let days: Vec<Sale> = (0..10).map(|day| (Some("a"), Some(day), Some(day as f64))).collect();
    let rows = table(&days);
    let last = |params: &Value| {
        let (with_past, _) = joined(&rows, &rows.slice(0, 0), params);
        past(&with_past, 9).iter().map(|(day, _)| *day).collect::<Vec<_>>()
    };
    assert_eq!(last(&json!({ "length": "3d" })), [6, 7, 8]);
    assert_eq!(last(&json!({ "rows_max": 2 })), [7, 8]);
    assert_eq!(last(&json!({ "horizon": "4d" })), [0, 1, 2, 3, 4, 5]);
    assert_eq!(last(&json!({ "horizon": "4d", "length": "6d", "rows_max": 2 })), [4, 5]);
}

#[test]
fn lags_and_windows_are_those_of_pandas() {
    // pandas 3.1.1: s = pd.Series([3, 1, 4, 1, 5, 9, 2, 6], index=pd.date_range("2024-01-01", periods=8))
    // s.shift(2); s.shift(3); s.shift(2).rolling(3, min_periods=1).mean(), .std(ddof=0), .max(), .sum()
    let sales = [3.0, 1.0, 4.0, 1.0, 5.0, 9.0, 2.0, 6.0];
    let rows: Vec<Sale> =
        sales.iter().enumerate().map(|(day, sale)| (Some("a"), Some(day as i64), Some(*sale))).collect();
    let (rows, _) = joined(&table(&rows), &table(&[]), &json!({}));
    let feature = |steps: Value| json!({ "history": "sales", "steps": steps });
    let window = |take: &str| feature(json!({ "window": { "length": "3d", "take": take } }));
    let features = json!({
        "lag_2d": feature(json!({ "lag": "2d" })),
        "second": feature(json!({ "lag": 2 })),
        "mean": window("mean"),
        "std": window("std_dev"),
        "max": window("max"),
        "sum": window("sum"),
        "count": window("count"),
    });
    let columns = values(&fit_on(&rows, "2d", &features).unwrap(), &rows);
    let nan = f64::NAN;
    let expected: [[f64; 8]; 7] = [
        [nan, nan, 3.0, 1.0, 4.0, 1.0, 5.0, 9.0],
        [nan, nan, nan, 3.0, 1.0, 4.0, 1.0, 5.0],
        [nan, nan, 3.0, 2.0, 2.666_666_666_666_666_5, 2.0, 3.333_333_333_333_333_5, 5.0],
        [
            nan,
            nan,
            0.0,
            1.0,
            1.247_219_128_924_647,
            std::f64::consts::SQRT_2,
            1.699_673_171_197_594_6,
            3.265_986_323_710_904,
        ],
        [nan, nan, 3.0, 3.0, 4.0, 4.0, 5.0, 9.0],
        [nan, nan, 3.0, 4.0, 8.0, 6.0, 10.0, 15.0],
        [0.0, 0.0, 1.0, 2.0, 3.0, 3.0, 3.0, 3.0],
    ];
    for (got, expected) in columns.iter().zip(expected) {
        for (got, expected) in got.iter().zip(expected) {
            assert!((got - expected).abs() < 1e-14 || (got.is_nan() && expected.is_nan()), "{got} is not {expected}");
        }
    }
}

#[test]
fn steps_after_a_window_are_fitted_on_its_numbers() {
    let rows: Vec<Sale> = (0..5).map(|day| (Some("a"), Some(day), Some(day as f64 * 2.0))).collect();
    let (rows, _) = joined(&table(&rows), &table(&[]), &json!({}));
    let feature = json!({ "x": { "history": "sales", "steps": [ { "lag": "1d" }, "z_score" ] } });
    let columns = values(&fit_on(&rows, "1d", &feature).unwrap(), &rows);
    // Of the lags 0, 2, 4, 6: mean 3, deviation √5.
    assert!(columns[0][0].is_nan());
    assert!((columns[0][4] - 3.0 / 5_f64.sqrt()).abs() < 1e-15);
}

#[test]
fn what_lies_within_the_horizon_is_refused_before_anything_runs() {
    let issues = |features: Value| {
        let params = json!({
            "label": { "column": "sales", "horizon": "2w" },
            "history": { "time": "date" },
            "features": features,
        });
        let issues = TransformConfig::from_params(&params).unwrap_err();
        (issues[0].path.join("."), issues[0].message.clone())
    };
    let (path, message) = issues(json!({ "x": { "history": "sales", "steps": { "lag": "1w" } } }));
    assert_eq!(path, "features.x.steps");
    assert_eq!(
        message,
        "a value 1w old is not known yet when predicting: the label's horizon is 2w, and the window begins within it"
    );
    let window = json!({ "window": { "from": "13d", "length": "8w", "take": "mean" } });
    let (path, _) = issues(json!({ "x": { "history": "sales", "steps": [window, "z_score"] } }));
    assert_eq!(path, "features.x.steps.0");
    let (path, message) = issues(json!({ "x": { "history": "sales", "steps": { "lag": "2 weeks" } } }));
    assert_eq!(path, "features.x.steps.lag");
    assert_eq!(message, "`2 weeks` is no span of time; write `90s`, `15m`, `36h`, `14d` or `2w`");
    let (_, message) = issues(json!({ "x": { "history": "sales", "steps": "z_score" } }));
    assert_eq!(message, "the steps do not fit together: `z_score` does not apply to a history");

    let rows = table(&[(Some("a"), Some(1), Some(1.0)), (Some("a"), Some(2), Some(2.0))]);
    let error = fit_on(&rows, "1d", &json!({ "x": { "history": "sales", "steps": { "lag": 1 } } })).unwrap_err();
    assert_eq!(error.to_string(), "feature `x` needs the history `past_date`, which the data does not have");
}

proptest! {
    /// What is younger than the horizon, or of another store, says nothing to a row's features.
    #[test]
    fn no_feature_sees_what_is_not_known_yet(
        sales in prop::collection::vec((prop::sample::select(vec!["a", "b"]), 0_i64..30, 0.0..100.0), 2..40),
        changed in prop::collection::vec(0.0..100.0, 40),
        horizon in 1_i64..6,
        at in any::<prop::sample::Index>(),
    ) {
        let at = at.index(sales.len());
        let (store, day, _) = sales[at];
        let rows = |changed: Option<&[f64]>| {
            let row = |(number, (other, then, value)): (usize, &(&'static str, i64, f64))| {
                let is_known = *other == store && day - then >= horizon;
                let value = changed.filter(|_| !is_known).map_or(*value, |changed| changed[number]);
                (Some(*other), Some(*then), Some(value))
            };
            let rows: Vec<Sale> = sales.iter().enumerate().map(row).collect();
            joined(&table(&rows), &table(&[]), &json!({ "rows_max": 8 })).0
        };
        let (before, after) = (rows(None), rows(Some(&changed)));
        let feature = |steps: Value| json!({ "history": "sales", "steps": steps });
        let features = json!({
            "lag": feature(json!({ "lag": format!("{horizon}d") })),
            "third": feature(json!({ "lag": 3 })),
            "mean": feature(json!({ "window": { "length": "9d", "take": "mean" } })),
        });
        let label_varies = |rows: &RecordBatch| {
            let sales = rows.column_by_name("sales").unwrap().as_primitive::<Float64Type>().clone();
            sales.values().iter().any(|value| *value != sales.value(0))
        };
        prop_assume!(label_varies(&before));
        let fitted = fit_on(&before, &format!("{horizon}d"), &features).unwrap();
        for (a, b) in values(&fitted, &before).iter().zip(values(&fitted, &after)) {
            prop_assert_eq!(a[at].to_bits(), b[at].to_bits());
        }
    }
}

#[test]
fn a_forecast_refuses_what_is_not_known_yet() {
    let told = |features: Value, more: &Value| {
        let mut params = json!({
            "label": "sales",
            "forecast": { "time": "date", "horizon": "7d", "key": "store", "known_ahead": ["price"] },
            "features": features,
        });
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let issues = TransformConfig::from_params(&params).err().unwrap_or_default();
        issues
            .into_iter()
            .map(|issue| format!("{}: {}; {}", issue.path.join("."), issue.message, issue.hint.unwrap_or_default()))
            .collect::<Vec<_>>()
    };
    let none = json!({});
    let fine = json!({
        "price": "numeric",
        "store": "categorical",
        "weekday": { "from": "date", "steps": [{ "date_part": "day_of_week" }, "categorical"] },
        "last_week": { "history": "sales", "steps": { "lag": "7d" } },
        "mean": { "history": "sales", "steps": { "window": { "length": "28d", "take": "mean" } } },
    });
    assert_eq!(told(fine, &none), Vec::<String>::new());
    let found = told(json!({ "weather": "numeric" }), &none);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("features.weather: `weather` is not known 7d ahead")
            && found[0].contains("`{ history: weather, steps: { lag: 7d } }`")
            && found[0].contains("`known_ahead`"),
        "{found:?}"
    );
    let found = told(json!({ "ratio": { "expression": "price / footfall" } }), &none);
    assert!(found[0].contains("`footfall` is not known 7d ahead"), "{found:?}");
    let found = told(json!({ "yesterday": { "history": "sales", "steps": { "lag": "1d" } } }), &none);
    assert!(found[0].contains("the label's horizon is 1w") && found[0].contains("begins within it"), "{found:?}");
    let found = told(json!("auto"), &none);
    assert!(found[0].contains("may not be known 7d ahead"), "{found:?}");
    let price = json!({ "price": "numeric" });
    let found = told(price.clone(), &json!({ "label": { "column": "sales", "horizon": "1d" } }));
    assert!(
        found[0].starts_with("label.horizon: the label's horizon is `1d`, and that of the forecast `7d`"),
        "{found:?}"
    );
    let found = told(price.clone(), &json!({ "history": { "time": "day" } }));
    assert!(found[0].starts_with("history.time: the time of a row is `day` here, and `date`"), "{found:?}");
    let found = told(price, &json!({ "forecast": { "time": "date", "horizon": "soon" } }));
    assert!(found[0].starts_with("forecast.horizon: `soon` is no span of time"), "{found:?}");
}
