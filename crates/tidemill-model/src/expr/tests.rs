//! The language against SQLite's answers, its edges, and its errors.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use arrow::util::display::array_value_to_string;
use proptest::prelude::*;
use tidemill_core::Coded as _;

use super::*;

fn batch() -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("tips", Arc::new(Float64Array::from(vec![Some(2.0), Some(0.0), None, Some(f64::NAN)]))),
        ("fare", Arc::new(Float64Array::from(vec![Some(5.0), Some(0.0), Some(7.0), Some(1.0)]))),
        ("hour", Arc::new(Int64Array::from(vec![Some(23), Some(i64::MAX), Some(-4), None]))),
        ("company", Arc::new(StringArray::from(vec![Some("Ünï"), None, Some("it's"), Some("")]))),
        ("Shared Ride", Arc::new(BooleanArray::from(vec![Some(true), Some(false), None, Some(true)]))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true))).unwrap()
}

fn values(text: &str) -> ArrayRef {
    let batch = batch();
    let bound = Expression::parse(text).and_then(|e| e.bind(batch.schema_ref())).unwrap_or_else(|e| panic!("{e}"));
    let array = bound.evaluate(&batch).unwrap();
    assert_eq!(*array.data_type(), bound.datatype(), "{text}");
    assert_eq!(array.len(), batch.num_rows(), "{text}");
    array
}

fn shown(text: &str) -> Vec<String> {
    let array = values(text);
    let nulls = array.logical_nulls();
    let is_null = |row| nulls.as_ref().is_some_and(|nulls| nulls.is_null(row));
    (0..array.len())
        .map(|row| if is_null(row) { "null".into() } else { array_value_to_string(&array, row).unwrap() })
        .collect()
}

fn error(text: &str) -> ExpressionError {
    match Expression::parse(text) {
        Err(error) => error,
        Ok(parsed) => parsed.bind(batch().schema_ref()).expect_err(text),
    }
}

/// Recorded with Python's `sqlite3` (SQLite 3.40.1): `SELECT <expression>`; its 0 and 1 are written false and true
/// where our answer is a condition.
#[test]
fn answers_are_those_of_sqlite() {
    for (text, answer) in [
        ("null and false", "false"),
        ("null and true", "null"),
        ("null or true", "true"),
        ("null or false", "null"),
        ("not null", "null"),
        ("null = null", "null"),
        ("null <> 1", "null"),
        ("null is null", "true"),
        ("1 is not null", "true"),
        ("1 in (1, null)", "true"),
        ("2 in (1, null)", "null"),
        ("2 not in (1, null)", "null"),
        ("2 not in (1, 3)", "true"),
        ("null in (1)", "null"),
        ("1 between null and 0", "false"),
        ("1 between null and 2", "null"),
        ("1 not between 2 and null", "true"),
        ("3 between 1 and 5 and 1 = 2", "false"),
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("2 - 3 - 4", "-5"),
        ("-2 * -3", "6"),
        ("10 % 4", "2"),
        ("-7 % 3", "-1"),
        ("7 / 2.0", "3.5"),
        ("not 1 = 2 and 1 = 1", "true"),
        ("1 = 1 or 1 = 2 and 1 = 3", "true"),
        ("case when null then 1 else 2 end", "2"),
        ("case 2 when 1 then 'a' when 2 then 'b' end", "b"),
        ("case null when null then 1 else 0 end", "0"),
        ("coalesce(null, null, 3)", "3"),
        ("abs(-3)", "3"),
        ("lower('AbC')", "abc"),
        ("length('abc')", "3"),
        ("1 / 0", "null"),
        ("5 % 0", "null"),
        ("null + 1", "null"),
        ("'a' < 'b'", "true"),
        ("'it''s'", "it's"),
        ("round(2.5)", "3.0"),
        ("round(-2.5)", "-3.0"),
    ] {
        assert_eq!(shown(text)[0], answer, "{text}");
    }
}

#[test]
fn division_is_real_and_results_that_do_not_exist_are_null() {
    assert_eq!(shown("1 / 2")[0], "0.5");
    assert_eq!(shown("tips / fare"), ["0.4", "null", "null", "null"]);
    assert_eq!(shown("hour * 2"), ["46", "null", "-8", "null"]);
    assert_eq!(shown("ln(fare)")[1], "null");
    assert_eq!(shown("sqrt(hour)")[2], "null");
    assert_eq!(shown("-9223372036854775807 - 1")[0], "-9223372036854775808");
    assert_eq!(shown("(-9223372036854775807 - 1) % -1")[0], "0");
}

#[test]
fn columns_null_and_nan_alike_are_missing() {
    assert_eq!(shown("tips > fare * 0.2"), ["true", "false", "null", "null"]);
    assert_eq!(shown("tips is null"), ["false", "false", "true", "true"]);
    assert_eq!(shown("coalesce(tips, hour, 0)"), ["2.0", "0.0", "-4.0", "0.0"]);
    assert_eq!(shown("\"Shared Ride\" and hour > 0"), ["true", "false", "false", "null"]);
    assert_eq!(shown("length(company)"), ["3", "null", "4", "0"]);
    assert_eq!(shown("upper(company)")[0], "ÜNÏ");
    assert_eq!(shown("greatest(tips, null, 1)"), ["2.0", "1.0", "1.0", "1.0"]);
    assert_eq!(shown("least(hour, 5)"), ["5", "5", "-4", "5"]);
    assert_eq!(shown("case when hour > 0 then 'late' end"), ["late", "late", "null", "null"]);
    assert_eq!(shown("hour in (23, -4.0)"), ["true", "false", "true", "null"]);
    assert_eq!(shown("case hour when 23 then 1 else 0.5 end"), ["1.0", "0.5", "0.5", "0.5"]);
}

#[test]
fn large_whole_numbers_stay_exact() {
    let max = i64::MAX;
    assert_eq!(shown(&format!("hour = {max}"))[1], "true");
    assert_eq!(shown(&format!("hour - 1 = {max} - 1"))[1], "true");
    assert_eq!(values("hour").as_primitive::<Int64Type>().value(1), max);
    assert_eq!(values("exp(1)").as_primitive::<Float64Type>().value(0), std::f64::consts::E);
    assert_eq!(*values("null").data_type(), DataType::Null);
}

#[test]
fn columns_are_listed_once_in_order() {
    let parsed =
        Expression::parse("tips > fare * 0.2 and \"Shared Ride\" or tips in (fare, coalesce(hour, 0))").unwrap();
    assert_eq!(parsed.columns(), ["tips", "fare", "Shared Ride", "hour"]);
}

#[test]
fn errors_show_the_place() {
    let unknown = error("tips > fair * 0.2");
    assert_eq!(unknown.to_string(), "there is no column `fair` at column 8 of `tips > fair * 0.2`");
    assert_eq!(unknown.hint().as_deref(), Some("did you mean `fare`?"));
    assert_eq!(unknown.code().id(), "TM2009");
    assert_eq!(unknown.snippet(), "tips > fair * 0.2\n       ^^^^");

    let lines = error("tips >\n  fare *");
    assert_eq!(lines.line_column(), (2, 9));
    assert_eq!(
        lines.to_string(),
        "a value is expected, not the end of the expression at line 2, column 9 of the expression"
    );

    for (text, message, column) in [
        ("", "a value is expected, not the end of the expression", 1),
        ("tips > > 3", "a value is expected, not `>`", 8),
        ("tips fare", "an operator is expected, not `fare`", 6),
        ("(tips", "`)` is expected, not the end of the expression", 6),
        ("'open", "the quote is never closed", 1),
        ("tips # 2", "`#` has no meaning here", 6),
        ("1 < 2 < 3", "comparisons cannot be chained", 7),
        ("12abc", "`12abc` is not a number", 1),
        ("1e999", "`1e999` is not a number", 1),
        ("medain(tips)", "`medain` is not a function", 1),
        ("abs(1, 2)", "`abs` takes one argument, not 2", 1),
        ("coalesce()", "`coalesce` takes at least one argument, not 0", 1),
        ("tips in ()", "`in` needs at least one value", 9),
        ("tips + company", "`+` needs numbers, and this is text", 8),
        ("tips = 'x'", "`=` cannot compare a number with text", 1),
        ("tips and true", "`and` needs a condition here, and this is a number", 1),
        ("case when true then 1 else 'x' end", "`case` gives a whole number elsewhere and text here", 28),
        ("case end", "a value is expected, not `end`", 6),
        ("lower(tips)", "text is expected here, and this is a number", 7),
        ("not tips", "`not` needs a condition here, and this is a number", 5),
        ("tips is 3", "`null` is expected, not `3`", 9),
        ("order", "there is no column `order`", 1),
    ] {
        let error = error(text);
        assert_eq!((error.message(), error.line_column()), (message, (1, column)), "{text}");
    }
    assert_eq!(error("coalesc(tips)").hint().as_deref(), Some("did you mean `coalesce`?"));
}

#[test]
fn nesting_without_end_is_refused() {
    for text in ["(".repeat(50_000), "not ".repeat(20_000), "-".repeat(90_000), "case ".repeat(15_000)] {
        assert!(error(&text).message().contains("nested deeper"), "{}", error(&text));
    }
    let long = vec!["tips"; 10_000].join(" + ");
    assert!(error(&long).message().contains("nested deeper"));
    assert!(error(&"x".repeat(100_001)).message().contains("longer than"));
}

#[test]
fn another_schema_is_an_error_not_a_panic() {
    let bound = Expression::parse("hour + 1").unwrap().bind(batch().schema_ref()).unwrap();
    assert!(bound.evaluate(&batch().project(&[0]).unwrap()).is_err());
    assert!(bound.evaluate(&batch().project(&[3, 3, 3]).unwrap()).is_err());
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[ a-z0-9.'\"()<>=!%*/+,é-]{0,40}") {
        let bound = Expression::parse(&text).and_then(|parsed| parsed.bind(batch().schema_ref()));
        if let Ok(bound) = bound {
            bound.evaluate(&batch()).unwrap();
        }
    }

    #[test]
    fn words_in_any_order_do_not_make_it_panic(words in prop::collection::vec(prop::sample::select(vec![
        "tips", "hour", "company", "not", "and", "or", "in", "(", ")", ",", "between", "case", "when", "then", "else",
        "end", "is", "null", "+", "-", "/", "%", "<", "=", "1", "'a'", "abs", "least", "true", "\"Shared Ride\"",
    ]), 0..16)) {
        let bound = Expression::parse(&words.join(" ")).and_then(|parsed| parsed.bind(batch().schema_ref()));
        if let Ok(bound) = bound {
            bound.evaluate(&batch()).unwrap();
        }
    }

    #[test]
    fn arithmetic_is_that_of_the_processor(a in -1e6..1e6f64, b in -1e6..1e6f64) {
        let got = |text: String| values(&text).as_primitive::<Float64Type>().value(0);
        prop_assert_eq!(got(format!("{a:?} + {b:?}")), a + b);
        prop_assert_eq!(got(format!("{a:?} * {b:?} - {a:?}")), a * b - a);
        prop_assert_eq!(got(format!("{a:?} / {b:?}")), a / b);
    }
}
