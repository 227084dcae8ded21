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
    /// Port for HTTP/REST; 0 picks a free one
    #[arg(
        long = "rest_api_port",
        alias = "rest-api-port",
        value_name = "PORT",
        default_value_t = 8501,
        env = "TIDEMILL_REST_API_PORT"
    )]
    pub rest_api_port: u16,
    /// Port for gRPC; 0 picks a free one, `off` serves none
    #[arg(long, alias = "grpc-port", value_name = "PORT", default_value = "8500", env = "TIDEMILL_PORT")]
    pub port: GrpcPort,
    /// Speak gRPC on this socket of the machine too
    #[arg(long = "grpc_socket_path", alias = "grpc-socket-path", value_name = "PATH")]
    pub grpc_socket: Option<PathBuf>,
    /// Address to listen on
    #[arg(
        long = "rest_api_host",
        alias = "host",
        value_name = "ADDRESS",
        default_value = "127.0.0.1",
        env = "TIDEMILL_REST_API_HOST"
    )]
    pub host: String,
    /// Serve the versions of one model from a folder `BASE/VERSION/` instead of the registry
    #[arg(
        long = "model_base_path",
        alias = "model-base-path",
        value_name = "DIR",
        conflicts_with = "model_config_file"
    )]
    pub model_base_path: Option<PathBuf>,
    /// The name of that model
    #[arg(
        long = "model_name",
        alias = "model-name",
        value_name = "NAME",
        default_value = "default",
        requires = "model_base_path"
    )]
    pub model_name: String,
    /// Serve what a file of TF Serving says (the text of a `ModelServerConfig`)
    #[arg(long = "model_config_file", alias = "model-config-file", value_name = "FILE")]
    pub model_config_file: Option<PathBuf>,
    /// How often to read that file again; 0: never
    #[arg(
        long = "model_config_file_poll_wait_seconds",
        alias = "model-config-file-poll-wait-seconds",
        value_name = "SECONDS",
        default_value_t = 0
    )]
    pub model_config_poll_secs: u64,
    /// Where metrics are found besides `/metrics`, as a file of TF Serving says (the text of a `MonitoringConfig`)
    #[arg(long = "monitoring_config_file", alias = "monitoring-config-file", value_name = "FILE")]
    pub monitoring_config_file: Option<PathBuf>,
    /// How often to look for new versions
    #[arg(
        long = "file_system_poll_wait_seconds",
        alias = "poll-seconds",
        value_name = "SECONDS",
        default_value_t = 1.0
    )]
    pub poll_wait_secs: f64,
    /// Versions kept loaded besides those with an alias, newest first
    #[arg(long = "max_num_versions", alias = "max-versions", value_name = "N", default_value_t = 3)]
    pub versions_max: usize,
    /// Versions loaded at one time [default: half the cores]
    #[arg(long = "num_load_threads", alias = "num-load-threads", value_name = "N")]
    pub load_threads: Option<usize>,
    /// How often a version that does not load is tried again [default: until it loads or is gone]
    #[arg(long = "max_num_load_retries", alias = "max-num-load-retries", value_name = "N")]
    pub load_retries_max: Option<u32>,
    /// After how long [default: 5 seconds, then twice as long each time, up to 5 minutes]
    #[arg(long = "load_retry_interval_micros", alias = "load-retry-interval-micros", value_name = "MICROS")]
    pub load_retry_micros: Option<u64>,
    /// Whether a version answers the warm-up requests beside it before it is available
    #[arg(
        long = "enable_model_warmup",
        alias = "enable-model-warmup",
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
        long = "num_request_iterations_for_warmup",
        alias = "num-request-iterations-for-warmup",
        value_name = "N",
        default_value_t = 1
    )]
    pub warmup_iterations: u32,
    /// Load a new version only when the old one is out of memory: nothing answers meanwhile
    #[arg(long = "unload_before_load", alias = "unload-before-load")]
    pub unload_before_load: bool,
    /// Whether clients may load, unload and configure models [default: on, unless everybody can ask]
    #[arg(long = "model_control", alias = "model-control", value_name = "SWITCH")]
    pub model_control: Option<Switch>,
    /// Answer `GET /v1/models` and `/v1/models/NAME` for clients of `KServe` v1: TF Serving's status with `name` and `ready`
    #[arg(long = "kserve_v1", alias = "kserve-v1")]
    pub kserve_v1: bool,
    /// When requests of different clients run together
    #[arg(long, value_name = "MODE", default_value = "adaptive", help_heading = "Batching")]
    pub batching: BatchingMode,
    /// As `--batching fixed`
    #[arg(
        long = "enable_batching",
        alias = "enable-batching",
        value_name = "BOOL",
        help_heading = "Batching",
        num_args = 0..=1,
        require_equals = true,
        default_value_t = false,
        default_missing_value = "true",
        action = clap::ArgAction::Set
    )]
    pub enable_batching: bool,
    /// As a file of TF Serving says (the text of a `BatchingParameters`), with `--enable_batching`
    #[arg(
        long = "batching_parameters_file",
        alias = "batching-parameters-file",
        value_name = "FILE",
        help_heading = "Batching"
    )]
    pub batching_parameters_file: Option<PathBuf>,
    /// What `batching_params.pbtxt` in the folder of a version says comes first
    #[arg(
        long = "enable_per_model_batching_parameters",
        alias = "enable-per-model-batching-parameters",
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
    #[arg(long = "batch_rows_max", alias = "batch-rows-max", value_name = "N", help_heading = "Batching")]
    pub batch_rows_max: Option<usize>,
    /// A request waits so long for company, though a thread is free [default: 0]
    #[arg(
        long = "queue_delay_max_micros",
        alias = "queue-delay-max-micros",
        value_name = "MICROS",
        help_heading = "Batching"
    )]
    pub queue_delay_max_micros: Option<u64>,
    /// Certificate of the server (PEM, with those that lead to its authority): both ports speak TLS
    #[arg(long = "tls_cert", alias = "tls-cert", value_name = "FILE", help_heading = "Access", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(long = "tls_key", alias = "tls-key", value_name = "FILE", help_heading = "Access", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Authorities (PEM); a client must have a certificate that one of them signed
    #[arg(
        long = "tls_client_ca",
        alias = "tls-client-ca",
        value_name = "FILE",
        help_heading = "Access",
        requires = "tls_cert"
    )]
    pub tls_client_ca: Option<PathBuf>,
    /// As a file of TF Serving says (the text of an `SSLConfig`), on both ports
    #[arg(
        long = "ssl_config_file",
        alias = "ssl-config-file",
        value_name = "FILE",
        help_heading = "Access",
        conflicts_with_all = ["tls_cert", "tls_key", "tls_client_ca"]
    )]
    pub ssl_config_file: Option<PathBuf>,
    /// Every request must bring a key; FILE holds lines of a name and a key's SHA-256, and is followed as it changes
    #[arg(
        long = "api_keys",
        alias = "api-keys",
        value_name = "FILE",
        help_heading = "Access",
        env = "TIDEMILL_API_KEYS"
    )]
    pub api_keys: Option<PathBuf>,
    /// Pages of this origin may read answers; `*` for all (repeatable)
    #[arg(long = "cors_origin", alias = "cors-origin", value_name = "ORIGIN", help_heading = "Access")]
    pub cors_origins: Vec<String>,
    /// As `--cors_origin '*'`
    #[arg(
        long = "rest_api_enable_cors_support",
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
        long = "request_body_bytes_max",
        alias = "request-body-bytes-max",
        value_name = "BYTES",
        default_value_t = 64 << 20,
        help_heading = "Limits"
    )]
    pub request_body_bytes_max: usize,
    /// Inference requests in work at one time; more are answered 429
    #[arg(
        long = "requests_max",
        alias = "requests-max",
        value_name = "N",
        default_value_t = 4096,
        help_heading = "Limits"
    )]
    pub requests_max: usize,
    /// Bytes of request bodies in memory at one time; more are answered 429
    #[arg(
        long = "requests_bytes_max",
        alias = "requests-bytes-max",
        value_name = "BYTES",
        default_value_t = 512 << 20,
        help_heading = "Limits"
    )]
    pub requests_bytes_max: usize,
    /// Requests that wait longer for their turn and their answer are answered 504
    #[arg(
        long = "request_timeout_ms",
        visible_alias = "rest_api_timeout_in_ms",
        value_name = "MS",
        default_value_t = 30_000,
        help_heading = "Limits"
    )]
    pub request_timeout_ms: u64,
    /// A connection on which nothing is asked for so long is closed
    #[arg(
        long = "idle_timeout_secs",
        alias = "idle-timeout-secs",
        value_name = "SECONDS",
        default_value_t = 75,
        help_heading = "Limits"
    )]
    pub idle_timeout_secs: u64,
    /// When asked to stop: be not ready, and answer, for so long first
    #[arg(
        long = "drain_delay_secs",
        alias = "drain-delay-secs",
        value_name = "SECONDS",
        default_value_t = 0,
        help_heading = "Limits"
    )]
    pub drain_delay_secs: u64,
    /// After that, requests being answered get this long
    #[arg(
        long = "drain_timeout_secs",
        alias = "drain-timeout-secs",
        value_name = "SECONDS",
        default_value_t = 30,
        help_heading = "Limits"
    )]
    pub drain_timeout_secs: u64,
    /// Values that the schema of the training data does not allow: `off` (nobody looks), `flag` (answer, count, name them
    /// in a header), `reject` (400 where validation would call it an error)
    #[arg(
        long = "input_policy",
        alias = "input-policy",
        value_name = "POLICY",
        default_value = "flag",
        help_heading = "Input checks",
        env = "TIDEMILL_INPUT_POLICY"
    )]
    pub input_policy: InputPolicy,
    #[command(flatten)]
    pub onnx: OnnxArgs,
    #[command(flatten)]
    pub log: LogArgs,
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
    On,
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
