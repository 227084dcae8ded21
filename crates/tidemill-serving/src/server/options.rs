//! How a server works.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use tidemill_onnx::OnnxOptions;

use super::TlsOptions;
use crate::{BatchingOptions, InferenceLogOptions, InputPolicy, TraceOptions};

/// Of whom the answers to `GET /v1/models` and `GET /v1/models/NAME` are, where TF Serving and `KServe` differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum V1Dialect {
    /// The states of a model's versions and nothing else; models are not listed.
    #[default]
    TfServing,
    /// Beside the states `name` and `ready`, with 503 while it is not; the names of all models.
    Kserve,
}

/// How a server works.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Where REST is served; port 0 takes a free one. Default `127.0.0.1:8501`.
    pub rest_addr: SocketAddr,
    /// Where gRPC is served; port 0 takes a free one, `None`: not at all. Default `127.0.0.1:8500`.
    pub grpc_addr: Option<SocketAddr>,
    /// Both ports speak TLS. Default: neither.
    pub tls: Option<TlsOptions>,
    /// A file of hashed API keys with roles, one of which every request must bring; read again when it changes. Default:
    /// none.
    pub api_keys_file: Option<PathBuf>,
    /// Origins whose pages may read answers over REST; `*` stands for all. Default: none.
    pub cors_origins: Vec<String>,
    /// Names of this server besides `localhost` and addresses. Requests to others are refused where the server listens on
    /// loopback without keys. Default: none.
    pub allowed_hosts: Vec<String>,
    /// What becomes of inputs that the schema of the training data does not allow. Default: they are flagged.
    pub input_policy: InputPolicy,
    /// Requests and answers are written here. Default: nowhere.
    pub inference_log: Option<InferenceLogOptions>,
    /// Traces of inference requests are sent there. Default: nowhere.
    pub traces: Option<TraceOptions>,
    /// gRPC is also spoken on this socket of the machine, for those who may write to it. Default: none.
    pub grpc_socket: Option<PathBuf>,
    /// How often the source is asked what to serve. Default 1 s.
    pub poll_interval: Duration,
    /// Larger bodies are refused (413, over gRPC `OUT_OF_RANGE`). Default 64 MiB.
    pub request_body_bytes_max: usize,
    /// A body must arrive within this. Default 30 s.
    pub request_body_timeout: Duration,
    /// Inference requests in work at one time; more are refused (429, `RESOURCE_EXHAUSTED`). Default 4096.
    pub requests_max: usize,
    /// Bytes of request bodies in memory at one time; more are refused (429, `RESOURCE_EXHAUSTED`). Default 512 MiB.
    pub requests_bytes_max: usize,
    /// Inference that waits longer than this for its turn and its answer is given up (504). Default 30 s.
    pub request_timeout: Duration,
    /// Connections at one time, on all ports together; more are closed at once. Default 10,000.
    pub connections_max: usize,
    /// A connection on which nothing is asked for so long is closed. Default 75 s.
    pub idle_timeout: Duration,
    /// Once asked to stop the server says for so long that it is not ready, and still answers. Default 0.
    pub drain_delay: Duration,
    /// After that, requests being answered get this long to finish. Default 30 s.
    pub drain_timeout: Duration,
    /// So many versions are loaded at the same time. Default: half the cores, one at least, so that there are cores left
    /// to answer on.
    pub load_threads: usize,
    /// The first pause before a version that failed to load is tried again; it doubles each time. Default 5 s.
    pub load_retry_first: Duration,
    /// The longest such pause. Default 5 min.
    pub load_retry_longest: Duration,
    /// So many times it is tried again; `None`: until it loads or is gone. Default: none.
    pub load_retries_max: Option<u32>,
    /// Whether a version answers the warm-up requests beside it before it is available. Default: yes.
    pub warmup: bool,
    /// How many times each of them. Default 1.
    pub warmup_iterations: u32,
    /// A new version is loaded only when the one it replaces is out of memory: nothing answers meanwhile. Default: no.
    pub unload_first: bool,
    /// When requests of different clients run together.
    pub batching: BatchingOptions,
    /// Whether a version's own file `batching_params.pbtxt` says how it batches. Default: no.
    pub batching_of_models: bool,
    /// Whether clients may load, unload and configure models; with API keys, those with the role `admin`. Default: no.
    pub model_control: bool,
    /// Folders under which base paths in the configurations of clients must be. Default: none.
    pub model_roots: Vec<PathBuf>,
    /// Folders under which log prefixes in the configurations of clients must be. Default: none.
    pub log_roots: Vec<PathBuf>,
    /// How ONNX models are run. Default: by the interpreter and by tract.
    pub onnx: OnnxOptions,
    /// Where metrics are found besides `/metrics` and TF Serving's `/monitoring/prometheus/metrics`.
    pub metrics_path: Option<String>,
    /// Whose protocol v1 says which models there are and whether they are ready. Default: TF Serving's.
    pub v1: V1Dialect,
    /// Requests with more rows are answered on a compute thread. Those with fewer are too, unless the model was measured to
    /// be quick when it was loaded. Default 256.
    pub inline_rows_max: usize,
    /// Requests with larger bodies are decoded on a compute thread. Default 64 KiB.
    pub inline_bytes_max: usize,
    /// Compute threads of each model version. Default: one for each core.
    pub compute_threads: usize,
    /// Requests of a version that wait for such a thread; more are refused (503, `UNAVAILABLE`). Default 1024.
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
            traces: None,
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
    /// Whether anybody who reaches the ports can ask for predictions: they are open beyond this machine, and neither
    /// keys nor certificates of clients are wanted.
    pub fn is_open_to_all(&self) -> bool {
        let reachable = |address: &SocketAddr| !address.ip().is_loopback();
        let guarded = self.api_keys_file.is_some() || self.tls.as_ref().is_some_and(|tls| tls.client_required);
        let ports = [Some(&self.rest_addr), self.grpc_addr.as_ref()];
        !guarded && ports.into_iter().flatten().any(reachable)
    }
}
