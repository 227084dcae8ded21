//! The server: bind, serve, drain.

pub(crate) mod access;
pub(crate) mod admission;
mod connection;
mod handle;
mod options;
#[cfg(unix)]
mod socket;
mod tls;

pub use handle::Handle;
pub use options::{ServerOptions, V1Dialect};
pub use tls::TlsOptions;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use self::connection::{Connections, Phase};
#[cfg(unix)]
use self::socket::Socket;
use crate::inference::compute_pool::{ComputePool, PoolOptions};
use crate::inference::service::{InferenceService, Limits};
use crate::jobs::{Jobs, run_jobs};
use crate::models::control::{ControlOptions, ModelControl, Unloaded};
use crate::models::versions::{Backoff, LoadOptions, Manager, ManagerOptions, Models};
use crate::observability::feedback::FeedbackLog;
use crate::observability::inference_log::Logs;
use crate::observability::metrics::Metrics;
use crate::observability::traces::Traces;
use crate::protocol::grpc::GrpcServer;
use crate::protocol::rest::openapi::ServerFacts;
use crate::protocol::rest::server::RestServer;
use crate::server::access::{Access, AllowedRoots};
use crate::server::admission::Admission;
use crate::{ServeError, Source};

/// Length of the queue of manual polls.
const RESCANS_QUEUED_MAX: usize = 16;
/// Pause before the next accept after the system refused a connection (too many open files).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A server that listens but does not answer yet; [`run`](Self::run) starts it.
pub struct Server {
    listeners: Listeners,
    connections: Arc<Connections>,
    service: Arc<InferenceService>,
    manager: Manager,
    source: Arc<dyn Source>,
    polls: mpsc::Receiver<oneshot::Sender<()>>,
    handle: Handle,
    drain_delay: Duration,
    drain_timeout: Duration,
}

struct Listeners {
    rest: TcpListener,
    grpc: Option<TcpListener>,
    #[cfg(unix)]
    socket: Option<Socket>,
}

impl Server {
    /// Binds the ports. Connections wait until [`run`](Self::run).
    pub async fn bind(options: ServerOptions, source: Arc<dyn Source>) -> Result<Self, ServeError> {
        // Errors in files are reported before a port is bound.
        let acceptors = options.tls.as_ref().map(TlsOptions::acceptors).transpose()?;
        let tls = acceptors.map(|acceptors| Arc::new(ArcSwap::from_pointee(acceptors)));
        if options.model_control && options.is_open_to_all() {
            return Err(ServeError::OpenModelControl);
        }
        let access = Access::new(&options)?;
        let metrics = Arc::new(Metrics::new()?);
        let logs = Logs::start(options.inference_log.as_ref(), &metrics)?;
        let traces = options.traces.as_ref().map(Traces::start).transpose()?;
        let (rest, address) = listen(options.rest_addr).await?;
        let (grpc, grpc_address) = match options.grpc_addr {
            Some(address) => listen(address).await.map(|(listener, address)| (Some(listener), Some(address)))?,
            None => (None, None),
        };
        #[cfg(unix)]
        let socket = options.grpc_socket.as_deref().map(Socket::listen).transpose()?;
        let pool_options = PoolOptions {
            threads: options.compute_threads,
            waiting_max: options.compute_queue_max,
            timeout: options.request_timeout,
        };
        let models = Arc::new(Models::new(pool_options));
        let manager_options = ManagerOptions {
            poll_interval: options.poll_interval,
            load_threads: options.load_threads,
            backoff: Backoff {
                first: options.load_retry_first,
                longest: options.load_retry_longest,
                retries_max: options.load_retries_max,
            },
            loading: LoadOptions {
                batching: options.batching.clone(),
                batching_of_models: options.batching_of_models,
                inline_rows_max: options.inline_rows_max,
                pool: pool_options,
                warmup: options.warmup.then_some(options.warmup_iterations),
                onnx: options.onnx.clone(),
            },
            unload_first: options.unload_first,
        };
        let unloaded = Unloaded::default();
        let manager =
            Manager::new(manager_options, Arc::clone(&models), Arc::clone(&metrics), logs.clone(), unloaded.clone());
        let (poll_sender, polls) = mpsc::channel(RESCANS_QUEUED_MAX);
        let control = ModelControl {
            source: Arc::clone(&source),
            polls: poll_sender.clone(),
            models: Arc::clone(&models),
            unloaded,
            options: ControlOptions {
                allowed: options.model_control,
                model_roots: AllowedRoots::new(&options.model_roots),
                log_roots: AllowedRoots::new(&options.log_roots),
            },
        };
        let limits = Limits {
            body_bytes_max: options.request_body_bytes_max,
            body_timeout: options.request_body_timeout,
            inline_bytes_max: options.inline_bytes_max,
            request_timeout: options.request_timeout,
        };
        let admission = Arc::new(Admission::new(options.requests_max, options.requests_bytes_max));
        let pool = ComputePool::new(pool_options);
        let jobs = options.jobs.clone().map(|store| Arc::new(Jobs::new(store, options.job_options)));
        let service =
            InferenceService::new(Arc::clone(&models), metrics, limits, admission, pool, access, control, logs);
        let log_dir = options.inference_log.as_ref().map(|log| log.dir.clone());
        let feedback = log_dir.filter(|_| options.feedback).map(|dir| FeedbackLog::new(&dir));
        let service =
            service.with_traces(traces).checking(options.input_policy).taking_feedback(feedback).with_jobs(jobs);
        let service = Arc::new(service);
        let facts = ServerFacts {
            grpc_port: grpc_address.map(|address| address.port()),
            tls: options.tls.is_some(),
            has_keys: options.api_keys_file.is_some(),
            model_control: options.model_control,
        };
        let dispatcher =
            RestServer { service: Arc::clone(&service), metrics_path: options.metrics_path, v1: options.v1, facts };
        let connections = Arc::new(Connections {
            dispatcher: Arc::new(dispatcher),
            router: Arc::new(GrpcServer::new(Arc::clone(&service))?),
            tls: tls.clone(),
            idle_timeout: options.idle_timeout,
            places: Arc::new(Semaphore::new(options.connections_max.clamp(1, Semaphore::MAX_PERMITS))),
        });
        let handle = Handle { address, grpc_address, models, polls: poll_sender, tls };
        let listeners = Listeners {
            rest,
            grpc,
            #[cfg(unix)]
            socket,
        };
        let (drain_delay, drain_timeout) = (options.drain_delay, options.drain_timeout);
        Ok(Self { listeners, connections, service, manager, source, polls, handle, drain_delay, drain_timeout })
    }

    /// A handle, to be taken before [`run`](Self::run) consumes the server.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until `shutdown` completes. Then it reports that it is not ready, accepts no more connections, lets
    /// active requests finish and returns.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Self { listeners, connections, service, manager, source, polls, handle, drain_delay, drain_timeout } = self;
        tracing::info!(rest = %handle.address, grpc = ?handle.grpc_address, "serving");
        let mut manager = tokio::spawn(manager.run(source, polls));
        let keys = tokio::spawn(Arc::clone(&service).follow_keys());
        let endpoints = tokio::spawn(Arc::clone(&service.models).follow_endpoints());
        let jobs = service.jobs.clone().map(|jobs| tokio::spawn(run_jobs(Arc::clone(&service), jobs)));
        let phase = watch::Sender::new(Phase::Serving);
        let stopped = async {
            tokio::select! {
                () = shutdown => Ok(()),
                _ = &mut manager => Err(ServeError::ManagerEnded),
            }
        };
        let ended = listeners.serve_until(&connections, &phase, stopped).await;
        service.drain();
        if !drain_delay.is_zero() {
            listeners.serve_until(&connections, &phase, tokio::time::sleep(drain_delay)).await;
        }
        drop(listeners);
        phase.send_replace(Phase::Draining);
        if tokio::time::timeout(drain_timeout, phase.closed()).await.is_err() {
            tracing::warn!(?drain_timeout, "some requests did not finish in time");
            phase.send_replace(Phase::Over);
        }
        manager.abort();
        keys.abort();
        endpoints.abort();
        if let Some(jobs) = jobs {
            jobs.abort();
        }
        if let Some(traces) = &service.traces {
            traces.finish().await;
        }
        service.logs.finish().await;
        ended
    }
}

impl Listeners {
    /// Accepts connections until `until` completes.
    async fn serve_until<T>(
        &self,
        connections: &Arc<Connections>,
        phase: &watch::Sender<Phase>,
        until: impl Future<Output = T>,
    ) -> T {
        let mut until = pin!(until);
        loop {
            tokio::select! {
                stream = accept(Some(&self.rest)) => {
                    if let Some(place) = connections.enter() {
                        tokio::spawn(Arc::clone(connections).rest(stream, phase.subscribe(), place));
                    }
                }
                stream = accept(self.grpc.as_ref()) => {
                    if let Some(place) = connections.enter() {
                        tokio::spawn(Arc::clone(connections).grpc(stream, phase.subscribe(), place));
                    }
                }
                stream = self.accept_socket() => {
                    if let Some(place) = connections.enter() {
                        tokio::spawn(Arc::clone(connections).grpc_socket(stream, phase.subscribe(), place));
                    }
                }
                ended = &mut until => return ended,
            }
        }
    }
}

#[cfg(unix)]
impl Listeners {
    async fn accept_socket(&self) -> tokio::net::UnixStream {
        match &self.socket {
            Some(socket) => socket.accept().await,
            None => std::future::pending().await,
        }
    }
}

#[cfg(not(unix))]
impl Listeners {
    /// This platform has none.
    async fn accept_socket(&self) -> tokio::io::DuplexStream {
        std::future::pending().await
    }
}

async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ServeError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => ServeError::PortInUse { address },
        _ => ServeError::Bind { address, source },
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// The next connection; never resolves without a listener.
async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else { return std::future::pending().await };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Responses are small: waiting to fill a packet only delays them.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "cannot set TCP_NODELAY");
                }
                return stream;
            }
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}
