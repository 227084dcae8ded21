//! The command line of the build that only serves.

#[path = "../cli/duration.rs"]
mod duration;
#[path = "../cli/global.rs"]
mod global;
#[path = "../cli/log.rs"]
mod log;
#[path = "../cli/onnx.rs"]
mod onnx;
#[path = "../cli/serve.rs"]
mod serve;
#[path = "../cli/tolerated.rs"]
mod tolerated;

use clap::{Parser, Subcommand};

pub use global::{CompletionsArgs, ExplainArgs, Global, OutputFormat};
pub use log::{LogArgs, TraceArgs};
pub use onnx::OnnxArgs;
pub use serve::{BatchingMode, GrpcPort, ServeArgs, Switch};
pub use tolerated::without_tolerated;

/// The model server of Tidemill.
#[derive(Debug, Parser)]
#[command(name = "tidemill", version, about)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

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
