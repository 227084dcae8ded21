//! The REST form of the Open Inference Protocol (`KServe` v2), with the binary tensor extension.

mod data;
mod metadata;
mod repository;
mod request;
mod response;

pub(crate) use metadata::{EXTENSIONS, SERVER_NAME, model_metadata, server_metadata};
pub(crate) use repository::{check_load, check_load_parameter, repository_index};
pub(crate) use request::{Reply, assembly_error, check_output_parameter, check_parameter, decode, output_index};
pub(crate) use response::encode;

/// The header with the number of JSON bytes in a body; binary tensors follow.
pub(crate) const HEADER_LENGTH: &str = "inference-header-content-length";
