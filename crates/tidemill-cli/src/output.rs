//! Where results and messages go.
//!
//! With `-o json` standard output is exactly one JSON document, whatever happens: results are written whole, and an
//! error that comes after a result goes to standard error only.

use std::io::{ErrorKind, Read, Seek, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use serde_json::Value;
use tidemill_core::{Code, Failure};

use crate::{Global, OutputFormat, json};

/// Whether this process has written to standard output.
static WRITTEN: AtomicBool = AtomicBool::new(false);

/// Prints the result on standard output: as JSON, or as `text` has it.
pub fn print<T: Serialize + ?Sized>(global: &Global, value: &T, text: impl FnOnce() -> String) -> Result<(), Failure> {
    let output = match global.output {
        OutputFormat::Json => {
            let json = json::to_text(value).map_err(|error| {
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
    copy_out(&mut text.as_bytes())
}

fn copy_out(from: &mut impl Read) -> Result<(), Failure> {
    WRITTEN.store(true, Ordering::Relaxed);
    let mut stdout = std::io::stdout().lock();
    match std::io::copy(from, &mut stdout).and_then(|_| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::new(Code::Io, format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Whether something was written to standard output.
pub(crate) fn is_written() -> bool {
    WRITTEN.load(Ordering::Relaxed)
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

/// A larger list waits in a temporary file.
const LIST_BYTES_IN_MEMORY: usize = 64 << 20;

/// A JSON list of any length that is printed only once it is complete: if the work fails on the way, nothing of the
/// list has been printed.
pub struct JsonList {
    spool: tempfile::SpooledTempFile,
    head: &'static str,
    tail: &'static str,
    items: u64,
}

impl JsonList {
    /// A list as the whole document.
    pub fn new() -> Self {
        Self::between("", "")
    }

    /// A list between two pieces of a document, such as `{ "rows": ` and ` }`.
    pub fn between(head: &'static str, tail: &'static str) -> Self {
        Self { spool: tempfile::SpooledTempFile::new(LIST_BYTES_IN_MEMORY), head, tail, items: 0 }
    }

    /// Adds an item.
    pub fn push(&mut self, item: &Value) -> Result<(), Failure> {
        let before = if self.items == 0 { "\n  " } else { ",\n  " };
        self.items += 1;
        write!(self.spool, "{before}{item}").map_err(|error| spool_failed(&error))
    }

    /// Prints the list.
    pub fn print(mut self) -> Result<(), Failure> {
        self.spool.rewind().map_err(|error| spool_failed(&error))?;
        let end = if self.items == 0 { "]" } else { "\n]" };
        let (head, tail) = (format!("{}[", self.head), format!("{end}{}\n", self.tail));
        copy_out(&mut head.as_bytes().chain(self.spool).chain(tail.as_bytes()))
    }
}

impl Default for JsonList {
    fn default() -> Self {
        Self::new()
    }
}

fn spool_failed(error: &std::io::Error) -> Failure {
    Failure::new(Code::Io, format!("cannot write to a temporary file: {error}"))
        .with_hint("set TMPDIR to a folder with more room, or write to a file with `--out`")
}
