//! One connection to a server, with one request at a time.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue, TE};
use hyper::{HeaderMap, Method, Request, Response, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::error::unreachable;
use crate::{LoadError, Protocol, Target};

/// How long a connection has to report why it ended.
const LAST_WORDS: Duration = Duration::from_millis(100);

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// An open connection.
pub(crate) struct Connection {
    sender: Sender,
    uri: Uri,
    headers: HeaderMap,
    /// Resolves when the connection ends, with the reason.
    task: JoinHandle<Result<(), hyper::Error>>,
    /// `http://host:port` (`https` with TLS), for HTTP/2, where requests carry the full address.
    base: String,
}

enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// A complete response.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The gRPC status, if the response has one.
    pub(crate) grpc: Option<GrpcStatus>,
    pub(crate) body: Bytes,
}

/// The outcome of a gRPC request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GrpcStatus {
    pub(crate) code: u16,
    pub(crate) message: String,
}

/// A response of which only the outcome is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) status: u16,
    /// The gRPC status; 0 is success.
    pub(crate) grpc: Option<u16>,
    pub(crate) bytes: u64,
}

impl Connection {
    /// Opens a connection that speaks the target's protocol.
    pub(crate) async fn open(target: &Target, content_type: &str) -> Result<Self, LoadError> {
        let grpc = target.protocol == Protocol::Grpc;
        let stream = TcpStream::connect(&target.authority).await;
        let stream = stream.map_err(|error| unreachable(&target.authority, error))?;
        let opened = Self::negotiate(stream, target, content_type, grpc).await;
        opened.map_err(|error| unreachable(&target.authority, error))
    }

    /// Opens a connection for metadata requests, over HTTP/1.1.
    pub(crate) async fn plain(target: &Target) -> Result<Self, LoadError> {
        let mut plain = target.clone();
        plain.protocol = Protocol::Raw;
        "/".clone_into(&mut plain.path);
        Self::open(&plain, "application/json").await
    }

    async fn negotiate(stream: TcpStream, target: &Target, content_type: &str, grpc: bool) -> Result<Self, Cause> {
        // A request is small: waiting to fill a packet would only delay it.
        stream.set_nodelay(true)?;
        match &target.tls {
            None => Self::over(stream, target, content_type, grpc).await,
            Some(tls) => {
                let stream = tls.connect(stream, &target.authority, grpc).await?;
                Self::over(stream, target, content_type, grpc).await
            }
        }
    }

    async fn over<S>(stream: S, target: &Target, content_type: &str, grpc: bool) -> Result<Self, Cause>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let io = TokioIo::new(stream);
        let (sender, task) = if grpc {
            let (sender, connection) = http2::handshake(TokioExecutor::new(), io).await?;
            (Sender::Http2(sender), tokio::spawn(connection))
        } else {
            let (sender, connection) = http1::handshake(io).await?;
            (Sender::Http1(sender), tokio::spawn(connection))
        };
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(content_type)?);
        let scheme = if target.tls.is_some() { "https" } else { "http" };
        let base = if grpc { format!("{scheme}://{}", target.authority) } else { String::new() };
        if grpc {
            headers.insert(TE, HeaderValue::from_static("trailers"));
        } else {
            headers.insert(HOST, HeaderValue::from_str(&target.authority)?);
        }
        for (name, value) in &target.headers {
            headers.insert(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(value)?);
        }
        let uri = format!("{base}{}", target.path).parse()?;
        Ok(Self { sender, uri, headers, task, base })
    }

    /// Whether the connection can carry no further request.
    pub(crate) fn is_closed(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => sender.is_closed(),
            Sender::Http2(sender) => sender.is_closed(),
        }
    }

    /// Sends a body to the target's path, reads the whole response and drops its body.
    pub(crate) async fn load(&mut self, body: Bytes) -> Result<Outcome, Cause> {
        let response = self.send(Method::POST, self.uri.clone(), body).await?;
        let status = response.status().as_u16();
        let mut grpc = grpc_status(response.headers()).map(|status| status.code);
        let mut bytes = 0;
        let mut body = response.into_body();
        while let Some(frame) = body.frame().await {
            let frame = frame?;
            if let Some(data) = frame.data_ref() {
                bytes += data.len() as u64;
            } else if let Some(trailers) = frame.trailers_ref() {
                grpc = grpc.or_else(|| grpc_status(trailers).map(|status| status.code));
            }
        }
        Ok(Outcome { status, grpc, bytes })
    }

    /// Sends a body to the target's path and returns the whole response.
    pub(crate) async fn post(&mut self, body: Bytes) -> Result<Reply, Cause> {
        let uri = self.uri.clone();
        self.exchange(Method::POST, uri, body).await
    }

    /// Sends a request without a body to another path.
    pub(crate) async fn request(&mut self, method: &str, path: &str) -> Result<Reply, Cause> {
        let uri = format!("{}{path}", self.base).parse()?;
        self.exchange(Method::from_bytes(method.as_bytes())?, uri, Bytes::new()).await
    }

    /// Sends a body to another path.
    pub(crate) async fn post_to(&mut self, path: &str, body: Bytes) -> Result<Reply, Cause> {
        let uri = format!("{}{path}", self.base).parse()?;
        self.exchange(Method::POST, uri, body).await
    }

    async fn exchange(&mut self, method: Method, uri: Uri, body: Bytes) -> Result<Reply, Cause> {
        let response = match self.send(method, uri, body).await {
            Ok(response) => response,
            Err(error) => return Err(self.why(error).await),
        };
        let status = response.status().as_u16();
        let grpc = grpc_status(response.headers());
        let collected = response.into_body().collect().await?;
        let grpc = grpc.or_else(|| collected.trailers().and_then(grpc_status));
        Ok(Reply { status, grpc, body: collected.to_bytes() })
    }

    /// Why a request could not be sent: the reason why the connection ended says more than that it is closed. Over TLS,
    /// a client with a rejected certificate learns it only now.
    async fn why(&mut self, error: Cause) -> Cause {
        match tokio::time::timeout(LAST_WORDS, &mut self.task).await {
            Ok(Ok(Err(ended))) => ended.into(),
            _ => error,
        }
    }

    async fn send(&mut self, method: Method, uri: Uri, body: Bytes) -> Result<Response<Incoming>, Cause> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        request.headers_mut().clone_from(&self.headers);
        let sent = match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
            Sender::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await
            }
        };
        sent.map_err(Into::into)
    }
}

fn grpc_status(headers: &HeaderMap) -> Option<GrpcStatus> {
    let code = headers.get("grpc-status")?.to_str().ok()?.parse().ok()?;
    let message = headers.get("grpc-message").and_then(|value| value.to_str().ok()).unwrap_or_default();
    Some(GrpcStatus { code, message: message.replace("%20", " ") })
}

/// A word for why a request got no response.
pub(crate) fn failure(cause: &Cause) -> &'static str {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(&**cause);
    while let Some(error) = next {
        if let Some(error) = error.downcast_ref::<io::Error>() {
            return match error.kind() {
                io::ErrorKind::ConnectionRefused => "connection refused",
                io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => "connection reset",
                _ => "connection failed",
            };
        }
        if error.downcast_ref::<LoadError>().is_some_and(|error| matches!(error, LoadError::Unreachable { .. })) {
            next = error.source();
            continue;
        }
        next = error.source();
    }
    "connection closed"
}
