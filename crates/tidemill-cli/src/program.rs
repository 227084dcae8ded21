//! From the arguments of the process to its exit code.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use tidemill_core::{Code, Failure};

use crate::terminal::error_text;
use crate::{Global, OutputFormat, serve, talk, write_out};

/// The command line of a binary.
pub trait Program: Parser {
    /// The flags that every command takes.
    fn global(&self) -> &Global;

    /// Runs the command: its exit code, or a failure that becomes one.
    fn run(self) -> impl Future<Output = Result<u8, Failure>>;

    /// Warnings about the surroundings of the process, before the command runs.
    fn warnings() -> Vec<String> {
        Vec::new()
    }
}

/// Reads the arguments, runs the command and reports how it ended.
pub fn main<P: Program>() -> ExitCode {
    let (arguments, ignored) = serve::without_tolerated(std::env::args_os().collect());
    let program = match P::try_parse_from(arguments) {
        Ok(program) => program,
        Err(error) => return misused(&error),
    };
    start_logging(program.global().verbose);
    for flag in ignored {
        tracing::warn!("`--{flag}` has no effect in Tidemill and is ignored");
    }
    for warning in P::warnings() {
        tracing::warn!("{warning}");
    }
    // Components and the server catch panics and report them as errors; libraries panic over some damaged files.
    // `catch_unwind` below takes the rest.
    std::panic::set_hook(Box::new(|panic| tracing::debug!("panic: {panic}")));
    let output = program.global().output;
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| run(program)))
        .unwrap_or_else(|panic| Err(fault(&*panic)));
    match result {
        Ok(code) => ExitCode::from(code),
        Err(failure) => fail(&failure, output),
    }
}

fn run(program: impl Program) -> Result<u8, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Code::Io, format!("cannot start threads: {error}")))?;
    let result = runtime.block_on(program.run());
    // Blocking work that nobody waits for any more must not delay the exit.
    runtime.shutdown_background();
    result
}

/// Prints help, the version, or what is wrong with the command line; the latter as one JSON document if that was
/// asked for.
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
    let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let message = message.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Failure::new(Code::Internal, format!("stopped unexpectedly: {message}"))
        .with_hint("please report this with the command and, if you can, the input; `-vv` shows where it happened")
}

fn fail(failure: &Failure, output: OutputFormat) -> ExitCode {
    if output == OutputFormat::Json {
        // If standard output takes nothing, the exit code and standard error still tell.
        let _ = write_out(&format!("{:#}\n", failure.to_json()));
    }
    talk(&error_text(failure));
    ExitCode::from(failure.exit_code())
}

/// The filter of the log: `tidemill_serving=debug`.
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
