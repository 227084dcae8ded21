//! One connection: its protocol, its idle timeout, its graceful close.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulConnection;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;

use super::tls::Acceptors;
use crate::protocol::grpc::GrpcServer;
use crate::protocol::rest::server::RestServer;

/// How often a connection is checked within its idle timeout.
const IDLE_CHECKS_PER_TIMEOUT: u32 = 4;
/// How long an idle connection has to close after it was asked to.
const GRACEFUL_CLOSE_TIMEOUT: Duration = Duration::from_secs(5);
/// gRPC clients keep connections open indefinitely; pings find the clients that are gone.
const PING_INTERVAL: Duration = Duration::from_mins(1);

/// State shared by all connections.
pub(super) struct Connections {
    pub(super) dispatcher: Arc<RestServer>,
    pub(super) router: Arc<GrpcServer>,
    /// Certificates may be renewed; the next connection uses the new one.
    pub(super) tls: Option<Arc<ArcSwap<Acceptors>>>,
    pub(super) idle_timeout: Duration,
    /// One permit per allowed connection.
    pub(super) places: Arc<Semaphore>,
}

/// Activity of a connection.
///
/// One counter with a periodic check bounds everything that a client can leave unfinished: a handshake, a preface, a
/// header, the next request. A timer for each request would cost more.
#[derive(Debug, Default)]
struct Activity {
    /// Requests begun and requests ended, in one number.
    changes: AtomicU64,
    begun: AtomicU64,
}

struct ActiveRequest<'a>(&'a Activity);

impl Activity {
    fn begin(&self) -> ActiveRequest<'_> {
        self.begun.fetch_add(1, Ordering::Relaxed);
        self.changes.fetch_add(1, Ordering::Relaxed);
        ActiveRequest(self)
    }
}

impl Drop for ActiveRequest<'_> {
    fn drop(&mut self) {
        self.0.changes.fetch_add(1, Ordering::Relaxed);
    }
}

/// Phase of the server's shutdown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    #[default]
    Serving,
    /// Active requests finish; no new ones start.
    Draining,
    /// Connections close at once.
    Over,
}

/// Decides from the counters at each check whether a connection has been idle for too long.
#[derive(Debug)]
struct IdleTimer {
    last: u64,
    quiet: u32,
    /// Only before the first request: later the client may be idle for as long as it likes.
    first_only: bool,
}

impl IdleTimer {
    fn tick(&mut self, activity: &Activity) -> bool {
        let (changes, begun) = (activity.changes.load(Ordering::Relaxed), activity.begun.load(Ordering::Relaxed));
        let in_work = begun * 2 != changes;
        self.quiet = if in_work || changes != self.last { 0 } else { self.quiet + 1 };
        self.last = changes;
        self.quiet >= IDLE_CHECKS_PER_TIMEOUT && !(self.first_only && begun > 0)
    }
}

impl Connections {
    /// A permit for a connection, returned when dropped. `None` if the limit is reached and this connection is to be
    /// closed.
    pub(super) fn enter(&self) -> Option<OwnedSemaphorePermit> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok();
        if place.is_none() {
            self.dispatcher.service.metrics.connection_refused();
        }
        place
    }

    /// Serves REST on a connection until it ends.
    pub(super) async fn rest(
        self: Arc<Self>,
        stream: TcpStream,
        phase: watch::Receiver<Phase>,
        _place: OwnedSemaphorePermit,
    ) {
        match &self.tls {
            None => self.rest_on(stream, phase).await,
            Some(acceptors) => {
                let acceptor = acceptors.load().rest.clone();
                if let Some(stream) = self.handshake(&acceptor, stream).await {
                    self.rest_on(stream, phase).await;
                }
            }
        }
    }

    /// Serves gRPC on a connection until it ends.
    pub(super) async fn grpc(
        self: Arc<Self>,
        stream: TcpStream,
        phase: watch::Receiver<Phase>,
        _place: OwnedSemaphorePermit,
    ) {
        match &self.tls {
            None => self.grpc_on(stream, phase).await,
            Some(acceptors) => {
                let acceptor = acceptors.load().grpc.clone();
                if let Some(stream) = self.handshake(&acceptor, stream).await {
                    self.grpc_on(stream, phase).await;
                }
            }
        }
    }

    /// Serves gRPC on a connection of a local socket, which cannot be intercepted: without TLS.
    pub(super) async fn grpc_socket<S>(
        self: Arc<Self>,
        stream: S,
        phase: watch::Receiver<Phase>,
        _place: OwnedSemaphorePermit,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.grpc_on(stream, phase).await;
    }

    async fn handshake(
        &self,
        acceptor: &TlsAcceptor,
        stream: TcpStream,
    ) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
        match tokio::time::timeout(self.idle_timeout, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a TLS handshake failed");
                None
            }
            Err(_) => None,
        }
    }

    async fn rest_on<S>(&self, stream: S, phase: watch::Receiver<Phase>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Arc::new(Activity::default());
        let service = service_fn(|request| {
            let (dispatcher, activity) = (Arc::clone(&self.dispatcher), Arc::clone(&activity));
            async move {
                let _in_work = activity.begin();
                Ok::<_, Infallible>(dispatcher.answer(request).await)
            }
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        // Without a timer of its own: see `Activity`.
        builder.http1().header_read_timeout(None);
        builder.http2().timer(TokioTimer::new()).keep_alive_interval(PING_INTERVAL);
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        self.drive(connection, &activity, false, phase).await;
    }

    async fn grpc_on<S>(&self, stream: S, phase: watch::Receiver<Phase>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let activity = Arc::new(Activity::default());
        let service = service_fn(|request| {
            let (router, activity) = (Arc::clone(&self.router), Arc::clone(&activity));
            async move {
                let _in_work = activity.begin();
                Ok::<_, Infallible>(router.answer(request).await)
            }
        });
        let mut builder = http2::Builder::new(TokioExecutor::new());
        // gRPC does not use the date, and it changes too often to compress well.
        builder.auto_date_header(false);
        builder.timer(TokioTimer::new()).keep_alive_interval(PING_INTERVAL);
        let connection = builder.serve_connection(TokioIo::new(stream), service);
        self.drive(connection, &activity, true, phase).await;
    }

    /// Runs a connection until it ends by itself, is idle for too long, or the server shuts down; then it closes
    /// gracefully: the client sends no more, and active requests finish.
    async fn drive<C>(&self, connection: C, activity: &Activity, first_only: bool, mut phase: watch::Receiver<Phase>)
    where
        C: GracefulConnection,
        C::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut connection = pin!(connection);
        let mut looks =
            tokio::time::interval((self.idle_timeout / IDLE_CHECKS_PER_TIMEOUT).max(Duration::from_millis(1)));
        looks.reset();
        let mut idle_timer = IdleTimer { last: 0, quiet: 0, first_only };
        let idle = {
            let mut drained = pin!(phase.wait_for(|phase| *phase >= Phase::Draining));
            loop {
                tokio::select! {
                    biased;
                    ended = connection.as_mut() => return log_connection_error(ended),
                    _ = &mut drained => break false,
                    _ = looks.tick() => if idle_timer.tick(activity) { break true },
                }
            }
        };
        connection.as_mut().graceful_shutdown();
        if idle {
            if let Ok(ended) = tokio::time::timeout(GRACEFUL_CLOSE_TIMEOUT, connection).await {
                log_connection_error(ended);
            }
        } else {
            tokio::select! {
                ended = connection => log_connection_error(ended),
                _ = phase.wait_for(|phase| *phase == Phase::Over) => {}
            }
        }
    }
}

/// Clients come and go at any time.
fn log_connection_error<E: Into<Box<dyn std::error::Error + Send + Sync>>>(ended: Result<(), E>) {
    if let Err(error) = ended {
        tracing::debug!(error = error.into(), "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_idle_when_nothing_begins_and_nothing_is_in_work() {
        let activity = Activity::default();
        let mut idle_timer = IdleTimer { last: 0, quiet: 0, first_only: false };
        let ticks =
            |timer: &mut IdleTimer| (0..IDLE_CHECKS_PER_TIMEOUT).map(|_| timer.tick(&activity)).collect::<Vec<_>>();
        assert_eq!(ticks(&mut idle_timer), [false, false, false, true]);
        let in_work = activity.begin();
        assert_eq!(ticks(&mut idle_timer), [false; 4], "an answer may take as long as it takes");
        drop(in_work);
        assert!(!idle_timer.tick(&activity));
        assert_eq!(ticks(&mut idle_timer), [false, false, false, true]);
        let mut grpc = IdleTimer { last: 0, quiet: 0, first_only: true };
        assert!(ticks(&mut grpc).iter().all(|idle| !idle), "it has asked before");
    }
}
