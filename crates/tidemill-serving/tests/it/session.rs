//! `SessionService`, and gRPC on a socket of the machine.

use std::sync::Arc;

use crate::support::grpc::{bits, doubles, longs, spec, spec_version};
use crate::support::{MODEL, Packages, Running, options, servable};
use tidemill_serving::proto::tensorflow::serving::session_service_client::SessionServiceClient;
use tidemill_serving::proto::tensorflow::serving::{ModelSpec, SessionRunRequest};
use tidemill_serving::proto::tensorflow::{NamedTensorProto, TensorProto};
use tidemill_serving::{ServerOptions, StaticSource};
use tonic::Code;

fn feed(name: &str, tensor: TensorProto) -> NamedTensorProto {
    NamedTensorProto { name: name.to_owned(), tensor: Some(tensor) }
}

fn request(spec: ModelSpec, feed: Vec<NamedTensorProto>, fetch: &[&str]) -> SessionRunRequest {
    let fetch = fetch.iter().map(|name| (*name).to_owned()).collect();
    SessionRunRequest { model_spec: Some(spec), feed, fetch, ..SessionRunRequest::default() }
}

#[test]
fn tensors_are_fed_and_fetched_by_name() {
    let packages = Packages::new();
    let taxi = packages.taxi(0.25);
    let (server, _) = Running::of(vec![servable(MODEL, 7, &taxi, &[])]);
    let mut client = SessionServiceClient::new(server.channel());
    let mut run = |request: SessionRunRequest| server.runtime.block_on(client.session_run(request));
    let model = tidemill_model::Model::load(&taxi).unwrap();
    let rows = [serde_json::json!({ "fare": 12.5, "seconds": 600 }), serde_json::json!({ "fare": 3, "seconds": 60 })];
    let expected = model.predict_values(&model.batch_from_rows(&rows).unwrap()).unwrap();
    for (fare, seconds, probability) in [("fare", "seconds", "probability"), ("fare:0", "seconds:0", "probability:0")] {
        let fed = vec![feed(fare, doubles(&[12.5, 3.0])), feed(seconds, longs(&[600, 60]))];
        let reply = run(request(spec(MODEL), fed, &[probability])).unwrap().into_inner();
        assert_eq!((reply.tensor.len(), reply.tensor[0].name.as_str()), (1, probability));
        assert_eq!(bits(&reply.tensor[0].tensor.as_ref().unwrap().double_val), bits(&expected));
        assert_eq!(reply.model_spec.unwrap().name, MODEL);
    }
    let fare = || feed("fare", doubles(&[1.0]));
    let both = || vec![fare(), feed("seconds", longs(&[1]))];
    for (request, code, part) in [
        (request(spec(MODEL), both(), &[]), Code::InvalidArgument, "at least one target"),
        (request(spec(MODEL), both(), &["score"]), Code::InvalidArgument, "FetchOutputs score: not found"),
        (request(spec(MODEL), vec![fare()], &["probability"]), Code::InvalidArgument, "Missing but required: seconds"),
        (request(spec(MODEL), vec![fare(), fare()], &["probability"]), Code::InvalidArgument, "fed twice"),
        (request(spec("half"), both(), &["probability"]), Code::NotFound, "Latest(half)"),
        (request(spec_version(MODEL, 9), both(), &["probability"]), Code::NotFound, "Specific(taxi, 9)"),
    ] {
        let status = run(request).unwrap_err();
        assert_eq!(status.code(), code, "{status}");
        assert!(status.message().contains(part), "{status}");
    }
}

#[cfg(unix)]
#[test]
fn grpc_is_spoken_on_a_socket_too_and_its_file_goes_with_the_server() {
    use std::os::unix::fs::FileTypeExt as _;

    use tidemill_serving::proto::inference::ServerLiveRequest;
    use tidemill_serving::proto::inference::grpc_inference_service_client::GrpcInferenceServiceClient;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("grpc.sock");
    let start = || {
        let packages = Packages::new();
        let source = StaticSource::new(vec![servable(MODEL, 1, &packages.taxi(0.0), &[])]);
        Running::start(ServerOptions { grpc_socket: Some(path.clone()), ..options() }, Arc::new(source))
    };
    // What a killed server left behind is replaced.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let server = start();
    assert!(std::fs::symlink_metadata(&path).unwrap().file_type().is_socket());
    let live = server.runtime.block_on(async {
        let endpoint = tonic::transport::Endpoint::try_from(format!("unix:{}", path.display())).unwrap();
        let channel = endpoint.connect().await.unwrap();
        GrpcInferenceServiceClient::new(channel).server_live(ServerLiveRequest {}).await.unwrap().into_inner().live
    });
    assert!(live);
    let second = server.runtime.block_on(tidemill_serving::Server::bind(
        ServerOptions { grpc_socket: Some(path.clone()), ..options() },
        Arc::new(StaticSource::default()),
    ));
    let error = second.err().expect("somebody listens on it");
    assert!(error.to_string().contains("grpc.sock"), "{error}");
    drop(server);
    assert!(!path.exists());
}
