//! How things look on a terminal.

mod progress;
mod summary;

pub use progress::{Bar, Quiet, TerminalObserver};
pub use summary::run_text;
pub use tidemill_cli::terminal::{Align, Table, age, bytes, count, number, printable, seconds};
