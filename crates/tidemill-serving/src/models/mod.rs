//! Models and their versions: where they come from, how they are loaded, which version answers a request.

pub(crate) mod control;
pub(crate) mod source;
pub(crate) mod targets;
pub(crate) mod versions;
pub(crate) mod warmup;
