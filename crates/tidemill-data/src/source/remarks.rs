//! What a reader should know about the columns of a text file and cannot see from their types.

use std::collections::BTreeMap;

use arrow::datatypes::DataType;

use super::csv::Notes;
use super::value::CellKinds;

/// Columns named in one remark, at most.
const COLUMNS_SHOWN: usize = 5;

/// A column of text files with the type that was decided from its cells.
pub(super) struct Decided<'a> {
    pub(super) name: &'a str,
    pub(super) kinds: CellKinds,
    pub(super) data_type: &'a DataType,
    pub(super) notes: &'a Notes,
}

/// Remarks about columns of `rows` rows: what is read as missing, and what is text that could be numbers.
pub(super) fn remarks(columns: &[Decided<'_>], rows: u64) -> Vec<String> {
    // By the spellings that are read as missing: the columns, each with the number of cells.
    let mut missing: BTreeMap<Vec<&str>, Vec<(&str, u64)>> = BTreeMap::new();
    let mut remarks = Vec::new();
    for Decided { name, kinds, data_type, notes } in columns {
        let tokens = || notes.tokens().filter(|(token, _)| !is_nan(token) || **data_type != DataType::Float64);
        let count = tokens().map(|(_, count)| count).sum::<u64>();
        let spellings: Vec<&str> = tokens().map(|(token, _)| token).collect();
        if **data_type != DataType::Utf8 {
            if count > 0 {
                missing.entry(spellings).or_default().push((name, count));
            }
        } else if kinds.is_text_by_sign() {
            remarks.push(format!(
                "column `{name}` is text only because of {} ({count} of {rows} rows); {} reads it as missing",
                quoted(&spellings),
                null_tokens(&spellings)
            ));
        } else if kinds.is_text_by_comma() {
            remarks.push(format!(
                "column `{name}` is text; its values are numbers with a decimal comma, which `decimal: \",\"` \
                 (`--decimal ,`) reads"
            ));
        } else if kinds.is_text_by_length() {
            remarks.push(format!(
                "column `{name}` has whole numbers beyond 64 bits; it is read as text, which keeps every digit \
                 (`--type {name}=float` reads it as numbers)"
            ));
        } else if count > 0 && !kinds.is_settled() && kinds.is_digits() {
            remarks.push(format!(
                "column `{name}` is text; {} in {count} of {rows} rows is text too; {} reads it as missing",
                quoted(&spellings),
                null_tokens(&spellings)
            ));
        }
    }
    let missing = missing.into_iter().map(|(spellings, columns)| {
        let mut shown: Vec<String> =
            columns.iter().take(COLUMNS_SHOWN).map(|(name, count)| format!("`{name}` ({count})")).collect();
        if columns.len() > COLUMNS_SHOWN {
            shown.push(format!("{} more", columns.len() - COLUMNS_SHOWN));
        }
        let (noun, is) =
            (if columns.len() == 1 { "column" } else { "columns" }, if spellings.len() == 1 { "is" } else { "are" });
        format!(
            "{} {is} read as missing in {noun} {} of {rows} rows; {} reads it so in columns of text too",
            quoted(&spellings),
            shown.join(", "),
            null_tokens(&spellings)
        )
    });
    missing.chain(remarks).collect()
}

fn is_nan(token: &str) -> bool {
    token.parse::<f64>().is_ok()
}

fn quoted(tokens: &[&str]) -> String {
    tokens.iter().map(|token| format!("`{token}`")).collect::<Vec<_>>().join(", ")
}

/// The key and the flag that make these cells missing values.
fn null_tokens(tokens: &[&str]) -> String {
    let yaml: Vec<String> = tokens.iter().map(|token| format!("{token:?}")).collect();
    let flag = tokens.join(",");
    format!("`null_tokens: [{}]` (`--null-tokens '{flag}'`)", yaml.join(", "))
}
