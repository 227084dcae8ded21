//! What gRPC clients see of the server as a whole: health, reflection, limits, shutdown, damage.

use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::grpc::{doubles, infer, longs, oip, spec, texts};
use crate::support::{MODEL, Packages, Running, agent, options, servable};
use bytes::{Buf as _, BufMut as _};
use proptest::prelude::*;
use prost::Message as _;
use tidemill_core::{Code as ErrorCode, Coded as _};
use tidemill_serving::proto::inference::{InferTensorContents, ModelInferRequest};
use tidemill_serving::proto::tensorflow::serving::PredictRequest;
use tidemill_serving::{Server, ServerOptions, StaticSource};
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::tokio_stream::{self, StreamExt as _};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

const PREDICT: &str = "/tensorflow.serving.PredictionService/Predict";
const INFER: &str = "/inference.GRPCInferenceService/ModelInfer";

fn started(options: ServerOptions) -> Running {
    let packages = Packages::new();
    let servables = vec![servable(MODEL, 1, &packages.taxi(0.0), &[])];
    Running::start(options, Arc::new(StaticSource::new(servables)))
}

fn predict() -> PredictRequest {
    let inputs = [("fare", doubles(&[12.5])), ("seconds", longs(&[600])), ("company", texts(&["Flash"]))];
    let inputs = inputs.into_iter().map(|(name, tensor)| (name.to_owned(), tensor)).collect();
    PredictRequest { model_spec: Some(spec(MODEL)), inputs, output_filter: Vec::new() }
}

fn model_infer() -> ModelInferRequest {
    let fare = InferTensorContents { fp64_contents: vec![12.5], ..Default::default() };
    let seconds = InferTensorContents { int64_contents: vec![600], ..Default::default() };
    infer(vec![oip("fare", "FP64", 1, Some(fare)), oip("seconds", "INT64", 1, Some(seconds))])
}

/// Messages as they are, so that damaged ones can be sent.
#[derive(Default)]
struct Plain;

impl Codec for Plain {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Plain {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put_slice(&item);
        Ok(())
    }
}

impl Decoder for Plain {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut bytes = vec![0; from.remaining()];
        from.copy_to_slice(&mut bytes);
        Ok(Some(bytes))
    }
}

async fn send(channel: &Channel, path: &'static str, message: Vec<u8>) -> Result<Vec<u8>, Status> {
    let mut client = Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let reply = client.unary(Request::new(message), tonic::codegen::http::uri::PathAndQuery::from_static(path), Plain);
    reply.await.map(tonic::Response::into_inner)
}

#[test]
fn health_is_told_now_and_when_it_changes() {
    let server = started(options());
    // The client's own: a runtime that ends with the server would take the last message along.
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut client = HealthClient::new(runtime.block_on(server.endpoint().connect()).unwrap());
    let of = |service: &str| HealthCheckRequest { service: service.to_owned() };
    for service in ["", "tensorflow.serving.PredictionService", "inference.GRPCInferenceService"] {
        let reply = runtime.block_on(client.check(of(service))).unwrap().into_inner();
        assert_eq!(reply.status(), ServingStatus::Serving);
    }
    let status = runtime.block_on(client.check(of("no.such.Service"))).unwrap_err();
    assert_eq!(status.code(), Code::NotFound);

    let mut watched = runtime.block_on(client.watch(of(""))).unwrap().into_inner();
    let mut unknown = runtime.block_on(client.watch(of("no.such.Service"))).unwrap().into_inner();
    let first = runtime.block_on(watched.message()).unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::Serving);
    let first = runtime.block_on(unknown.message()).unwrap().unwrap();
    assert_eq!(first.status(), ServingStatus::ServiceUnknown);

    let began = Instant::now();
    let ending = std::thread::spawn(move || drop(server));
    let last = runtime.block_on(watched.message()).unwrap().unwrap();
    assert_eq!(last.status(), ServingStatus::NotServing);
    ending.join().unwrap();
    assert!(began.elapsed() < Duration::from_secs(10), "streams do not hold the shutdown up");
}

#[test]
fn reflection_lists_and_describes_the_services_and_does_not_hold_the_shutdown_up() {
    let server = started(options());
    let mut client = ServerReflectionClient::new(server.channel());
    let ask = |request| ServerReflectionRequest { host: String::new(), message_request: Some(request) };
    let questions = vec![
        ask(MessageRequest::ListServices(String::new())),
        ask(MessageRequest::FileContainingSymbol("tensorflow.serving.PredictionService".to_owned())),
        ask(MessageRequest::FileByFilename("tensorflow/core/framework/tensor.proto".to_owned())),
        ask(MessageRequest::FileByFilename("google/protobuf/any.proto".to_owned())),
    ];
    // The client never says that it has no more questions.
    let questions = tokio_stream::iter(questions).chain(tokio_stream::pending());
    let mut answers = server.runtime.block_on(client.server_reflection_info(questions)).unwrap().into_inner();
    let mut next = || -> ServerReflectionResponse { server.runtime.block_on(answers.message()).unwrap().unwrap() };
    let Some(MessageResponse::ListServicesResponse(list)) = next().message_response else { panic!("no list") };
    let mut names: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
    names.sort();
    assert_eq!(
        names,
        [
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
            "inference.GRPCInferenceService",
            "tensorflow.serving.ModelService",
            "tensorflow.serving.PredictionService",
            "tensorflow.serving.SessionService",
        ]
    );
    for _ in 0..3 {
        let Some(MessageResponse::FileDescriptorResponse(file)) = next().message_response else { panic!("no file") };
        assert!(!file.file_descriptor_proto.is_empty());
    }
    let began = Instant::now();
    drop(server);
    assert!(began.elapsed() < Duration::from_secs(10));
}

#[test]
fn limits_hold_and_what_is_no_call_is_refused() {
    let options = ServerOptions { request_body_timeout: Duration::from_secs(1), ..options() };
    let server = started(options);
    let channel = server.channel();
    server.runtime.block_on(async {
        let status = send(&channel, PREDICT, vec![0; (1 << 20) + 1]).await.unwrap_err();
        assert_eq!(status.code(), Code::OutOfRange, "{status}");

        let mut client = Grpc::new(channel.clone());
        client.ready().await.unwrap();
        let path = tonic::codegen::http::uri::PathAndQuery::from_static(PREDICT);
        let nothing = Request::new(tokio_stream::pending::<Vec<u8>>());
        let status = client.client_streaming(nothing, path, Plain).await.unwrap_err();
        assert_eq!((status.code(), status.message()), (Code::DeadlineExceeded, "the request did not arrive in time"));

        for path in ["/inference.GRPCInferenceService/ModelStreamInfer", "/a.B/C", "/", "/v1/models/taxi:predict"] {
            let status = send(&channel, path, Vec::new()).await.unwrap_err();
            assert_eq!(status.code(), Code::Unimplemented, "{path}");
            assert_eq!(status.message(), format!("no such method: {path}"));
        }
        let mut late = Request::new(predict().encode_to_vec());
        late.metadata_mut().insert("grpc-timeout", "soon".parse().unwrap());
        let mut client = Grpc::new(channel.clone());
        client.ready().await.unwrap();
        let path = tonic::codegen::http::uri::PathAndQuery::from_static(PREDICT);
        assert_eq!(client.unary(late, path, Plain).await.unwrap_err().code(), Code::InvalidArgument);
        assert!(send(&channel, PREDICT, predict().encode_to_vec()).await.is_ok(), "the server goes on");
    });
    let metrics = agent().get(server.url("/metrics")).call().unwrap().body_mut().read_to_string().unwrap();
    for line in [
        r#":tensorflow:serving:request_latency_count{model_name="taxi",API="predict",entrypoint="GRPC"} 1"#,
        r#":tensorflow:serving:request_count{model_name="",status="OUT_OF_RANGE"} 1"#,
        r#"tidemill_requests_total{model="taxi",operation="grpc_predict",status="2xx"} 1"#,
        r#"tidemill_requests_total{model="",operation="grpc_unknown",status="5xx"} 4"#,
    ] {
        assert!(metrics.contains(line), "{line} is not in\n{metrics}");
    }
}

#[test]
fn grpc_has_a_port_of_its_own_or_none() {
    let server = started(options());
    let taken = server.handle.grpc_addr().unwrap();
    assert_ne!(taken, server.handle.local_addr());
    let clash = ServerOptions { grpc_addr: Some(taken), ..options() };
    let result = server.runtime.block_on(Server::bind(clash, Arc::new(StaticSource::default())));
    let error = result.err().expect("the port is taken");
    assert_eq!(error.code(), ErrorCode::PortInUse);
    assert!(error.to_string().contains(&taken.port().to_string()), "{error}");
    let none = started(ServerOptions { grpc_addr: None, ..options() });
    assert_eq!(none.handle.grpc_addr(), None);
    assert_eq!(none.get("/readyz").0, 200);
}

#[test]
fn broken_connections_do_no_harm() {
    let server = started(options());
    let channel = server.channel();
    for bytes in [
        &b"\x00\xff\x16\x03\x01"[..],
        b"GET / HTTP/1.1\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\xff",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff",
    ] {
        let mut stream = TcpStream::connect(server.handle.grpc_addr().unwrap()).unwrap();
        stream.write_all(bytes).unwrap();
        drop(stream);
        assert!(server.runtime.block_on(send(&channel, PREDICT, predict().encode_to_vec())).is_ok());
    }
}

/// A change to the bytes of a message: at a place (as a share of its length), so many bytes out, these in.
fn any_change() -> impl Strategy<Value = (f64, usize, Vec<u8>)> {
    (0.0..1.0, 0usize..8, prop::collection::vec(any::<u8>(), 0..6))
}

#[test]
fn damaged_messages_are_answered_and_never_a_fault_of_the_server() {
    let server = started(options());
    let channel = server.channel();
    let seeds = vec![(PREDICT, predict().encode_to_vec()), (INFER, model_infer().encode_to_vec())];
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(1500));
    let cases = (prop::sample::select(seeds), prop::collection::vec(any_change(), 0..4));
    runner
        .run(&cases, |((path, mut message), changes)| {
            for (at, out, bytes) in changes {
                let at = (at * message.len() as f64) as usize;
                let end = (at + out).min(message.len());
                message.splice(at..end, bytes);
            }
            let reply = server.runtime.block_on(send(&channel, path, message));
            if let Err(status) = reply {
                let expected = match status.code() {
                    Code::InvalidArgument | Code::NotFound => true,
                    // What gRPC libraries say of a message that is none.
                    Code::Internal => status.message().contains("decode"),
                    _ => false,
                };
                prop_assert!(expected, "{status}");
            }
            Ok(())
        })
        .unwrap();
}
