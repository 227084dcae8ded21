//! Converts listed values to codes, and codes to the numbers that replace them.

use super::UnseenCategories;
use super::builder::{Builder, Name, int, ints, strings};
use super::pattern::TextForm;
use super::source::Raw;
use crate::onnx::value::datatype;
use tidemill_model::Keys;

/// Whole numbers beyond this are not exact in 64-bit floating point.
pub(super) const EXACT_MAX: i64 = 1 << 53;
/// Longer lists of texts in changed case would be slow: each needs a pattern.
const PATTERNS_MAX: usize = 1000;

/// The code of an unlisted value without a code of its own.
pub(super) fn bucket(keys: &Keys, oov_buckets: u32, unseen: UnseenCategories) -> Result<Option<usize>, String> {
    match oov_buckets {
        0 => Ok(None),
        1 => Ok(Some(keys.len())),
        _ if unseen == UnseenCategories::Missing => Ok(None),
        _ => Err(format!(
            "`vocabulary` hashes other values into {oov_buckets} buckets with XXH3, which ONNX has no operator for"
        )),
    }
}

/// The codes of raw values: NaN if one is missing, or not listed and without an `other` code.
pub(super) fn codes(graph: &mut Builder, raw: &Raw, keys: &Keys, other: Option<usize>) -> Result<Name, String> {
    let (code, missing) = positions(graph, raw, keys, other.map_or(-1, |other| other as i64))?;
    let none = graph.number(f64::NAN);
    let unknown = graph.with("Less", &code, 0.0);
    let code = graph.choose(&unknown, &none, &code);
    Ok(graph.choose(&missing, &none, &code))
}

/// A number for each listed value, one for missing values and one for all others.
pub(super) fn numbers(
    graph: &mut Builder,
    raw: &Raw,
    keys: &Keys,
    (by_key, missing, other): (&[f64], f64, f64),
) -> Result<Name, String> {
    let (position, is_missing) = positions(graph, raw, keys, keys.len() as i64)?;
    let table = graph.table(&[keys.len() as i64 + 1], &[by_key, &[other]].concat());
    let found = pick(graph, &table, &position);
    let missing = graph.number(missing);
    Ok(graph.choose(&is_missing, &missing, &found))
}

/// The rows of a table at the given positions, which are numbers.
pub(super) fn pick(graph: &mut Builder, table: &str, position: &str) -> Name {
    let index = graph.cast(position, datatype::INT64);
    graph.op("Gather", &[table, &index], vec![int("axis", 0)])
}

/// The positions of raw values among `keys`, as numbers, `other` for those not listed; and whether they are missing.
pub(super) fn positions(graph: &mut Builder, raw: &Raw, keys: &Keys, other: i64) -> Result<(Name, Name), String> {
    let places: Vec<i64> = (0..keys.len() as i64).collect();
    let (found, missing) = match (raw, keys) {
        (Raw::Text { name, form }, Keys::Strings(keys)) => {
            let none = graph.text("");
            let missing = graph.both("Equal", name, &none);
            if *form != TextForm::default() {
                return Ok((matched(graph, name, *form, keys, other)?, missing));
            }
            let attributes =
                vec![strings("keys_strings", keys), ints("values_int64s", places), int("default_int64", other)];
            (encoder(graph, name, keys.len(), other, attributes), missing)
        }
        (Raw::Int(name), Keys::Integers(keys)) => {
            if let Some(large) = keys.iter().find(|key| key.unsigned_abs() > EXACT_MAX.unsigned_abs()) {
                return Err(format!("the value {large} is beyond 2^53 and not exact as a number that may be missing"));
            }
            let missing = graph.of("IsNaN", name);
            let zero = graph.number(0.0);
            let present = graph.choose(&missing, &zero, name);
            let whole = graph.cast(&present, datatype::INT64);
            let attributes =
                vec![ints("keys_int64s", keys.clone()), ints("values_int64s", places), int("default_int64", other)];
            (encoder(graph, &whole, keys.len(), other, attributes), missing)
        }
        _ => return Err("its codes are of another type than its column".to_owned()),
    };
    Ok((graph.cast(&found, datatype::DOUBLE), missing))
}

/// The positions of texts with pending text steps, found by a pattern for each listed text.
fn matched(graph: &mut Builder, name: &str, form: TextForm, keys: &[String], other: i64) -> Result<Name, String> {
    if keys.len() > PATTERNS_MAX {
        return Err(format!(
            "{} listed texts after `lower`, `upper` or `strip` are more than {PATTERNS_MAX} patterns",
            keys.len()
        ));
    }
    let mut position = graph.number(other as f64);
    for (at, key) in keys.iter().enumerate() {
        if let Some(pattern) = form.pattern(key)? {
            let (is_it, place) = (graph.matches(name, pattern), graph.number(at as f64));
            position = graph.choose(&is_it, &place, &position);
        }
    }
    // One value per row, even without patterns.
    let same = graph.both("Equal", name, name);
    let none = graph.number(f64::NAN);
    Ok(graph.choose(&same, &position, &none))
}

/// A `LabelEncoder`; without keys every value is `other`.
fn encoder(
    graph: &mut Builder,
    name: &str,
    keys: usize,
    other: i64,
    attributes: Vec<crate::onnx::generated::AttributeProto>,
) -> Name {
    if keys > 0 {
        return graph.ml("LabelEncoder", &[name], attributes);
    }
    let same = graph.both("Equal", name, name);
    let zero = graph.cast(&same, datatype::DOUBLE);
    let nothing = graph.with("Mul", &zero, 0.0);
    graph.with("Add", &nothing, other as f64)
}
