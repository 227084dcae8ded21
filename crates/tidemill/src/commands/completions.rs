//! `tidemill completions`.

use clap::CommandFactory;

use crate::cli::{Cli, CompletionsArgs};
use crate::error::Failure;

pub fn completions(args: &CompletionsArgs) -> Result<u8, Failure> {
    clap_complete::generate(args.shell, &mut Cli::command(), "tidemill", &mut std::io::stdout());
    Ok(0)
}
