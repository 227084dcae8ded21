//! From a request to its answer: the one place where endpoints, limits, panics and metrics meet.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::body::read_body;
use crate::infer::Call;
use crate::metrics::Metrics;
use crate::oip;
use crate::request_error::RequestError;
use crate::route::{Endpoint, Route};
use crate::tfs;
use crate::versions::{LoadedModel, Models, ResolveError, Selector};

/// What a request may cost.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    pub(crate) body_bytes_max: usize,
    pub(crate) body_timeout: Duration,
    pub(crate) inline_bytes_max: usize,
    pub(crate) inline_rows_max: usize,
}

/// Answers requests.
#[derive(Debug)]
pub(crate) struct Dispatcher {
    pub(crate) models: Arc<Models>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) limits: Limits,
    pub(crate) draining: AtomicBool,
}

pub(crate) type Reply = Response<Full<Bytes>>;

impl Dispatcher {
    /// Answers a request. Never fails: what goes wrong becomes an answer.
    pub(crate) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Reply {
        let started = Instant::now();
        let route = Route::parse(request.method(), request.uri().path());
        let (endpoint, known_model, reply) = match route {
            Ok(route) => {
                let endpoint = route.endpoint;
                let known = self.models.knows(&route.model).then(|| route.model.clone());
                (endpoint, known, self.answer_route(route, request).await)
            }
            Err(error) => (Endpoint::Unknown, None, Err(error)),
        };
        let reply = reply.unwrap_or_else(|error| error_reply(&error));
        let model = known_model.as_deref().unwrap_or_default();
        self.metrics.answered(model, endpoint, reply.status(), started.elapsed());
        reply
    }

    async fn answer_route(&self, route: Route, request: Request<Incoming>) -> Result<Reply, RequestError> {
        match route.endpoint {
            Endpoint::Live | Endpoint::ServerLive => Ok(json_reply(StatusCode::OK, &json!({ "live": true }))),
            Endpoint::Ready | Endpoint::ServerReady => Ok(readiness(self.is_ready())),
            Endpoint::Metrics => Ok(text_reply(self.metrics.render())),
            Endpoint::ServerMetadata => Ok(json_reply(StatusCode::OK, &oip::server_metadata())),
            Endpoint::Status => {
                let versions = self.models.snapshot().status(&route.model, &route.selector)?;
                Ok(json_reply(StatusCode::OK, &tfs::status(&versions)))
            }
            Endpoint::Metadata => Ok(json_reply(StatusCode::OK, &tfs::metadata(&*self.resolve(&route)?))),
            Endpoint::ModelReady => self.model_readiness(&route),
            Endpoint::ModelMetadata => {
                let model = self.resolve_v2(&route)?;
                let snapshot = self.models.snapshot();
                let versions = snapshot.available(&route.model).into_iter().flatten();
                Ok(json_reply(StatusCode::OK, &oip::model_metadata(&model, versions)))
            }
            Endpoint::Predict | Endpoint::Classify | Endpoint::Regress | Endpoint::Infer => {
                let model =
                    if route.endpoint == Endpoint::Infer { self.resolve_v2(&route) } else { self.resolve(&route) };
                let (headers, body) = self.read(request).await?;
                let json_bytes = header_length(&headers)?;
                // An unknown model is said only after the body is read, so that the connection can be used again.
                self.infer(Call { endpoint: route.endpoint, model: model?, body, json_bytes }).await
            }
            Endpoint::Unknown => Err(RequestError::internal("no handler")),
        }
    }

    fn is_ready(&self) -> bool {
        !self.draining.load(Ordering::Relaxed) && self.models.is_ready()
    }

    fn resolve(&self, route: &Route) -> Result<Arc<LoadedModel>, RequestError> {
        Ok(self.models.resolve(&route.model, &route.selector)?)
    }

    /// As [`resolve`](Self::resolve), with the statuses the Open Inference Protocol's servers give.
    fn resolve_v2(&self, route: &Route) -> Result<Arc<LoadedModel>, RequestError> {
        self.models.resolve(&route.model, &route.selector).map_err(|error| {
            let name = &route.model;
            match (&error, &route.selector) {
                (ResolveError::NotAvailable(_), _) => {
                    RequestError::new(StatusCode::SERVICE_UNAVAILABLE, format!("model `{name}` is not ready"))
                }
                (_, Selector::Label(version)) if self.models.knows(name) => {
                    RequestError::new(StatusCode::NOT_FOUND, format!("model `{name}` has no version `{version}`"))
                }
                (_, Selector::Version(version)) if self.models.knows(name) => {
                    RequestError::new(StatusCode::NOT_FOUND, format!("model `{name}` has no version `{version}`"))
                }
                _ => RequestError::new(StatusCode::NOT_FOUND, format!("unknown model `{name}`")),
            }
        })
    }

    fn model_readiness(&self, route: &Route) -> Result<Reply, RequestError> {
        let ready = match self.resolve_v2(route) {
            Ok(_) => true,
            Err(error) if error.status == StatusCode::SERVICE_UNAVAILABLE => false,
            Err(error) => return Err(error),
        };
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        Ok(json_reply(status, &json!({ "name": route.model, "ready": ready })))
    }

    async fn read(&self, request: Request<Incoming>) -> Result<(HeaderMap, Bytes), RequestError> {
        let (parts, body) = request.into_parts();
        let body = read_body(body, self.limits.body_bytes_max, self.limits.body_timeout).await?;
        if let Some(encoding) = parts.headers.get(CONTENT_ENCODING).filter(|encoding| *encoding != "identity") {
            let message = format!("the content encoding {encoding:?} is not supported");
            return Err(RequestError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message));
        }
        Ok((parts.headers, body))
    }

    /// Small requests are answered where they are: handing them to another thread would cost more than they do.
    async fn infer(&self, call: Call) -> Result<Reply, RequestError> {
        if call.body.len() > self.limits.inline_bytes_max {
            return off_thread(move || call.decode()?.run()).await;
        }
        let decoded = caught(|| call.decode())?;
        if decoded.rows() > self.limits.inline_rows_max {
            return off_thread(move || decoded.run()).await;
        }
        caught(|| decoded.run())
    }
}

fn caught<T>(work: impl FnOnce() -> Result<T, RequestError>) -> Result<T, RequestError> {
    std::panic::catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(panicked()))
}

async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RequestError> + Send + 'static,
) -> Result<T, RequestError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err(panicked()))
}

fn panicked() -> RequestError {
    RequestError::internal("a fault of the server: answering the request panicked")
}

fn header_length(headers: &HeaderMap) -> Result<Option<usize>, RequestError> {
    let Some(value) = headers.get(oip::HEADER_LENGTH) else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(|text| text.parse().ok());
    let error = || RequestError::invalid("the header `Inference-Header-Content-Length` must be a whole number");
    parsed.ok_or_else(error).map(Some)
}

fn readiness(ready: bool) -> Reply {
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json_reply(status, &json!({ "ready": ready }))
}

fn error_reply(error: &RequestError) -> Reply {
    if error.status.is_server_error() {
        tracing::error!(status = error.status.as_u16(), error = error.message, "a request failed");
    }
    json_reply(error.status, &json!({ "error": error.message }))
}

fn text_reply(text: String) -> Reply {
    body_reply(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text.into_bytes())
}

fn json_reply(status: StatusCode, body: &Value) -> Reply {
    body_reply(status, "application/json", body.to_string().into_bytes())
}

/// An answer with a body.
pub(crate) fn body_reply(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(body)));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}
