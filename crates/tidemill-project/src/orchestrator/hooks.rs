//! Signed requests: `POST /hooks/SCHEDULE` and `POST /approvals/ID`.
//!
//! A request is signed with `X-Hub-Signature-256: sha256=HEX`, the HMAC-SHA256 of its body under a secret that both sides
//! know, as GitHub and others do. `X-Tidemill-Delivery` or `X-GitHub-Delivery` identifies it: a delivery that is sent twice
//! counts once.

use std::convert::Infallible;
use std::net::SocketAddr;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use ring::hmac;
use serde_json::{Value, json};
use tidemill_core::{Code, Failure};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

/// Bytes of a body, at most.
const BODY_MAX: usize = 64 << 10;
/// How long a client may take to send a request.
const READ_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// What a request is for.
pub(super) enum Hook {
    Trigger { schedule: String, delivery: Option<String> },
    Decision { approval: String },
}

/// A request that waits for its answer.
pub(super) struct Request {
    pub hook: Hook,
    pub body: Bytes,
    signature: Option<String>,
    pub reply: oneshot::Sender<Answer>,
}

/// The answer to a request.
pub(super) struct Answer {
    status: StatusCode,
    body: Value,
}

impl Answer {
    pub(super) fn accepted(body: Value) -> Self {
        Self { status: StatusCode::ACCEPTED, body }
    }

    pub(super) fn of_failure(failure: &Failure) -> Self {
        let status = match failure.code {
            Code::Schedule => StatusCode::NOT_FOUND,
            code => StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        };
        Self { status, body: failure.to_json() }
    }
}

impl Request {
    /// Rejects a request that is not signed with the secret in an environment variable.
    pub(super) fn require_signature(&self, variable: &str) -> Result<(), Failure> {
        let secret = std::env::var(variable).ok().filter(|secret| !secret.is_empty()).ok_or_else(|| {
            Failure::new(Code::Settings, format!("the environment variable `{variable}` with the secret is not set"))
        })?;
        let given = self.signature.as_deref().and_then(|text| text.strip_prefix("sha256=")).unwrap_or_default();
        let expected = signature(secret.as_bytes(), &self.body);
        // The time must not depend on where the two differ.
        let given = given.to_ascii_lowercase();
        let differs = given.bytes().zip(expected.bytes()).fold(0, |differs, (a, b)| differs | (a ^ b));
        if given.len() == expected.len() && differs == 0 {
            return Ok(());
        }
        Err(Failure::new(Code::Unauthenticated, "the signature of the request is missing or wrong").with_hint(
            "send `X-Hub-Signature-256: sha256=HEX` with the HMAC-SHA256 of the body under the shared secret",
        ))
    }
}

/// The HMAC-SHA256 of `body` under `secret` (RFC 2104), in hexadecimal digits.
pub fn signature(secret: &[u8], body: &[u8]) -> String {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), body);
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Listens at `address`, and passes requests on. Returns the address that was bound.
pub(super) async fn listen(address: SocketAddr, requests: mpsc::Sender<Request>) -> Result<SocketAddr, Failure> {
    let refused = |error: std::io::Error| {
        let code = if error.kind() == std::io::ErrorKind::AddrInUse { Code::PortInUse } else { Code::Io };
        Failure::new(code, format!("cannot listen on {address}: {}", tidemill_core::io_reason(&error)))
    };
    let listener = TcpListener::bind(address).await.map_err(refused)?;
    let bound = listener.local_addr().map_err(refused)?;
    tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else {
                // Out of file descriptors: some will be free again.
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            };
            let requests = requests.clone();
            tokio::spawn(async move {
                let service = service_fn(move |request| handle(request, requests.clone()));
                let mut server = hyper::server::conn::http1::Builder::new();
                server.timer(TokioTimer::new()).header_read_timeout(READ_TIMEOUT);
                // A client that goes away is its own affair.
                let _ = server.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    Ok(bound)
}

async fn handle(
    request: hyper::Request<Incoming>,
    requests: mpsc::Sender<Request>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let answer = pass_on(request, requests).await.unwrap_or_else(|answer| answer);
    let mut response = Response::new(Full::new(Bytes::from(format!("{:#}\n", answer.body))));
    *response.status_mut() = answer.status;
    response.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    Ok(response)
}

async fn pass_on(request: hyper::Request<Incoming>, requests: mpsc::Sender<Request>) -> Result<Answer, Answer> {
    let plain = |status: StatusCode, message: &str| Answer { status, body: json!({ "error": { "message": message } }) };
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let delivery = header("x-tidemill-delivery").or_else(|| header("x-github-delivery"));
    let signature = header("x-hub-signature-256");
    let path = request.uri().path().to_owned();
    if path == "/livez" {
        return Ok(Answer { status: StatusCode::OK, body: json!({ "live": true }) });
    }
    let hook = match path.trim_matches('/').split_once('/') {
        Some(("hooks", name)) => Hook::Trigger { schedule: name.to_owned(), delivery },
        Some(("approvals", id)) => Hook::Decision { approval: id.to_owned() },
        _ => return Err(plain(StatusCode::NOT_FOUND, "there are /hooks/SCHEDULE and /approvals/ID")),
    };
    if request.method() != Method::POST {
        return Err(plain(StatusCode::METHOD_NOT_ALLOWED, "use POST"));
    }
    let body = tokio::time::timeout(READ_TIMEOUT, Limited::new(request.into_body(), BODY_MAX).collect()).await;
    let body = body.map_err(|_| plain(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time"))?;
    let body = body.map_err(|_| plain(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large or was cut off"))?;
    let (reply, answer) = oneshot::channel();
    let stopping = || plain(StatusCode::SERVICE_UNAVAILABLE, "the process is stopping");
    let request = Request { hook, body: body.to_bytes(), signature, reply };
    requests.send(request).await.map_err(|_| stopping())?;
    answer.await.map_err(|_| stopping())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_those_of_rfc_4231() {
        let key = [0x0b; 20];
        assert_eq!(signature(&key, b"Hi There"), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
        assert_eq!(
            signature(b"Jefe", b"what do ya want for nothing?"),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            signature(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First"),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }
}
