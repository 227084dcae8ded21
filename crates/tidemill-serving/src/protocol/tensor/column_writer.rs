//! The destination of a tensor's elements.

use tidemill_core::DataType;
use tidemill_model::{BatchBuilder, InputColumn};

use super::Scalar;
use super::elements::Floats;
use crate::inference::request_error::RequestError;

/// Writes the elements of a tensor, in order, to the columns of a batch.
#[derive(Debug)]
pub(crate) enum ColumnWriter<'a> {
    /// The values of one input.
    Column(InputColumn<'a>),
    /// All inputs, by row.
    Matrix(&'a mut BatchBuilder),
}

impl ColumnWriter<'_> {
    /// Pushes element number `element` of the tensor; the error says which it is.
    pub(crate) fn push(&mut self, element: usize, cell: &Scalar<'_>) -> Result<(), RequestError> {
        match self {
            Self::Column(column) => push(column, element, cell),
            Self::Matrix(builder) => {
                let width = builder.specs().len();
                let (row, index) = (element / width, element % width);
                let Some(mut column) = builder.column(index) else { return Ok(()) };
                cell.push(&mut column).map_err(|why| {
                    RequestError::invalid(format!("row {row}, column {index} (`{}`): {why}", column.spec().name))
                })
            }
        }
    }

    /// Pushes all elements at once if no conversion is needed: real numbers into a column of real numbers, none of them
    /// missing. Returns `false` without pushing any otherwise.
    pub(super) fn push_floats(&mut self, floats: Floats<'_>) -> bool {
        let count = floats.len();
        match self {
            Self::Column(column) => column.push_floats((0..count).map(|at| floats.at(at))),
            Self::Matrix(builder) => {
                let width = builder.specs().len();
                let is_plain = builder.specs().iter().all(|spec| spec.datatype == DataType::Fp64);
                if !is_plain || (0..count).any(|at| floats.at(at).is_nan()) {
                    return false;
                }
                let values = |index: usize| (index..count).step_by(width).map(|at| floats.at(at));
                (0..width)
                    .all(|index| builder.column(index).is_some_and(|mut column| column.push_floats(values(index))))
            }
        }
    }
}

/// Pushes one element; the error names its position.
pub(crate) fn push(column: &mut InputColumn<'_>, element: usize, cell: &Scalar<'_>) -> Result<(), RequestError> {
    cell.push(column).map_err(|why| RequestError::invalid(format!("element {element}: {why}")))
}
