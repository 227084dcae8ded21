//! What the small build does: it serves.

use clap::Subcommand;

use super::{CompletionsArgs, ExplainArgs, ServeArgs};

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Answer prediction requests for the models in folders
    Serve(Box<ServeArgs>),
    /// Explain an error code
    Explain(ExplainArgs),
    /// Print shell completions
    Completions(CompletionsArgs),
}
