//! Endpoint files of a project: read, checked against its models, applied, kept, served.

mod changes;
mod check;
mod file;
mod history;
mod source;

pub use changes::{EndpointChange, changes_between};
pub use check::CheckedEndpoint;
pub use file::EndpointFile;
pub use history::{EndpointAction, EndpointFolder, EndpointRevision};
pub use source::EndpointSource;
