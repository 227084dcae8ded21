//! Rows of requests: what is taken, what is refused and how.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Float64Type, Int64Type};
use serde_json::{Value, json};
use tidemill_core::{Code, Coded as _};
use tidemill_model::{Model, ModelError};

fn model() -> Model {
    let dir = tempfile::tempdir().unwrap();
    crate::common::write(dir.path());
    Model::load(dir.path()).unwrap()
}

fn refused(row: Value) -> (String, Code, Option<String>) {
    let good = json!({ "trip_miles": 1.5 });
    let error = model().batch_from_rows(&[good, row]).unwrap_err();
    (error.to_string(), error.code(), error.hint())
}

#[test]
fn rows_become_columns_in_the_order_of_the_signature() {
    let rows = [
        json!({ "payment_type": "Cash", "trip_miles": 3, "trip_seconds": 60 }),
        json!({ "trip_seconds": null, "trip_miles": -0.5 }),
        json!({ "trip_miles": "-Infinity" }),
    ];
    let batch = model().batch_from_rows(&rows).unwrap();
    let names: Vec<String> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(names, ["trip_miles", "trip_seconds", "payment_type"]);
    assert_eq!(batch.column(0).as_primitive::<Float64Type>().values(), &[3.0, -0.5, f64::NEG_INFINITY]);
    assert_eq!(batch.column(1).as_primitive::<Int64Type>().iter().collect::<Vec<_>>(), [Some(60), None, None]);
    assert_eq!(batch.column(2).as_string::<i32>().iter().collect::<Vec<_>>(), [Some("Cash"), None, None]);
    assert_eq!(model().predict_values(&batch).unwrap().len(), 3);
    assert_eq!(model().batch_from_rows(&[]).unwrap().num_rows(), 0);
    assert!(model().predict_values(&model().batch_from_rows(&[]).unwrap()).unwrap().is_empty());
}

#[test]
fn a_missing_feature_is_named() {
    for row in [json!({}), json!({ "trip_miles": null }), json!({ "trip_miles": "NaN" })] {
        let (message, code, _) = refused(row);
        assert_eq!((message.as_str(), code), ("row 1 lacks the feature `trip_miles` (FP64)", Code::InputMissing));
    }
}

#[test]
fn an_unknown_feature_is_named_with_the_nearest() {
    let (message, code, hint) = refused(json!({ "trip_miles": 1, "payment_typ": "Cash" }));
    assert_eq!(message, "row 1 has the feature `payment_typ`, which the model does not know");
    assert_eq!((code, hint.as_deref()), (Code::InputUnknown, Some("did you mean `payment_type`?")));
}

#[test]
fn a_value_of_the_wrong_type_is_named_with_both_types() {
    for (row, message) in [
        (json!({ "trip_miles": "far" }), "row 1, feature `trip_miles`: FP64 is expected, and text `far` was given"),
        (json!({ "trip_miles": true }), "row 1, feature `trip_miles`: FP64 is expected, and true was given"),
        (json!({ "trip_miles": [1.0] }), "row 1, feature `trip_miles`: FP64 is expected, and a list was given"),
        (
            json!({ "trip_miles": 1, "trip_seconds": 1.5 }),
            "row 1, feature `trip_seconds`: INT64 is expected, and 1.5 was given",
        ),
        (
            json!({ "trip_miles": 1, "trip_seconds": 1.0 }),
            "row 1, feature `trip_seconds`: INT64 is expected, and 1.0 was given",
        ),
        (
            json!({ "trip_miles": 1, "trip_seconds": u64::MAX }),
            "row 1, feature `trip_seconds`: INT64 is expected, and 1.8446744073709552e19 was given",
        ),
        (
            json!({ "trip_miles": 1, "trip_seconds": "NaN" }),
            "row 1, feature `trip_seconds`: INT64 is expected, and text `NaN` was given",
        ),
        (
            json!({ "trip_miles": 1, "payment_type": 7 }),
            "row 1, feature `payment_type`: BYTES is expected, and 7 was given",
        ),
        (
            json!({ "trip_miles": 1, "payment_type": {} }),
            "row 1, feature `payment_type`: BYTES is expected, and an object was given",
        ),
    ] {
        let (found, code, _) = refused(row);
        assert_eq!((found.as_str(), code), (message, Code::InputType));
    }
    assert_eq!(refused(json!([1, 2])).0, "row 1 is a list, and an object of features is expected");
}

#[test]
fn columns_can_be_pushed_one_by_one() {
    let model = model();
    let mut builder = model.batch_builder(2);
    let miles = builder.index("trip_miles").unwrap();
    let mut column = builder.column(miles).unwrap();
    column.push_float(1.5).unwrap();
    column.push_int(2).unwrap();
    assert!(column.push_null().is_err());
    assert!(builder.index("nothing").is_none() && builder.column(3).is_none());
    let batch = builder.finish(2).unwrap();
    // Columns never touched are missing, and the answer is that of the same rows as objects.
    assert_eq!(batch.column(1).null_count(), 2);
    let rows = model.batch_from_rows(&[json!({ "trip_miles": 1.5 }), json!({ "trip_miles": 2 })]).unwrap();
    assert_eq!(model.predict_values(&batch).unwrap(), model.predict_values(&rows).unwrap());
}

#[test]
fn columns_of_unequal_length_are_refused() {
    let model = model();
    let mut builder = model.batch_builder(2);
    builder.column(0).unwrap().push_int(1).unwrap();
    let error = builder.finish(2).unwrap_err();
    assert_eq!(error.to_string(), "feature `trip_miles` has 1 values, and 2 are expected");
    assert!(matches!(model.batch_builder(1).finish(1), Err(ModelError::InputMissing { .. })));
}

#[test]
fn extra_columns_and_any_order_are_fine_in_batches() {
    let model = model();
    let batch = crate::common::batch();
    let reversed: Vec<usize> = (0..batch.num_columns()).rev().collect();
    let other = batch.project(&reversed).unwrap();
    assert_eq!(model.predict_values(&batch).unwrap(), model.predict_values(&other).unwrap());
    let error = model.predict(&batch.project(&[0, 1]).unwrap()).unwrap_err();
    assert_eq!(error.code(), Code::ColumnNotFound);
}
