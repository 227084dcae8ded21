//! Rows to send: given ones, perturbed ones, or synthetic ones made from the model's inputs.

use serde_json::{Map, Number, Value};
use tidemill_core::SplitMix64;

use crate::ModelInput;

/// Values by input name; null or absent where one is missing.
pub type Row = Map<String, Value>;

/// The most by which a perturbed real number differs from the original: a tenth.
const SPREAD: f64 = 0.1;

/// Returns `count` rows that resemble `rows`, the same for the same seed.
///
/// Each value comes from a random row, so that columns mix, and real numbers change by up to a tenth. Whole numbers and
/// text stay as they are: they may be codes. The first rows are the given ones.
pub fn perturbed_rows(rows: &[Row], count: usize, seed: u64) -> Vec<Row> {
    let mut dice = SplitMix64::new(seed);
    let vary = |index: usize| {
        if index < rows.len() || rows.is_empty() {
            return rows.get(index).cloned().unwrap_or_default();
        }
        let names = rows[index % rows.len()].keys();
        names
            .map(|name| {
                let value = rows[dice.below(rows.len() as u64) as usize].get(name).unwrap_or(&Value::Null);
                (name.clone(), perturbed(value, &mut dice))
            })
            .collect()
    };
    (0..count).map(vary).collect()
}

fn perturbed(value: &Value, dice: &mut SplitMix64) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            let moved = number.as_f64().unwrap_or_default() * (1.0 + SPREAD * (2.0 * dice.unit() - 1.0));
            Number::from_f64(moved).map_or(Value::Null, Value::Number)
        }
        Value::Array(values) => values.iter().map(|value| perturbed(value, dice)).collect(),
        other => other.clone(),
    }
}

/// Returns `count` rows of the right types and shapes, the same for the same seed: reals below 1, whole numbers below
/// 10, words of one letter.
pub fn synthetic_rows(inputs: &[ModelInput], count: usize, seed: u64) -> Vec<Row> {
    let mut dice = SplitMix64::new(seed);
    let mut row = || inputs.iter().map(|input| (input.name.clone(), tensor(input, &input.shape, &mut dice))).collect();
    (0..count).map(|_| row()).collect()
}

fn tensor(input: &ModelInput, shape: &[usize], dice: &mut SplitMix64) -> Value {
    match shape {
        [] => value(&input.datatype, dice),
        [size, rest @ ..] => (0..*size).map(|_| tensor(input, rest, dice)).collect(),
    }
}

fn value(datatype: &str, dice: &mut SplitMix64) -> Value {
    match datatype {
        "BOOL" => Value::Bool(dice.below(2) == 1),
        "BYTES" => Value::String(char::from(b'a' + dice.below(10) as u8).to_string()),
        "FP16" | "FP32" | "FP64" | "BF16" => Number::from_f64(dice.unit()).map_or(Value::Null, Value::Number),
        _ => Value::from(dice.below(10)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(value: Value) -> Row {
        value.as_object().cloned().unwrap_or_default()
    }

    #[test]
    fn varied_rows_mix_columns_and_move_only_real_numbers() {
        let rows = [row(json!({"a": 1.0, "b": 1, "c": "x"})), row(json!({"a": 100.0, "b": 2, "c": null}))];
        let made = perturbed_rows(&rows, 200, 7);
        assert_eq!(made[..2], rows);
        assert_eq!(made, perturbed_rows(&rows, 200, 7));
        assert_ne!(made, perturbed_rows(&rows, 200, 8));
        let mut mixed = false;
        for row in &made {
            let a = row["a"].as_f64().unwrap();
            assert!((0.9..=1.1).contains(&a) || (90.0..=110.0).contains(&a), "{a}");
            assert!(row["b"] == 1 || row["b"] == 2);
            assert!(row["c"] == "x" || row["c"].is_null());
            mixed |= a < 2.0 && row["b"] == 2;
        }
        assert!(mixed);
        assert_eq!(perturbed_rows(&[], 2, 7), [Row::new(), Row::new()]);
    }

    #[test]
    fn made_up_rows_have_the_types_and_shapes_asked_for() {
        let input = |name: &str, datatype: &str, shape: &[usize]| ModelInput {
            name: name.to_owned(),
            datatype: datatype.to_owned(),
            shape: shape.to_vec(),
        };
        let inputs =
            [input("x", "FP32", &[2, 3]), input("n", "INT64", &[]), input("s", "BYTES", &[]), input("b", "BOOL", &[])];
        let rows = synthetic_rows(&inputs, 5, 1);
        assert_eq!(rows.len(), 5);
        for row in rows {
            assert_eq!(row["x"].as_array().unwrap().len(), 2);
            assert_eq!(row["x"][1].as_array().unwrap().len(), 3);
            assert!(row["n"].is_i64() || row["n"].is_u64());
            assert!(row["s"].is_string() && row["b"].is_boolean());
        }
    }
}
