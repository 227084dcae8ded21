//! How things look on a terminal.

mod error;
mod format;
mod table;

pub use error::error_text;
pub use format::{age, bytes, count, number, printable, seconds, short};
pub use table::{Align, Table};
