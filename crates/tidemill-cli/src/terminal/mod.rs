//! How things look on a terminal.

mod error;
mod format;
mod table;
mod width;

pub use error::error_text;
pub use format::{age, bytes, count, number, printable, seconds, short};
pub use table::{Align, Table};
pub use width::{fill, stderr_width, stdout_width};
