//! A source whose columns and types are known.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use tidemill_core::suggest;

use super::csv::Notes;
use super::dialect::Dialect;
use super::files::{InputFile, resolve};
use super::remarks::{Decided, remarks};
use super::value::{CellKinds, Shape};
use super::{CsvOptions, Format, ReadOptions, avro, blobs, csv, json, parquet, tfrecord};
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

/// What one file has: its columns with the types of its own rows.
#[derive(Default)]
struct FileColumns {
    columns: Vec<(String, ColumnKind)>,
    rows: Option<u64>,
    /// Columns that cannot be read, and why.
    left_out: Vec<(String, String)>,
    /// Columns of whole numbers that are read as text.
    long: Vec<String>,
    notes: Vec<(String, Notes)>,
    warnings: Vec<String>,
}

/// What is known of a column's type from one file.
#[derive(Clone)]
enum ColumnKind {
    /// The file says so.
    Fixed(DataType),
    /// Its cells are so.
    Guessed(Shape),
    /// Nobody looked: the type is given from outside.
    Given,
}

impl ColumnKind {
    /// Whether the column can be read as a type that is suggested from outside.
    fn fits(&self, data_type: &DataType) -> bool {
        match self {
            Self::Guessed(Shape { kinds, is_list }) => match element_type(data_type) {
                Some(element) => *is_list && kinds.fits(element),
                None => !is_list && kinds.fits(data_type),
            },
            Self::Fixed(DataType::Null) => is_column_type(data_type),
            Self::Fixed(_) | Self::Given => false,
        }
    }
}

/// The columns of a file that says their types.
pub(super) struct FixedColumns {
    pub(super) columns: Vec<(String, DataType)>,
    pub(super) rows: u64,
    /// Columns that cannot be read, and why, to follow "column `x`".
    pub(super) left_out: Vec<(String, String)>,
    /// Columns of whole numbers that are read as text, since some do not fit 64 bits.
    pub(super) long: Vec<String>,
    pub(super) warnings: Vec<String>,
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
        if inputs[0].format.is_blobs() {
            blobs::check(&inputs)?;
        }
        for input in &inputs {
            let found = look_at(input, options)?;
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
            } else if input.format.has_optional_columns() {
                unite(&mut columns, found.columns);
            } else {
                unify(&mut columns, &found.columns, &long, &input.path, &files[0].path)?;
            }
        }
        if inputs[0].format == Format::Json {
            drop_null_objects(&mut columns);
        }
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
        if self.format().is_blobs() {
            return Ok(BatchReader::new(self.schema.clone(), blobs::read(inputs, self.schema.clone())));
        }
        let mut files = inputs.into_iter();
        let (schema, csv) = (self.schema.clone(), self.csv.clone());
        let spool = self.spool.clone();
        let tell = move |error| match &spool {
            Some(spool) => spool.tell(error),
            None => error,
        };
        let mut open_next = move || -> Option<Result<FileBatches, DataError>> {
            let file = files.next()?;
            Some(match file.format {
                // Their files were read together above.
                Format::Images | Format::Texts => return None,
                Format::Csv => {
                    csv::read(&file.path, &Dialect::new(&csv, file.delimiter), schema.clone()).map(FileBatches::Csv)
                }
                Format::Json => json::read(&file.path, &schema).map(FileBatches::Json),
                Format::Parquet => parquet::read(&file.path, &schema).map(FileBatches::Parquet),
                Format::TfRecord => tfrecord::read(&file.path, &schema).map(FileBatches::TfRecord),
                Format::Avro => avro::read(&file.path, &schema).map(FileBatches::Avro),
            })
        };
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

enum FileBatches {
    Csv(csv::CsvReader),
    Json(json::JsonReader),
    Parquet(parquet::ParquetReader),
    TfRecord(tfrecord::TfRecordReader),
    Avro(avro::AvroReader),
}

impl Iterator for FileBatches {
    type Item = Result<arrow::array::RecordBatch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self {
            Self::Csv(reader) => reader.next(),
            Self::Json(reader) => reader.next(),
            Self::Parquet(reader) => reader.next(),
            Self::TfRecord(reader) => reader.next(),
            Self::Avro(reader) => reader.next(),
        }
    }
}

fn look_at(input: &InputFile, options: &ReadOptions) -> Result<FileColumns, DataError> {
    match input.format {
        Format::Images | Format::Texts => {
            let columns = blobs::columns(input.format).into_iter();
            let columns = columns.map(|(name, kind)| (name.to_owned(), ColumnKind::Fixed(kind))).collect();
            Ok(FileColumns { columns, rows: Some(1), ..FileColumns::default() })
        }
        Format::Parquet | Format::Avro => {
            let look = if input.format == Format::Avro { avro::columns } else { parquet::columns };
            let FixedColumns { columns, rows, left_out, long, warnings } = look(&input.path)?;
            let columns = columns.into_iter().map(|(name, kind)| (name, ColumnKind::Fixed(kind))).collect();
            Ok(FileColumns { columns, rows: Some(rows), left_out, long, warnings, ..FileColumns::default() })
        }
        Format::Json => {
            let (columns, left_out, rows) = json::scan(&input.path)?;
            Ok(FileColumns { columns: guessed(columns), rows: Some(rows), left_out, ..FileColumns::default() })
        }
        Format::TfRecord => {
            let (columns, rows) = tfrecord::scan(&input.path)?;
            Ok(FileColumns { columns: guessed(columns), rows: Some(rows), ..FileColumns::default() })
        }
        Format::Csv => {
            let dialect = Dialect::new(&options.csv, input.delimiter);
            let is_read = |name: &String| options.columns.as_ref().is_none_or(|columns| columns.contains(name));
            let is_given = |name: &String| options.types.as_ref().is_some_and(|t| t.field_with_name(name).is_ok());
            if options.types.is_some() {
                let (names, warnings) = csv::header(&input.path, &dialect)?;
                if names.iter().all(|name| is_given(name) || !is_read(name)) {
                    let columns = names.into_iter().map(|name| (name, ColumnKind::Given)).collect();
                    return Ok(FileColumns { columns, warnings, ..FileColumns::default() });
                }
            }
            let csv::Scan { columns, rows, warnings } = csv::scan(&input.path, &dialect)?;
            let notes = columns.iter().map(|(name, _, notes)| (name.clone(), notes.clone())).collect();
            let columns = guessed(columns.into_iter().map(|(name, kinds, _)| (name, kinds.into())));
            Ok(FileColumns { columns, rows: Some(rows), notes, warnings, ..FileColumns::default() })
        }
    }
}

fn guessed(columns: impl IntoIterator<Item = (String, Shape)>) -> Vec<(String, ColumnKind)> {
    columns.into_iter().map(|(name, shape)| (name, ColumnKind::Guessed(shape))).collect()
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

/// Makes `columns` hold for another file too, of a format whose rows need not have every column.
fn unite(columns: &mut Vec<(String, ColumnKind)>, other: Vec<(String, ColumnKind)>) {
    let places: HashMap<String, usize> = columns.iter().enumerate().map(|(i, (name, _))| (name.clone(), i)).collect();
    for (name, found) in other {
        match places.get(&name).map(|place| &mut columns[*place].1) {
            None => columns.push((name, found)),
            Some(kind) => {
                if let (ColumnKind::Guessed(a), ColumnKind::Guessed(b)) = (&*kind, &found) {
                    *kind = ColumnKind::Guessed(a.join(*b));
                }
            }
        }
    }
}

/// Takes away columns that are nothing but null where other rows have an object: its members are columns.
fn drop_null_objects(columns: &mut Vec<(String, ColumnKind)>) {
    let objects: HashSet<String> = columns
        .iter()
        .flat_map(|(name, _)| name.match_indices('.').map(|(at, _)| name[..at].to_owned()).collect::<Vec<_>>())
        .collect();
    let is_null = |kind: &ColumnKind| matches!(kind, ColumnKind::Guessed(shape) if *shape == Shape::default());
    columns.retain(|(name, kind)| !(is_null(kind) && objects.contains(name)));
}

/// Makes the types in `columns` hold for another file too.
fn unify(
    columns: &mut [(String, ColumnKind)],
    other: &[(String, ColumnKind)],
    long: &HashSet<String>,
    path: &Path,
    first: &Path,
) -> Result<(), DataError> {
    let differ = |message: String| DataError::SchemasDiffer { path: path.to_owned(), first: first.to_owned(), message };
    if let Some((name, _)) = other.iter().find(|(name, _)| !columns.iter().any(|(known, _)| known == name)) {
        return Err(differ(format!("only the former has column `{name}`")));
    }
    for (name, kind) in columns {
        let Some((_, found)) = other.iter().find(|(other, _)| other == name) else {
            return Err(differ(format!("only the latter has column `{name}`")));
        };
        *kind = match (&*kind, found) {
            (ColumnKind::Guessed(a), ColumnKind::Guessed(b)) => ColumnKind::Guessed(a.join(*b)),
            // In one file all whole numbers fit 64 bits, in another some do not.
            (ColumnKind::Fixed(a), ColumnKind::Fixed(b)) if a != b && long.contains(name) => {
                ColumnKind::Fixed(if element_type(a).is_some() { list_of(DataType::Utf8) } else { DataType::Utf8 })
            }
            (ColumnKind::Fixed(a), ColumnKind::Fixed(b)) => match wider(a, b) {
                Some(both) => ColumnKind::Fixed(both),
                None => return Err(differ(format!("column `{name}` is {b} in the former and {a} in the latter"))),
            },
            (kind, _) => kind.clone(),
        };
    }
    Ok(())
}

/// The type that holds the values of both, where one is the other with more room.
fn wider(a: &DataType, b: &DataType) -> Option<DataType> {
    match (a, b) {
        (a, b) if a == b => Some(a.clone()),
        (DataType::Null, a) | (a, DataType::Null) => Some(a.clone()),
        (DataType::Int64, DataType::Float64) | (DataType::Float64, DataType::Int64) => Some(DataType::Float64),
        // Bytes that happened to be text in all rows of one file.
        (DataType::Utf8, DataType::Binary) | (DataType::Binary, DataType::Utf8) => Some(DataType::Binary),
        (DataType::List(a), DataType::List(b)) => wider(a.data_type(), b.data_type()).map(list_of),
        _ => None,
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
