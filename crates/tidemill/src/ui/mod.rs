//! How things look on a terminal.

mod advice;
mod progress;
mod summary;
mod trials;

pub use advice::{RunInputs, quoted};
pub use progress::{Quiet, TerminalObserver, running_bar};
pub use summary::{run_text, step_line, tables_text, trouble_text};
pub use tidemill_cli::terminal::{
    Align, Table, age, bytes, count, error_text, fill, number, printable, seconds, stdout_width,
};
pub use trials::{TrialObserver, Trials, micros, trials_text};
