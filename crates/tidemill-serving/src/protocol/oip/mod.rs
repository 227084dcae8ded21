//! The Open Inference Protocol (`KServe` v2).

pub(crate) mod grpc;
pub(crate) mod rest;
