//! Which values get a code, and in which order.

use std::cmp::Reverse;

use tidemill_model::{Keys, Scalar};

use crate::steps::Choice;

/// A value with how many rows have it and its score: its rows, their weight, or what it says about the label.
pub(crate) type Scored<T> = (T, u64, f64);

/// The values of `choice` in the order of their codes: reserved ones, then by score descending, ties in reverse
/// lexicographic order (of the decimal digits for whole numbers, as TensorFlow Transform has it).
///
/// A reserved value of another type than the column's is an error.
pub(crate) fn select_texts(rows: Vec<Scored<String>>, choice: &Choice) -> Result<Keys, String> {
    let reserved = reserved(choice, |value| match value {
        Scalar::Text(text) => Some(text.clone()),
        _ => None,
    })?;
    Ok(Keys::Strings(ranked(rows, choice, reserved, String::clone)))
}

/// As [`select_texts`], for whole numbers.
pub(crate) fn select_wholes(rows: Vec<Scored<i64>>, choice: &Choice) -> Result<Keys, String> {
    let reserved = reserved(choice, |value| match value {
        Scalar::Int(whole) => Some(*whole),
        _ => None,
    })?;
    Ok(Keys::Integers(ranked(rows, choice, reserved, i64::to_string)))
}

fn reserved<T: PartialEq>(choice: &Choice, read: impl Fn(&Scalar) -> Option<T>) -> Result<Vec<T>, String> {
    let mut values = Vec::with_capacity(choice.reserved.len());
    for value in &choice.reserved {
        let Some(value) = read(value) else {
            return Err(format!("{value} of `reserved` is of another type than the values"));
        };
        if !values.contains(&value) {
            values.push(value);
        }
    }
    Ok(values)
}

fn ranked<T: PartialEq, K: Ord>(
    mut rows: Vec<Scored<T>>,
    choice: &Choice,
    mut values: Vec<T>,
    key: impl Fn(&T) -> K,
) -> Vec<T> {
    // The smaller count first would be as good: the order of what is equal must only not depend on a hash map.
    rows.sort_by_cached_key(|(value, ..)| Reverse(key(value)));
    rows.sort_by(|a, b| b.2.total_cmp(&a.2));
    let total: f64 = rows.iter().map(|row| row.2).sum();
    let mut covered = 0.0;
    let mut left = choice.top_k.map_or(usize::MAX, |k| usize::try_from(k).unwrap_or(usize::MAX));
    let first = values.len();
    for (value, count, score) in rows {
        let is_enough = choice.coverage.is_some_and(|coverage| covered >= coverage * total);
        if left == 0 || is_enough {
            break;
        }
        if count < choice.frequency_threshold.unwrap_or(0) {
            continue;
        }
        covered += score;
        left -= 1;
        if !values[..first].contains(&value) {
            values.push(value);
        }
    }
    values
}

#[cfg(test)]
mod tests {
    use super::*;

    fn select(choice: &Choice) -> Vec<String> {
        let rows = [("a", 5), ("b", 3), ("c", 3), ("d", 1)];
        let rows = rows.map(|(value, count)| (value.to_owned(), count, count as f64)).to_vec();
        match select_texts(rows, choice).unwrap() {
            Keys::Strings(values) => values,
            Keys::Integers(_) => Vec::new(),
        }
    }

    #[test]
    fn values_are_cut_by_number_count_and_coverage() {
        assert_eq!(select(&Choice::default()), ["a", "c", "b", "d"]);
        assert_eq!(select(&Choice { top_k: Some(2), ..Choice::default() }), ["a", "c"]);
        assert_eq!(select(&Choice { frequency_threshold: Some(3), ..Choice::default() }), ["a", "c", "b"]);
        // 5 of 12 rows are 0.42, 8 are 0.67.
        assert_eq!(select(&Choice { coverage: Some(0.5), ..Choice::default() }), ["a", "c"]);
        assert_eq!(select(&Choice { coverage: Some(0.4), ..Choice::default() }), ["a"]);
        assert_eq!(select(&Choice { coverage: Some(1.0), ..Choice::default() }).len(), 4);
        let reserved = vec![Scalar::Text("none".into()), Scalar::Text("b".into())];
        assert_eq!(select(&Choice { top_k: Some(3), reserved, ..Choice::default() }), ["none", "b", "a", "c"]);
        let reserved = vec![Scalar::Int(1)];
        let error = select_texts(Vec::new(), &Choice { reserved, ..Choice::default() }).unwrap_err();
        assert_eq!(error, "1 of `reserved` is of another type than the values");
    }
}
