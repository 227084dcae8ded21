//! Tensors of requests and answers, whatever the protocol: elements into columns, columns into elements.
//!
//! A tensor is a column: shape `[n]` or `[n, 1]`, or `[n, m]` where the model takes rows of `m` values. Every numeric datatype is taken where each value fits the input's
//! type without loss.

mod assembly;
mod binary;
mod cell;
mod datatype;
mod elements;
mod output;
mod place;
mod typed;
mod wanted;

pub(crate) use assembly::{Assembly, AssemblyError, Expected};
pub(crate) use cell::Cell;
pub(crate) use datatype::Datatype;
pub(crate) use elements::Elements;
pub(crate) use output::{Output, row_width};
pub(crate) use place::{Place, push};
pub(crate) use typed::Typed;
pub(crate) use wanted::wanted;
