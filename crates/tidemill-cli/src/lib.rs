//! What the binaries share: how a command line is read and run, the global flags, the terminal, and `serve`.

mod completions;
mod duration;
mod explain;
mod global;
pub mod json;
mod output;
mod program;
pub mod serve;
pub mod terminal;

pub use completions::completions;
pub use duration::duration;
pub use explain::explain;
pub use global::{CompletionsArgs, ExplainArgs, Global, OutputFormat};
pub use output::{JsonList, print, say, talk, write_out};
pub use program::{Program, main};
