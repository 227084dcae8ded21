//! The server: bind, serve, drain.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};

use crate::dispatch::Dispatcher;
use crate::engine::{Engine, Limits};
use crate::grpc::Router;
use crate::metrics::Metrics;
use crate::versions::{LoadedModel, Manager, ManagerOptions, ModelStatus, Models, Selector};
use crate::{ServeError, Source};

/// Polls asked for by hand wait in a queue of this length.
const POLLS_MAX: usize = 16;
/// After the system refused a connection (too many open files), the next try comes after this.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// A connection on which no request begins for so long is closed.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// How a server works.
#[derive(Debug, Clone)]
pub struct ServerOptions {
    /// Where REST is served; port 0 takes a free one. Default `127.0.0.1:8501`.
    pub rest_addr: SocketAddr,
    /// Where gRPC is served; port 0 takes a free one, `None`: not at all. Default `127.0.0.1:8500`.
    pub grpc_addr: Option<SocketAddr>,
    /// How often the source is asked what to serve. Default 1 s.
    pub poll_interval: Duration,
    /// Larger bodies are refused (413, over gRPC `OUT_OF_RANGE`). Default 64 MiB.
    pub request_body_bytes_max: usize,
    /// A body must arrive within this. Default 30 s.
    pub request_body_timeout: Duration,
    /// At shutdown, requests being answered get this long to finish. Default 30 s.
    pub drain_timeout: Duration,
    /// So many versions are loaded at the same time. Default 2.
    pub load_threads: usize,
    /// The first pause before a version that failed to load is tried again; it doubles each time. Default 5 s.
    pub load_retry_first: Duration,
    /// The longest such pause. Default 5 min.
    pub load_retry_longest: Duration,
    /// Requests with more rows are answered on a thread of their own. Default 256.
    pub inline_rows_max: usize,
    /// Requests with larger bodies are decoded on a thread of their own. Default 64 KiB.
    pub inline_bytes_max: usize,
}

impl Default for ServerOptions {
    fn default() -> Self {
        Self {
            rest_addr: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8501),
            grpc_addr: Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8500)),
            poll_interval: Duration::from_secs(1),
            request_body_bytes_max: 64 << 20,
            request_body_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(30),
            load_threads: 2,
            load_retry_first: Duration::from_secs(5),
            load_retry_longest: Duration::from_mins(5),
            inline_rows_max: 256,
            inline_bytes_max: 64 << 10,
        }
    }
}

/// A server that listens and does not answer yet; [`run`](Self::run) makes it.
pub struct Server {
    rest: TcpListener,
    grpc: Option<TcpListener>,
    engine: Arc<Engine>,
    router: Arc<Router>,
    manager: Manager,
    source: Arc<dyn Source>,
    polls: mpsc::Receiver<oneshot::Sender<()>>,
    handle: Handle,
    drain_timeout: Duration,
}

/// What the rest of the program knows of a running server. Clones are cheap.
#[derive(Debug, Clone)]
pub struct Handle {
    address: SocketAddr,
    grpc_address: Option<SocketAddr>,
    models: Arc<Models>,
    polls: mpsc::Sender<oneshot::Sender<()>>,
}

impl Server {
    /// Takes the ports. Connections wait until [`run`](Self::run).
    pub async fn bind(options: ServerOptions, source: Arc<dyn Source>) -> Result<Self, ServeError> {
        let (rest, address) = listen(options.rest_addr).await?;
        let (grpc, grpc_address) = match options.grpc_addr {
            Some(address) => listen(address).await.map(|(listener, address)| (Some(listener), Some(address)))?,
            None => (None, None),
        };
        let models = Arc::new(Models::new());
        let metrics = Arc::new(Metrics::new()?);
        let manager_options = ManagerOptions {
            poll_interval: options.poll_interval,
            load_threads: options.load_threads,
            retry_first: options.load_retry_first,
            retry_longest: options.load_retry_longest,
        };
        let manager = Manager::new(manager_options, Arc::clone(&models), Arc::clone(&metrics));
        let limits = Limits {
            body_bytes_max: options.request_body_bytes_max,
            body_timeout: options.request_body_timeout,
            inline_bytes_max: options.inline_bytes_max,
            inline_rows_max: options.inline_rows_max,
        };
        let engine = Arc::new(Engine::new(Arc::clone(&models), metrics, limits));
        let router = Arc::new(Router::new(Arc::clone(&engine))?);
        let (poll_sender, polls) = mpsc::channel(POLLS_MAX);
        let handle = Handle { address, grpc_address, models, polls: poll_sender };
        let drain_timeout = options.drain_timeout;
        Ok(Self { rest, grpc, engine, router, manager, source, polls, handle, drain_timeout })
    }

    /// A handle, to be kept before [`run`](Self::run) takes the server.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Serves until `shutdown` completes, then takes no more connections, lets requests finish and returns.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let Self { rest, grpc, engine, router, manager, source, polls, handle, drain_timeout } = self;
        tracing::info!(rest = %handle.address, grpc = ?handle.grpc_address, "serving");
        let mut manager = tokio::spawn(manager.run(source, polls));
        let dispatcher = Arc::new(Dispatcher { engine: Arc::clone(&engine) });
        let graceful = GracefulShutdown::new();
        let mut shutdown = pin!(shutdown);
        let ended = loop {
            tokio::select! {
                stream = accept(Some(&rest)) => {
                    let dispatcher = Arc::clone(&dispatcher);
                    tokio::spawn(serve_rest(stream, dispatcher, graceful.watcher()));
                }
                stream = accept(grpc.as_ref()) => {
                    tokio::spawn(serve_grpc(stream, Arc::clone(&router), graceful.watcher()));
                }
                () = &mut shutdown => break Ok(()),
                _ = &mut manager => break Err(ServeError::ManagerEnded),
            }
        };
        engine.drain();
        drop((rest, grpc));
        if tokio::time::timeout(drain_timeout, graceful.shutdown()).await.is_err() {
            tracing::warn!(?drain_timeout, "some requests did not finish in time");
        }
        manager.abort();
        ended
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

/// The next connection; never comes where there is no listener.
async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else { return std::future::pending().await };
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                // Answers are small: waiting to fill a packet only delays them.
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

async fn serve_rest(stream: TcpStream, dispatcher: Arc<Dispatcher>, watcher: Watcher) {
    let service = service_fn(move |request| {
        let dispatcher = Arc::clone(&dispatcher);
        async move { Ok::<_, Infallible>(dispatcher.answer(request).await) }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(IDLE_TIMEOUT);
    builder.http2().timer(TokioTimer::new());
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    ended(watcher.watch(connection).await);
}

async fn serve_grpc(stream: TcpStream, router: Arc<Router>, watcher: Watcher) {
    let service = service_fn(move |request| {
        let router = Arc::clone(&router);
        async move { Ok::<_, Infallible>(router.answer(request).await) }
    });
    let mut builder = http2::Builder::new(TokioExecutor::new());
    // gRPC clients keep connections open for ever; those of clients that are gone must not stay.
    builder.timer(TokioTimer::new()).keep_alive_interval(IDLE_TIMEOUT);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    ended(watcher.watch(connection).await);
}

/// Clients come and go as they like.
fn ended<E: Into<Box<dyn std::error::Error + Send + Sync>>>(connection: Result<(), E>) {
    if let Err(error) = connection {
        tracing::debug!(error = error.into(), "a connection ended early");
    }
}

impl Handle {
    /// Where the server listens for REST.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for gRPC, if it does.
    pub fn grpc_addr(&self) -> Option<SocketAddr> {
        self.grpc_address
    }

    /// Waits until every listed model has an available version. Waits for ever if one is broken: see
    /// [`settled`](Self::settled).
    pub async fn ready(&self) {
        // The sender lives in `models`, so waiting cannot fail.
        let _ = self.models.progress().wait_for(|progress| progress.ready).await;
    }

    /// Waits until the source has answered and every listed version is available or has failed.
    pub async fn settled(&self) {
        let _ = self.models.progress().wait_for(|progress| progress.listed && progress.settled).await;
    }

    /// Has the source asked at once and waits until its answer is applied: loads are started then, not ended. `false`:
    /// the server is gone.
    pub async fn poll_now(&self) -> bool {
        let (applied, done) = oneshot::channel();
        self.polls.send(applied).await.is_ok() && done.await.is_ok()
    }

    /// All models and their versions.
    pub fn models(&self) -> Vec<ModelStatus> {
        self.models.snapshot().statuses()
    }

    /// The model that answers requests for `name` which name no version.
    pub(crate) fn latest(&self, name: &str) -> Option<Arc<LoadedModel>> {
        self.models.resolve(name, &Selector::Latest).ok()
    }
}
