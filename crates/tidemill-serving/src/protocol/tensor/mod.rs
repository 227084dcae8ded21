//! Tensors of requests and responses in all protocols: elements into columns, columns into elements.
//!
//! A tensor is a column: shape `[n]` or `[n, 1]`, or `[n, m]` if the model takes rows of `m` values. Every numeric
//! datatype is accepted if each value fits the input's type without loss.

mod assembly;
mod binary;
mod column_writer;
mod datatype;
mod describe;
mod elements;
mod output;
mod scalar;
mod typed_slice;

pub(crate) use assembly::{Assembly, AssemblyError, ExpectedElements};
pub(crate) use column_writer::{ColumnWriter, push};
pub(crate) use datatype::Datatype;
pub(crate) use describe::describe_inputs;
pub(crate) use elements::Elements;
pub(crate) use output::{Output, row_width};
pub(crate) use scalar::Scalar;
pub(crate) use typed_slice::TypedSlice;
