//! The text format of messages (`.pbtxt`), by the descriptors of the generated messages.

mod descriptors;
mod print;
mod read;
mod tokens;

pub use print::to_text;
pub use read::{BYTES_MAX, TextError, from_text};
