//! From a REST request to its response: the one place for endpoints, limits and metrics.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_TYPE, HeaderValue, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::{HeaderMap, Method, Request, Response, StatusCode, Version};
use serde_json::{Value, json};

use crate::inference::context::RequestContext;
use crate::inference::request_error::{ERROR_CODE, RequestError};
use crate::inference::service::InferenceService;
use crate::models::versions::Selector;
use crate::protocol::content_encoding::ContentEncoding;
use crate::protocol::oip::rest as oip;
use crate::protocol::operation::Operation;
use crate::protocol::rest::body::read_body;
use crate::protocol::rest::feedback;
use crate::protocol::rest::front_page;
use crate::protocol::rest::inference::{self, RestInference};
use crate::protocol::rest::jobs;
use crate::protocol::rest::openapi::{self, ServerFacts};
use crate::protocol::rest::path::RestPath;
use crate::protocol::status::Status;
use crate::protocol::tfs::rest as tfs;
use crate::protocol::tfs::rest::explain;
use crate::server::V1Dialect;
use crate::server::access::Cors;
use crate::server::admission::{Admission, BodyBytesPermit};

/// Answers REST requests.
#[derive(Debug)]
pub(crate) struct RestServer {
    pub(crate) service: Arc<InferenceService>,
    /// Additional paths of the metrics.
    pub(crate) metrics_path: Option<String>,
    /// Which server's v1 API to imitate.
    pub(crate) v1: V1Dialect,
    pub(crate) facts: ServerFacts,
}

pub(crate) type Reply = Response<Full<Bytes>>;

/// The body as received and after decompression.
type InMemory<'a> = (BodyBytesPermit<&'a Admission>, Option<BodyBytesPermit<Arc<Admission>>>);

impl RestServer {
    /// Answers a request. Never fails: errors become responses.
    pub(crate) async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Reply {
        let context = self.service.context(request.headers(), Instant::now());
        let cors = self.service.access.cors().map(|cors| (cors, request.headers().get(ORIGIN).cloned()));
        let last = self.service.is_draining() && request.version() < Version::HTTP_2;
        let (operation, known_model, reply) = match &cors {
            Some((_, origin)) if request.method() == Method::OPTIONS => {
                (Operation::Unknown, None, preflight(origin.as_ref()))
            }
            _ => match self.route(&request) {
                Ok(route) => {
                    let operation = route.operation;
                    let known = self.service.models.contains(&route.model).then(|| route.model.clone());
                    (operation, known, self.answer_route(route, request, &context).await)
                }
                Err(error) => (Operation::Unknown, None, Err(error)),
            },
        };
        let mut reply = reply.unwrap_or_else(error_reply);
        context.write_headers(reply.headers_mut());
        if let Some((cors, origin)) = &cors {
            cors.allow(origin.as_ref(), reply.headers_mut());
        }
        if last {
            reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let model = known_model.as_deref().unwrap_or_default();
        self.service.record_response(&context, model, operation, Status::Rest(reply.status()));
        reply
    }

    fn route(&self, request: &Request<Incoming>) -> Result<RestPath, RequestError> {
        let path = request.uri().path();
        if request.method() == Method::GET {
            if path == "/" && front_page::is_wanted(request.headers()) {
                return Ok(RestPath::server(Operation::FrontPage));
            }
            if self.metrics_path.as_deref() == Some(path) {
                return Ok(RestPath::server(Operation::Metrics));
            }
            if self.v1 == V1Dialect::Kserve && path == "/v1/models" {
                return Ok(RestPath::server(Operation::Models));
            }
        }
        let mut route = RestPath::parse(request.method(), path)?;
        if route.operation == Operation::Invocations && route.model.is_empty() {
            route.model = self.service.models.single_model_name().unwrap_or_default();
        }
        Ok(route)
    }

    fn openapi(&self) -> Value {
        let models = &self.service.models;
        let targets: Vec<_> =
            models.names().into_iter().filter_map(|name| models.resolve(&name, &Selector::Latest).ok()).collect();
        openapi::document(self.facts, targets.iter().map(|target| target.signature()))
    }

    /// The states of a model's versions; in the `KServe` dialect 503 while the model is not ready.
    fn status(&self, name: &str, selector: &Selector) -> Result<Reply, RequestError> {
        let service = &self.service;
        let mut body = tfs::status(&service.models.status(name, selector)?);
        if self.v1 == V1Dialect::TfServing {
            return Ok(json_reply(StatusCode::OK, &body));
        }
        body["name"] = json!(name);
        body["ready"] = json!(service.model_is_ready(name, selector)?);
        Ok(readiness(body))
    }

    async fn answer_route(
        &self,
        route: RestPath,
        request: Request<Incoming>,
        context: &RequestContext,
    ) -> Result<Reply, RequestError> {
        let RestPath { operation, model: name, selector } = route;
        let service = &self.service;
        if let Some(guard) = service.access.loopback() {
            guard.check(request.method(), request.uri(), request.headers(), operation)?;
        }
        let caller = service.access.check(request.headers(), operation)?;
        match operation {
            Operation::Live | Operation::ServerLive => Ok(json_reply(StatusCode::OK, &json!({ "live": true }))),
            Operation::Alive => Ok(json_reply(StatusCode::OK, &json!({ "status": "alive" }))),
            Operation::Ready | Operation::ServerReady => Ok(readiness(json!({ "ready": service.is_ready() }))),
            Operation::Metrics => Ok(text_reply(service.render_metrics())),
            Operation::ServerMetadata => Ok(json_reply(StatusCode::OK, &oip::server_metadata())),
            Operation::Status => self.status(&name, &selector),
            Operation::Models => Ok(json_reply(StatusCode::OK, &json!({ "models": service.models.names() }))),
            Operation::Submit => {
                let _entry = service.admission.enter()?;
                let (headers, body, _held) = self.read(request).await?;
                jobs::submit(service, Operation::Predict, (&name, &selector), &headers, body, None).await
            }
            Operation::Infer if jobs::is_async(request.uri().query()) => {
                let _entry = service.admission.enter()?;
                let (headers, body, _held) = self.read(request).await?;
                let json_bytes = header_length(&headers)?;
                jobs::submit(service, operation, (&name, &selector), &headers, body, json_bytes).await
            }
            Operation::Job => jobs::status(service, &name, request.uri().query()).await,
            Operation::JobCancel => jobs::cancel(service, &name).await,
            Operation::JobRetry => jobs::retry(service, &name).await,
            Operation::Jobs => jobs::counts(service).await,
            Operation::Endpoints => {
                let endpoints = &service.models.endpoints;
                let all: Vec<Value> = endpoints.names().iter().filter_map(|name| endpoints.status(name)).collect();
                Ok(json_reply(StatusCode::OK, &json!({ "endpoints": all })))
            }
            Operation::EndpointStatus => {
                let unknown = || RequestError::new(StatusCode::NOT_FOUND, format!("there is no endpoint `{name}`"));
                let status = service.models.endpoints.status(&name).ok_or_else(unknown)?;
                Ok(json_reply(StatusCode::OK, &status))
            }
            Operation::Metadata => {
                let target = service.resolve(&name, &selector)?;
                Ok(json_reply(StatusCode::OK, &tfs::metadata(target.signature())))
            }
            Operation::ModelReady => {
                let ready = service.model_is_ready(&name, &selector)?;
                Ok(readiness(json!({ "name": name, "ready": ready })))
            }
            Operation::ModelMetadata => {
                let target = service.resolve_v2(&name, &selector)?;
                let snapshot = service.models.snapshot();
                let versions = snapshot.available(&name).into_iter().flatten();
                Ok(json_reply(StatusCode::OK, &oip::model_metadata(target.signature(), versions)))
            }
            Operation::FrontPage => Ok(front_page::reply()),
            Operation::OpenApi => Ok(json_reply(StatusCode::OK, &self.openapi())),
            Operation::Invocations if name.is_empty() => {
                self.read(request).await?;
                let message =
                    "which model? Send the request to `/endpoints/NAME/invocations`: not exactly one is served";
                Err(RequestError::invalid(message))
            }
            Operation::Predict
            | Operation::Classify
            | Operation::Regress
            | Operation::Invocations
            | Operation::Infer => {
                let target = match operation {
                    Operation::Infer => service.resolve_v2(&name, &selector),
                    _ => service.resolve(&name, &selector),
                };
                let _entry = service.admission.enter()?;
                let (headers, body, _held) = self.read(request).await?;
                let json_bytes = header_length(&headers)?;
                // An unknown model is reported only after the body is read, so that the connection can be reused.
                let target = target?;
                let bytes = body.len();
                let call = RestInference { operation, body, json_bytes };
                service
                    .infer(context, operation, target, bytes, move |target| call.decode(target), inference::encode)
                    .await
            }
            Operation::Explain => {
                let target = service.resolve(&name, &selector);
                let trees = explain::trees_asked(request.uri().query())?;
                let _entry = service.admission.enter()?;
                let (_, body, _held) = self.read(request).await?;
                let (target, call) = (target?, RestInference { operation, body, json_bytes: None });
                let work = Arc::clone(&target);
                target.compute_pool().run(move |_| explain::explain(&*work, &call, trees)).await
            }
            Operation::Feedback => {
                let (_, body, _held) = self.read(request).await?;
                feedback::take(service, &body).await
            }
            Operation::RepositoryIndex => {
                let (_, body, _held) = self.read(request).await?;
                Ok(json_reply(StatusCode::OK, &oip::repository_index(&service.control, &body)?))
            }
            Operation::RepositoryLoad => {
                let (_, body, _held) = self.read(request).await?;
                oip::check_load(&body)?;
                service.control.load(&caller, &name).await?;
                Ok(json_reply(StatusCode::OK, &json!({ "name": name, "load": true })))
            }
            Operation::RepositoryUnload => {
                self.read(request).await?;
                service.control.unload(&caller, &name).await?;
                Ok(json_reply(StatusCode::OK, &json!({ "name": name, "unload": true })))
            }
            Operation::MultiInference
            | Operation::SessionRun
            | Operation::Reload
            | Operation::Health
            | Operation::Reflection
            | Operation::Unknown => Err(RequestError::internal("no handler")),
        }
    }

    /// The headers and the decompressed body, which counts against the limit until it is dropped.
    async fn read(&self, request: Request<Incoming>) -> Result<(HeaderMap, Bytes, InMemory<'_>), RequestError> {
        let (parts, body) = request.into_parts();
        let limits = &self.service.limits;
        let admission = &self.service.admission;
        let (body, held) = read_body(body, limits.body_bytes_max, limits.body_timeout, admission).await?;
        let Some(coding) = ContentEncoding::of(&parts.headers)? else { return Ok((parts.headers, body, (held, None))) };
        let mut permit = BodyBytesPermit::new(Arc::clone(&self.service.admission));
        let bytes_max = limits.body_bytes_max;
        let inflate = move || {
            let mut inflated = Vec::new();
            coding.inflate(&body, bytes_max, &mut inflated, |bytes| permit.reserve(bytes))?;
            Ok((inflated, permit))
        };
        // A few bytes may decompress to very many, so never on a thread where other requests wait.
        let (inflated, permit) = self.service.off_thread(inflate).await?;
        Ok((parts.headers, inflated.into(), (held, Some(permit))))
    }
}

fn preflight(origin: Option<&HeaderValue>) -> Result<Reply, RequestError> {
    let mut reply = Reply::default();
    Cors::preflight(origin, reply.headers_mut()).map(|()| reply)
}

fn header_length(headers: &HeaderMap) -> Result<Option<usize>, RequestError> {
    let Some(value) = headers.get(oip::HEADER_LENGTH) else { return Ok(None) };
    let parsed = value.to_str().ok().and_then(|text| text.parse().ok());
    let error = || RequestError::invalid("the header `Inference-Header-Content-Length` must be a whole number");
    parsed.ok_or_else(error).map(Some)
}

fn readiness(body: Value) -> Reply {
    let status = if body["ready"] == true { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    json_reply(status, &body)
}

/// The response that an error is.
pub(crate) fn error_reply(error: RequestError) -> Reply {
    let error = error.for_client();
    let code = error.code().id();
    let mut reply = json_reply(error.status, &json!({ "error": error.message, "code": code }));
    reply.headers_mut().insert(ERROR_CODE, HeaderValue::from_static(code));
    if error.is_overload() {
        reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if error.status == StatusCode::UNAUTHORIZED {
        reply.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    reply
}

fn text_reply(text: String) -> Reply {
    body_reply(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", text.into_bytes())
}

/// A response in JSON.
pub(crate) fn json_reply(status: StatusCode, body: &Value) -> Reply {
    body_reply(status, "application/json", body.to_string().into_bytes())
}

/// Status, content type and body of a response.
pub(crate) async fn reply_parts(reply: Reply) -> (u16, String, Vec<u8>) {
    let (parts, body) = reply.into_parts();
    let content_type = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // The body is in memory already.
    let Ok(body) = body.collect().await;
    (parts.status.as_u16(), content_type.to_owned(), body.to_bytes().to_vec())
}

/// A response with a body.
pub(crate) fn body_reply(status: StatusCode, content_type: &'static str, body: Vec<u8>) -> Reply {
    let mut reply = Response::new(Full::new(Bytes::from(body)));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    reply
}
