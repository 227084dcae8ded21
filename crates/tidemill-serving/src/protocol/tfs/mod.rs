//! TF Serving's protocol.

pub(crate) mod grpc;
pub(crate) mod rest;
pub(crate) mod signature;
