//! A source whose columns and types are known.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use tidemill_core::suggest;

use super::columns::{ColumnKind, unify, unite};
use super::csv::Notes;
use super::files::{InputFile, resolve};
use super::remarks::{Decided, remarks};
use super::value::{CellKinds, Shape};
use super::{CsvOptions, Format, ReadOptions};
use crate::column_type::{element_type, is_column_type, list_of};
use crate::connect::{Spool, Tree};
use crate::{BatchReader, DataError};

/// One or more files of one format with the same columns; the type of every column holds for all of them.
///
/// Opening reads text files once from end to end: every rule of the format is checked and every type is decided
/// before the first row is given. (Not so where [`ReadOptions::types`] names every column: then rows are checked as
/// they are read.) Files come in the byte order of their paths; their columns may come in any order and take that of
/// the first file.
#[derive(Debug, Clone)]
pub struct Table {
    files: Vec<TableFile>,
    inputs: Vec<InputFile>,
    schema: SchemaRef,
    csv: CsvOptions,
    valueless: Vec<String>,
    /// What the cells of columns look like, of formats that do not say their types.
    shapes: HashMap<String, Shape>,
    /// Columns that cannot be read, and why, to follow "column `x`".
    left_out: Vec<(String, String)>,
    warnings: Vec<String>,
    /// Where the files are copies of others.
    spool: Option<Arc<Spool>>,
}

/// One file of a [`Table`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its rows; unknown for text whose types were all given.
    pub rows: Option<u64>,
}

impl Table {
    /// Finds the files at `path` (a file, a folder, a glob) and decides the columns and types.
    pub fn open(path: &Path, options: &ReadOptions) -> Result<Self, DataError> {
        Self::of_files(path, resolve(&Tree::Disk, path, options.format)?, options)
    }

    /// As [`Table::of_files`], where the files may be copies: errors name what they are copies of.
    pub(crate) fn of_spooled(
        path: &Path,
        inputs: Vec<InputFile>,
        options: &ReadOptions,
        spool: Option<Arc<Spool>>,
    ) -> Result<Self, DataError> {
        let Some(spool) = spool else { return Self::of_files(path, inputs, options) };
        let mut table = Self::of_files(path, inputs, options).map_err(|error| spool.tell(error))?;
        table.spool = Some(spool);
        Ok(table)
    }

    /// The same files read with other options; `path` names them all in errors.
    pub fn reopen(&self, path: &Path, options: &ReadOptions) -> Result<Self, DataError> {
        Self::of_spooled(path, self.inputs.clone(), options, self.spool.clone())
    }

    /// The columns that this table and another read as different types, with a type that holds the values of both: a
    /// column of text in one is text in the other, even if it holds digits only. Columns of files that say their types are
    /// left as they are.
    pub fn common_types(&self, other: &Self) -> Schema {
        let field = |field: &Arc<Field>| {
            let known = other.schema.field_with_name(field.name()).ok()?;
            let both = self.shapes.get(field.name())?.join(*other.shapes.get(field.name())?);
            (known.data_type() != field.data_type()).then(|| Field::new(field.name(), both.data_type(), true))
        };
        Schema::new(self.schema.fields().iter().filter_map(field).collect::<Vec<_>>())
    }

    /// The same rows with only these columns, in this order.
    pub fn select(&self, columns: &[&str]) -> Result<Self, DataError> {
        let field = |name: &&str| {
            self.schema.field_with_name(name).cloned().map_err(|_| {
                let path = self.files.first().map(|file| self.original(&file.path)).unwrap_or_default();
                let known = self.schema.fields().iter().map(|f| f.name().as_str());
                not_read(&path, name, &self.left_out, known)
            })
        };
        let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Result<Vec<_>, _>>()?));
        Ok(Self { schema, ..self.clone() })
    }

    /// What a file is a copy of, if it is one.
    pub fn original(&self, path: &Path) -> PathBuf {
        self.spool.as_ref().map_or_else(|| path.to_owned(), |spool| spool.original(path))
    }

    /// The table made of files that are found already, at least one; `path` names them all in errors.
    pub(crate) fn of_files(path: &Path, inputs: Vec<InputFile>, options: &ReadOptions) -> Result<Self, DataError> {
        options.csv.check()?;
        let mut warnings = Vec::new();
        let mut files = Vec::with_capacity(inputs.len());
        let mut columns: Vec<(String, ColumnKind)> = Vec::new();
        let mut left_out: Vec<(String, String)> = Vec::new();
        let mut long: HashSet<String> = HashSet::new();
        let mut notes: HashMap<String, Notes> = HashMap::new();
        let format = inputs[0].format.implementation();
        format.check(&inputs)?;
        for input in &inputs {
            let found = format.inspect(input, options)?;
            files.push(TableFile { path: input.path.clone(), rows: found.rows });
            warnings.extend(found.warnings);
            for (name, why) in found.left_out {
                if !left_out.iter().any(|(known, _)| *known == name) {
                    left_out.push((name, why));
                }
            }
            long.extend(found.long);
            for (name, found) in found.notes {
                notes.entry(name).or_default().join(&found);
            }
            if files.len() == 1 {
                columns = found.columns;
            } else if format.has_optional_columns() {
                unite(&mut columns, found.columns);
            } else {
                unify(&mut columns, &found.columns, &long, &input.path, &files[0].path)?;
            }
        }
        format.tidy(&mut columns);
        columns.retain(|(name, _)| !left_out.iter().any(|(other, _)| other == name));
        if columns.is_empty()
            && let Some((column, message)) = left_out.first()
        {
            let (path, column, message) = (path.to_owned(), column.clone(), message.clone());
            return Err(DataError::ColumnType { path, line: None, column, message });
        }
        if files.iter().all(|file| file.rows == Some(0)) {
            return Err(DataError::SourceEmpty { path: path.to_owned(), header_only: true });
        }
        let is_valueless = |kind: &ColumnKind| match kind {
            ColumnKind::Guessed(shape) => shape.kinds == CellKinds::NOTHING,
            ColumnKind::Fixed(data_type) => *element_type(data_type).unwrap_or(data_type) == DataType::Null,
            ColumnKind::Given => false,
        };
        let valueless = columns.iter().filter(|(_, kind)| is_valueless(kind)).map(|(name, _)| name.clone()).collect();
        let schema = Arc::new(schema_of(path, &columns, &left_out, options)?);
        let rows = files.iter().filter_map(|file| file.rows).sum();
        warnings.extend(remarks(&decided(&columns, &notes, &schema, options), rows));
        // Nobody asked for the columns by name: that some are not there is worth a word.
        if options.columns.is_none() {
            let of = |(name, why): &(String, String)| format!("column `{name}` is left out: it {why}");
            warnings.extend(left_out.iter().map(of));
        }
        let shape = |(name, kind): (String, ColumnKind)| match kind {
            ColumnKind::Guessed(shape) => Some((name, shape)),
            ColumnKind::Fixed(_) | ColumnKind::Given => None,
        };
        let shapes = columns.into_iter().filter_map(shape).collect();
        let csv = options.csv.clone();
        Ok(Self { files, inputs, schema, csv, valueless, shapes, left_out, warnings, spool: None })
    }

    /// The columns that are read, with their types.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// The files, in the order they are read.
    pub fn files(&self) -> &[TableFile] {
        &self.files
    }

    /// The format of the files.
    pub fn format(&self) -> Format {
        self.inputs[0].format
    }

    /// Rows of all files, where known.
    pub fn row_count(&self) -> Option<u64> {
        self.files.iter().map(|file| file.rows).sum()
    }

    /// The rows of all files, from the first. May be called again.
    pub fn read(&self) -> Result<BatchReader, DataError> {
        let reader = self.read_files(0..self.inputs.len())?;
        Ok(match self.row_count() {
            Some(rows) => reader.with_row_count(rows),
            None => reader,
        })
    }

    /// The rows of some of the files, which must be there.
    pub(crate) fn read_files(&self, files: Range<usize>) -> Result<BatchReader, DataError> {
        let inputs = self.inputs[files].to_vec();
        let format = self.format().implementation();
        if let Some(batches) = format.read_together(&inputs, &self.schema) {
            return Ok(BatchReader::new(self.schema.clone(), batches));
        }
        let mut files = inputs.into_iter();
        let (schema, csv) = (self.schema.clone(), self.csv.clone());
        let spool = self.spool.clone();
        let tell = move |error| match &spool {
            Some(spool) => spool.tell(error),
            None => error,
        };
        let mut open_next = move || files.next().map(|file| format.read(&file, &csv, &schema));
        // The first file is opened at once, so that trouble with it does not wait for the first row.
        let mut current = open_next().transpose().map_err(&tell)?;
        let batches = std::iter::from_fn(move || {
            loop {
                if let Some(item) = current.as_mut()?.next() {
                    return Some(item);
                }
                match open_next() {
                    Some(Ok(next)) => current = Some(next),
                    Some(Err(error)) => {
                        current = None;
                        return Some(Err(error));
                    }
                    None => current = None,
                }
            }
        });
        Ok(BatchReader::new(self.schema.clone(), batches.map(move |item| item.map_err(&tell))))
    }

    /// Remarks that stop nothing: a file that looks as if it had another delimiter, cells that are read as missing, columns
    /// that are left out.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Columns of the files that have no value in any row, so that nothing is known of their type: they are taken as
    /// `Int64` unless [`ReadOptions::types`] names them.
    pub fn valueless_columns(&self) -> &[String] {
        &self.valueless
    }
}

/// The columns that are read with the type that their cells decided.
fn decided<'a>(
    columns: &'a [(String, ColumnKind)],
    notes: &'a HashMap<String, Notes>,
    schema: &'a Schema,
    options: &ReadOptions,
) -> Vec<Decided<'a>> {
    let of = |(name, kind): &'a (String, ColumnKind)| {
        let ColumnKind::Guessed(Shape { kinds, is_list: false }) = kind else { return None };
        let data_type = schema.field_with_name(name).ok()?.data_type();
        let is_given = options.types.as_ref().is_some_and(|types| types.field_with_name(name).is_ok());
        // A schema that says text knows what it says.
        let is_meant = is_given || (*data_type == DataType::Utf8 && kinds.data_type() != DataType::Utf8);
        (!is_meant).then_some(Decided { name, kinds: *kinds, data_type, notes: notes.get(name)? })
    };
    columns.iter().filter_map(of).collect()
}

/// Why a column that was asked for is not read.
fn not_read<'a>(
    path: &Path,
    name: &str,
    left_out: &[(String, String)],
    known: impl Iterator<Item = &'a str>,
) -> DataError {
    let (path, column) = (path.to_owned(), name.to_owned());
    match left_out.iter().find(|(left, _)| left == name) {
        Some((_, why)) => DataError::ColumnType { path, line: None, column, message: why.clone() },
        None => DataError::ColumnNotFound { path, column, nearest: suggest(name, known).map(str::to_owned) },
    }
}

/// The columns to read: those asked for, as the types asked for.
fn schema_of(
    path: &Path,
    columns: &[(String, ColumnKind)],
    left_out: &[(String, String)],
    options: &ReadOptions,
) -> Result<Schema, DataError> {
    let not_found = |name: &String| not_read(path, name, left_out, columns.iter().map(|(name, _)| name.as_str()));
    if let Some(types) = &options.types {
        for field in types.fields() {
            if !columns.iter().any(|(name, _)| name == field.name()) {
                return Err(not_found(field.name()));
            }
            if !is_column_type(field.data_type()) {
                let message = format!("column `{}` cannot be read as {}", field.name(), field.data_type());
                return Err(DataError::Params { message });
            }
        }
    }
    let field = |(name, kind): &(String, ColumnKind)| -> Result<Field, DataError> {
        let given = options.types.as_ref().and_then(|types| types.field_with_name(name).ok());
        let hint = options.hints.as_ref().and_then(|hints| hints.field_with_name(name).ok());
        let data_type = match (given.or_else(|| hint.filter(|hint| kind.fits(hint.data_type()))), kind) {
            (Some(field), _) => field.data_type().clone(),
            (None, ColumnKind::Fixed(DataType::Null) | ColumnKind::Given) => DataType::Int64,
            (None, ColumnKind::Fixed(data_type)) if element_type(data_type) == Some(&DataType::Null) => {
                list_of(DataType::Int64)
            }
            (None, ColumnKind::Fixed(data_type)) => data_type.clone(),
            (None, ColumnKind::Guessed(shape)) => shape.data_type(),
        };
        if !is_column_type(&data_type) {
            let message = "holds lists of bytes that are not text, which are not read".to_owned();
            let column = name.clone();
            return Err(DataError::ColumnType { path: path.to_owned(), line: None, column, message });
        }
        Ok(Field::new(name, data_type, true))
    };
    let fields = match &options.columns {
        None => columns.iter().map(field).collect::<Result<Vec<_>, _>>()?,
        Some(wanted) => wanted
            .iter()
            .map(|name| columns.iter().find(|(known, _)| known == name).ok_or_else(|| not_found(name)).and_then(field))
            .collect::<Result<_, _>>()?,
    };
    Ok(Schema::new(fields))
}
