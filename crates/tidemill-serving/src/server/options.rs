//! Options of the server.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tidemill_onnx::OnnxOptions;

use super::TlsOptions;
use crate::jobs::{JobOptions, JobStore};
use crate::{BatchingOptions, InferenceLogOptions, InputPolicy, TraceOptions};

/// Which server's `GET /v1/models` and `GET /v1/models/NAME` to imitate, as TF Serving and `KServe` differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum V1Dialect {
    /// TF Serving: the states of a model's versions only; there is no list of models.
    #[default]
    TfServing,
    /// `KServe`: the states plus `name` and `ready`, with 503 while the model is not ready; and the list of models.
    Kserve,
}

/// Options of the server.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// The address of REST; port 0 takes a free one. Default `127.0.0.1:8501`.
    pub rest_addr: SocketAddr,
    /// The address of gRPC; port 0 takes a free one, `None` disables it. Default `127.0.0.1:8500`.
    pub grpc_addr: Option<SocketAddr>,
    /// TLS on both ports. Default: none.
    pub tls: Option<TlsOptions>,
    /// A file of hashed API keys with roles. Every request must carry one of them. The file is read again when it
    /// changes. Default: none.
    pub api_keys_file: Option<PathBuf>,
    /// Origins whose pages may read REST responses; `*` stands for all. Default: none.
    pub cors_origins: Vec<String>,
    /// Names of this server besides `localhost` and addresses. Requests to other names are rejected if the server
    /// listens on loopback without keys. Default: none.
    pub allowed_hosts: Vec<String>,
    /// What to do with inputs that the schema of the training data does not allow. Default: flag them.
    pub input_policy: InputPolicy,
    /// The log of requests and responses. Default: none.
    pub inference_log: Option<InferenceLogOptions>,
    /// Whether `POST /v1/feedback` takes feedback, into the folder of the inference log. Default: no.
    pub feedback: bool,
    /// The collector for traces of inference requests. Default: none.
    pub traces: Option<TraceOptions>,
    /// The queue for asynchronous requests. Default: none.
    pub jobs: Option<Arc<dyn JobStore>>,
    /// How jobs are worked on.
    pub job_options: JobOptions,
    /// A local socket that also serves gRPC, to every process that may write to it. Default: none.
    pub grpc_socket: Option<PathBuf>,
    /// How often the source is polled. Default 1 s.
    pub poll_interval: Duration,
    /// Larger bodies are rejected (413, over gRPC `OUT_OF_RANGE`). Default 64 MiB.
    pub request_body_bytes_max: usize,
    /// Time limit for receiving a body. Default 30 s.
    pub request_body_timeout: Duration,
    /// The maximum number of concurrent inference requests; more are rejected (429, `RESOURCE_EXHAUSTED`). Default
    /// 4096.
    pub requests_max: usize,
    /// The maximum bytes of request bodies in memory; more are rejected (429, `RESOURCE_EXHAUSTED`). Default 512 MiB.
    pub requests_bytes_max: usize,
    /// Time limit for inference, waiting included (504). Default 30 s.
    pub request_timeout: Duration,
    /// The maximum number of connections on all ports together; more are closed at once. Default 10,000.
    pub connections_max: usize,
    /// A connection without requests for this long is closed. Default 75 s.
    pub idle_timeout: Duration,
    /// How long the server still answers after it was asked to stop, reporting that it is not ready. Default 0.
    pub drain_delay: Duration,
    /// After that, how long active requests have to finish. Default 30 s.
    pub drain_timeout: Duration,
    /// How many versions are loaded at the same time. Default: half the cores, at least one, so that cores are left for
    /// requests.
    pub load_threads: usize,
    /// The first pause before a failed load is retried; it doubles each time. Default 5 s.
    pub load_retry_first: Duration,
    /// The longest such pause. Default 5 min.
    pub load_retry_longest: Duration,
    /// How often a failed load is retried; `None`: until it succeeds or is no longer listed. Default: none.
    pub load_retries_max: Option<u32>,
    /// Whether a version answers the warm-up requests beside it before it is available. Default: yes.
    pub warmup: bool,
    /// How often each warm-up request is answered. Default 1.
    pub warmup_iterations: u32,
    /// Whether a new version is loaded only after the one it replaces is out of memory, with downtime in between.
    /// Default: no.
    pub unload_first: bool,
    /// When requests of different clients run together.
    pub batching: BatchingOptions,
    /// Whether a version's own file `batching_params.pbtxt` configures its batching. Default: no.
    pub batching_of_models: bool,
    /// Whether clients may load, unload and configure models; with API keys, clients with the role `admin`. Default:
    /// no.
    pub model_control: bool,
    /// Folders that base paths in client configurations must be under. Default: none.
    pub model_roots: Vec<PathBuf>,
    /// Folders that log prefixes in client configurations must be under. Default: none.
    pub log_roots: Vec<PathBuf>,
    /// How ONNX models are run. Default: by the interpreter and by tract.
    pub onnx: OnnxOptions,
    /// Additional path of the metrics besides `/metrics` and TF Serving's `/monitoring/prometheus/metrics`.
    pub metrics_path: Option<String>,
    /// Whose v1 API for listing models and their readiness to imitate. Default: TF Serving's.
    pub v1: V1Dialect,
    /// Requests with more rows are answered on a compute thread. Smaller ones are too, unless the model was measured to
    /// be fast at load. Default 256.
    pub inline_rows_max: usize,
    /// Requests with larger bodies are decoded on a compute thread. Default 64 KiB.
    pub inline_bytes_max: usize,
    /// Compute threads of each model version. Default: one per core.
    pub compute_threads: usize,
    /// How many requests of a version may wait for a compute thread; more are rejected (503, `UNAVAILABLE`). Default
    /// 1024.
    pub compute_queue_max: usize,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            rest_addr: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8501),
            grpc_addr: Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8500)),
            tls: None,
            api_keys_file: None,
            cors_origins: Vec::new(),
            allowed_hosts: Vec::new(),
            input_policy: InputPolicy::default(),
            inference_log: None,
            feedback: false,
            traces: None,
            jobs: None,
            job_options: JobOptions::default(),
            grpc_socket: None,
            poll_interval: Duration::from_secs(1),
            request_body_bytes_max: 64 << 20,
            request_body_timeout: Duration::from_secs(30),
            requests_max: 4096,
            requests_bytes_max: 512 << 20,
            request_timeout: Duration::from_secs(30),
            connections_max: 10_000,
            idle_timeout: Duration::from_secs(75),
            drain_delay: Duration::ZERO,
            drain_timeout: Duration::from_secs(30),
            load_threads: (cores() / 2).max(1),
            load_retry_first: Duration::from_secs(5),
            load_retry_longest: Duration::from_mins(5),
            load_retries_max: None,
            warmup: true,
            warmup_iterations: 1,
            unload_first: false,
            batching: BatchingOptions::default(),
            batching_of_models: false,
            model_control: false,
            model_roots: Vec::new(),
            log_roots: Vec::new(),
            onnx: OnnxOptions::default(),
            metrics_path: None,
            v1: V1Dialect::default(),
            inline_rows_max: 256,
            inline_bytes_max: 64 << 10,
            compute_threads: cores(),
            compute_queue_max: 1024,
        }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

impl ServerOptions {
    /// Whether anyone who reaches the ports can request predictions: the server is reachable beyond this machine, and
    /// requires neither API keys nor client certificates.
    pub fn is_open_to_all(&self) -> bool {
        let reachable = |address: &SocketAddr| !address.ip().is_loopback();
        let guarded = self.api_keys_file.is_some() || self.tls.as_ref().is_some_and(|tls| tls.client_required);
        let ports = [Some(&self.rest_addr), self.grpc_addr.as_ref()];
        !guarded && ports.into_iter().flatten().any(reachable)
    }
}
