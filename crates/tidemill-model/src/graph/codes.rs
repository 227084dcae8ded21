//! Converts raw values to codes, and codes to numbers.

use super::decode::load_integers;
use super::mapper::Position;
use super::run::{Columns, Decoder, NumberOp, Numbers, Rows, each};
use super::steps::Encoding;
use super::table::CodeTable;
use super::{Keys, Scalar, fold_of_row};

/// Converts raw values to codes by a table.
#[derive(Debug)]
pub(super) struct CodesDecoder {
    table: CodeTable,
    /// The code of a missing value.
    missing: f64,
}

impl CodesDecoder {
    /// The codes of `keys` and of buckets for other values. A missing whole number has the code of the first imputed
    /// constant, if a step imputes; a missing text is filled earlier.
    pub(super) fn new(keys: &Keys, oov_buckets: u32, at: &Position<'_>) -> Self {
        let table = CodeTable::new(keys, oov_buckets);
        let missing = match at.fill() {
            Some(Scalar::Int(value)) => table.integer(*value),
            _ => f64::NAN,
        };
        Self { table, missing }
    }

    /// As [`new`](Self::new), for steps that replace codes by numbers: a missing value has its own code, after all
    /// others.
    pub(super) fn with_missing(keys: &Keys, at: &Position<'_>) -> Self {
        let table = CodeTable::new(keys, 0);
        let missing = match at.fill() {
            Some(Scalar::Int(value)) if !at.is_text => table.integer(*value),
            _ => keys.len() as f64,
        };
        Self { table, missing }
    }
}

impl Decoder for CodesDecoder {
    fn run(&self, rows: &Rows<'_>, out: &mut Columns<'_>) -> bool {
        let Self { table, missing } = self;
        if table.holds_text() {
            let Columns { main, indicator, .. } = out;
            return rows.texts(indicator.as_deref_mut(), |row, text| {
                main[row] = text.map_or(*missing, |text| table.text(text));
            });
        }
        rows.raw.is_some_and(|raw| load_integers(raw, *missing, out.main, |value| table.integer(value)))
    }
}

/// Converts codes to numbers; for a row of the training split, with the encoding of its fold.
#[derive(Debug)]
pub(super) struct CodeNumbers {
    full: Lookup,
    folds: Vec<Lookup>,
}

/// Numbers by code.
#[derive(Debug)]
struct Lookup {
    /// By code; the last is that of a missing value.
    numbers: Vec<f64>,
    /// For the code NaN: a value that is not listed.
    other: f64,
}

impl Lookup {
    fn of(&self, code: f64) -> f64 {
        if code.is_nan() { self.other } else { self.numbers.get(code as usize).copied().unwrap_or(self.other) }
    }
}

impl From<&Encoding> for Lookup {
    fn from(encoding: &Encoding) -> Self {
        let numbers = [encoding.encodings.as_slice(), &[encoding.missing]].concat();
        Self { numbers, other: encoding.other }
    }
}

impl CodeNumbers {
    /// `full` for all rows; for those of the training split one of `folds`, if there are any.
    pub(super) fn new(full: &Encoding, folds: &[Encoding]) -> Self {
        Self { full: full.into(), folds: folds.iter().map(Into::into).collect() }
    }
}

impl NumberOp for CodeNumbers {
    fn run(&self, numbers: &mut Numbers<'_>) -> bool {
        match numbers.place.training {
            Some(rows) if !self.folds.is_empty() => {
                for (row, value) in numbers.values.iter_mut().enumerate() {
                    *value = self.folds[fold_of_row(rows.of(row), self.folds.len())].of(*value);
                }
            }
            _ => each(numbers.values, |code| self.full.of(code)),
        }
        true
    }
}
