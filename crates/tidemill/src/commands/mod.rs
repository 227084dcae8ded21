//! What each command does. A command returns the exit code, or a failure that becomes one.

mod cells;
mod completions;
#[cfg(feature = "full")]
mod data;
#[cfg(feature = "full")]
mod diff;
#[cfg(feature = "full")]
mod drift;
#[cfg(feature = "full")]
mod evaluate;
mod explain;
#[cfg(feature = "full")]
mod history;
#[cfg(feature = "full")]
mod init;
#[cfg(feature = "full")]
mod input;
#[cfg(feature = "full")]
mod inspect;
#[cfg(feature = "full")]
mod lineage;
#[cfg(feature = "full")]
mod loadtest;
#[cfg(feature = "full")]
mod model;
#[cfg(feature = "full")]
mod models;
#[cfg(feature = "full")]
mod pipeline;
#[cfg(feature = "full")]
mod predict;
#[cfg(feature = "full")]
mod report;
#[cfg(feature = "full")]
mod rows;
#[cfg(feature = "full")]
mod sample;
#[cfg(feature = "full")]
mod schema;
mod serve;
#[cfg(feature = "full")]
mod sql;
#[cfg(feature = "full")]
mod statistics;
#[cfg(feature = "full")]
mod transform;
#[cfg(feature = "full")]
mod warmup;
mod watch;

use std::io::{ErrorKind, Write};
use std::path::Path;

use serde::Serialize;
use tidemill_core::Code;

use crate::cli::{Cli, Command, Global, OutputFormat};
use crate::error::Failure;

/// Runs the command.
#[cfg(feature = "full")]
pub async fn dispatch(cli: Cli) -> Result<u8, Failure> {
    let global = &cli.global;
    match cli.command {
        Command::Init(args) => init::init(&args, global),
        Command::Check(args) => pipeline::check(&args, global),
        Command::Plan(args) => pipeline::plan(&args, global).await,
        Command::Run(args) => pipeline::run(&args, global).await,
        Command::Status(args) => inspect::status(&args, global).await,
        Command::Runs(args) => inspect::runs(&args, global).await,
        Command::Artifacts(args) => inspect::artifacts(&args, global).await,
        Command::Report(args) => report::report(&args, global).await,
        Command::Models(args) => models::models(&args, global).await,
        Command::Alias(args) => models::alias(&args, global).await,
        Command::Lineage(args) => lineage::lineage(&args, global).await,
        Command::Serve(args) => serve::serve(&args, global).await,
        Command::Loadtest(args) => loadtest::loadtest(&args, global).await,
        Command::Predict(args) => predict::predict(&args, global).await,
        Command::Transform(args) => transform::transform(&args, global).await,
        Command::History(args) => history::history(&args, global),
        Command::Evaluate(args) => evaluate::evaluate(&args, global),
        Command::Model(command) => model::model(&command, global).await,
        Command::Stats(args) => data::stats(&args, global),
        Command::InferSchema(args) => data::infer_schema(&args, global),
        Command::Validate(args) => data::validate(&args, global),
        Command::Drift(args) => drift::drift(&args, global),
        Command::Sql(args) => sql::sql(&args, global).await,
        Command::Diff(args) => diff::diff(&args, global),
        Command::Sample(command) => sample::sample(&command, global),
        Command::Schema(command) => schema::schema(&command, global),
        Command::Explain(args) => explain::explain(&args, global),
        Command::Completions(args) => Ok(completions::completions(&args)),
    }
}

/// Runs the command.
#[cfg(not(feature = "full"))]
pub async fn dispatch(cli: Cli) -> Result<u8, Failure> {
    let global = &cli.global;
    match cli.command {
        Command::Serve(args) => serve::serve(&args, global).await,
        Command::Explain(args) => explain::explain(&args, global),
        Command::Completions(args) => Ok(completions::completions(&args)),
    }
}

/// Prints the result on standard output: as JSON, or as `text` has it.
fn print<T: Serialize>(global: &Global, value: &T, text: impl FnOnce() -> String) -> Result<(), Failure> {
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
fn say(global: &Global, text: &str) {
    if !global.quiet {
        talk(text);
    }
}

/// A line on standard error. Nobody may be listening (`2>&1 | head`): that must not stop the work.
pub fn talk(line: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Makes the folder a file is going to stand in.
fn make_parent(path: &Path) -> Result<(), Failure> {
    let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else { return Ok(()) };
    std::fs::create_dir_all(parent).map_err(|error| Failure::io(parent, &error))
}
