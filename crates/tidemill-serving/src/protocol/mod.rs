//! The protocols: TF Serving's ([`tfs`]) and the Open Inference Protocol's ([`oip`]), each over REST and gRPC, and the
//! requests that MLflow's scoring server answers ([`mlflow`]).
//!
//! [`rest`] and [`grpc`] contain what both protocols need of a transport: limits, paths, bodies, errors. [`tensor`]
//! converts between the tensors of all four and columns.

pub(crate) mod content_encoding;
pub(crate) mod graph;
pub(crate) mod grpc;
pub(crate) mod json;
pub(crate) mod mlflow;
pub(crate) mod oip;
pub(crate) mod operation;
pub(crate) mod rest;
pub(crate) mod status;
pub(crate) mod tensor;
pub(crate) mod tfs;

use arrow::array::RecordBatch;

use crate::inference::request_error::RequestError;
use crate::inference::response::InferenceResponse;

/// Predicts a batch without a server: for recorded requests and for fuzzing.
pub(crate) type Predict<'a> = &'a dyn Fn(&RecordBatch) -> Result<InferenceResponse, RequestError>;
