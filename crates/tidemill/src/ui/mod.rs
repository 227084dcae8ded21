//! How things look on a terminal.

mod format;
#[cfg(feature = "full")]
mod progress;
#[cfg(feature = "full")]
mod summary;
mod table;

pub use format::{age, bytes, count, number, printable, seconds};
#[cfg(feature = "full")]
pub use progress::{Bar, Quiet, TerminalObserver};
#[cfg(feature = "full")]
pub use summary::run_text;
pub use table::{Align, Table};
