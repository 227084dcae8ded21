//! What files say of their columns, and how that of several files becomes one.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use arrow::datatypes::DataType;

use super::csv::Notes;
use super::value::Shape;
use crate::DataError;
use crate::column_type::{element_type, is_column_type, list_of};

/// What one file has: its columns with the types of its own rows.
#[derive(Default)]
pub(super) struct FileColumns {
    pub(super) columns: Vec<(String, ColumnKind)>,
    /// Its rows; unknown if nobody counted them.
    pub(super) rows: Option<u64>,
    /// Columns that cannot be read, and why, to follow "column `x`".
    pub(super) left_out: Vec<(String, String)>,
    /// Columns of whole numbers that are read as text, since some do not fit 64 bits.
    pub(super) long: Vec<String>,
    /// Cells of text that may stand for missing values.
    pub(super) notes: Vec<(String, Notes)>,
    pub(super) warnings: Vec<String>,
}

impl FileColumns {
    /// Columns whose types were decided from their values.
    pub(super) fn guessed(columns: impl IntoIterator<Item = (String, Shape)>, rows: u64) -> Self {
        let columns = columns.into_iter().map(|(name, shape)| (name, ColumnKind::Guessed(shape))).collect();
        Self { columns, rows: Some(rows), ..Self::default() }
    }

    /// Columns whose types the file says.
    pub(super) fn fixed(columns: impl IntoIterator<Item = (String, DataType)>, rows: u64) -> Self {
        let columns = columns.into_iter().map(|(name, data_type)| (name, ColumnKind::Fixed(data_type))).collect();
        Self { columns, rows: Some(rows), ..Self::default() }
    }
}

/// What is known of a column's type from one file.
#[derive(Clone)]
pub(super) enum ColumnKind {
    /// The file says so.
    Fixed(DataType),
    /// Its cells are so.
    Guessed(Shape),
    /// Nobody looked: the type is given from outside.
    Given,
}

impl ColumnKind {
    /// Whether the column can be read as a type that is suggested from outside.
    pub(super) fn fits(&self, data_type: &DataType) -> bool {
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

/// Makes `columns` hold for another file too, of a format whose rows need not have every column.
pub(super) fn unite(columns: &mut Vec<(String, ColumnKind)>, other: Vec<(String, ColumnKind)>) {
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

/// Makes the types in `columns` hold for another file too.
pub(super) fn unify(
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
