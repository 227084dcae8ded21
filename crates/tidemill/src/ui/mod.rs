//! How things look on a terminal.

mod format;
mod progress;
mod summary;
mod table;

pub use format::{age, bytes, count, number, printable, seconds};
pub use progress::{Bar, Quiet, TerminalObserver};
pub use summary::run_text;
pub use table::{Align, Table};
