//! What the commands of the build that only serves do.

#[path = "../commands/completions.rs"]
mod completions;
#[path = "../commands/explain.rs"]
mod explain;
#[path = "../commands/output.rs"]
mod output;
#[path = "../commands/serve/mod.rs"]
mod serve;

pub use self::output::{print, say, talk, write_out};
use crate::cli::{Cli, Command};
use crate::error::Failure;

/// Runs the command.
pub async fn dispatch(cli: Cli) -> Result<u8, Failure> {
    let global = &cli.global;
    match cli.command {
        Command::Serve(args) => serve::serve(&args, global).await,
        Command::Explain(args) => explain::explain(&args, global),
        Command::Completions(args) => Ok(completions::completions(&args)),
    }
}
