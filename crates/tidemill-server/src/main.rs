//! The model server as a binary of its own: it serves models from folders, and needs no store.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use async_trait::async_trait;
use clap::{Parser, Subcommand};
use tidemill_cli::serve::{ServeArgs, Sources};
use tidemill_cli::{CompletionsArgs, ExplainArgs, Global, Program};
use tidemill_core::{Code, Failure};
use tidemill_serving::Source;

/// The model server of Tidemill
#[derive(Debug, Parser)]
#[command(name = "tidemill-server", version, about)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Answer prediction requests for the models in folders
    Serve(Box<ServeArgs>),
    /// Explain an error code
    Explain(ExplainArgs),
    /// Print shell completions
    Completions(CompletionsArgs),
}

impl Program for Cli {
    fn global(&self) -> &Global {
        &self.global
    }

    async fn run(self) -> Result<u8, Failure> {
        match &self.command {
            Command::Serve(args) => tidemill_cli::serve::serve(args, &self.global, &FoldersOnly).await,
            Command::Explain(args) => tidemill_cli::explain(args, &self.global),
            Command::Completions(args) => tidemill_cli::completions::<Self>(args, &self.global),
        }
    }
}

/// This binary reads neither a registry nor an object store.
struct FoldersOnly;

#[async_trait]
impl Sources for FoldersOnly {
    async fn registry(&self, _: usize) -> Result<Arc<dyn Source>, Failure> {
        Err(Failure::new(Code::CommandLine, "this binary serves folders, not the registry of a project")
            .with_hint("name a folder of versions with `--model-base-path`, or several with `--model-config-file`"))
    }

    async fn endpoint(&self, file: &Path, _: usize) -> Result<Arc<dyn Source>, Failure> {
        Err(Failure::new(Code::CommandLine, format!("this binary cannot serve the endpoint in `{}`", file.display()))
            .with_hint("use `tidemill serve`"))
    }

    fn remote(&self, _: String, url: &str) -> Result<Arc<dyn Source>, Failure> {
        Err(Failure::new(Code::CommandLine, format!("this binary cannot read `{url}` from an object store"))
            .with_hint("copy the versions to a folder, or use `tidemill serve`"))
    }
}

fn main() -> ExitCode {
    tidemill_cli::main::<Cli>()
}
