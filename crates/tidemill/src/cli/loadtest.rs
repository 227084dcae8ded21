//! `loadtest`: its flags, and how their values are written.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use tidemill_loadtest::{Protocol, Rate};

use tidemill_cli::duration;

/// `loadtest`
#[derive(Debug, Args)]
pub struct LoadtestArgs {
    /// A server (`http://localhost:8501`, `grpc://localhost:8500`; with TLS `https`, `grpcs`), a model's endpoint on it
    /// (`…/v1/models/NAME:predict`, `…/v2/models/NAME/infer`), or any URL with `--body`
    pub url: String,
    /// The model to ask [default: the only one the server lists]
    #[arg(short, long, value_name = "NAME")]
    pub model: Option<String>,
    /// How requests are written [default: as the URL says, else tf-serving]
    #[arg(long, value_name = "PROTOCOL")]
    pub protocol: Option<ProtocolName>,
    /// Requests a second, or `max`: as fast as the connections carry
    #[arg(short, long, default_value = "100", value_parser = rate, conflicts_with = "find_capacity")]
    pub rate: Rate,
    /// How long to measure; for `--find-capacity` at each rate
    #[arg(short, long, alias = "for", default_value = "10s", value_parser = duration)]
    pub duration: Duration,
    /// Load before that, which is not measured
    #[arg(long, default_value = "1s", value_parser = duration)]
    pub warmup: Duration,
    /// Connections, each with one request at a time
    #[arg(short, long, value_name = "N", default_value_t = 64)]
    pub connections: usize,
    /// A request without an answer for so long has failed
    #[arg(long, default_value = "10s", value_parser = duration)]
    pub timeout: Duration,
    /// Search the highest rate at which `--p99` holds
    #[arg(long, requires = "p99")]
    pub find_capacity: bool,
    /// 99 of 100 requests must take at most so long, or the exit code is 1
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub p99: Option<Duration>,
    /// At most this fraction of requests may fail where `--p99` is given
    #[arg(long, value_name = "FRACTION", default_value_t = 0.0)]
    pub failures: f64,
    /// Rows to ask about: CSV, Parquet or JSON lines [default: made up from what the server says the model takes]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["package", "body"])]
    pub rows: Option<PathBuf>,
    /// Ask about the rows recorded in this package: a folder, or NAME, NAME@ALIAS, NAME:VERSION of the project
    #[arg(long, value_name = "MODEL", conflicts_with = "body")]
    pub package: Option<String>,
    /// Send this file as it is, each time
    #[arg(long, value_name = "FILE")]
    pub body: Option<PathBuf>,
    /// Content type of `--body`
    #[arg(long, value_name = "TYPE", default_value = "application/json", requires = "body")]
    pub content_type: String,
    /// Rows in each request
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub rows_per_request: usize,
    /// Different requests, sent over and over
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub distinct: usize,
    /// Send the given rows only, instead of varying them
    #[arg(long)]
    pub no_vary: bool,
    /// Seed of the variation: the same seed sends the same requests
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// A header for every request; may be given again
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub headers: Vec<(String, String)>,
    /// Authorities (PEM), one of which must have signed the server's certificate [default: those of this machine]
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Certificate to show to the server (PEM, with those that lead to its authority)
    #[arg(long, value_name = "FILE", requires = "key")]
    pub cert: Option<PathBuf>,
    /// Private key of that certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub key: Option<PathBuf>,
    /// Store the result with this version of the project's registry: NAME@ALIAS or NAME:VERSION
    #[arg(long, value_name = "MODEL")]
    pub record: Option<String>,
}

/// How requests are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProtocolName {
    /// TF Serving's REST
    #[value(alias = "tfs")]
    TfServing,
    /// The Open Inference Protocol over REST
    #[value(alias = "oip")]
    OpenInference,
    /// The Open Inference Protocol over gRPC
    Grpc,
}

impl From<ProtocolName> for Protocol {
    fn from(name: ProtocolName) -> Self {
        match name {
            ProtocolName::TfServing => Self::TfServing,
            ProtocolName::OpenInference => Self::OpenInference,
            ProtocolName::Grpc => Self::Grpc,
        }
    }
}

fn rate(text: &str) -> Result<Rate, String> {
    if text == "max" {
        return Ok(Rate::Max);
    }
    let rate: f64 = text.trim_end_matches("/s").parse().map_err(|_| "a number of requests a second, or `max`")?;
    if rate > 0.0 && rate.is_finite() { Ok(Rate::PerSecond(rate)) } else { Err("a rate is above 0".to_owned()) }
}

fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
        _ => Err("write `NAME: VALUE`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_durations_and_headers() {
        assert_eq!(rate("2000"), Ok(Rate::PerSecond(2000.0)));
        assert_eq!(rate("0.5/s"), Ok(Rate::PerSecond(0.5)));
        assert_eq!(rate("max"), Ok(Rate::Max));
        assert!(rate("0").is_err() && rate("fast").is_err() && rate("inf").is_err());
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("1m 30s"), Ok(Duration::from_secs(90)));
        assert!(duration("10").is_err() && duration("-1s").is_err());
        assert_eq!(header("X-Key: a:b"), Ok(("X-Key".to_owned(), "a:b".to_owned())));
        assert!(header("nothing").is_err());
    }
}
