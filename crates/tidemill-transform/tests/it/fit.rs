//! Fitted constants against `NumPy`, and the laws of fitting.

use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use proptest::prelude::*;
use serde_json::{Value, json};
use tidemill_core::{Code, Coded as _, Feature, FeatureType, NoProgress, Presence, Schema};
use tidemill_model::{Keys, Mapper, Scalar, steps};
use tidemill_transform::{FitOptions, Fitted, MemoryRows, TransformConfig, TransformError, fit};

const NAN: f64 = f64::NAN;

fn table(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn trips() -> RecordBatch {
    table(vec![
        ("fare", Arc::new(Float64Array::from(vec![12.45, 0.0, 7.05, 31.25, 5.65, 9.0, 4.25, 80.5]))),
        (
            "seconds",
            Arc::new(Int64Array::from(vec![
                Some(0),
                None,
                Some(540),
                Some(1500),
                None,
                Some(600),
                Some(240),
                Some(3600),
            ])),
        ),
        (
            "miles",
            Arc::new(Float64Array::from(vec![
                Some(0.0),
                Some(1.5),
                None,
                Some(9.2),
                Some(f64::INFINITY),
                Some(1.5),
                Some(0.8),
                Some(NAN),
            ])),
        ),
        (
            "payment",
            Arc::new(StringArray::from(vec![
                Some("Card"),
                Some("Cash"),
                Some("Cash"),
                Some("Card"),
                None,
                Some("Other"),
                Some("No Charge"),
                None,
            ])),
        ),
        ("hour", Arc::new(Int64Array::from(vec![19, 19, 5, 0, 23, 5, 9, 10]))),
        (
            "shared",
            Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), None, Some(true), None, None, None])),
        ),
        ("empty", Arc::new(Float64Array::from(vec![None::<f64>; 8]))),
        ("constant", Arc::new(Float64Array::from(vec![0.1; 8]))),
        ("tips", Arc::new(Float64Array::from(vec![0.0, 0.0, 2.0, 8.0, 0.0, 0.0, 1.0, 0.0]))),
    ])
}

fn source(train: Vec<RecordBatch>) -> MemoryRows {
    MemoryRows::new(trips().schema(), vec![("train".into(), train), ("eval".into(), vec![trips().slice(1, 3)])])
}

fn params(features: Value) -> Value {
    json!({ "label": { "name": "big_tip", "expression": "tips > fare * 0.2" }, "features": features })
}

fn run_on(
    rows: &MemoryRows,
    params: &Value,
    threads: usize,
    schema: Option<&Schema>,
) -> Result<Fitted, TransformError> {
    let config = TransformConfig::from_params(params).unwrap_or_else(|issues| panic!("{issues:?}"));
    fit(&config, rows, &FitOptions { split: "train", threads, progress: &NoProgress, cancel: None, schema })
}

fn run(features: Value) -> Result<Fitted, TransformError> {
    run_on(&source(vec![trips()]), &params(features), 2, None)
}

/// The nodes of the feature `x` over `column`.
fn nodes(column: &str, steps: Value) -> Vec<Mapper> {
    let fitted = run(json!({ "x": { "from": column, "steps": steps } })).unwrap();
    fitted.graph.definitions()[0].mappers.clone()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-14 * b.abs().max(1.0)
}

/// Expected numbers by `NumPy` 2.4 on the arrays above: `np.mean`, `np.std` (divided by n), `np.median`.
#[test]
fn constants_are_those_of_numpy() {
    let [Mapper::ZScore(steps::ZScore { mean, std_dev })] = nodes("fare", json!("z_score"))[..] else { panic!() };
    assert!(close(mean, 18.768_75) && close(std_dev, 24.935_854_425_655_84), "{mean} {std_dev}");
    // Infinite and missing values do not count.
    let [Mapper::ZScore(steps::ZScore { mean, std_dev })] = nodes("miles", json!("z_score"))[..] else { panic!() };
    assert!(close(mean, 2.6) && close(std_dev, 3.346_042_438_463_684_7), "{mean} {std_dev}");
    assert_eq!(
        nodes("seconds", json!({ "impute": "median" })),
        [Mapper::Impute(steps::Impute { value: Scalar::Float(570.0) })]
    );
    assert_eq!(
        nodes("seconds", json!({ "impute": "mean" })),
        [Mapper::Impute(steps::Impute { value: Scalar::Float(1080.0) })]
    );
    let [Mapper::MinMax(steps::MinMax { min, max, .. })] = nodes("fare", json!("min_max"))[..] else { panic!() };
    assert_eq!((min, max), (0.0, 80.5));
    assert_eq!(
        nodes("fare", json!({ "bucketize": 4 })),
        [Mapper::Bucketize(steps::Bucketize { boundaries: vec![5.65, 9.0, 31.25] })]
    );
    let clip = nodes("fare", json!({ "clip": { "quantiles": [0.25, 1] } }));
    assert_eq!(clip, [Mapper::Clip(steps::Clip { min: Some(5.65), max: Some(80.5) })]);
}

#[test]
fn a_step_after_imputation_is_fitted_on_imputed_values() {
    let fitted = run(json!({ "seconds": [{ "impute": "median" }, "z_score"] })).unwrap();
    assert_eq!(fitted.scans, 2);
    // np.mean and np.std of [0, 570, 540, 1500, 570, 600, 240, 3600]
    let [_, Mapper::ZScore(steps::ZScore { mean, std_dev })] = fitted.graph.definitions()[0].mappers[..] else {
        panic!()
    };
    assert!(close(mean, 952.5) && close(std_dev, 1_078.827_488_526_316_8), "{mean} {std_dev}");
    let three =
        run(json!({ "seconds": [{ "impute": "mean" }, "log1p", { "clip": { "quantiles": [0, 0.9] } }, "z_score"] }));
    assert_eq!(three.unwrap().scans, 3);
    assert_eq!(
        run(json!({ "fare": "z_score", "miles": { "bucketize": 3 }, "payment": "vocabulary" })).unwrap().scans,
        1
    );
}

#[test]
fn vocabularies_are_ordered_and_cut() {
    let strings = |values: &[&str]| Keys::Strings(values.iter().map(ToString::to_string).collect());
    let vocabulary = |params: Value| match nodes("payment", json!({ "vocabulary": params })).remove(0) {
        Mapper::Vocabulary(steps::Vocabulary { values, .. }) => values,
        other => panic!("{other:?}"),
    };
    assert_eq!(vocabulary(json!({})), strings(&["Cash", "Card", "Other", "No Charge"]));
    assert_eq!(vocabulary(json!({ "top_k": 3 })), strings(&["Cash", "Card", "Other"]));
    assert_eq!(vocabulary(json!({ "frequency_threshold": 2 })), strings(&["Cash", "Card"]));
    let imputed = nodes("payment", json!([{ "impute": { "value": "None" } }, "vocabulary"]));
    let values = strings(&["None", "Cash", "Card", "Other", "No Charge"]);
    assert_eq!(imputed[1], Mapper::Vocabulary(steps::Vocabulary { values, oov_buckets: 0 }));
    let frequent =
        nodes("payment", json!([{ "impute": "most_frequent" }, { "vocabulary": { "frequency_threshold": 3 } }]));
    assert_eq!(frequent[0], Mapper::Impute(steps::Impute { value: Scalar::Text("Cash".into()) }));
    assert_eq!(frequent[1], Mapper::Vocabulary(steps::Vocabulary { values: strings(&["Cash"]), oov_buckets: 0 }));
    assert_eq!(
        nodes("hour", json!("categorical")),
        [Mapper::Categorical(steps::Categorical { values: Some(Keys::Integers(vec![0, 5, 9, 10, 19, 23])) })]
    );
    assert_eq!(
        nodes("shared", json!([{ "impute": "most_frequent" }, "categorical"])),
        [
            Mapper::Impute(steps::Impute { value: Scalar::Bool(true) }),
            Mapper::Categorical(steps::Categorical { values: None })
        ]
    );
    assert_eq!(
        nodes("miles", json!({ "impute": "most_frequent" })),
        [Mapper::Impute(steps::Impute { value: Scalar::Float(1.5) })]
    );
}

#[test]
fn columns_without_values_warn_or_refuse() {
    let fitted = run(
        json!({ "empty": "z_score", "constant": "z_score", "e2": { "from": "empty", "steps": { "bucketize": 3 } } }),
    )
    .unwrap();
    assert_eq!(fitted.graph.definitions()[0].mappers, [Mapper::ZScore(steps::ZScore { mean: 0.0, std_dev: 0.0 })]);
    assert_eq!(fitted.graph.definitions()[1].mappers, [Mapper::ZScore(steps::ZScore { mean: 0.1, std_dev: 0.0 })]);
    assert_eq!(
        fitted.warnings,
        [
            "feature `empty`: column `empty` has no value in the train split",
            "feature `constant`: column `constant` never varies in the train split",
            "feature `e2`: column `empty` has no value in the train split",
        ]
    );
    let error = run(json!({ "empty": { "impute": "mean" } })).unwrap_err();
    assert!(error.to_string().contains("column `empty` has no value"), "{error}");
}

#[test]
fn inputs_are_optional_where_values_were_missing_or_are_imputed() {
    let features = json!({ "fare": "z_score", "miles": "z_score", "hour": [{ "impute": 0 }, "categorical"], "m2": { "from": "miles", "steps": "log1p" } });
    let optional = |schema: Option<&Schema>| -> Vec<(String, bool)> {
        let fitted = run_on(&source(vec![trips()]), &params(features.clone()), 1, schema).unwrap();
        fitted.graph.inputs().iter().map(|input| (input.name.clone(), input.optional)).collect()
    };
    let expected = |fare| vec![("fare".to_owned(), fare), ("miles".to_owned(), true), ("hour".to_owned(), true)];
    assert_eq!(optional(None), expected(false));
    let schema = |min_fraction, not_in_environment: &[&str]| {
        let feature = Feature {
            presence: Presence { min_fraction, ..Presence::default() },
            not_in_environment: not_in_environment.iter().map(ToString::to_string).collect(),
            ..Feature::new(FeatureType::Float)
        };
        Schema { features: [("fare".to_owned(), feature)].into(), ..Schema::default() }
    };
    assert_eq!(optional(Some(&schema(Some(1.0), &[]))), expected(false));
    assert_eq!(optional(Some(&schema(Some(0.9), &[]))), expected(true));
    let training_only = schema(None, &["SERVING"]);
    let error = run_on(&source(vec![trips()]), &params(features), 1, Some(&training_only)).unwrap_err();
    assert!(error.to_string().contains("does not expect in the environment SERVING"), "{error}");
}

#[test]
fn what_does_not_fit_the_columns_is_named() {
    let message = |features: Value| {
        let error = run(features).unwrap_err();
        (error.to_string(), error.code(), error.hint())
    };
    let (text, code, hint) = message(json!({ "payment": "z_score" }));
    assert_eq!(text, "feature `payment`, column `payment` (BYTES): `z_score` does not apply to text");
    assert_eq!(
        (code, hint.as_deref()),
        (
            Code::TransformGraph,
            Some(
                "text needs `vocabulary`, `categorical`, `one_hot`, `hash_buckets` or `target_encode`, or is cut by `tokenize` first"
            )
        )
    );
    assert!(message(json!({ "payment": "numeric" })).0.contains("text is not numeric"));
    assert!(message(json!({ "fare": "categorical" })).0.contains("`categorical` does not apply to numbers"));
    let (text, code, hint) = message(json!({ "millage": { "from": "mile", "steps": "log" } }));
    assert_eq!(text, "feature `millage` needs column `mile`, which the data does not have");
    assert_eq!((code, hint.as_deref()), (Code::ColumnNotFound, Some("did you mean `miles`?")));
}

#[test]
fn bad_labels_name_split_and_row() {
    let label = |expression: &str| {
        let params = json!({ "label": { "name": "y", "expression": expression }, "features": { "hour": "numeric" } });
        let fitted = run_on(&source(vec![trips().slice(0, 5), trips().slice(5, 3)]), &params, 2, None);
        fitted.map(|fitted| fitted.labels).map_err(|error| (error.to_string(), error.code()))
    };
    let summary = label("tips > fare * 0.2").unwrap();
    assert_eq!((summary[0].split.as_str(), summary[0].rows, summary[0].mean), ("train", 8, 0.375));
    assert_eq!((summary[1].split.as_str(), summary[1].rows, summary[1].is_binary), ("eval", 3, true));
    assert!(!label("fare").unwrap()[0].is_binary);
    assert_eq!(
        label("miles > 1").unwrap_err(),
        ("label `y` is missing in 2 of 8 rows of split `train`, first in row 2".into(), Code::LabelMissing)
    );
    assert_eq!(
        label("tips >= 0").unwrap_err(),
        ("label `y` is 1 in all 8 rows of split `train`".into(), Code::LabelConstant)
    );
    assert_eq!(
        label("fare > 80").unwrap_err(),
        ("label `y` is 0 in all 3 rows of split `eval`".into(), Code::LabelConstant)
    );
    assert_eq!(
        label("coalesce(miles, 0)").unwrap_err(),
        ("label `y` is inf in row 4 of split `train`".into(), Code::LabelValues)
    );
    // Text names classes, and has no mean.
    let summary = label("coalesce(payment, 'none')").unwrap();
    assert!(summary[0].mean.is_nan() && !summary[0].is_binary);
    let (message, code) = label("tip > 1").unwrap_err();
    assert!(message.starts_with("label `y`: there is no column `tip` at column 1"), "{message}");
    assert_eq!(code, Code::ColumnNotFound);
}

#[test]
fn without_a_train_split_nothing_is_fitted() {
    let rows = MemoryRows::new(trips().schema(), vec![("a".into(), vec![trips()]), ("b".into(), Vec::new())]);
    let error = run_on(&rows, &params(json!({ "hour": "numeric" })), 1, None).unwrap_err();
    assert_eq!(error.to_string(), "the examples have no split `train` to fit on; they have `a`, `b`");
}

fn every_step() -> Value {
    params(json!({
        "fare": "z_score",
        "seconds": [{ "impute": "median" }, { "clip": { "quantiles": [0.1, 0.9] } }, "log1p", "z_score"],
        "miles": [{ "impute": "mean" }, "min_max"],
        "buckets": { "from": "miles", "steps": [{ "bucketize": 3 }, "categorical"] },
        "payment": [{ "impute": "most_frequent" }, { "vocabulary": { "top_k": 3, "oov_buckets": 2 } }],
        "hour": "categorical",
        "frequent": { "from": "hour", "steps": [{ "impute": "most_frequent" }, { "vocabulary": { "frequency_threshold": 2 } }] },
        "shared": { "impute": "most_frequent" },
    }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn neither_threads_nor_batches_change_the_graph(
        order in Just((0..8usize).collect::<Vec<_>>()).prop_shuffle(),
        cuts in prop::collection::vec(0..9usize, 0..4),
        threads in 1..5usize,
    ) {
        let all = arrow::compute::concat_batches(&trips().schema(), &order.iter().map(|row| trips().slice(*row, 1)).collect::<Vec<_>>()).unwrap();
        let mut edges = cuts;
        edges.extend([0, 8]);
        edges.sort_unstable();
        let parts = edges.windows(2).filter(|w| w[0] < w[1]).map(|w| all.slice(w[0], w[1] - w[0])).collect();
        let one = run_on(&source(vec![all]), &every_step(), 1, None).unwrap();
        let other = run_on(&source(parts), &every_step(), threads, None).unwrap();
        prop_assert_eq!(serde_json::to_string(&one.graph).unwrap(), serde_json::to_string(&other.graph).unwrap());
        prop_assert_eq!(one.warnings, other.warnings);
    }
}

/// 240 rows of a table as people have it.
fn customers() -> RecordBatch {
    let rows = 0..240_i64;
    let text =
        |of: &dyn Fn(i64) -> Option<String>| -> ArrayRef { Arc::new(rows.clone().map(of).collect::<StringArray>()) };
    let whole = |of: &dyn Fn(i64) -> i64| -> ArrayRef { Arc::new(rows.clone().map(of).collect::<Int64Array>()) };
    let real = |of: &dyn Fn(i64) -> f64| -> ArrayRef { Arc::new(rows.clone().map(of).collect::<Float64Array>()) };
    let churned = |i: i64| i * 7 % 10 < 3;
    table(vec![
        ("customer_id", whole(&|i| 1000 + i)),
        ("email", text(&|i| Some(format!("user{i}@example.com")))),
        ("mean spend", real(&|i| (i * 13 % 97) as f64)),
        ("mean visits", whole(&|i| i * 31 % 17)),
        ("plan", text(&|i| (i % 11 > 0).then(|| ["basic", "plus", "pro"][(i % 3) as usize].to_owned()))),
        ("city", text(&|i| Some(format!("city {}", i * 7 % 60)))),
        ("joined", text(&|i| Some(format!("2023-{:02}-{:02}", i % 12 + 1, i % 28 + 1)))),
        ("country", text(&|_| Some("CH".to_owned()))),
        ("about", text(&|i| Some(format!("a note of some words that nobody wrote twice, number {i}")))),
        ("active", Arc::new(rows.clone().map(|i| Some(i % 5 > 1)).collect::<BooleanArray>())),
        ("outcome", text(&|i| Some(if churned(i) { "left" } else { "stayed" }.to_owned()))),
        ("churned", Arc::new(rows.clone().map(|i| Some(churned(i))).collect::<BooleanArray>())),
    ])
}

fn run_auto(features: Value) -> Result<Fitted, TransformError> {
    let rows = MemoryRows::new(customers().schema(), vec![("train".into(), vec![customers()])]);
    run_on(&rows, &json!({ "label": "churned", "features": features }), 2, None)
}

fn left_out(fitted: &Fitted) -> Vec<(&str, &str)> {
    let of = fitted.choices.iter().filter(|choice| !choice.used);
    of.map(|choice| (choice.column.as_str(), choice.why.as_str())).collect()
}

fn names(fitted: &Fitted) -> Vec<&str> {
    fitted.graph.definitions().iter().map(|feature| feature.name.as_str()).collect()
}

#[test]
fn auto_takes_what_helps_and_says_why_it_leaves_the_rest() {
    let fitted = run_auto(json!("auto")).unwrap();
    let expected =
        ["mean spend", "mean visits", "plan", "city", "joined_month", "joined_day", "joined_day_of_week", "active"];
    assert_eq!(names(&fitted), expected);
    let reasons = left_out(&fitted);
    let reason = |column: &str| reasons.iter().find(|(name, _)| *name == column).map(|(_, why)| *why).unwrap();
    assert!(reason("customer_id").contains("identifier"), "{reasons:?}");
    assert!(
        reason("email").contains("identifier: every value is different, such as `user0@example.com`"),
        "{reasons:?}"
    );
    assert_eq!(reason("country"), "it never varies");
    assert!(reason("about").contains("free text"), "{reasons:?}");
    assert_eq!(reason("outcome"), "it is the label `churned` written in another way");
    assert_eq!(reason("churned"), "the label `churned` is about it");
    assert_eq!(reasons.len(), 6);
    // Text by its number of values.
    let of = |name: &str| &fitted.graph.definitions()[names(&fitted).iter().position(|other| *other == name).unwrap()];
    assert_eq!(of("plan").mappers.last(), Some(&Mapper::OneHot));
    assert!(matches!(of("city").mappers[..], [Mapper::Vocabulary(_)]));
    // The same again, by other batches.
    let parts = vec![customers().slice(0, 100), customers().slice(100, 140)];
    let rows = MemoryRows::new(customers().schema(), vec![("train".into(), parts)]);
    let again = run_on(&rows, &json!({ "label": "churned", "features": "auto" }), 1, None).unwrap();
    assert_eq!((again.graph, again.choices), (fitted.graph, fitted.choices));
}

#[test]
fn auto_keeps_to_what_the_file_says() {
    let fitted = run_auto(json!({
        "spend": { "from": "mean spend", "steps": "log1p" },
        "auto": { "except": ["mean *", "city"], "text": "frequency", "date": { "days_since": "2023-01-01" } },
        "mean *": "z_score",
        "plan": "categorical",
    }))
    .unwrap();
    assert_eq!(names(&fitted), ["spend", "joined", "active", "mean spend", "mean visits", "plan"]);
    let reasons = left_out(&fitted);
    assert!(reasons.contains(&("city", "`except` names `city`")), "{reasons:?}");
    // 2023-01-01 is day 0.
    let days = &fitted.graph.definitions()[1].mappers;
    assert_eq!(days[..], [Mapper::DaysSince(steps::DaysSince { origin_seconds: 1_672_531_200.0 })]);
    assert!(matches!(fitted.graph.definitions()[4].mappers[..], [Mapper::ZScore(_)]));

    // Columns that are named are taken even if they look useless.
    let fitted = run_auto(json!(["customer_id", "mean *"])).unwrap();
    assert_eq!(names(&fitted), ["customer_id", "mean spend", "mean visits"]);
}

#[test]
fn names_that_no_column_has_are_refused() {
    let error = run_auto(json!({ "maen *": "numeric" })).unwrap_err();
    assert_eq!(error.to_string(), "no column is called `maen *`");
    assert_eq!(error.place(), ["features", "maen *"]);
    let error = run_auto(json!({ "auto": { "except": ["plam"] } })).unwrap_err();
    assert_eq!((error.code(), error.hint().as_deref()), (Code::ColumnNotFound, Some("did you mean `plan`?")));
    assert_eq!(error.place(), ["features", "auto", "except", "0"]);
    let error = run_auto(json!({ "auto": { "only": ["country", "email"], "except": ["*"] } })).unwrap_err();
    assert_eq!(error.to_string(), "no feature was chosen: all 2 columns were left out");
}

#[test]
fn dates_in_another_format_are_counted() {
    let dates = ["2024-01-31", "31.01.2024", "2/29/2024", "01-02-2024", "2024/02/01 12:30"];
    let batch = table(vec![
        ("started", Arc::new(StringArray::from(dates.to_vec()))),
        ("y", Arc::new(Float64Array::from(vec![0.0, 1.0, 2.0, 3.0, 4.0]))),
    ]);
    let rows = MemoryRows::new(batch.schema(), vec![("train".into(), vec![batch.slice(0, 2), batch.slice(2, 3)])]);
    let features = json!({
        "month": { "from": "started", "steps": ["strip", { "date_part": "month" }] },
        "day": { "from": "started", "steps": { "date_part": "day" } },
    });
    let fitted = run_on(&rows, &json!({ "label": "y", "features": features }), 1, None).unwrap();
    let [warning] = &fitted.warnings[..] else { panic!("{:?}", fitted.warnings) };
    assert!(
        warning.starts_with(
            "feature `month`: 2 of 5 values of column `started` in the train split are not dates, such as `31.01.2024`"
        ),
        "{warning}"
    );
}

#[test]
fn a_label_that_never_varies_shows_the_values_of_its_columns() {
    let rows = MemoryRows::new(customers().schema(), vec![("train".into(), vec![customers()])]);
    let params = json!({
        "label": { "name": "gone", "expression": "outcome = 'Left'" },
        "features": { "mean spend": "numeric" },
    });
    let error = run_on(&rows, &params, 1, None).unwrap_err();
    assert_eq!(error.to_string(), "label `gone` is 0 in all 240 rows of split `train`");
    assert_eq!(error.hint().as_deref(), Some("column `outcome` has 'stayed' (168), 'left' (72)"));
}
