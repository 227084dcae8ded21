//! Joining rows to what came before them.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, RecordBatch, UInt32Array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{concat, take};
use arrow::datatypes::{DataType as ArrowType, Field, Int64Type, Schema, SchemaRef};
use tidemill_core::{CancelFlag, Progress};
use tidemill_data::HistoryInfo;
use tidemill_model::MissingColumn;
use tidemill_model::steps::seconds;

use crate::error::TransformError;
use crate::rows::SplitSource;

/// Values of one batch that is given out: longer lists make for fewer rows.
const BATCH_VALUES: usize = 4 << 20;
/// The code of a row without an entity.
const NOBODY: u32 = u32::MAX;

/// What a history is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryOptions {
    /// The columns that say which rows belong together; none: all of them do.
    pub entity: Vec<String>,
    /// The column with the time of a row.
    pub time: String,
    /// The columns of numbers whose earlier values are wanted.
    pub columns: Vec<String>,
    /// How old a value may be, in seconds.
    pub length_seconds: Option<u64>,
    /// Values of a list at most, the newest.
    pub rows_max: u32,
    /// How old a value must be, in seconds.
    pub horizon_seconds: Option<u64>,
    /// What stands before the name of a column in the name of its history.
    pub prefix: String,
}

impl HistoryOptions {
    /// The name of the history of `column`.
    pub fn name_of(&self, column: &str) -> String {
        format!("{}{column}", self.prefix)
    }

    /// What the examples say of it.
    pub(super) fn info(&self) -> HistoryInfo {
        HistoryInfo {
            time: self.time.clone(),
            times: self.name_of(&self.time),
            values: self.columns.iter().map(|column| self.name_of(column)).collect(),
            rows_max: self.rows_max,
            length_seconds: self.length_seconds,
            horizon_seconds: self.horizon_seconds,
        }
    }

    /// The columns whose history is kept: the time first.
    fn kept(&self) -> impl Iterator<Item = &String> {
        std::iter::once(&self.time).chain(&self.columns)
    }
}

/// All rows by entity and time, so that each can be given what came before it.
///
/// Of the columns that are kept, every value is in memory once; besides 16 bytes a row.
#[derive(Debug)]
pub struct HistoryJoin {
    options: HistoryOptions,
    schema: SchemaRef,
    /// Row numbers by entity, then by time; of one time in the order of the data.
    order: Vec<u32>,
    /// By entity: where its rows begin in `order`; the last is the end.
    starts: Vec<u32>,
    codes: HashMap<Box<[u8]>, u32>,
    /// By row, in seconds since 1970.
    times: Vec<f64>,
    /// The time and the other columns that are kept, of all rows.
    kept: Vec<ArrayRef>,
    rows_apart: u64,
}

impl HistoryJoin {
    /// Reads the rows of all splits: what came before a row may be in another.
    pub fn read(
        rows: &dyn SplitSource,
        options: &HistoryOptions,
        progress: &dyn Progress,
        cancel: Option<&CancelFlag>,
    ) -> Result<Self, TransformError> {
        let schema = output_schema(&rows.schema(), options)?;
        let wanted: Vec<&str> = options.kept().chain(&options.entity).map(String::as_str).collect();
        let distinct: Vec<&str> = wanted
            .iter()
            .enumerate()
            .filter(|(at, name)| !wanted[..*at].contains(name))
            .map(|(_, name)| *name)
            .collect();
        let mut kept: Vec<Vec<ArrayRef>> = vec![Vec::new(); options.columns.len() + 1];
        let (mut codes, mut row_codes, mut times) = (HashMap::<Box<[u8]>, u32>::new(), Vec::new(), Vec::new());
        let (mut rows_apart, mut batch_times) = (0, Vec::new());
        for (split, split_rows) in rows.splits() {
            progress.phase(&format!("reading the past, split {split}"));
            progress.total_rows(split_rows);
            for batch in rows.read(&split, &distinct)? {
                if cancel.is_some_and(CancelFlag::is_set) {
                    return Err(TransformError::Canceled);
                }
                let batch = batch?;
                let column = |name: &String| batch.column_by_name(name).cloned();
                let arrays: Vec<ArrayRef> = options.kept().filter_map(column).collect();
                let keys: Vec<ArrayRef> = options.entity.iter().filter_map(column).collect();
                if let Some(time) = arrays.first() {
                    seconds(time, &mut batch_times);
                }
                let mut key = Vec::new();
                for (row, time) in batch_times.iter().enumerate() {
                    let mut code = NOBODY;
                    if key_of(&keys, row, &mut key) && !time.is_nan() {
                        let next = codes.len() as u32;
                        code = match codes.get(key.as_slice()) {
                            Some(code) => *code,
                            None => *codes.entry(key.as_slice().into()).or_insert(next),
                        };
                    }
                    rows_apart += u64::from(code == NOBODY);
                    row_codes.push(code);
                }
                if row_codes.len() as u64 >= u64::from(NOBODY) {
                    return Err(TransformError::TooManyRows { limit: u64::from(NOBODY) });
                }
                times.extend_from_slice(&batch_times);
                for (kept, array) in kept.iter_mut().zip(arrays) {
                    kept.push(array);
                }
                progress.advance(batch.num_rows() as u64);
            }
        }
        let mut order: Vec<u32> =
            (0..row_codes.len() as u32).filter(|row| row_codes[*row as usize] != NOBODY).collect();
        order.sort_by(|a, b| {
            let place = |row: u32| (row_codes[row as usize], times[row as usize]);
            let ((a_code, a_time), (b_code, b_time)) = (place(*a), place(*b));
            a_code.cmp(&b_code).then(a_time.total_cmp(&b_time)).then(a.cmp(b))
        });
        let mut starts = vec![0; codes.len() + 1];
        for row in &order {
            starts[row_codes[*row as usize] as usize + 1] += 1;
        }
        for at in 1..starts.len() {
            starts[at] += starts[at - 1];
        }
        let mut whole = Vec::with_capacity(kept.len());
        for (name, parts) in options.kept().zip(kept) {
            let parts: Vec<&dyn Array> = parts.iter().map(|part| &**part).collect();
            if parts.is_empty() {
                return Err(TransformError::NoRows { column: name.clone() });
            }
            whole.push(concat(&parts).map_err(tidemill_data::DataError::from)?);
        }
        Ok(Self { options: options.clone(), schema, order, starts, codes, times, kept: whole, rows_apart })
    }

    /// The columns of a batch with its past: those there are, then the histories, the time's first.
    pub fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    /// Rows without a time or an entity, which have no past and are in nobody's.
    pub fn rows_apart(&self) -> u64 {
        self.rows_apart
    }

    /// How many entities there are.
    pub fn entities(&self) -> usize {
        self.codes.len()
    }

    /// A batch of all columns with the past of each row, in parts of few enough rows.
    pub fn batches(&self, batch: &RecordBatch) -> Result<Vec<RecordBatch>, TransformError> {
        let per_part = (BATCH_VALUES / self.options.rows_max as usize).clamp(1, batch.num_rows().max(1));
        let mut parts = Vec::with_capacity(batch.num_rows() / per_part + 1);
        for at in (0..batch.num_rows()).step_by(per_part) {
            parts.push(self.part(&batch.slice(at, per_part.min(batch.num_rows() - at)))?);
        }
        Ok(parts)
    }

    fn part(&self, batch: &RecordBatch) -> Result<RecordBatch, TransformError> {
        let column = |name: &String| batch.column_by_name(name).cloned();
        let keys: Vec<ArrayRef> = self.options.entity.iter().filter_map(column).collect();
        let mut times = vec![f64::NAN; batch.num_rows()];
        if let Some(time) = column(&self.options.time) {
            seconds(&time, &mut times);
        }
        let (mut picked, mut lengths, mut key) = (Vec::<u32>::new(), Vec::with_capacity(times.len()), Vec::new());
        for (row, time) in times.iter().enumerate() {
            let before = picked.len();
            if key_of(&keys, row, &mut key)
                && !time.is_nan()
                && let Some(code) = self.codes.get(key.as_slice())
            {
                picked.extend_from_slice(self.before(*code, *time));
            }
            lengths.push(picked.len() - before);
        }
        let picked = UInt32Array::from(picked);
        let offsets = OffsetBuffer::from_lengths(lengths);
        let mut columns = batch.columns().to_vec();
        let arrow = tidemill_data::DataError::from;
        for (kept, field) in self.kept.iter().zip(&self.schema.fields()[columns.len()..]) {
            let values = take(kept, &picked, None).map_err(arrow)?;
            let ArrowType::List(element) = field.data_type() else { continue };
            let list = ListArray::try_new(Arc::clone(element), offsets.clone(), values, None).map_err(arrow)?;
            columns.push(Arc::new(list));
        }
        Ok(RecordBatch::try_new(self.schema(), columns).map_err(arrow)?)
    }

    /// The rows of an entity that came before `time`, oldest first.
    fn before(&self, entity: u32, time: f64) -> &[u32] {
        let bound = |at: usize| self.starts.get(at).map_or(0, |start| *start as usize);
        let rows = self.order.get(bound(entity as usize)..bound(entity as usize + 1)).unwrap_or_default();
        let age = |row: &u32| time - self.times[*row as usize];
        let youngest = self.options.horizon_seconds.unwrap_or(0) as f64;
        let end = rows.partition_point(|row| age(row) > 0.0 && age(row) >= youngest);
        let oldest = self.options.length_seconds.map_or(f64::INFINITY, |length| length as f64);
        let start = rows[..end].partition_point(|row| age(row) > oldest);
        &rows[start.max(end.saturating_sub(self.options.rows_max as usize))..end]
    }
}

/// The columns there are and those of histories; an error for one that is not there, of a type without a history, or
/// whose history's name is taken.
fn output_schema(schema: &Schema, options: &HistoryOptions) -> Result<SchemaRef, TransformError> {
    let mut missing = Vec::new();
    for name in options.entity.iter().chain(options.kept()) {
        if schema.index_of(name).is_err() {
            missing.push(MissingColumn::of_feature(options.name_of(&options.time), name, schema));
        }
    }
    MissingColumn::error_if_any(missing)?;
    let mut fields: Vec<Field> = schema.fields().iter().map(|field| field.as_ref().clone()).collect();
    for name in &options.entity {
        let found = schema.field_with_name(name).map_or(&ArrowType::Null, Field::data_type);
        if !matches!(found, ArrowType::Utf8 | ArrowType::Int64 | ArrowType::Boolean) {
            return Err(unfit(name, "an entity", "text, whole numbers, or true and false", found));
        }
    }
    for name in options.kept() {
        let found = schema.field_with_name(name).map_or(&ArrowType::Null, Field::data_type);
        let is_time = *name == options.time;
        match found {
            ArrowType::Utf8 if is_time => {}
            ArrowType::Int64 | ArrowType::Float64 => {}
            ArrowType::Boolean if !is_time => {}
            _ if is_time => return Err(unfit(name, "a time", "ISO text or seconds since 1970", found)),
            _ => return Err(unfit(name, "a history", "numbers, true and false", found)),
        }
        let history = options.name_of(name);
        if schema.index_of(&history).is_ok() {
            return Err(TransformError::HistoryExists { column: history });
        }
        fields.push(Field::new(history, tidemill_data::list_of(found.clone()), true));
    }
    Ok(Arc::new(Schema::new(fields)))
}

fn unfit(column: &str, what: &'static str, takes: &'static str, found: &ArrowType) -> TransformError {
    TransformError::HistoryType { column: column.to_owned(), what, takes, actual: found.to_string() }
}

/// The key of a row's entity into `key`; `false` where a part of it is missing.
fn key_of(columns: &[ArrayRef], row: usize, key: &mut Vec<u8>) -> bool {
    key.clear();
    for column in columns {
        if column.is_null(row) {
            return false;
        }
        match column.data_type() {
            ArrowType::Int64 => key.extend(column.as_primitive::<Int64Type>().value(row).to_le_bytes()),
            ArrowType::Boolean => key.push(u8::from(column.as_boolean().value(row))),
            ArrowType::Utf8 => {
                let text = column.as_string::<i32>().value(row).as_bytes();
                key.extend((text.len() as u64).to_le_bytes());
                key.extend(text);
            }
            _ => return false,
        }
    }
    true
}
