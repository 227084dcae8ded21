//! From a batch to its predictions, whatever protocol it came by.

pub(crate) mod batching;
pub(crate) mod compute_pool;
pub(crate) mod context;
pub(crate) mod input_check;
pub(crate) mod request_error;
pub(crate) mod service;
