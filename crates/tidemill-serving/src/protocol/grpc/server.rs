//! From a gRPC request to its response: the one place for methods, limits and metrics.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Request, Response, StatusCode};
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::{Code, Status};
use tonic_health::pb::health_server::HealthServer;

use super::body::RequestBody;
use super::call::GrpcCall;
use super::proto::FILE_DESCRIPTOR_SET;
use super::proto::inference::grpc_inference_service_server::GrpcInferenceServiceServer;
use super::proto::tensorflow::serving::model_service_server::ModelServiceServer;
use super::proto::tensorflow::serving::prediction_service_server::PredictionServiceServer;
use super::proto::tensorflow::serving::session_service_server::SessionServiceServer;
use crate::ServeError;
use crate::inference::request_error::{ERROR_CODE, RequestError, code_of};
use crate::inference::service::InferenceService;
use crate::protocol::content_encoding::ContentEncoding;
use crate::protocol::oip::grpc as oip;
use crate::protocol::operation::Operation;
use crate::protocol::status::Status as Ended;
use crate::protocol::tfs::grpc as tfs;

type ResponseFuture = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;
type AnyService = Box<dyn Fn(Request<RequestBody>) -> ResponseFuture + Send + Sync>;

/// Answers gRPC requests.
pub(crate) struct GrpcServer {
    service: Arc<InferenceService>,
    reflection: AnyService,
    reflection_alpha: AnyService,
}

/// The server of each service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GrpcServiceKind {
    Prediction,
    Model,
    Session,
    Inference,
    Health,
    Reflection,
    ReflectionAlpha,
}

impl GrpcServiceKind {
    /// Whether the client may send any number of messages.
    const fn is_streamed(self) -> bool {
        matches!(self, Self::Reflection | Self::ReflectionAlpha)
    }
}

impl GrpcServer {
    pub(crate) fn new(service: Arc<InferenceService>) -> Result<Self, ServeError> {
        let builder = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let failed = |error: tonic_reflection::server::Error| ServeError::Reflection { reason: error.to_string() };
        let reflection = builder().build_v1().map_err(failed)?;
        let reflection_alpha = builder().build_v1alpha().map_err(failed)?;
        Ok(Self {
            service,
            reflection: Box::new(move |request| reflection.clone().call(request)),
            reflection_alpha: Box::new(move |request| reflection_alpha.clone().call(request)),
        })
    }

    /// Answers a request. Never fails: errors become responses.
    pub(crate) async fn answer(self: Arc<Self>, mut request: Request<Incoming>) -> Response<Body> {
        let context = self.service.context(request.headers(), Instant::now());
        // Each message of a stream would have to be decompressed separately; the reader of the stream rejects it.
        let routed = route(request.uri().path());
        let streamed = routed.is_some_and(|(kind, _)| kind.is_streamed());
        let coding = if streamed { None } else { ContentEncoding::of_messages(request.headers_mut()) };
        let call = Arc::new(GrpcCall::new(Arc::clone(&self.service), context, coding));
        let (operation, mut response) = match not_grpc(&request) {
            Some(response) => (Operation::Unknown, response),
            None => match routed {
                Some((kind, operation)) => {
                    let answered = self.admitted(kind, operation, Arc::clone(&call), request).await;
                    (operation, answered.unwrap_or_else(|error| Status::from(error).into_http()))
                }
                None => {
                    let path = request.uri().path();
                    (Operation::Unknown, Status::unimplemented(format!("no such method: {path}")).into_http())
                }
            },
        };
        let ended = code(&response);
        if ended != Code::Ok {
            // Errors of the transport and of the generated services have no code of their own.
            let code = code_of(Ended::Grpc(ended).http()).id();
            response.headers_mut().entry(ERROR_CODE).or_insert(HeaderValue::from_static(code));
        }
        call.context.write_headers(response.headers_mut());
        self.service.record_response(&call.context, call.model(), operation, Ended::Grpc(ended));
        response
    }

    /// Answers authorized callers, as long as there is capacity.
    async fn admitted(
        &self,
        kind: GrpcServiceKind,
        operation: Operation,
        call: Arc<GrpcCall>,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, RequestError> {
        // A call has one caller.
        let _ = call.caller.set(self.service.access.check(request.headers(), operation)?);
        let _entry = if operation.is_inference() { Some(self.service.admission.enter()?) } else { None };
        Ok(self.call(kind, operation, call, request).await)
    }

    async fn call(
        &self,
        kind: GrpcServiceKind,
        operation: Operation,
        call: Arc<GrpcCall>,
        request: Request<Incoming>,
    ) -> Response<Body> {
        let timeout = match timeout(request.headers()) {
            Ok(timeout) => timeout,
            Err(status) => return status.into_http(),
        };
        let answer = async {
            let limits = &self.service.limits;
            let bytes_max = limits.body_bytes_max;
            let limited = |body| RequestBody::limited(body, Arc::clone(&call), limits.body_timeout);
            let answered = match operation {
                Operation::Infer => oip::call_infer(&call, limited(request.into_body()), bytes_max).await,
                Operation::Predict => tfs::call_predict(&call, limited(request.into_body()), bytes_max).await,
                _ => return self.start(kind, call, request).await.unwrap_or_else(|never| match never {}),
            };
            answered.unwrap_or_else(Status::into_http)
        };
        match timeout {
            None => answer.await,
            Some(timeout) => tokio::time::timeout(timeout, answer).await.unwrap_or_else(|_| {
                Status::deadline_exceeded("the client's deadline is over before the answer is there").into_http()
            }),
        }
    }

    fn start(&self, kind: GrpcServiceKind, call: Arc<GrpcCall>, request: Request<Incoming>) -> ResponseFuture {
        let limits = &self.service.limits;
        let request = request.map(|body| {
            if kind.is_streamed() {
                RequestBody::until_drained(body, Arc::clone(&call))
            } else {
                RequestBody::limited(body, Arc::clone(&call), limits.body_timeout)
            }
        });
        let bytes_max = limits.body_bytes_max;
        match kind {
            GrpcServiceKind::Prediction => {
                PredictionServiceServer::from_arc(call).max_decoding_message_size(bytes_max).call(request)
            }
            GrpcServiceKind::Model => {
                ModelServiceServer::from_arc(call).max_decoding_message_size(bytes_max).call(request)
            }
            GrpcServiceKind::Session => {
                SessionServiceServer::from_arc(call).max_decoding_message_size(bytes_max).call(request)
            }
            GrpcServiceKind::Inference => {
                GrpcInferenceServiceServer::from_arc(call).max_decoding_message_size(bytes_max).call(request)
            }
            GrpcServiceKind::Health => HealthServer::from_arc(call).call(request),
            GrpcServiceKind::Reflection => (self.reflection)(request),
            GrpcServiceKind::ReflectionAlpha => (self.reflection_alpha)(request),
        }
    }
}

impl fmt::Debug for GrpcServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GrpcServer").field("service", &self.service).finish_non_exhaustive()
    }
}

fn route(path: &str) -> Option<(GrpcServiceKind, Operation)> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    Some(match (service, method) {
        ("tensorflow.serving.PredictionService", "Predict") => (GrpcServiceKind::Prediction, Operation::Predict),
        ("tensorflow.serving.PredictionService", "Classify") => (GrpcServiceKind::Prediction, Operation::Classify),
        ("tensorflow.serving.PredictionService", "Regress") => (GrpcServiceKind::Prediction, Operation::Regress),
        ("tensorflow.serving.PredictionService", "MultiInference") => {
            (GrpcServiceKind::Prediction, Operation::MultiInference)
        }
        ("tensorflow.serving.PredictionService", "GetModelMetadata") => {
            (GrpcServiceKind::Prediction, Operation::Metadata)
        }
        ("tensorflow.serving.ModelService", "GetModelStatus") => (GrpcServiceKind::Model, Operation::Status),
        ("tensorflow.serving.ModelService", "HandleReloadConfigRequest") => (GrpcServiceKind::Model, Operation::Reload),
        ("tensorflow.serving.SessionService", "SessionRun") => (GrpcServiceKind::Session, Operation::SessionRun),
        ("inference.GRPCInferenceService", "ModelInfer") => (GrpcServiceKind::Inference, Operation::Infer),
        ("inference.GRPCInferenceService", "ServerLive") => (GrpcServiceKind::Inference, Operation::ServerLive),
        ("inference.GRPCInferenceService", "ServerReady") => (GrpcServiceKind::Inference, Operation::ServerReady),
        ("inference.GRPCInferenceService", "ModelReady") => (GrpcServiceKind::Inference, Operation::ModelReady),
        ("inference.GRPCInferenceService", "ServerMetadata") => (GrpcServiceKind::Inference, Operation::ServerMetadata),
        ("inference.GRPCInferenceService", "ModelMetadata") => (GrpcServiceKind::Inference, Operation::ModelMetadata),
        ("inference.GRPCInferenceService", "RepositoryIndex") => {
            (GrpcServiceKind::Inference, Operation::RepositoryIndex)
        }
        ("inference.GRPCInferenceService", "RepositoryModelLoad") => {
            (GrpcServiceKind::Inference, Operation::RepositoryLoad)
        }
        ("inference.GRPCInferenceService", "RepositoryModelUnload") => {
            (GrpcServiceKind::Inference, Operation::RepositoryUnload)
        }
        ("grpc.health.v1.Health", "Check" | "Watch") => (GrpcServiceKind::Health, Operation::Health),
        ("grpc.reflection.v1.ServerReflection", _) => (GrpcServiceKind::Reflection, Operation::Reflection),
        ("grpc.reflection.v1alpha.ServerReflection", _) => (GrpcServiceKind::ReflectionAlpha, Operation::Reflection),
        _ => return None,
    })
}

/// Answers a request that is not gRPC with an HTTP status, as gRPC requires.
fn not_grpc(request: &Request<Incoming>) -> Option<Response<Body>> {
    let is_grpc = request.headers().get(CONTENT_TYPE).is_some_and(|value| {
        value
            .as_bytes()
            .strip_prefix(b"application/grpc")
            .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
    });
    if is_grpc {
        return None;
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    Some(response)
}

/// The status of the call. A status in the headers means that there is no message; if a message follows, the call
/// succeeded.
fn code(response: &Response<Body>) -> Code {
    match response.headers().get(Status::GRPC_STATUS) {
        Some(value) => Code::from_bytes(value.as_bytes()),
        None if response.status() == StatusCode::OK => Code::Ok,
        None => crate::protocol::status::grpc_code(response.status()),
    }
}

/// The client's timeout, if it sends one: up to eight digits and a unit.
fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    let Some(value) = headers.get("grpc-timeout") else { return Ok(None) };
    let read = || {
        let (unit, digits) = value.as_bytes().split_last()?;
        let digits = std::str::from_utf8(digits).ok().filter(|digits| digits.len() <= 8)?;
        let number: u64 = digits.parse().ok()?;
        Some(match unit {
            b'H' => Duration::from_hours(number),
            b'M' => Duration::from_mins(number),
            b'S' => Duration::from_secs(number),
            b'm' => Duration::from_millis(number),
            b'u' => Duration::from_micros(number),
            b'n' => Duration::from_nanos(number),
            _ => return None,
        })
    };
    let error = || Status::invalid_argument("the header `grpc-timeout` must be up to eight digits and a unit");
    read().ok_or_else(error).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_method_of_the_protocols_has_a_place() {
        use tonic_health::pb::FILE_DESCRIPTOR_SET as HEALTH;
        for set in [FILE_DESCRIPTOR_SET, HEALTH] {
            let set: prost_types::FileDescriptorSet = prost::Message::decode(set).unwrap();
            for file in set.file {
                for service in &file.service {
                    for method in &service.method {
                        let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                        assert!(route(&path).is_some(), "{path}");
                    }
                }
            }
        }
        for path in ["", "/", "/a", "/inference.GRPCInferenceService/ModelStreamInfer", "/v1/models"] {
            assert_eq!(route(path), None);
        }
    }

    #[test]
    fn deadlines_are_read_as_the_protocol_writes_them() {
        let of = |text: &str| {
            let headers = HeaderMap::from_iter([("grpc-timeout".parse().unwrap(), text.parse().unwrap())]);
            timeout(&headers).map_err(|status| status.code())
        };
        assert_eq!(of("250m"), Ok(Some(Duration::from_millis(250))));
        assert_eq!(of("99999999H"), Ok(Some(Duration::from_hours(99_999_999))));
        assert_eq!(of("0n"), Ok(Some(Duration::ZERO)));
        for wrong in ["", "S", "1", "1d", "123456789S", "-1S", "+1é"] {
            assert_eq!(of(wrong), Err(Code::InvalidArgument), "{wrong}");
        }
        assert_eq!(timeout(&HeaderMap::new()).unwrap(), None);
    }
}
