//! `tidemill completions`.

use clap::CommandFactory;
use serde_json::json;
use tidemill_core::Failure;

use crate::{CompletionsArgs, Global, print};

/// Prints the completions of the command line `P`.
pub fn completions<P: CommandFactory>(args: &CompletionsArgs, global: &Global) -> Result<u8, Failure> {
    let mut command = P::command();
    let name = command.get_name().to_owned();
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, name, &mut script);
    let script = String::from_utf8_lossy(&script);
    print(global, &json!({ "shell": args.shell.to_string(), "script": script }), || script.to_string())?;
    Ok(0)
}
