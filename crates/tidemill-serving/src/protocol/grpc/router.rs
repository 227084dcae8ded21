//! From a gRPC request to its answer: the one place where its methods, limits and metrics meet.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::{HeaderMap, Request, Response, StatusCode};
use tonic::body::Body;
use tonic::codegen::Service;
use tonic::{Code, Status};
use tonic_health::pb::health_server::HealthServer;

use super::body::RequestBody;
use super::call::Call;
use super::proto::FILE_DESCRIPTOR_SET;
use super::proto::inference::grpc_inference_service_server::GrpcInferenceServiceServer;
use super::proto::tensorflow::serving::model_service_server::ModelServiceServer;
use super::proto::tensorflow::serving::prediction_service_server::PredictionServiceServer;
use super::proto::tensorflow::serving::session_service_server::SessionServiceServer;
use crate::protocol::oip::grpc as oip;
use crate::protocol::tfs::grpc as tfs;
use crate::ServeError;
use crate::inference::service::Engine;
use crate::protocol::content_encoding::Coding;
use crate::inference::request_error::RequestError;
use crate::protocol::rest::path::Endpoint;
use crate::protocol::status::Status as Ended;

type Answer = Pin<Box<dyn Future<Output = Result<Response<Body>, Infallible>> + Send>>;
type AnyService = Box<dyn Fn(Request<RequestBody>) -> Answer + Send + Sync>;

/// Answers gRPC requests.
pub(crate) struct Router {
    engine: Arc<Engine>,
    reflection: AnyService,
    reflection_alpha: AnyService,
}

/// Which server of a service takes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    Prediction,
    Model,
    Session,
    Inference,
    Health,
    Reflection,
    ReflectionAlpha,
}

impl To {
    /// Whether the client sends messages as long as it likes.
    const fn is_streamed(self) -> bool {
        matches!(self, Self::Reflection | Self::ReflectionAlpha)
    }
}

impl Router {
    pub(crate) fn new(engine: Arc<Engine>) -> Result<Self, ServeError> {
        let builder = || {
            tonic_reflection::server::Builder::configure()
                .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
                .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        };
        let failed = |error: tonic_reflection::server::Error| ServeError::Reflection { reason: error.to_string() };
        let reflection = builder().build_v1().map_err(failed)?;
        let reflection_alpha = builder().build_v1alpha().map_err(failed)?;
        Ok(Self {
            engine,
            reflection: Box::new(move |request| reflection.clone().call(request)),
            reflection_alpha: Box::new(move |request| reflection_alpha.clone().call(request)),
        })
    }

    /// Answers a request. Never fails: what goes wrong becomes an answer.
    pub(crate) async fn answer(self: Arc<Self>, mut request: Request<Incoming>) -> Response<Body> {
        let trail = self.engine.trail(request.headers(), Instant::now());
        // Of a stream of messages each would have to be inflated: whoever reads it says that it is not taken.
        let routed = route(request.uri().path());
        let streamed = routed.is_some_and(|(to, _)| to.is_streamed());
        let coding = if streamed { None } else { Coding::of_messages(request.headers_mut()) };
        let call = Arc::new(Call::new(Arc::clone(&self.engine), trail, coding));
        let (endpoint, mut response) = match refused(&request) {
            Some(response) => (Endpoint::Unknown, response),
            None => match routed {
                Some((to, endpoint)) => {
                    let answered = self.admitted(to, endpoint, Arc::clone(&call), request).await;
                    (endpoint, answered.unwrap_or_else(|error| Status::from(error).into_http()))
                }
                None => {
                    let path = request.uri().path();
                    (Endpoint::Unknown, Status::unimplemented(format!("no such method: {path}")).into_http())
                }
            },
        };
        call.trail.mark(response.headers_mut());
        self.engine.answered(&call.trail, call.model(), endpoint, Ended::Grpc(code(&response)));
        response
    }

    /// Answers those who may ask, as long as there is room.
    async fn admitted(
        &self,
        to: To,
        endpoint: Endpoint,
        call: Arc<Call>,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, RequestError> {
        if !endpoint.is_open() {
            self.engine.access.check(request.headers())?;
        }
        let _entry = if endpoint.is_inference() { Some(self.engine.admission.enter()?) } else { None };
        Ok(self.call(to, endpoint, call, request).await)
    }

    async fn call(&self, to: To, endpoint: Endpoint, call: Arc<Call>, request: Request<Incoming>) -> Response<Body> {
        let timeout = match timeout(request.headers()) {
            Ok(timeout) => timeout,
            Err(status) => return status.into_http(),
        };
        let answer = async {
            let limits = &self.engine.limits;
            let bytes_max = limits.body_bytes_max;
            let limited = |body| RequestBody::limited(body, Arc::clone(&call), limits.body_timeout);
            let answered = match endpoint {
                Endpoint::Infer => oip::call_infer(&call, limited(request.into_body()), bytes_max).await,
                Endpoint::Predict => tfs::call_predict(&call, limited(request.into_body()), bytes_max).await,
                _ => return self.start(to, call, request).await.unwrap_or_else(|never| match never {}),
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

    fn start(&self, to: To, call: Arc<Call>, request: Request<Incoming>) -> Answer {
        let limits = &self.engine.limits;
        let request = request.map(|body| {
            if to.is_streamed() {
                RequestBody::until_drained(body, Arc::clone(&call))
            } else {
                RequestBody::limited(body, Arc::clone(&call), limits.body_timeout)
            }
        });
        let bytes_max = limits.body_bytes_max;
        match to {
            To::Prediction => {
                PredictionServiceServer::from_arc(call).max_decoding_message_size(bytes_max).call(request)
            }
            To::Model => ModelServiceServer::from_arc(call).max_decoding_message_size(bytes_max).call(request),
            To::Session => SessionServiceServer::from_arc(call).max_decoding_message_size(bytes_max).call(request),
            To::Inference => {
                GrpcInferenceServiceServer::from_arc(call).max_decoding_message_size(bytes_max).call(request)
            }
            To::Health => HealthServer::from_arc(call).call(request),
            To::Reflection => (self.reflection)(request),
            To::ReflectionAlpha => (self.reflection_alpha)(request),
        }
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").field("engine", &self.engine).finish_non_exhaustive()
    }
}

fn route(path: &str) -> Option<(To, Endpoint)> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    Some(match (service, method) {
        ("tensorflow.serving.PredictionService", "Predict") => (To::Prediction, Endpoint::Predict),
        ("tensorflow.serving.PredictionService", "Classify") => (To::Prediction, Endpoint::Classify),
        ("tensorflow.serving.PredictionService", "Regress") => (To::Prediction, Endpoint::Regress),
        ("tensorflow.serving.PredictionService", "MultiInference") => (To::Prediction, Endpoint::MultiInference),
        ("tensorflow.serving.PredictionService", "GetModelMetadata") => (To::Prediction, Endpoint::Metadata),
        ("tensorflow.serving.ModelService", "GetModelStatus") => (To::Model, Endpoint::Status),
        ("tensorflow.serving.ModelService", "HandleReloadConfigRequest") => (To::Model, Endpoint::Reload),
        ("tensorflow.serving.SessionService", "SessionRun") => (To::Session, Endpoint::SessionRun),
        ("inference.GRPCInferenceService", "ModelInfer") => (To::Inference, Endpoint::Infer),
        ("inference.GRPCInferenceService", "ServerLive") => (To::Inference, Endpoint::ServerLive),
        ("inference.GRPCInferenceService", "ServerReady") => (To::Inference, Endpoint::ServerReady),
        ("inference.GRPCInferenceService", "ModelReady") => (To::Inference, Endpoint::ModelReady),
        ("inference.GRPCInferenceService", "ServerMetadata") => (To::Inference, Endpoint::ServerMetadata),
        ("inference.GRPCInferenceService", "ModelMetadata") => (To::Inference, Endpoint::ModelMetadata),
        ("inference.GRPCInferenceService", "RepositoryIndex") => (To::Inference, Endpoint::RepositoryIndex),
        ("inference.GRPCInferenceService", "RepositoryModelLoad") => (To::Inference, Endpoint::RepositoryLoad),
        ("inference.GRPCInferenceService", "RepositoryModelUnload") => (To::Inference, Endpoint::RepositoryUnload),
        ("grpc.health.v1.Health", "Check" | "Watch") => (To::Health, Endpoint::Health),
        ("grpc.reflection.v1.ServerReflection", _) => (To::Reflection, Endpoint::Reflection),
        ("grpc.reflection.v1alpha.ServerReflection", _) => (To::ReflectionAlpha, Endpoint::Reflection),
        _ => return None,
    })
}

/// gRPC asks that what is not gRPC be told so in HTTP's words.
fn refused(request: &Request<Incoming>) -> Option<Response<Body>> {
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

/// How the call ended. A status in the headers says that there is no message; where one follows, all went well.
fn code(response: &Response<Body>) -> Code {
    match response.headers().get(Status::GRPC_STATUS) {
        Some(value) => Code::from_bytes(value.as_bytes()),
        None if response.status() == StatusCode::OK => Code::Ok,
        None => crate::protocol::status::grpc_code(response.status()),
    }
}

/// How long the client waits, where it says so: up to eight digits and a unit.
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
