//! REST: paths, bodies and answers of both protocols.

pub(crate) mod body;
pub(crate) mod inference;
pub(crate) mod path;
pub(crate) mod server;
