//! From a batch to its predictions, for every protocol.
//!
//! [`target`] is the seam: a protocol decodes a request against a [`signature::TargetSignature`], a [`target::Target`]
//! answers it, and the protocol encodes the response. [`service`] runs these steps on the right threads.

pub(crate) mod batching;
pub(crate) mod carrier;
pub(crate) mod compute_pool;
pub(crate) mod context;
pub(crate) mod input_check;
pub(crate) mod request;
pub(crate) mod request_error;
pub(crate) mod response;
pub(crate) mod service;
pub(crate) mod signature;
pub(crate) mod target;
