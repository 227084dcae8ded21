//! Columns inside columns: the members of structs as columns of their own.

use arrow::array::{Array, ArrayRef, AsArray, make_array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Fields};

use super::convert::target;

/// A column that is read: one of the file, or a member of a struct at any depth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    /// The names from the file's column down, with dots between.
    pub(super) name: String,
    /// The place in the file's columns, then in each struct.
    pub(super) path: Vec<usize>,
    /// As what it is read: one of the column types, `Null` where nothing but nulls is there. Bytes are `Binary`.
    pub(super) data_type: DataType,
}

/// The columns of a file with the members of structs instead of the structs. The error is the name of a column and what
/// is wrong with it.
pub(super) fn leaves(fields: &Fields) -> Result<Vec<Leaf>, (String, String)> {
    let mut out = Vec::with_capacity(fields.len());
    add(fields, "", &mut Vec::new(), &mut out)?;
    Ok(out)
}

fn add(fields: &Fields, prefix: &str, path: &mut Vec<usize>, out: &mut Vec<Leaf>) -> Result<(), (String, String)> {
    for (i, field) in fields.iter().enumerate() {
        let name = format!("{prefix}{}", field.name());
        if field.name().is_empty() {
            return Err((name, format!("at place {} has no name", i + 1)));
        }
        path.push(i);
        match field.data_type() {
            DataType::Struct(members) => add(members, &format!("{name}."), path, out)?,
            other => match target(other) {
                Some(data_type) => out.push(Leaf { name, path: path.clone(), data_type }),
                None => return Err((name, unread(other))),
            },
        }
        path.pop();
    }
    Ok(())
}

/// Why a type is not read, to follow "column `x`".
fn unread(data_type: &DataType) -> String {
    let element = match data_type {
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            Some(field.data_type())
        }
        _ => None,
    };
    match element {
        Some(DataType::Struct(_)) => "is a list of structs; lists of numbers, text and booleans are read".to_owned(),
        Some(element) if target(element).is_none() || matches!(target(element), Some(DataType::List(_))) => {
            "is a list of lists; lists of numbers, text and booleans are read".to_owned()
        }
        _ => format!("has type {data_type}, which is not read"),
    }
}

/// The values at `path` below `columns`: missing where a struct on the way is.
pub(super) fn values_at(columns: &[ArrayRef], path: &[usize]) -> Option<ArrayRef> {
    let (first, rest) = path.split_first()?;
    let mut array = columns.get(*first)?.clone();
    for place in rest {
        let parent = array.as_struct_opt()?;
        let child = parent.columns().get(*place)?.clone();
        array = match parent.nulls() {
            Some(nulls) if child.data_type() != &DataType::Null => {
                let both = NullBuffer::union(Some(nulls), child.nulls());
                make_array(child.to_data().into_builder().nulls(both).build().ok()?)
            }
            _ => child,
        };
    }
    Some(array)
}
