//! Columns inside columns: the members of structs as columns of their own.

use arrow::array::{Array, ArrayRef, AsArray, make_array};
use arrow::buffer::NullBuffer;
use arrow::datatypes::{DataType, Fields, TimeUnit};

use super::convert::{Doubt, target};
use crate::column_type::{element_type, list_of};

/// A column that is read: one of the file, or a member of a struct at any depth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaf {
    /// The names from the file's column down, with dots between.
    pub(super) name: String,
    /// The place in the file's columns, then in each struct.
    pub(super) path: Vec<usize>,
    /// As what it is read: one of the column types, `Null` where nothing but nulls is there. Bytes are `Binary`.
    pub(super) data_type: DataType,
    /// What only its values can tell.
    pub(super) doubt: Option<Doubt>,
}

/// The columns of a file, with the members of structs instead of the structs.
#[derive(Debug, Default)]
pub(super) struct Leaves {
    pub(super) read: Vec<Leaf>,
    /// Columns whose type is not read, and why, to follow "column `x`".
    pub(super) left_out: Vec<(String, String)>,
    pub(super) warnings: Vec<String>,
}

impl Leaves {
    /// The columns of a file with these fields. A field without a name is called by its place.
    pub(super) fn of(fields: &Fields) -> Self {
        let mut leaves = Self::default();
        leaves.add(fields, "", &mut Vec::new());
        leaves
    }

    fn add(&mut self, fields: &Fields, prefix: &str, path: &mut Vec<usize>) {
        for (i, field) in fields.iter().enumerate() {
            let name = match field.name().as_str() {
                "" => format!("{prefix}column_{}", i + 1),
                name => format!("{prefix}{name}"),
            };
            path.push(i);
            match field.data_type() {
                DataType::Struct(members) => self.add(members, &format!("{name}."), path),
                other => match target(other) {
                    Some(data_type) => {
                        if let DataType::Duration(unit) = other {
                            let unit = unit_name(*unit);
                            self.warnings.push(format!("column `{name}` is a duration; it is read as whole {unit}"));
                        }
                        let doubt = Doubt::of(other);
                        self.read.push(Leaf { name, path: path.clone(), data_type, doubt });
                    }
                    None => self.left_out.push((name, unread(other))),
                },
            }
            path.pop();
        }
    }

    /// Settles the doubts about columns, of which `founded` says whether their values bear them out.
    pub(super) fn settle(&mut self, founded: impl Fn(usize) -> bool) -> Vec<String> {
        let mut long = Vec::new();
        for (i, leaf) in self.read.iter_mut().enumerate() {
            let name = &leaf.name;
            match leaf.doubt {
                Some(Doubt::Bytes) if !founded(i) => leaf.data_type = as_text(&leaf.data_type),
                Some(Doubt::Whole) if founded(i) => {
                    leaf.data_type = as_text(&leaf.data_type);
                    self.warnings.push(format!(
                        "column `{name}` has whole numbers beyond 64 bits; it is read as text, which keeps every digit"
                    ));
                    long.push(name.clone());
                }
                Some(Doubt::Decimal) if founded(i) => self.warnings.push(format!(
                    "column `{name}` has decimals of more digits than a float holds; they are read as the nearest \
                     float (`--type {name}=string` keeps every digit)"
                )),
                _ => {}
            }
        }
        long
    }
}

/// The type with text instead of what is in it, alone or in lists.
fn as_text(data_type: &DataType) -> DataType {
    if element_type(data_type).is_some() { list_of(DataType::Utf8) } else { DataType::Utf8 }
}

const fn unit_name(unit: TimeUnit) -> &'static str {
    match unit {
        TimeUnit::Second => "seconds",
        TimeUnit::Millisecond => "milliseconds",
        TimeUnit::Microsecond => "microseconds",
        TimeUnit::Nanosecond => "nanoseconds",
    }
}

/// Why a type is not read, to follow "column `x`".
fn unread(data_type: &DataType) -> String {
    let element = match data_type {
        DataType::List(field) | DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            Some(field.data_type())
        }
        _ => None,
    };
    match (element, data_type) {
        (Some(DataType::Struct(_)), _) => {
            "is a list of structs; lists of numbers, text and booleans are read".to_owned()
        }
        (Some(element), _) if target(element).is_none() || matches!(target(element), Some(DataType::List(_))) => {
            "is a list of lists; lists of numbers, text and booleans are read".to_owned()
        }
        (_, DataType::Map(..)) => "is a map; write each key that is wanted as a column of its own".to_owned(),
        (_, DataType::Union(..)) => "is a union of several types; write a column for each".to_owned(),
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
