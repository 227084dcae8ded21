//! Safe file writes: a file is replaced whole or stays as it was.
//!
//! Every file that Tidemill writes for others to read goes through this crate, except the inside of a staged artifact,
//! which [becomes visible as a whole](https://docs.rs/tidemill-metadata). [`write()`] replaces a file in one step;
//! [`AtomicFile`] does the same for content that is written piece by piece; [`create_new`] never replaces.
//!
//! A file is written under a draft name beside its target (`.report.html.4711-0.tidemill-draft`), forced to disk,
//! renamed, and its folder forced to disk. A process that is killed leaves the old file and a draft; the next write
//! of the same file removes the draft, and so does [`sweep`]. A draft is locked while it is written, so nobody
//! removes the draft of a process that lives.

mod atomic;
mod draft;
mod error;
mod folder;

pub use atomic::{AtomicFile, create_new, write};
pub use draft::{is_draft, sweep};
pub use error::FileError;
pub use folder::{create_folder, create_parent, sync_folder};
pub use tidemill_core::io_reason as reason;
