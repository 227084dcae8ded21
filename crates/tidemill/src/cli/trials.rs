//! Flags of `trials`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// `trials`
#[derive(Debug, Args)]
pub struct TrialsArgs {
    /// A search: `last`, or the start of its digest [default: a list of all searches]
    pub search: Option<String>,
    /// Only trials of this learner
    #[arg(long, value_name = "LEARNER", requires = "search")]
    pub learner: Option<String>,
    /// Only trials that ended so
    #[arg(long, value_name = "STATE", requires = "search")]
    pub state: Option<StateName>,
    /// Only trials with this value of a parameter; can be repeated
    #[arg(long = "where", value_name = "PARAMETER=VALUE", requires = "search", value_parser = super::name_value)]
    pub params: Vec<(String, String)>,
    /// Only trials that no other is both better and faster than
    #[arg(long, requires = "search")]
    pub pareto: bool,
    /// Write the search as a study of Optuna, which `optuna-dashboard` opens
    #[arg(long, value_name = "FILE", requires = "search")]
    pub optuna: Option<PathBuf>,
    /// Maximum number of rows
    #[arg(short = 'n', long, default_value_t = 20)]
    pub limit: usize,
}

/// How a trial ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StateName {
    /// It has a result
    Completed,
    /// It was ended early: others were better after as many rounds
    Pruned,
    /// It has no result
    Failed,
}
