//! Which split a row belongs to.
//!
//! A row's split is decided by a hash of its values and nothing else, so it is the same on every machine, in every
//! order of the rows, however the source is cut into files, and however a number was written.
//!
//! Rows that are equal in all columns are told apart by how many of them came before: the first, the second and so on.
//! So they are spread over the splits like any other rows, and shuffling the source still gives every split the same
//! rows. Without that, a table of few distinct rows would be cut between its rows instead of through them: some kinds
//! of rows would be in one split only.
//!
//! The hash is XXH3 (64 bits) over the values one after another, columns in the byte order of their names; its seed is
//! the number of equal rows before this one in the source, or in the span where the source has spans.
//!
//! | value | bytes |
//! |---|---|
//! | missing | `00` |
//! | `false`, `true` | `01 00`, `01 01` |
//! | a whole number within 64 bits, of type int or float | `02` and the number as 8 bytes, little-endian |
//! | any other number | `03` and its IEEE 754 bits as 8 bytes, little-endian; every NaN as `7ff8000000000000` |
//! | text | `04`, its length in bytes as 8 bytes, little-endian, its UTF-8 bytes |
//! | a list | `05`, the number of its values as 8 bytes, little-endian, the values as above |
//! | bytes | `06`, their number as 8 bytes, little-endian, the bytes |
//!
//! The hash modulo the sum of all shares is the row's bucket. The first split has the first buckets, as many as its
//! share, and so on: in `train: 2, eval: 1`, buckets 0 and 1 are `train`, bucket 2 is `eval`.
//!
//! Columns may be left out of the key (the label, which a split must not depend on): they still count when rows are
//! compared. Or the key may be some columns alone: then all rows of a key share a split, and the seed is always 0.

use std::path::Path;

use arrow::array::{
    Array, AsArray, BinaryArray, BooleanArray, Float64Array, Int64Array, ListArray, RecordBatch, StringArray,
};
use arrow::datatypes::{DataType, Float64Type, Int64Type, Schema};
use rayon::prelude::*;
use tidemill_core::suggest;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::DataError;
use crate::repeats::Repeats;

/// Rows hashed as one piece of parallel work.
const PIECE_ROWS: usize = 8_192;

/// What decides the split of a row.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key<'a> {
    /// The whole row, but for these columns.
    RowExcept(&'a [String]),
    /// These columns: rows with the same values share a split.
    Columns(&'a [String]),
}

/// Decides the split of rows.
#[derive(Debug, Clone)]
pub(crate) struct Splitter {
    /// For each bucket, its split.
    splits: Buckets,
    /// Columns that are hashed, in the order they are hashed.
    columns: Vec<(usize, String)>,
    /// All columns in the same order, where rows that are equal in them are told apart by their number.
    all: Option<Vec<usize>>,
    /// A missing value is an error: rows would share a split for want of a key.
    key_required: bool,
}

/// Ends of the splits' bucket ranges, ascending.
#[derive(Debug, Clone)]
struct Buckets {
    ends: Vec<u64>,
    total: u64,
}

impl Splitter {
    /// Splits by `shares` of buckets, whose sum must not be 0.
    ///
    /// A column that rows are split by must be of type int, text or boolean: equal floats are seldom the same key.
    pub(crate) fn new(path: &Path, schema: &Schema, shares: &[u32], key: Key<'_>) -> Result<Self, DataError> {
        let ends: Vec<u64> = shares
            .iter()
            .scan(0_u64, |sum, &share| {
                *sum += u64::from(share);
                Some(*sum)
            })
            .collect();
        let total = ends.last().copied().unwrap_or(0);
        if total == 0 {
            return Err(DataError::Params { message: "the shares of the splits sum to 0".to_owned() });
        }
        let splits = Buckets { ends, total };
        let place = |name: &String| {
            schema.index_of(name).map_err(|_| {
                let known = schema.fields().iter().map(|field| field.name().as_str());
                let nearest = suggest(name, known).map(str::to_owned);
                DataError::ColumnNotFound { path: path.to_owned(), column: name.clone(), nearest }
            })
        };
        let (by, except) = match key {
            Key::Columns(by) => (by, &[][..]),
            Key::RowExcept(except) => (&[][..], except),
        };
        let mut columns = Vec::new();
        for name in by {
            let index = place(name)?;
            let kind = match schema.field(index).data_type() {
                DataType::Float64 => Some("of type float"),
                DataType::Binary => Some("of type bytes"),
                DataType::List(_) => Some("a list"),
                _ => None,
            };
            if let Some(kind) = kind {
                return Err(DataError::ColumnType {
                    path: path.to_owned(),
                    line: None,
                    column: name.clone(),
                    message: format!("is {kind}; rows can be split by int, string and bool columns"),
                });
            }
            columns.push((index, name.clone()));
        }
        let by_name = |columns: &mut Vec<(usize, String)>| columns.sort_by(|a, b| a.1.cmp(&b.1));
        if !by.is_empty() {
            by_name(&mut columns);
            return Ok(Self { splits, columns, all: None, key_required: true });
        }
        except.iter().try_for_each(|name| place(name).map(|_| ()))?;
        columns = schema.fields().iter().enumerate().map(|(i, field)| (i, field.name().clone())).collect();
        by_name(&mut columns);
        let all = Some(columns.iter().map(|(i, _)| *i).collect());
        columns.retain(|(_, name)| !except.contains(name));
        if columns.is_empty() {
            let message = "every column is left out of what decides the split".to_owned();
            return Err(DataError::Params { message });
        }
        Ok(Self { splits, columns, all, key_required: false })
    }

    /// Whether rows that are equal in all columns are told apart.
    pub(crate) fn spreads_repeats(&self) -> bool {
        self.all.is_some()
    }

    /// A hash of the whole row for each row.
    pub(crate) fn row_hashes(&self, batch: &RecordBatch) -> Vec<u64> {
        let columns = self.all.as_deref().unwrap_or_default();
        hashes(&columns.iter().map(|i| Values::of(batch.column(*i))).collect::<Vec<_>>(), batch.num_rows(), |_| 0)
    }

    /// A hash of the columns that rows are split by for each row.
    pub(crate) fn key_hashes(&self, batch: &RecordBatch) -> Vec<u64> {
        let values: Vec<Values<'_>> = self.columns.iter().map(|(i, _)| Values::of(batch.column(*i))).collect();
        hashes(&values, batch.num_rows(), |_| 0)
    }

    /// The split of every row: its place in the shares. `first_row` is the number of the batch's first row in the
    /// source, counted from 1, for errors; `repeats` knows the equal rows that came before.
    pub(crate) fn assign(
        &self,
        path: &Path,
        batch: &RecordBatch,
        first_row: u64,
        repeats: &mut Repeats,
    ) -> Result<Vec<u16>, DataError> {
        let values: Vec<Values<'_>> = self.columns.iter().map(|(i, _)| Values::of(batch.column(*i))).collect();
        if self.key_required {
            for ((index, name), _) in self.columns.iter().zip(&values) {
                let column = batch.column(*index);
                if let Some(row) = (0..column.len()).find(|&row| column.is_null(row)) {
                    return Err(DataError::ColumnType {
                        path: path.to_owned(),
                        line: None,
                        column: name.clone(),
                        message: format!("has no value in row {}, but rows are split by it", first_row + row as u64),
                    });
                }
            }
        }
        let rows = batch.num_rows();
        let firsts = hashes(&values, rows, |_| 0);
        let Some(all) = &self.all else { return Ok(firsts.into_iter().map(|hash| self.splits.of(hash)).collect()) };
        let whole = if all.len() == self.columns.len() { firsts.clone() } else { self.row_hashes(batch) };
        let before: Vec<u32> = whole.iter().map(|hash| repeats.count(*hash)).collect();
        if before.iter().all(|count| *count == 0) {
            return Ok(firsts.into_iter().map(|hash| self.splits.of(hash)).collect());
        }
        let spread = hashes(&values, rows, |row| before[row]);
        let assign = |row: usize| {
            let split = self.splits.of(spread[row]);
            if before[row] > 0 && split != self.splits.of(firsts[row]) {
                repeats.cross(whole[row]);
            }
            split
        };
        Ok((0..rows).map(assign).collect())
    }
}

/// The hash of each row, with its seed.
fn hashes(values: &[Values<'_>], rows: usize, seed: impl Fn(usize) -> u32 + Sync) -> Vec<u64> {
    let mut out = vec![0_u64; rows];
    out.par_chunks_mut(PIECE_ROWS).enumerate().for_each(|(piece, out)| {
        let mut bytes = Vec::with_capacity(256);
        for (i, hash) in out.iter_mut().enumerate() {
            let row = piece * PIECE_ROWS + i;
            bytes.clear();
            for column in values {
                column.encode(row, &mut bytes);
            }
            *hash = match seed(row) {
                0 => xxh3_64(&bytes),
                seed => xxh3_64_with_seed(&bytes, u64::from(seed)),
            };
        }
    });
    out
}

impl Buckets {
    fn of(&self, hash: u64) -> u16 {
        let bucket = hash % self.total;
        self.ends.partition_point(|&end| end <= bucket) as u16
    }
}

/// A column as one of the column types.
enum Values<'a> {
    Int(&'a Int64Array),
    Float(&'a Float64Array),
    Bool(&'a BooleanArray),
    Text(&'a StringArray),
    Bytes(&'a BinaryArray),
    List(&'a ListArray, Box<Values<'a>>),
}

impl<'a> Values<'a> {
    fn of(array: &'a dyn Array) -> Self {
        match array.data_type() {
            DataType::Int64 => Self::Int(array.as_primitive::<Int64Type>()),
            DataType::Float64 => Self::Float(array.as_primitive::<Float64Type>()),
            DataType::Boolean => Self::Bool(array.as_boolean()),
            DataType::Binary => Self::Bytes(array.as_binary()),
            DataType::List(_) => {
                let lists = array.as_list();
                Self::List(lists, Box::new(Self::of(lists.values())))
            }
            _ => Self::Text(array.as_string::<i32>()),
        }
    }

    fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Int(array) => array.is_null(row),
            Self::Float(array) => array.is_null(row),
            Self::Bool(array) => array.is_null(row),
            Self::Text(array) => array.is_null(row),
            Self::Bytes(array) => array.is_null(row),
            Self::List(array, _) => array.is_null(row),
        }
    }

    fn encode(&self, row: usize, out: &mut Vec<u8>) {
        if self.is_null(row) {
            out.push(0);
            return;
        }
        match self {
            Self::Int(array) => encode_int(array.value(row), out),
            Self::Float(array) => encode_float(array.value(row), out),
            Self::Bool(array) => out.extend([1, u8::from(array.value(row))]),
            Self::Text(array) => {
                let text = array.value(row).as_bytes();
                out.push(4);
                out.extend((text.len() as u64).to_le_bytes());
                out.extend(text);
            }
            Self::Bytes(array) => {
                let bytes = array.value(row);
                out.push(6);
                out.extend((bytes.len() as u64).to_le_bytes());
                out.extend(bytes);
            }
            Self::List(array, values) => {
                let offsets = array.value_offsets();
                let (start, end) = (offsets[row] as usize, offsets[row + 1] as usize);
                out.push(5);
                out.extend(((end - start) as u64).to_le_bytes());
                (start..end).for_each(|value| values.encode(value, out));
            }
        }
    }
}

fn encode_int(value: i64, out: &mut Vec<u8>) {
    out.push(2);
    out.extend(value.to_le_bytes());
}

fn encode_float(value: f64, out: &mut Vec<u8>) {
    // 2^63 is the first float beyond the range of whole numbers; -2^63 is in it.
    let limit = 9_223_372_036_854_775_808.0;
    if value.fract() == 0.0 && (-limit..limit).contains(&value) {
        encode_int(value as i64, out);
        return;
    }
    let bits = if value.is_nan() { 0x7ff8_0000_0000_0000 } else { value.to_bits() };
    out.push(3);
    out.extend(bits.to_le_bytes());
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow::array::ArrayRef;
    use arrow::array::UInt32Array;
    use arrow::compute::{concat_batches, take_record_batch};
    use proptest::prelude::*;

    use super::*;

    fn assign(batch: &RecordBatch, shares: &[u32], by: &[&str]) -> Result<Vec<u16>, DataError> {
        let by: Vec<String> = by.iter().map(|&name| name.to_owned()).collect();
        let key = if by.is_empty() { Key::RowExcept(&[]) } else { Key::Columns(&by) };
        assign_all(&[batch], shares, key)
    }

    fn assign_all(batches: &[&RecordBatch], shares: &[u32], key: Key<'_>) -> Result<Vec<u16>, DataError> {
        let path = Path::new("t.csv");
        let splitter = Splitter::new(path, &batches[0].schema(), shares, key)?;
        let mut repeats = Repeats::default();
        let mut splits = Vec::new();
        for batch in batches {
            splits.extend(splitter.assign(path, batch, 1, &mut repeats)?);
        }
        Ok(splits)
    }

    fn table(ids: &[Option<i64>], texts: &[Option<String>], floats: &[Option<f64>]) -> RecordBatch {
        RecordBatch::try_from_iter_with_nullable([
            ("id", Arc::new(Int64Array::from(ids.to_vec())) as ArrayRef, true),
            ("text", Arc::new(StringArray::from(texts.to_vec())) as ArrayRef, true),
            ("float", Arc::new(Float64Array::from(floats.to_vec())) as ArrayRef, true),
        ])
        .unwrap()
    }

    /// Made with Python's `xxhash.xxh3_64_intdigest(bytes.fromhex(...))`, package xxhash 4.1.0.
    #[test]
    fn the_hash_is_the_documented_one() {
        let batch = table(&[Some(5), None], &[Some("ab".to_owned()), None], &[Some(2.5), Some(-0.0)]);
        let values: Vec<Values<'_>> =
            ["float", "id", "text"].iter().map(|n| Values::of(batch.column_by_name(n).unwrap())).collect();
        let encoded = |row| {
            let mut bytes = Vec::new();
            for column in &values {
                column.encode(row, &mut bytes);
            }
            bytes
        };
        let (text, float, int) =
            ([4, 2, 0, 0, 0, 0, 0, 0, 0, b'a', b'b'], [3, 0, 0, 0, 0, 0, 0, 0x04, 0x40], [2, 5, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(encoded(0), [&float[..], &int, &text].concat());
        assert_eq!(encoded(1), [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(xxh3_64(&encoded(0)), HASH_0);
        assert_eq!(xxh3_64(&encoded(1)), HASH_1);
        assert_eq!(assign(&batch, &[2, 1], &[]).unwrap(), [HASH_0 % 3 / 2, HASH_1 % 3 / 2].map(|b| b as u16));
    }

    const HASH_0: u64 = 4_891_171_359_807_934_037;
    const HASH_1: u64 = 13_425_097_237_720_255_984;

    #[test]
    fn equal_numbers_are_equal_whatever_their_type() {
        let of =
            |array: ArrayRef| assign(&RecordBatch::try_from_iter([("x", array)]).unwrap(), &[50, 50], &[]).unwrap();
        let range = -500_i64..500;
        let ints = of(Arc::new(Int64Array::from_iter_values(range.clone())));
        let floats = of(Arc::new(Float64Array::from_iter_values(range.map(|v| v as f64))));
        assert_eq!(ints, floats);
        assert!(ints.contains(&0) && ints.contains(&1));
    }

    #[test]
    fn shares_are_kept_to() {
        let batch =
            RecordBatch::try_from_iter([("x", Arc::new(Int64Array::from_iter_values(0..60_000)) as ArrayRef)]).unwrap();
        let splits = assign(&batch, &[6, 2, 2], &[]).unwrap();
        for (split, expected) in [(0, 0.6), (1, 0.2), (2, 0.2)] {
            let share = splits.iter().filter(|&&s| s == split).count() as f64 / 60_000.0;
            assert!((share - expected).abs() < 0.01, "split {split} has {share}");
        }
    }

    #[test]
    fn a_key_must_be_one() {
        let batch = table(&[Some(1), None], &[Some("a".to_owned()), None], &[Some(1.0), Some(2.0)]);
        let message = |by: &[&str], shares: &[u32]| assign(&batch, shares, by).unwrap_err().to_string();
        assert_eq!(
            message(&["float"], &[1]),
            "`t.csv`: column `float` is of type float; rows can be split by int, string and bool columns"
        );
        assert_eq!(message(&["id"], &[1]), "`t.csv`: column `id` has no value in row 2, but rows are split by it");
        assert_eq!(message(&["txt"], &[1]), "`t.csv` has no column `txt`");
        assert_eq!(message(&[], &[0, 0]), "the shares of the splits sum to 0");
    }

    /// Rows of which some repeat.
    fn row() -> impl Strategy<Value = (Option<i64>, Option<String>, Option<f64>)> {
        prop_oneof![
            (any::<Option<i64>>(), any::<Option<String>>(), any::<Option<f64>>()),
            (0i64..2).prop_map(|id| (Some(id), Some("a".to_owned()), None)),
        ]
    }

    #[test]
    fn equal_rows_are_spread_by_the_shares() {
        // 20 kinds of rows, 300 of each.
        let ids = Int64Array::from_iter_values((0..6_000).map(|row| row % 20));
        let batch = RecordBatch::try_from_iter([("x", Arc::new(ids) as ArrayRef)]).unwrap();
        let splits = assign(&batch, &[2, 1], &[]).unwrap();
        for kind in 0..20 {
            let eval = (0..300).filter(|i| splits[kind + i * 20] == 1).count();
            // A third of 300 with a standard deviation of 8.2.
            assert!((67..=133).contains(&eval), "{eval} of 300 rows of kind {kind}");
        }
    }

    #[test]
    fn a_column_left_out_of_the_key_decides_nothing() {
        let table = |labels: [i64; 6]| {
            RecordBatch::try_from_iter([
                ("x", Arc::new(Int64Array::from(vec![1, 1, 1, 2, 3, 4])) as ArrayRef),
                ("y", Arc::new(Int64Array::from(labels.to_vec())) as ArrayRef),
            ])
            .unwrap()
        };
        let except = ["y".to_owned()];
        let of = |labels| assign_all(&[&table(labels)], &[1; 9], Key::RowExcept(&except)).unwrap();
        let (a, b) = (of([0, 1, 0, 0, 0, 0]), of([0, 1, 0, 1, 1, 1]));
        assert_eq!(a, b);
        // The second row equals no other, so its key is that of the first; the third repeats the first.
        assert_eq!(a[0], a[1]);
        let unknown = ["z".to_owned()];
        let error = assign_all(&[&table([0; 6])], &[1], Key::RowExcept(&unknown)).unwrap_err();
        assert!(matches!(error, DataError::ColumnNotFound { .. }));
        let every = ["x".to_owned(), "y".to_owned()];
        let error = assign_all(&[&table([0; 6])], &[1], Key::RowExcept(&every)).unwrap_err();
        assert_eq!(error.to_string(), "every column is left out of what decides the split");
    }

    proptest! {
        #[test]
        fn membership_follows_the_row(
            rows in prop::collection::vec(row(), 1..60),
            shares in prop::collection::vec(0u32..5, 1..4),
            seed: u64,
            cut in 0usize..60,
        ) {
            prop_assume!(shares.iter().sum::<u32>() > 0);
            let (mut ids, mut texts, mut floats) = (Vec::new(), Vec::new(), Vec::new());
            for (id, text, float) in &rows {
                ids.push(*id);
                texts.push(text.clone());
                floats.push(*float);
            }
            let batch = table(&ids, &texts, &floats);
            let splits = assign(&batch, &shares, &[]).unwrap();
            prop_assert!(splits.iter().all(|&split| shares[usize::from(split)] > 0));

            // Cut in two and joined: the same rows, the same splits.
            let cut = cut.min(rows.len());
            let (head, tail) = (batch.slice(0, cut), batch.slice(cut, rows.len() - cut));
            let pieces = assign_all(&[&head, &tail], &shares, Key::RowExcept(&[])).unwrap();
            prop_assert_eq!(&pieces, &splits);
            let joined = concat_batches(&batch.schema(), [&head, &tail]).unwrap();
            prop_assert_eq!(&assign(&joined, &shares, &[]).unwrap(), &splits);

            // Shuffled: the splits move with their rows. So do columns.
            let mut order: Vec<u32> = (0..rows.len() as u32).collect();
            order.sort_by_key(|&i| xxh3_64(&(seed ^ u64::from(i)).to_le_bytes()));
            let shuffled = take_record_batch(&batch, &UInt32Array::from(order.clone())).unwrap();
            let shuffled = shuffled.project(&[2, 0, 1]).unwrap();
            // Equal rows may change places with each other.
            let by_row = |order: &[u32], splits: &[u16]| {
                // Minus zero is the same number as zero.
                let row = |i: u32| {
                    let (id, text, float) = &rows[i as usize];
                    format!("{:?}", (id, text, float.map(|float| float + 0.0)))
                };
                let mut all: Vec<(String, u16)> = order.iter().map(|&i| row(i)).zip(splits.iter().copied()).collect();
                all.sort();
                all
            };
            let natural: Vec<u32> = (0..rows.len() as u32).collect();
            let found = assign(&shuffled, &shares, &[]).unwrap();
            prop_assert_eq!(by_row(&order, &found), by_row(&natural, &splits));
        }
    }
}
