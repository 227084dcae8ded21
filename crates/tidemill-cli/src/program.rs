//! From the arguments of the process to its exit code.

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use serde_json::json;
use tidemill_core::{Code, Failure};

use crate::output::is_written;
use crate::terminal::error_text;
use crate::{Global, OutputFormat, serve, talk, write_out};

/// The command line of a binary.
pub trait Program: Parser {
    /// The flags that every command takes.
    fn global(&self) -> &Global;

    /// Runs the command: its exit code, or a failure that becomes one.
    fn run(self) -> impl Future<Output = Result<u8, Failure>>;

    /// The command line as its help shows it: groups, examples.
    fn arranged(command: clap::Command) -> clap::Command {
        command
    }

    /// Advice for a command line that cannot be read, instead of the nearest name.
    fn advice(error: &clap::Error) -> Option<String> {
        let _ = error;
        None
    }

    /// Warnings about the surroundings of the process, before the command runs.
    fn warnings() -> Vec<String> {
        Vec::new()
    }
}

/// Reads the arguments, runs the command and reports how it ended.
pub fn main<P: Program>() -> ExitCode {
    let (arguments, ignored) = serve::without_tolerated(std::env::args_os().collect());
    let mut command = P::arranged(P::command());
    let matches = command.try_get_matches_from_mut(arguments);
    let program = match matches.and_then(|mut matches| P::from_arg_matches_mut(&mut matches)) {
        Ok(program) => program,
        Err(error) => return misused(&error, P::advice(&error)),
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
        Ok(code) => {
            if output == OutputFormat::Json && !is_written() {
                // A command that had nothing to print: a server that was stopped before it listened.
                let _ = write_out(&format!("{:#}\n", json!({ "exit_code": code })));
            }
            ExitCode::from(code)
        }
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

/// Prints help, the version, or what is wrong with the command line; as one JSON document if that was asked for.
fn misused(error: &clap::Error, advice: Option<String>) -> ExitCode {
    let arguments: Vec<String> = std::env::args_os().map(|text| text.to_string_lossy().into_owned()).collect();
    let json = wants_json(&arguments);
    let code = ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
    let tip = || {
        if let Some(advice) = &advice {
            talk(&format!("\n  {} {advice}", console::style("help:").cyan().bold().for_stderr()));
        }
    };
    if !json {
        let _ = error.print();
        tip();
        return code;
    }
    let text = error.render().to_string();
    let document = match error.kind() {
        ErrorKind::DisplayVersion => json!({ "version": text.split_whitespace().last() }),
        _ if !error.use_stderr() => json!({ "help": text }),
        _ => {
            let failure = misuse(&text);
            Failure { hint: advice.clone().or(failure.hint), ..failure }.to_json()
        }
    };
    // Nobody may be reading.
    let _ = write_out(&format!("{document:#}\n"));
    if error.use_stderr() {
        let _ = error.print();
        tip();
    }
    code
}

/// What is wrong with the command line, from clap's text: `error: …`, then `tip: …`, usage and where to read more.
fn misuse(text: &str) -> Failure {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let (mut message, mut hint) = (first.to_owned(), None);
    for line in lines.take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more information")) {
        match line.strip_prefix("tip: ") {
            Some(tip) => hint = Some(tip.to_owned()),
            // The arguments that are missing, one a line.
            None => message = format!("{message} {line}"),
        }
    }
    Failure { hint, ..Failure::new(Code::CommandLine, message) }
}

/// Whether a command line that cannot be read asks for JSON: `-o json`, `-ojson`, `-qo json`, `--output=json`.
fn wants_json(arguments: &[String]) -> bool {
    let arguments = arguments.iter().skip(1).take_while(|argument| *argument != "--");
    let mut format = None;
    let mut expected = false;
    for argument in arguments {
        if std::mem::take(&mut expected) {
            format = Some(argument.as_str());
        } else if let Some(rest) = argument.strip_prefix("--output") {
            match rest.strip_prefix('=') {
                Some(value) => format = Some(value),
                None => expected = rest.is_empty(),
            }
        } else if let Some(flags) = argument.strip_prefix('-').filter(|flags| !flags.starts_with('-')) {
            // Short flags in one word; `-o` takes what follows.
            if let Some((before, value)) = flags.split_once('o')
                && before.chars().all(|flag| "qv".contains(flag))
            {
                match value.strip_prefix('=').unwrap_or(value) {
                    "" => expected = true,
                    value => format = Some(value),
                }
            }
        }
    }
    format == Some("json")
}

/// A panic that nobody caught.
fn fault(panic: &(dyn std::any::Any + Send)) -> Failure {
    let message = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let message = message.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    Failure::new(Code::Internal, format!("stopped unexpectedly: {message}"))
        .with_hint("please report this with the command and, if you can, the input; `-vv` shows where it happened")
}

fn fail(failure: &Failure, output: OutputFormat) -> ExitCode {
    if output == OutputFormat::Json && !is_written() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_recognised_in_a_command_line_that_cannot_be_read() {
        let wants = |line: &str| wants_json(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        for line in ["t run -o json", "t -ojson rnu", "t --output=json x", "t --output json", "t -qo json", "t -o=json"]
        {
            assert!(wants(line), "{line}");
        }
        for line in ["t run", "t -o text", "t -o json -o text", "t run -- -o json", "t --out json", "t -o", "json -o"] {
            assert!(!wants(line), "{line}");
        }
    }

    #[test]
    fn a_misused_command_line_is_a_failure_with_its_advice() {
        let failure = misuse(
            "error: unexpected argument '--bogus' found\n\n  tip: a similar argument exists: '--param'\n\nUsage: tidemill run\n\nFor more information, try '--help'.\n",
        );
        assert_eq!(failure.message, "unexpected argument '--bogus' found");
        assert_eq!(failure.hint.as_deref(), Some("a similar argument exists: '--param'"));
        let missing =
            misuse("error: the following required arguments were not provided:\n  --out <FILE>\n\nUsage: x\n");
        assert_eq!(missing.message, "the following required arguments were not provided: --out <FILE>");
    }
}
