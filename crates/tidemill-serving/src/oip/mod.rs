//! The REST form of the Open Inference Protocol (`KServe` v2), with the binary tensor extension.
//!
//! A tensor is a column: shape `[n]` or `[n, 1]`. Every numeric datatype is taken where each value fits the input's
//! type without loss.

mod binary;
mod cell;
mod data;
mod datatype;
mod metadata;
mod request;
mod response;

pub(crate) use metadata::{model_metadata, server_metadata};
pub(crate) use request::{Reply, decode};
pub(crate) use response::encode;

/// The header that says how many bytes of a body are JSON; what follows is tensors in binary.
pub(crate) const HEADER_LENGTH: &str = "inference-header-content-length";
