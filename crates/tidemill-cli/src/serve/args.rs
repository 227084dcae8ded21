//! `serve`: TF Serving's flags keep their names, and ours are written like them.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};
use tidemill_serving::InputPolicy;

use super::{LogArgs, OnnxArgs, TraceArgs};

/// `serve`
#[derive(Debug, Args)]
#[allow(clippy::struct_excessive_bools, reason = "flags of TF Serving are what they are")]
pub struct ServeArgs {
    /// Serve the endpoint in this file and the models that it names [default: all models of the project, and the endpoints
    /// that were applied]
    #[arg(value_name = "ENDPOINT", conflicts_with_all = ["model_base_path", "model_config_file"])]
    pub endpoint: Option<PathBuf>,
    /// Port for HTTP/REST; 0 picks a free one
    #[arg(
        long = "rest-api-port",
        alias = "rest_api_port",
        value_name = "PORT",
        default_value_t = 8501,
        env = "TIDEMILL_REST_API_PORT"
    )]
    pub rest_api_port: u16,
    /// Port for gRPC; 0 picks a free one, `off` serves none
    #[arg(long, alias = "grpc-port", value_name = "PORT", default_value = "8500", env = "TIDEMILL_PORT")]
    pub port: GrpcPort,
    /// Speak gRPC on this socket of the machine too
    #[arg(long = "grpc-socket-path", alias = "grpc_socket_path", value_name = "PATH")]
    pub grpc_socket: Option<PathBuf>,
    /// Address to listen on
    #[arg(
        long = "rest-api-host",
        aliases = ["rest_api_host", "host"],
        value_name = "ADDRESS",
        default_value = "127.0.0.1",
        env = "TIDEMILL_REST_API_HOST"
    )]
    pub host: String,
    /// Serve the versions of one model from a folder `BASE/VERSION/` instead of the registry
    #[arg(
        long = "model-base-path",
        alias = "model_base_path",
        value_name = "DIR",
        conflicts_with = "model_config_file"
    )]
    pub model_base_path: Option<PathBuf>,
    /// The name of that model
    #[arg(
        long = "model-name",
        alias = "model_name",
        value_name = "NAME",
        default_value = "default",
        requires = "model_base_path"
    )]
    pub model_name: String,
    /// Serve what a file of TF Serving says (the text of a `ModelServerConfig`)
    #[arg(long = "model-config-file", alias = "model_config_file", value_name = "FILE")]
    pub model_config_file: Option<PathBuf>,
    /// How often to read that file again; 0: never
    #[arg(
        long = "model-config-file-poll-wait-seconds",
        alias = "model_config_file_poll_wait_seconds",
        value_name = "SECONDS",
        default_value_t = 0
    )]
    pub model_config_poll_secs: u64,
    /// Where metrics are found besides `/metrics`, as a file of TF Serving says (the text of a `MonitoringConfig`)
    #[arg(long = "monitoring-config-file", alias = "monitoring_config_file", value_name = "FILE")]
    pub monitoring_config_file: Option<PathBuf>,
    /// How often to look for new versions
    #[arg(
        long = "file-system-poll-wait-seconds",
        aliases = ["file_system_poll_wait_seconds", "poll-seconds"],
        value_name = "SECONDS",
        default_value_t = 1.0
    )]
    pub poll_wait_secs: f64,
    /// Versions kept loaded besides those with an alias, newest first
    #[arg(long = "max-num-versions", aliases = ["max_num_versions", "max-versions"], value_name = "N", default_value_t = 3)]
    pub versions_max: usize,
    /// Versions loaded at one time [default: half the cores]
    #[arg(long = "num-load-threads", alias = "num_load_threads", value_name = "N")]
    pub load_threads: Option<usize>,
    /// How often a version that does not load is tried again [default: until it loads or is gone]
    #[arg(long = "max-num-load-retries", alias = "max_num_load_retries", value_name = "N")]
    pub load_retries_max: Option<u32>,
    /// After how long [default: 5 seconds, then twice as long each time, up to 5 minutes]
    #[arg(long = "load-retry-interval-micros", alias = "load_retry_interval_micros", value_name = "MICROS")]
    pub load_retry_micros: Option<u64>,
    /// Whether a version answers the warm-up requests beside it before it is available
    #[arg(
        long = "enable-model-warmup",
        alias = "enable_model_warmup",
        value_name = "BOOL",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = true,
        default_missing_value = "true",
        action = clap::ArgAction::Set
    )]
    pub warmup: bool,
    /// How many times each of them
    #[arg(
        long = "num-request-iterations-for-warmup",
        alias = "num_request_iterations_for_warmup",
        value_name = "N",
        default_value_t = 1
    )]
    pub warmup_iterations: u32,
    /// Load a new version only when the old one is out of memory: nothing answers meanwhile
    #[arg(long = "unload-before-load", alias = "unload_before_load")]
    pub unload_before_load: bool,
    /// Let clients load, unload and configure models; with `--api_keys`, those with the role `admin` [default: off]
    #[arg(long = "model-control", alias = "model_control", value_name = "SWITCH")]
    pub model_control: Option<Switch>,
    /// Answer `GET /v1/models` and `/v1/models/NAME` for clients of `KServe` v1: TF Serving's status with `name` and `ready`
    #[arg(long = "kserve-v1", alias = "kserve_v1")]
    pub kserve_v1: bool,
    /// When requests of different clients run together
    #[arg(long, value_name = "MODE", default_value = "adaptive", help_heading = "Batching")]
    pub batching: BatchingMode,
    /// As `--batching fixed`
    #[arg(
        long = "enable-batching",
        alias = "enable_batching",
        value_name = "BOOL",
        help_heading = "Batching",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true",
        action = clap::ArgAction::Set
    )]
    pub enable_batching: bool,
    /// As a file of TF Serving says (the text of a `BatchingParameters`), with `--enable-batching`
    #[arg(
        long = "batching-parameters-file",
        alias = "batching_parameters_file",
        value_name = "FILE",
        help_heading = "Batching"
    )]
    pub batching_parameters_file: Option<PathBuf>,
    /// What `batching_params.pbtxt` in the folder of a version says comes first
    #[arg(
        long = "enable-per-model-batching-parameters",
        alias = "enable_per_model_batching_parameters",
        value_name = "BOOL",
        help_heading = "Batching",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true",
        action = clap::ArgAction::Set
    )]
    pub batching_of_models: bool,
    /// Rows of a batch at most [default: 64; fixed: 1000]
    #[arg(long = "batch-rows-max", alias = "batch_rows_max", value_name = "N", help_heading = "Batching")]
    pub batch_rows_max: Option<usize>,
    /// A request waits so long for company, though a thread is free [default: 0]
    #[arg(
        long = "queue-delay-max-micros",
        alias = "queue_delay_max_micros",
        value_name = "MICROS",
        help_heading = "Batching"
    )]
    pub queue_delay_max_micros: Option<u64>,
    /// Certificate of the server (PEM, with those that lead to its authority): both ports speak TLS
    #[arg(long = "tls-cert", alias = "tls_cert", value_name = "FILE", help_heading = "Access", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(long = "tls-key", alias = "tls_key", value_name = "FILE", help_heading = "Access", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Authorities (PEM); a client must have a certificate that one of them signed
    #[arg(
        long = "tls-client-ca",
        alias = "tls_client_ca",
        value_name = "FILE",
        help_heading = "Access",
        requires = "tls_cert"
    )]
    pub tls_client_ca: Option<PathBuf>,
    /// As a file of TF Serving says (the text of an `SSLConfig`), on both ports
    #[arg(
        long = "ssl-config-file",
        alias = "ssl_config_file",
        value_name = "FILE",
        help_heading = "Access",
        conflicts_with_all = ["tls_cert", "tls_key", "tls_client_ca"]
    )]
    pub ssl_config_file: Option<PathBuf>,
    /// Require an API key; FILE has a name, the SHA-256 of a key and roles per line, and is read again when it changes
    #[arg(
        long = "api-keys",
        alias = "api_keys",
        value_name = "FILE",
        help_heading = "Access",
        env = "TIDEMILL_API_KEYS"
    )]
    pub api_keys: Option<PathBuf>,
    /// Base paths that clients configure must be under this folder (repeatable)
    #[arg(long = "model-root", value_name = "DIR", help_heading = "Access")]
    pub model_roots: Vec<PathBuf>,
    /// Logs that clients configure must be under this folder (repeatable)
    #[arg(long = "log-root", value_name = "DIR", help_heading = "Access")]
    pub log_roots: Vec<PathBuf>,
    /// Accept requests for this host name on loopback without keys, besides `localhost` (repeatable)
    #[arg(long = "allowed-host", value_name = "NAME", help_heading = "Access")]
    pub allowed_hosts: Vec<String>,
    /// Pages of this origin may read answers; `*` for all (repeatable)
    #[arg(long = "cors-origin", alias = "cors_origin", value_name = "ORIGIN", help_heading = "Access")]
    pub cors_origins: Vec<String>,
    /// As `--cors-origin '*'`
    #[arg(
        long = "rest-api-enable-cors-support", alias = "rest_api_enable_cors_support",
        value_name = "BOOL",
        help_heading = "Access",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true",
        action = clap::ArgAction::Set
    )]
    pub cors_any: bool,
    /// Larger request bodies are refused
    #[arg(
        long = "request-body-bytes-max",
        alias = "request_body_bytes_max",
        value_name = "BYTES",
        default_value_t = 64 << 20,
        help_heading = "Limits"
    )]
    pub request_body_bytes_max: usize,
    /// Inference requests in work at one time; more are answered 429
    #[arg(
        long = "requests-max",
        alias = "requests_max",
        value_name = "N",
        default_value_t = 4096,
        help_heading = "Limits"
    )]
    pub requests_max: usize,
    /// Bytes of request bodies in memory at one time; more are answered 429
    #[arg(
        long = "requests-bytes-max",
        alias = "requests_bytes_max",
        value_name = "BYTES",
        default_value_t = 512 << 20,
        help_heading = "Limits"
    )]
    pub requests_bytes_max: usize,
    /// Requests that wait longer for their turn and their answer are answered 504
    #[arg(
        long = "request-timeout-ms",
        visible_aliases = ["request_timeout_ms", "rest_api_timeout_in_ms"],
        value_name = "MS",
        default_value_t = 30_000,
        help_heading = "Limits"
    )]
    pub request_timeout_ms: u64,
    /// Connections at one time, on all ports; more are closed at once
    #[arg(long = "connections-max", value_name = "N", default_value_t = 10_000, help_heading = "Limits")]
    pub connections_max: usize,
    /// A connection on which nothing is asked for so long is closed
    #[arg(
        long = "idle-timeout-secs",
        alias = "idle_timeout_secs",
        value_name = "SECONDS",
        default_value_t = 75,
        help_heading = "Limits"
    )]
    pub idle_timeout_secs: u64,
    /// When asked to stop: be not ready, and answer, for so long first
    #[arg(
        long = "drain-delay-secs",
        alias = "drain_delay_secs",
        value_name = "SECONDS",
        default_value_t = 0,
        help_heading = "Limits"
    )]
    pub drain_delay_secs: u64,
    /// After that, requests being answered get this long
    #[arg(
        long = "drain-timeout-secs",
        alias = "drain_timeout_secs",
        value_name = "SECONDS",
        default_value_t = 30,
        help_heading = "Limits"
    )]
    pub drain_timeout_secs: u64,
    /// Values that the schema of the training data does not allow: `off` (nobody looks), `flag` (answer, count, name them
    /// in a header), `reject` (400 where validation would call it an error)
    #[arg(
        long = "input-policy",
        alias = "input_policy",
        value_name = "POLICY",
        default_value = "flag",
        help_heading = "Input checks",
        env = "TIDEMILL_INPUT_POLICY"
    )]
    pub input_policy: InputPolicy,
    /// How ONNX models run.
    #[command(flatten)]
    pub onnx: OnnxArgs,
    /// The inference log.
    #[command(flatten)]
    pub log: LogArgs,
    /// Traces.
    #[command(flatten)]
    pub traces: TraceArgs,
}

/// When requests of different clients run together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum BatchingMode {
    /// Never
    Off,
    /// For models that gain from it, which is measured as they are loaded
    Adaptive,
    /// For every model
    Fixed,
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    /// Yes
    On,
    /// No
    Off,
}

/// Where `serve` speaks gRPC, if it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrpcPort {
    /// Nowhere.
    Off,
    /// On this port, or a free one for 0.
    On(u16),
}

impl FromStr for GrpcPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            _ => text.parse().map(Self::On).map_err(|_| "a port is a number up to 65535, or `off`".to_owned()),
        }
    }
}
