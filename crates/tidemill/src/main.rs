//! Production machine learning in one binary.
//!
//! This crate is the command line: what the arguments are, and how results look on a terminal. What things do lives in
//! the crates below; `tidemill-project` puts them together.

mod cli;
mod commands;
mod ui;

use std::process::ExitCode;

use tidemill_cli::Program;
use tidemill_core::Failure;

use crate::cli::{Cli, Global};

impl Program for Cli {
    fn global(&self) -> &Global {
        &self.global
    }

    async fn run(self) -> Result<u8, Failure> {
        commands::dispatch(self).await
    }

    fn arranged(command: clap::Command) -> clap::Command {
        cli::arranged(command)
    }

    fn advice(error: &clap::Error) -> Option<String> {
        cli::advice(error)
    }

    fn warnings() -> Vec<String> {
        tidemill_project::doubtful_variables(cli::variables)
    }
}

fn main() -> ExitCode {
    tidemill_cli::main::<Cli>()
}
