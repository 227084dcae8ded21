//! Rows given as objects keyed by input.

use std::borrow::Cow;

use tidemill_model::{BatchBuilder, InputColumn};

use super::value::{Dialect, ValueError, excerpt, push_value};
use crate::inference::request_error::RequestError;
use crate::protocol::json::{Kind, Reader};
use crate::protocol::tensor::describe_inputs;

/// Fills a batch row by row.
///
/// Clients write the keys of every row in the same order, so the order of the previous row is tried first and a lookup
/// is seldom needed.
pub(in crate::protocol) struct Rows {
    builder: BatchBuilder,
    /// The column at each position of the previous row.
    order: Vec<usize>,
    /// Rows that have a value, by column.
    filled: Vec<usize>,
    count: usize,
    dialect: Dialect,
}

impl Rows {
    pub(in crate::protocol) fn new(builder: BatchBuilder, dialect: Dialect) -> Self {
        let filled = vec![0; builder.specs().len()];
        Self { builder, order: Vec::new(), filled, count: 0, dialect }
    }

    /// The inputs of the model.
    pub(in crate::protocol) fn describe_inputs(&self) -> String {
        describe_inputs(&self.builder)
    }

    /// Whether a row may be one bare value.
    pub(in crate::protocol) fn takes_bare(&self) -> bool {
        self.builder.specs().len() == 1
    }

    /// How many rows there are so far.
    pub(in crate::protocol) fn count(&self) -> usize {
        self.count
    }

    pub(in crate::protocol) fn into_builder(self) -> BatchBuilder {
        self.builder
    }

    /// Reads one object as a row. `shared` are values of every row, as name and JSON text; a row must not repeat them.
    /// `list` names the list in messages.
    pub(in crate::protocol) fn push_object(
        &mut self,
        reader: &mut Reader<'_>,
        shared: &[(Cow<'_, str>, &str)],
        list: &str,
    ) -> Result<(), RequestError> {
        let row = self.count;
        let start = reader.clone();
        let mut given = 0;
        reader.object(|reader, name| {
            self.push_member(&name, given, reader, list)?;
            given += 1;
            Ok::<_, RequestError>(())
        })?;
        for (name, text) in shared {
            self.push_member(name, given, &mut Reader::of_value(text), list)?;
            given += 1;
        }
        // An ignored member counts as given.
        if given < self.filled.len() || self.dialect == Dialect::DataFrame {
            self.fill_missing(row, start, list)?;
        }
        self.count += 1;
        Ok(())
    }

    /// Reads one bare value as a row of the only column.
    pub(in crate::protocol) fn push_bare(&mut self, reader: &mut Reader<'_>) -> Result<(), RequestError> {
        let row = self.count;
        let mut column = self.column(0)?;
        push_value(reader, &mut column, Dialect::Tensor)
            .map_err(|error| error.at(|| format!("Failed to process element: {row} of 'instances' list. Error: ")))?;
        self.count += 1;
        Ok(())
    }

    fn push_member(
        &mut self,
        name: &str,
        place: usize,
        reader: &mut Reader<'_>,
        list: &str,
    ) -> Result<(), RequestError> {
        let row = self.count;
        let at = || format!("Failed to process element: {row} key: {name} of '{list}' list. Error: ");
        let found = self.index(name, place);
        if found.is_none() && self.dialect == Dialect::DataFrame {
            reader.skip()?;
            return Ok(());
        }
        let index = found.ok_or_else(|| {
            let unknown = RequestError::from(self.builder.unknown(row, name));
            RequestError::invalid(format!(
                "{}JSON object: does not have named input: {name} ({})",
                at(),
                unknown.message
            ))
        })?;
        if self.filled[index] > row {
            return Err(RequestError::invalid(at() + "the input is given twice"));
        }
        self.filled[index] = row + 1;
        let dialect = self.dialect;
        push_value(reader, &mut self.column(index)?, dialect).map_err(|error| error.at(at))
    }

    fn index(&mut self, name: &str, place: usize) -> Option<usize> {
        if let Some(&index) = self.order.get(place)
            && self.builder.specs()[index].name == name
        {
            return Some(index);
        }
        let index = self.builder.index(name)?;
        self.order.truncate(place);
        self.order.push(index);
        Some(index)
    }

    /// Columns without a value in this row: missing where the input is optional.
    fn fill_missing(&mut self, row: usize, mut start: Reader<'_>, list: &str) -> Result<(), RequestError> {
        for index in 0..self.filled.len() {
            if self.filled[index] > row {
                continue;
            }
            self.filled[index] = row + 1;
            let spec = &self.builder.specs()[index];
            if !spec.optional {
                let required: Vec<&str> =
                    self.builder.specs().iter().filter(|spec| !spec.optional).map(|spec| spec.name.as_str()).collect();
                return Err(RequestError::invalid(format!(
                    "Failed to process element: {row} of '{list}' list. Missing named input: {} ({}). JSON object: {} \
                     keys must be equal to: {}. The model takes: {}",
                    spec.name,
                    spec.datatype,
                    excerpt(start.skip()?),
                    required.join(","),
                    self.describe_inputs(),
                )));
            }
            let mut column = self.column(index)?;
            column.push_missing()?;
        }
        Ok(())
    }

    fn column(&mut self, index: usize) -> Result<InputColumn<'_>, RequestError> {
        self.builder.column(index).ok_or_else(|| RequestError::invalid("the model takes no inputs"))
    }
}

/// Reads a whole list of objects.
pub(in crate::protocol) fn push_objects(
    rows: &mut Rows,
    reader: &mut Reader<'_>,
    shared: &[(Cow<'_, str>, &str)],
    list: &str,
) -> Result<(), RequestError> {
    reader.array(|reader| {
        let kind = reader.kind()?;
        if kind != Kind::Object {
            let row = rows.count();
            let text = excerpt(reader.skip()?);
            let error =
                ValueError::Value(format!("JSON Value: {text} Type: {} is not of expected type: object", kind.name()));
            return Err(error.at(|| format!("Failed to process element: {row} of '{list}' list. Error: ")));
        }
        rows.push_object(reader, shared, list)
    })
}
