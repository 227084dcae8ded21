//! What the server reports about itself: metrics, traces, the inference log.

pub(crate) mod feedback;
pub(crate) mod inference_log;
pub(crate) mod metrics;
pub(crate) mod traces;
