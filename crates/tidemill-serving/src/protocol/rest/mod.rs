//! REST: paths, bodies and responses of both protocols.

pub(crate) mod body;
pub(crate) mod feedback;
pub(crate) mod front_page;
pub(crate) mod inference;
pub(crate) mod jobs;
pub(crate) mod openapi;
pub(crate) mod path;
pub(crate) mod server;
