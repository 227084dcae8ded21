//! One keep-alive connection to a server.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Sends requests one after the other.
pub(super) struct Client {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

/// The connection failed. A response from the server, whatever its status, is never this error.
#[derive(Debug, thiserror::Error)]
#[error("the model server does not answer")]
pub(super) struct ClientError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl Client {
    pub(super) async fn connect(address: SocketAddr) -> Result<Self, ClientError> {
        let stream = TcpStream::connect(address).await.map_err(broken)?;
        stream.set_nodelay(true).map_err(broken)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(broken)?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "the connection to the model server broke");
            }
        });
        Ok(Self { sender, host: address.to_string() })
    }

    pub(super) async fn post(&mut self, path: &str, body: Bytes) -> Result<(StatusCode, Bytes), ClientError> {
        let request = Request::post(path)
            .header(HOST, &self.host)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(broken)?;
        self.sender.ready().await.map_err(broken)?;
        let response = self.sender.send_request(request).await.map_err(broken)?;
        let status = response.status();
        let body = response.into_body().collect().await.map_err(broken)?;
        Ok((status, body.to_bytes()))
    }
}

fn broken(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ClientError {
    ClientError(error.into())
}
