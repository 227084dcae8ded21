//! A small HTTP client: connections to one server, kept for the next request.

use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::inference::request_error::RequestError;

/// A larger answer is an error.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Idle connections that are kept.
const IDLE_MAX: usize = 32;

/// Connections to one server.
#[derive(Debug)]
pub(super) struct Client {
    url: String,
    /// Host and port.
    address: String,
    /// What stands before each path.
    prefix: String,
    /// The API key as a header.
    key: Option<HeaderValue>,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
}

/// Host with port, and the path, of the address of a server; what is wrong with it.
pub(crate) fn remote_address(url: &str) -> Result<(String, String), String> {
    let wrong = |why: &str| format!("`{url}` is not the address of a server: {why}");
    let uri: Uri = url.parse().map_err(|_| wrong("write `http://HOST:PORT`"))?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https" | "grpc" | "grpcs") => {
            return Err(wrong(
                "other servers are called over plain HTTP: write `http://HOST:PORT`, and let a proxy add TLS",
            ));
        }
        _ => return Err(wrong("write `http://HOST:PORT`")),
    }
    let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| wrong("it has no host"))?;
    let port = uri.port_u16().unwrap_or(80);
    Ok((format!("{host}:{port}"), uri.path().trim_end_matches('/').to_owned()))
}

impl Client {
    pub(super) fn new(url: &str) -> Result<Self, String> {
        let (address, prefix) = remote_address(url)?;
        Ok(Self { url: url.to_owned(), address, prefix, key: None, idle: Mutex::default() })
    }

    /// The same client with an API key.
    pub(super) fn with_key(mut self, key: Option<&str>) -> Result<Self, String> {
        let value = |key: &str| HeaderValue::from_str(key).map_err(|_| "the API key cannot be sent".to_owned());
        self.key = key.map(value).transpose()?;
        Ok(self)
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    pub(super) async fn get(&self, path: &str) -> Result<(StatusCode, Bytes), RequestError> {
        self.send(|| Request::get(self.path(path)), &Bytes::new(), None).await
    }

    pub(super) async fn post(
        &self,
        path: &str,
        body: Vec<u8>,
        id: Option<HeaderValue>,
    ) -> Result<(StatusCode, Bytes), RequestError> {
        self.send(|| Request::post(self.path(path)), &Bytes::from(body), id).await
    }

    fn path(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    async fn send(
        &self,
        builder: impl Fn() -> hyper::http::request::Builder,
        body: &Bytes,
        id: Option<HeaderValue>,
    ) -> Result<(StatusCode, Bytes), RequestError> {
        let request = || {
            let mut builder = builder().header(HOST, &self.address);
            if !body.is_empty() {
                builder = builder.header(CONTENT_TYPE, "application/json");
            }
            if let Some(id) = &id {
                builder = builder.header(HeaderName::from_static("x-request-id"), id.clone());
            }
            if let Some(key) = &self.key {
                builder = builder.header(HeaderName::from_static("x-api-key"), key.clone());
            }
            builder.body(Full::new(body.clone())).map_err(|error| RequestError::internal(error.to_string()))
        };
        // The server may have closed an idle connection: then a new one is tried, once.
        while let Some(mut sender) = self.idle() {
            if sender.ready().await.is_err() {
                continue;
            }
            match sender.try_send_request(request()?).await {
                Ok(response) => return self.read(sender, response).await,
                Err(mut error) => {
                    // Nothing was sent: another connection may do.
                    if error.take_message().is_none() {
                        return Err(broken(&error.into_error()));
                    }
                }
            }
        }
        let mut sender = self.connect().await?;
        let response = sender.send_request(request()?).await.map_err(|error| broken(&error))?;
        self.read(sender, response).await
    }

    async fn read(
        &self,
        sender: SendRequest<Full<Bytes>>,
        response: hyper::Response<hyper::body::Incoming>,
    ) -> Result<(StatusCode, Bytes), RequestError> {
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| gateway(&format!("the answer cannot be read: {error}")))?.to_bytes();
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(sender);
        }
        Ok((status, body))
    }

    fn idle(&self) -> Option<SendRequest<Full<Bytes>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, RequestError> {
        let stream = TcpStream::connect(&self.address).await;
        let stream = stream.map_err(|error| gateway(&format!("no connection: {}", error.kind())))?;
        stream.set_nodelay(true).map_err(|error| gateway(&error.to_string()))?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to another server broke");
            }
        });
        Ok(sender)
    }
}

fn broken(error: &hyper::Error) -> RequestError {
    gateway(&format!("the connection broke: {error}"))
}

fn gateway(message: &str) -> RequestError {
    RequestError::new(StatusCode::BAD_GATEWAY, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let address = |url: &str| remote_address(url).map(|(address, prefix)| format!("{address} {prefix}"));
        assert_eq!(address("http://night.internal:8501").as_deref(), Ok("night.internal:8501 "));
        assert_eq!(address("http://night/models/").as_deref(), Ok("night:80 /models"));
        for wrong in ["", "night:8501", "https://night", "grpc://night:8500", "http://", "ftp://night"] {
            assert!(remote_address(wrong).is_err(), "{wrong}");
        }
    }
}
