//! Flags of `endpoint`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// `endpoint`
#[derive(Debug, Subcommand)]
pub enum EndpointCommand {
    /// Check an endpoint file: keys, rules, and whether its models fit together
    Check {
        /// The endpoint file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Show what applying an endpoint file would change
    Plan {
        /// The endpoint file
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
    /// Put an endpoint file in force: running servers follow without losing a request
    Apply(EndpointApplyArgs),
    /// Show routes, models, breakers, caches and shadows of a running server; or what is applied
    Status(EndpointStatusArgs),
    /// List the revisions of an endpoint: who changed what, when and why
    History {
        /// The endpoint
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Put an earlier revision in force again
    Rollback(EndpointRollbackArgs),
    /// Set single values of the endpoint in force: thresholds, switches, shares
    Set(EndpointSetArgs),
    /// Approve the next step of a rollout that waits for it
    Approve {
        /// The endpoint
        #[arg(value_name = "NAME")]
        name: String,
        /// The step in percent [default: the first that needs approval]
        #[arg(value_name = "STEP")]
        step: Option<f64>,
        /// Why, for the history
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Stop serving an endpoint; its revisions are kept
    Remove {
        /// The endpoint
        #[arg(value_name = "NAME")]
        name: String,
        /// Why, for the history
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
}

/// `endpoint apply`
#[derive(Debug, Args)]
pub struct EndpointApplyArgs {
    /// The endpoint file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// `endpoint status`
#[derive(Debug, Args)]
pub struct EndpointStatusArgs {
    /// The endpoint [default: all]
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// The server to ask
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8501")]
    pub url: String,
    /// API key of the server
    #[arg(long, value_name = "KEY", env = "TIDEMILL_API_KEY", hide_env_values = true)]
    pub api_key: Option<String>,
    /// Do not ask a server: show what is applied
    #[arg(long, conflicts_with_all = ["url", "api_key"])]
    pub offline: bool,
}

/// `endpoint rollback`
#[derive(Debug, Args)]
pub struct EndpointRollbackArgs {
    /// The endpoint
    #[arg(value_name = "NAME")]
    pub name: String,
    /// The revision [default: the one before the last]
    #[arg(long, value_name = "REVISION")]
    pub to: Option<u64>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// `endpoint set`
#[derive(Debug, Args)]
pub struct EndpointSetArgs {
    /// The endpoint
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Keys and their values: `models.champion.threshold=0.6`; `null` removes a key
    #[arg(value_name = "KEY=VALUE", required = true, value_parser = super::name_value)]
    pub values: Vec<(String, String)>,
    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}
