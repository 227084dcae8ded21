//! Assembles named tensors into the batch that a model takes.

use arrow::array::RecordBatch;
use tidemill_core::{DataType, RowShape};
use tidemill_model::BatchBuilder;

use super::{ColumnWriter, describe_inputs};
use crate::inference::request_error::RequestError;
use crate::inference::signature::TargetSignature;

/// A shape is only a claim: memory beyond this many rows is allocated as rows arrive.
const ROWS_RESERVED_MAX: usize = 1024;

/// Lists without values take memory for which the request has no bytes.
const EMPTY_LISTS_MAX: u64 = 65_536;

/// Builds a batch, tensor by tensor.
#[derive(Debug)]
pub(crate) struct Assembly {
    builder: BatchBuilder,
    seen: Vec<bool>,
    /// The next input if they come in order, as they usually do: then it needs no lookup.
    next: usize,
    rows: u64,
}

/// Why the tensors do not form a batch. The protocols have their own messages for the first two.
#[derive(Debug)]
pub(crate) enum AssemblyError {
    /// The model has no such input; `reason` says so and names the nearest one it has.
    Unknown { name: String, reason: String },
    /// A required input is missing; `sent` are the inputs present, `wanted` is what the model takes.
    Missing { name: String, datatype: DataType, sent: String, wanted: String },
    /// Any other error.
    Other(RequestError),
}

/// How many elements a tensor must have, and how lists of them may be nested.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ExpectedElements {
    pub(crate) elements: usize,
    /// How many values a row of a nested list has; `None` for the shape `[n]`.
    pub(crate) nested: Option<usize>,
}

impl Assembly {
    /// `rows` is the number of rows in the first tensor; the others must agree.
    pub(crate) fn new(target: &TargetSignature, rows: u64) -> Self {
        let reserved = usize::try_from(rows).unwrap_or(usize::MAX).min(ROWS_RESERVED_MAX);
        let builder = target.batch_builder(reserved);
        let seen = vec![false; builder.specs().len()];
        Self { builder, seen, next: 0, rows }
    }

    /// Adds the tensor `name`; `fill` passes its elements on. If it is the `only` tensor it may stand for all inputs,
    /// with its columns in the order of the signature.
    pub(crate) fn add(
        &mut self,
        name: &str,
        shape: &[u64],
        only: bool,
        fill: impl FnOnce(&mut ColumnWriter<'_>, ExpectedElements) -> Result<(), RequestError>,
    ) -> Result<(), AssemblyError> {
        let within = |error: RequestError| AssemblyError::Other(error.at(&format!("input `{name}`: ")));
        let rows = usize::try_from(self.rows).unwrap_or(usize::MAX);
        if only && let Some(width) = self.matrix_width(name, shape) {
            let expected = ExpectedElements { elements: rows.saturating_mul(width), nested: Some(width) };
            self.seen.fill(true);
            return fill(&mut ColumnWriter::Matrix(&mut self.builder), expected).map_err(within);
        }
        let in_order = self.builder.specs().get(self.next).is_some_and(|spec| spec.name == name);
        let found = if in_order { Some(self.next) } else { self.builder.index(name) };
        let index = found.ok_or_else(|| {
            let reason = RequestError::from(self.builder.unknown(0, name)).message;
            AssemblyError::Unknown { name: name.to_owned(), reason }
        })?;
        self.next = index + 1;
        if std::mem::replace(&mut self.seen[index], true) {
            return Err(within(RequestError::invalid("the input is given twice")));
        }
        let lists = self.builder.specs()[index].form == RowShape::List;
        let expected = match (lists, shape) {
            (true, &[size, values]) if size == self.rows => self.lists(values).map_err(within)?,
            (true, _) => {
                let rows = self.rows;
                let message = format!("the shape is {shape:?}, and [{rows}, n] is expected: a list for each row");
                return Err(within(RequestError::invalid(message)));
            }
            (false, _) => self.expected(shape, self.builder.width(index)).map_err(within)?,
        };
        let Some(mut column) = self.builder.column(index) else { return Ok(()) };
        if lists {
            column.lists_of(expected.nested.unwrap_or(0), rows);
        }
        fill(&mut ColumnWriter::Column(column), expected).map_err(within)
    }

    /// How many columns a tensor `name` of this shape has if it stands for all inputs; `None` if it does not.
    fn matrix_width(&self, name: &str, shape: &[u64]) -> Option<usize> {
        let width = self.builder.specs().len();
        let is_plain = |index| self.builder.width(index) == 1 && self.builder.specs()[index].form == RowShape::Value;
        match *shape {
            // A model with one input accepts it under any name, as for TF Serving's bare values.
            [rows, columns] if rows == self.rows && columns == width as u64 && self.builder.index(name).is_none() => {
                (0..width).all(is_plain).then_some(width)
            }
            _ => None,
        }
    }

    /// Checks lists with this many values per row.
    fn lists(&self, values: u64) -> Result<ExpectedElements, RequestError> {
        if values == 0 && self.rows > EMPTY_LISTS_MAX {
            let message = format!("{} rows of no value are more than are taken: {EMPTY_LISTS_MAX}", self.rows);
            return Err(RequestError::invalid(message));
        }
        let size = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
        Ok(ExpectedElements { elements: size(self.rows).saturating_mul(size(values)), nested: Some(size(values)) })
    }

    fn expected(&self, shape: &[u64], width: usize) -> Result<ExpectedElements, RequestError> {
        let rows = self.rows;
        let nested = match *shape {
            [size] if size == rows && width == 1 => None,
            [size, columns] if size == rows && columns == width as u64 => Some(width),
            [size] | [size, 1] if size != rows => {
                return Err(RequestError::invalid(format!("{size} rows are given, and the first input has {rows}")));
            }
            _ if width == 1 => {
                return Err(RequestError::invalid(format!("the shape is {shape:?}, and [-1] or [-1, 1] is expected")));
            }
            _ => return Err(RequestError::invalid(format!("the shape is {shape:?}, and [-1, {width}] is expected"))),
        };
        Ok(ExpectedElements { elements: usize::try_from(rows).unwrap_or(usize::MAX).saturating_mul(width), nested })
    }

    /// The batch, if no required input is missing.
    pub(crate) fn finish(self) -> Result<RecordBatch, AssemblyError> {
        let missing = self.builder.specs().iter().zip(&self.seen).find(|(spec, seen)| !spec.optional && !**seen);
        if let Some((spec, _)) = missing {
            let given = self.builder.specs().iter().zip(&self.seen).filter(|(_, seen)| **seen);
            return Err(AssemblyError::Missing {
                name: spec.name.clone(),
                datatype: spec.datatype,
                sent: given.map(|(spec, _)| spec.name.as_str()).collect::<Vec<_>>().join(","),
                wanted: describe_inputs(&self.builder),
            });
        }
        let rows = usize::try_from(self.rows).unwrap_or(usize::MAX);
        self.builder.finish(rows).map_err(|error| AssemblyError::Other(error.into()))
    }
}
