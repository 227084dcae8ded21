//! The comparison itself.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use arrow::util::display::FormatOptions;
use tidemill_core::suggest;

use super::cell::{Cell, Cells};
use super::columns::ColumnTally;
use super::spill::{PORTIONS, Portions, Row, rows};
use super::{ChangedCell, ChangedRow, DiffOptions, SampleRow, Sides, TableDiff};
use crate::{BatchReader, DataError};

/// What differs between the tables that `a` and `b` read, row by row of the same key. `names` are their files, for messages.
///
/// A key that a table has twice names no row, so its rows are counted and not compared; nor are rows with a missing key.
/// Columns that only one has, or that `options` says to ignore, are not compared. The order of rows and of columns plays no part.
///
/// Memory: rows wait in 256 portions by the hash of their key, on disk beyond 64 MiB for each table, and one portion of both is
/// read at a time. So it holds 128 MiB and about a 256th of the two tables, more only where one key has very many rows.
pub fn diff_tables(
    a: BatchReader,
    b: BatchReader,
    options: &DiffOptions,
    names: Sides<&Path>,
) -> Result<TableDiff, DataError> {
    let columns = Sides { a: column_names(&a), b: column_names(&b) };
    check(&columns, options, names)?;
    let ignored = |name: &String| options.ignore.contains(name) || options.key.contains(name);
    let compared: Vec<String> =
        columns.a.iter().filter(|name| columns.b.contains(name) && !ignored(name)).cloned().collect();
    let lacking = |of: &[String], other: &[String]| -> Vec<String> {
        of.iter().filter(|name| !other.contains(name) && !ignored(name)).cloned().collect()
    };
    let mut diff = TableDiff {
        key: options.key.clone(),
        columns_only: Sides { a: lacking(&columns.a, &columns.b), b: lacking(&columns.b, &columns.a) },
        ..TableDiff::default()
    };
    let mut left = Portions::new();
    (diff.rows.a, diff.without_key.a) = read(a, &options.key, &compared, &mut left)?;
    let mut right = Portions::new();
    (diff.rows.b, diff.without_key.b) = read(b, &options.key, &compared, &mut right)?;

    let mut work = Work { options, compared: &compared, diff, tallies: Vec::new(), kept: Kept::default() };
    work.tallies.resize_with(compared.len(), ColumnTally::default);
    for portion in 0..PORTIONS {
        let (left, right) = (left.take(portion)?, right.take(portion)?);
        work.portion(&left, &right);
    }
    Ok(work.finish())
}

fn column_names(reader: &BatchReader) -> Vec<String> {
    reader.schema().fields().iter().map(|field| field.name().clone()).collect()
}

/// Every key column must be in both tables, every ignored one in either.
fn check(columns: &Sides<Vec<String>>, options: &DiffOptions, names: Sides<&Path>) -> Result<(), DataError> {
    for (path, known) in [(names.a, &columns.a), (names.b, &columns.b)] {
        if let Some(column) = options.key.iter().find(|column| !known.contains(column)) {
            let nearest = suggest(column, known.iter().map(String::as_str)).map(str::to_owned);
            return Err(DataError::ColumnNotFound { path: path.to_owned(), column: column.clone(), nearest });
        }
    }
    let stray = options.ignore.iter().find(|column| !columns.a.contains(column) && !columns.b.contains(column));
    stray.map_or(Ok(()), |column| {
        let nearest = suggest(column, columns.a.iter().map(String::as_str)).map(str::to_owned);
        Err(DataError::ColumnNotFound { path: names.a.to_owned(), column: column.clone(), nearest })
    })
}

/// Sorts the rows of a table into portions. Returns how many there are, and how many have no key.
fn read(
    reader: BatchReader,
    key: &[String],
    compared: &[String],
    portions: &mut Portions,
) -> Result<(u64, u64), DataError> {
    let schema = reader.schema();
    let index = |name: &String| schema.index_of(name).map_err(DataError::from);
    let keys = key.iter().map(index).collect::<Result<Vec<_>, _>>()?;
    let others = compared.iter().map(index).collect::<Result<Vec<_>, _>>()?;
    let format = FormatOptions::default();
    let (mut rows, mut without) = (0, 0);
    let (mut name, mut cells) = (Vec::new(), Vec::new());
    for batch in reader {
        let batch = batch?;
        let of = |columns: &[usize]| {
            columns.iter().map(|column| Cells::of(batch.column(*column), &format)).collect::<Result<Vec<_>, _>>()
        };
        let (key_cells, other_cells) = (of(&keys)?, of(&others)?);
        for row in 0..batch.num_rows() {
            rows += 1;
            if key_cells.iter().any(|column| column.is_missing(row)) {
                without += 1;
                continue;
            }
            name.clear();
            for column in &key_cells {
                column.write_key(row, &mut name);
            }
            cells.clear();
            for column in &other_cells {
                column.write(row, &mut cells);
            }
            portions.add(&name, rows, &cells)?;
        }
    }
    Ok((rows, without))
}

/// The rows with one key.
#[derive(Clone, Copy)]
struct Entry<'a> {
    first: Row<'a>,
    rows: u64,
}

fn by_key(bytes: &[u8]) -> HashMap<&[u8], Entry<'_>> {
    let mut found: HashMap<&[u8], Entry<'_>> = HashMap::new();
    for row in rows(bytes) {
        found.entry(row.key).and_modify(|entry| entry.rows += 1).or_insert(Entry { first: row, rows: 1 });
    }
    found
}

/// The rows with the smallest keys of each kind, by key.
#[derive(Default)]
struct Kept {
    only: Sides<BTreeMap<Vec<String>, SampleRow>>,
    duplicates: Sides<BTreeMap<Vec<String>, SampleRow>>,
    changed: BTreeMap<Vec<String>, ChangedRow>,
}

fn keep<T>(kept: &mut BTreeMap<Vec<String>, T>, most: usize, key: Vec<String>, value: impl FnOnce(Vec<String>) -> T) {
    if kept.len() < most || kept.last_key_value().is_some_and(|(last, _)| key < *last) {
        let sample = value(key.clone());
        kept.insert(key, sample);
        if kept.len() > most {
            kept.pop_last();
        }
    }
}

struct Work<'a> {
    options: &'a DiffOptions,
    compared: &'a [String],
    diff: TableDiff,
    tallies: Vec<ColumnTally>,
    kept: Kept,
}

impl Work<'_> {
    fn portion(&mut self, left: &[u8], right: &[u8]) {
        let (left, right) = (by_key(left), by_key(right));
        let most = self.options.samples;
        let sample = |entry: &Entry<'_>| {
            let (row, rows) = (entry.first.number, entry.rows);
            move |key| SampleRow { key, row, rows }
        };
        for entry in left.values() {
            if entry.rows > 1 {
                self.diff.duplicate_keys.a += 1;
                keep(&mut self.kept.duplicates.a, most, shown(entry.first.key), sample(entry));
            }
            match right.get(entry.first.key) {
                None => {
                    self.diff.only.a += entry.rows;
                    keep(&mut self.kept.only.a, most, shown(entry.first.key), sample(entry));
                }
                Some(other) if entry.rows == 1 && other.rows == 1 => self.matched(entry.first, other.first),
                Some(_) => {}
            }
        }
        for entry in right.values() {
            if entry.rows > 1 {
                self.diff.duplicate_keys.b += 1;
                keep(&mut self.kept.duplicates.b, most, shown(entry.first.key), sample(entry));
            }
            if !left.contains_key(entry.first.key) {
                self.diff.only.b += entry.rows;
                keep(&mut self.kept.only.b, most, shown(entry.first.key), sample(entry));
            }
        }
    }

    fn matched(&mut self, a: Row<'_>, b: Row<'_>) {
        self.diff.matched += 1;
        let (mut left, mut right) = (a.cells, b.cells);
        let mut changed: Vec<(usize, Cell<'_>, Cell<'_>)> = Vec::new();
        for column in 0..self.compared.len() {
            let (Some(x), Some(y)) = (Cell::read(&mut left), Cell::read(&mut right)) else { break };
            if !x.same(y, self.options.tolerance) {
                self.tallies[column].add(x, y);
                changed.push((column, x, y));
            }
        }
        if changed.is_empty() {
            self.diff.same += 1;
            return;
        }
        self.diff.changed += 1;
        let compared = self.compared;
        keep(&mut self.kept.changed, self.options.samples, shown(a.key), |key| ChangedRow {
            key,
            rows: Sides { a: a.number, b: b.number },
            cells: changed
                .iter()
                .map(|(column, x, y)| ChangedCell { column: compared[*column].clone(), a: x.shown(), b: y.shown() })
                .collect(),
        });
    }

    fn finish(self) -> TableDiff {
        let mut diff = self.diff;
        diff.columns = self.tallies.into_iter().zip(self.compared).map(|(tally, name)| tally.finish(name)).collect();
        diff.columns.sort_by_key(|column| std::cmp::Reverse(column.changed));
        diff.samples.only = Sides { a: values(self.kept.only.a), b: values(self.kept.only.b) };
        diff.samples.duplicate_keys = Sides { a: values(self.kept.duplicates.a), b: values(self.kept.duplicates.b) };
        diff.samples.changed = values(self.kept.changed);
        diff
    }
}

fn values<T>(kept: BTreeMap<Vec<String>, T>) -> Vec<T> {
    kept.into_values().collect()
}

/// The values of a key for a person.
fn shown(mut key: &[u8]) -> Vec<String> {
    std::iter::from_fn(|| Cell::read(&mut key)).map(|cell| cell.to_string()).collect()
}
