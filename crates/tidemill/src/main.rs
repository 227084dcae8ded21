//! Production machine learning in one binary.
//!
//! This crate is the composition: the command line, the settings, and the wiring of components to the pipeline
//! and of the registry to the model server. What things do lives in the crates below.

#![cfg_attr(
    not(feature = "full"),
    allow(dead_code, unused_imports, reason = "what only commands need that are left out of the small build")
)]

#[cfg(feature = "full")]
mod cli;
#[cfg(not(feature = "full"))]
#[path = "small/cli.rs"]
mod cli;
#[cfg(feature = "full")]
mod commands;
#[cfg(not(feature = "full"))]
#[path = "small/commands.rs"]
mod commands;
#[cfg(feature = "full")]
mod components;
mod error;
#[cfg(feature = "full")]
mod feature_sets;
#[cfg(feature = "full")]
mod mirror;
#[cfg(feature = "full")]
mod project;
#[cfg(feature = "full")]
mod settings;
mod ui;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use tidemill_core::Code;

use crate::cli::{Cli, OutputFormat};
use crate::error::Failure;

fn main() -> ExitCode {
    let (arguments, passed_over) = cli::without_tolerated(std::env::args_os().collect());
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return misused(&error),
    };
    start_logging(cli.global.verbose);
    for flag in passed_over {
        tracing::warn!("`--{flag}` means nothing here and is passed over");
    }
    #[cfg(feature = "full")]
    for doubt in settings::doubtful_variables(cli::variables) {
        tracing::warn!("{doubt}");
    }
    // A panic is caught where work is handed out and comes back as an error with its message; libraries panic over
    // some damaged files. What nobody catches ends below.
    std::panic::set_hook(Box::new(|panic| tracing::debug!("panic: {panic}")));
    let output = cli.global.output;
    let result = std::panic::catch_unwind(|| run(cli)).unwrap_or_else(|panic| Err(fault(&*panic)));
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => fail(&failure, output),
    }
}

fn run(cli: Cli) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Code::Io, format!("cannot start threads: {error}")))?;
    let result = runtime.block_on(commands::dispatch(cli));
    // Blocking work that nobody waits for any more must not hold up the exit.
    runtime.shutdown_background();
    result
}

/// Help, the version, or a command line that is wrong; the latter as one JSON document where that was asked for.
fn misused(error: &clap::Error) -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let pairs = arguments.windows(2).any(|pair| ["-o", "--output"].contains(&pair[0].as_str()) && pair[1] == "json");
    let json = pairs || arguments.iter().any(|argument| argument == "-ojson" || argument == "--output=json");
    if error.use_stderr() && json {
        let message = error.to_string();
        let first = message.lines().next().unwrap_or_default();
        let failure = Failure::new(Code::CommandLine, first.strip_prefix("error: ").unwrap_or(first));
        // Nobody may be reading.
        let _ = writeln!(std::io::stdout(), "{:#}", failure.to_json());
    }
    let _ = error.print();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// A panic that nobody caught.
fn fault(panic: &(dyn std::any::Any + Send)) -> Failure {
    let said = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let said = said.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Failure::new(Code::Internal, format!("stopped unexpectedly: {said}"))
        .with_hint("please report this with the command and, if you can, the input; `-vv` shows where it happened")
}

fn fail(failure: &Failure, output: OutputFormat) -> ExitCode {
    if output == OutputFormat::Json {
        // Where standard output takes nothing, the exit code and standard error still tell.
        let _ = commands::write_out(&format!("{:#}\n", failure.to_json()));
    }
    commands::talk(&failure.to_text());
    ExitCode::from(failure.exit_code())
}

/// What is logged, as a filter: `tidemill_serving=debug`.
const LOG_VARIABLE: &str = "TIDEMILL_LOG";

fn start_logging(verbose: u8) {
    let level = match verbose {
        0 => "warn",
        1 => "info,sqlx=warn",
        _ => "debug,sqlx=info",
    };
    let filter = tracing_subscriber::EnvFilter::try_from_env(LOG_VARIABLE)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new(level));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
}
