//! Where results and words go.

use std::io::{ErrorKind, Write};

use serde::Serialize;
use tidemill_core::{Code, Failure};

use crate::{Global, OutputFormat};

/// Prints the result on standard output: as JSON, or as `text` has it.
pub fn print<T: Serialize>(global: &Global, value: &T, text: impl FnOnce() -> String) -> Result<(), Failure> {
    let output = match global.output {
        OutputFormat::Json => {
            let json = serde_json::to_string_pretty(value).map_err(|error| {
                Failure::new(Code::Internal, format!("the result cannot be written as JSON: {error}"))
            })?;
            json + "\n"
        }
        OutputFormat::Text => text(),
    };
    write_out(&output)
}

/// Writes to standard output. A reader that has gone away (`| head`) is no error.
pub fn write_out(text: &str) -> Result<(), Failure> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(Code::Io, format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Says something on standard error, unless asked to be quiet.
pub fn say(global: &Global, text: &str) {
    if !global.quiet {
        talk(text);
    }
}

/// A line on standard error. Nobody may be listening (`2>&1 | head`): that must not stop the work.
pub fn talk(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}
