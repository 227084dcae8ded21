//! Configured models, loading and unloading by request, many reloads, memory first, one matrix for all inputs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::support::grpc::{infer, oip};
use crate::support::{MODEL, Packages, Running, controlled, options, servable};
use serde_json::json;
use tidemill_model::Task;
use tidemill_serving::proto::inference::{
    InferTensorContents, ModelRepositoryParameter, RepositoryIndexRequest, RepositoryModelLoadRequest,
    RepositoryModelUnloadRequest,
};
use tidemill_serving::proto::tensorflow::error::Code as TfCode;
use tidemill_serving::proto::tensorflow::serving::{
    LogCollectorConfig, LoggingConfig, ModelConfig as ModelConfigProto, ModelConfigList, ModelServerConfig,
    ReloadConfigRequest, SamplingConfig, model_server_config,
};
use tidemill_serving::{ConfiguredSource, ModelConfig, ServerOptions, VersionPolicy, VersionState};
use tonic::Code;

const BODY: &str = r#"{"instances":[{"fare":12.5,"seconds":600,"company":"Flash"}]}"#;

fn write(base: &Path, version: u64, base_score: f64) {
    crate::support::write_taxi(&base.join(version.to_string()), Task::Binary, base_score);
}

fn config(models: &[(&str, &Path)]) -> ModelServerConfig {
    let config = models.iter().map(|(name, base)| ModelConfigProto {
        name: (*name).to_owned(),
        base_path: base.to_str().unwrap().to_owned(),
        model_platform: "tensorflow".to_owned(),
        ..ModelConfigProto::default()
    });
    let list = ModelConfigList { config: config.collect() };
    ModelServerConfig { config: Some(model_server_config::Config::ModelConfigList(list)) }
}

#[test]
fn a_configuration_file_is_served_and_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("one"), folder.path().join("two"));
    write(&one, 1, 0.0);
    write(&one, 2, 1.0);
    write(&two, 7, 2.0);
    let file = folder.path().join("models.config");
    let text = |models: &str| std::fs::write(&file, format!("model_config_list {{ {models} }}")).unwrap();
    let (one, two) = (one.display(), two.display());
    text(&format!(
        "config {{ name: 'one' base_path: '{one}' model_version_policy {{ all {{}} }} version_labels {{ key: 'stable' value: 1 }} }}"
    ));
    let source = ConfiguredSource::of_file(&file, Some(Duration::from_millis(1))).unwrap();
    let server = Running::start(options(), Arc::new(source));
    assert_eq!(server.post("/v1/models/one/labels/stable:predict", BODY).0, 200, "labels work at the first start");
    assert_eq!(server.post("/v1/models/one/versions/2:predict", BODY).0, 200);
    assert_eq!(server.post("/v1/models/two:predict", BODY).0, 404);

    text(&format!("config {{ name: 'two' base_path: '{two}' }}"));
    std::thread::sleep(Duration::from_millis(2));
    server.poll();
    assert_eq!(server.post("/v1/models/two:predict", BODY).0, 200);
    server.poll();
    assert_eq!(server.post("/v1/models/one:predict", BODY).0, 404, "what is no longer configured is unloaded");
    text("config { nam: 'two' }");
    std::thread::sleep(Duration::from_millis(2));
    server.poll();
    assert_eq!(server.post("/v1/models/two:predict", BODY).0, 200, "a wrong file changes nothing");
}

#[test]
fn a_model_that_is_configured_and_not_there_keeps_the_server_from_being_ready() {
    let folder = tempfile::tempdir().unwrap();
    let base = folder.path().join("late");
    let source = ConfiguredSource::new(vec![ModelConfig::new("late", &base)]);
    let server = Running::start(options(), Arc::new(source));
    assert_eq!(server.get("/readyz").0, 503);
    write(&base, 1, 0.0);
    server.poll();
    assert_eq!(server.get("/readyz").0, 200);
    std::fs::remove_dir_all(&base).unwrap();
    server.poll();
    assert_eq!(server.post("/v1/models/late:predict", BODY).0, 200, "a folder that is gone takes nothing away");
}

#[test]
fn models_are_configured_over_grpc() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two, nothing) = (folder.path().join("one"), folder.path().join("two"), folder.path().join("nothing"));
    write(&one, 1, 0.0);
    write(&two, 1, 1.0);
    let server = Running::start(controlled(), Arc::new(ConfiguredSource::new(vec![ModelConfig::new("one", &one)])));
    let mut client = server.models();
    let mut reload = |config: Option<ModelServerConfig>| {
        let request = ReloadConfigRequest { config, metric_names: Vec::new() };
        let reply = server.runtime.block_on(client.handle_reload_config_request(request));
        reply.map(|reply| reply.into_inner().status.unwrap())
    };
    let status = reload(Some(config(&[("one", &one), ("two", &two)]))).unwrap();
    assert_eq!(status.error_code(), TfCode::Ok);
    assert_eq!(server.post("/v1/models/two:predict", BODY).0, 200, "it is loaded when the call returns");
    let status = reload(Some(config(&[("two", &two), ("nothing", &nothing)]))).unwrap();
    assert_eq!(status.error_code(), TfCode::FailedPrecondition);
    assert!(status.error_message.contains("nothing: no versions"), "{}", status.error_message);
    server.poll();
    assert_eq!(server.post("/v1/models/one:predict", BODY).0, 404);
    assert_eq!(reload(Some(config(&[("a", &one), ("a", &two)]))).unwrap_err().code(), Code::InvalidArgument);
    assert_eq!(reload(None).unwrap_err().code(), Code::InvalidArgument);

    let packages = Packages::new();
    let source = tidemill_serving::StaticSource::new(vec![servable(MODEL, 1, &packages.taxi(0.0), &[])]);
    let fixed = Running::start(controlled(), Arc::new(source));
    let request = ReloadConfigRequest { config: Some(config(&[("one", &one)])), metric_names: Vec::new() };
    let status = fixed.runtime.block_on(fixed.models().handle_reload_config_request(request)).unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
}

#[test]
fn models_are_loaded_and_unloaded_by_name_over_both_protocols() {
    let packages = Packages::new();
    let models = vec![servable(MODEL, 1, &packages.taxi(0.0), &[]), servable("broken", 1, &packages.broken(), &[])];
    let server = Running::start(controlled(), Arc::new(tidemill_serving::StaticSource::new(models)));
    let (status, index) = server.post("/v2/repository/index", "");
    assert_eq!(status, 200);
    assert_eq!((&index[0]["name"], &index[0]["state"]), (&json!("broken"), &json!("UNAVAILABLE")));
    assert!(index[0]["reason"].as_str().unwrap().contains("learner.bin"), "{index}");
    assert_eq!(index[1], json!({ "name": MODEL, "version": "1", "state": "READY", "reason": "" }));
    let (_, ready) = server.post("/v2/repository/index", r#"{"ready": true}"#);
    assert_eq!(ready.as_array().unwrap().len(), 1);

    assert_eq!(server.post("/v2/repository/models/taxi/unload", "{}").0, 200);
    assert_eq!(server.post("/v2/models/taxi/infer", "{}").0, 404);
    assert_eq!(server.get("/v2/models/taxi/ready").0, 404);
    server.poll();
    assert_eq!(server.post("/v1/models/taxi:predict", BODY).0, 404, "it stays unloaded");
    let (_, index) = server.post("/v2/repository/index", "");
    assert!(index.as_array().unwrap().iter().any(|entry| entry["reason"] == "unloaded"), "{index}");
    assert_eq!(server.post("/v2/repository/models/taxi/load", "").0, 200);
    assert_eq!(server.post("/v1/models/taxi:predict", BODY).0, 200);
    assert_eq!(server.post("/v2/repository/models/nobody/load", "").0, 404);
    assert_eq!(server.post("/v2/repository/models/nobody/unload", "").0, 404);
    let (status, error) = server.post("/v2/repository/models/broken/load", "");
    assert!(status == 503 && error["error"].as_str().unwrap().contains("learner.bin"), "{error}");

    let mut client = server.inference();
    let runtime = server.runtime.clone();
    let models =
        runtime.block_on(client.repository_index(RepositoryIndexRequest::default())).unwrap().into_inner().models;
    assert_eq!((models[1].name.as_str(), models[1].state.as_str()), (MODEL, "READY"));
    // KServe's clients put the name in one place, Triton's in another.
    let kserve = RepositoryModelUnloadRequest { model_name: MODEL.to_owned(), ..Default::default() };
    assert!(runtime.block_on(client.repository_model_unload(kserve)).unwrap().into_inner().is_unloaded);
    assert_eq!(server.post("/v1/models/taxi:predict", BODY).0, 404);
    let triton = RepositoryModelLoadRequest { triton_model_name: MODEL.to_owned(), ..Default::default() };
    assert!(runtime.block_on(client.repository_model_load(triton)).unwrap().into_inner().is_loaded);
    assert_eq!(server.post("/v1/models/taxi:predict", BODY).0, 200);

    // Triton's clients can send a model along; one that is left out silently would be taken for loaded.
    let sent = RepositoryModelLoadRequest {
        triton_model_name: MODEL.to_owned(),
        parameters: [("file:1/model.onnx".to_owned(), ModelRepositoryParameter::default())].into(),
        ..Default::default()
    };
    assert_eq!(runtime.block_on(client.repository_model_load(sent)).unwrap_err().code(), Code::InvalidArgument);
    for (body, part) in [
        (r#"{"parameters": {"config": "{}"}}"#, "`config` is not supported"),
        (r#"{"parameters": {"file:1/model.onnx": "AA=="}}"#, "is not supported"),
        ("{", "not JSON"),
    ] {
        let (status, error) = server.error("/v2/repository/models/taxi/load", body);
        assert!(status == 400 && error.contains(part), "{error}");
    }
    assert_eq!(server.post("/v2/repository/models/taxi/load", r#"{"parameters": {"unload_dependents": true}}"#).0, 200);

    let closed = Running::start(
        options(),
        Arc::new(tidemill_serving::StaticSource::new(vec![servable(MODEL, 1, &packages.taxi(0.0), &[])])),
    );
    assert_eq!(closed.post("/v2/repository/models/taxi/unload", "").0, 403);
    assert_eq!(closed.post("/v1/models/taxi:predict", BODY).0, 200);
}

#[test]
fn where_memory_comes_first_the_old_version_goes_before_the_new_one_comes() {
    let packages = Packages::new();
    let source = tidemill_serving::StaticSource::new(vec![servable(MODEL, 1, &packages.taxi(0.0), &["live"])]);
    let server = Running::start(ServerOptions { unload_first: true, ..options() }, Arc::new(source.clone()));
    assert_eq!(server.post("/v1/models/taxi:predict", BODY).0, 200);
    source.set(vec![servable(MODEL, 2, &packages.broken(), &["live"])]);
    server.poll();
    while server.handle.models()[0].versions[0].state != VersionState::End {
        std::thread::yield_now();
    }
    assert_eq!(server.post("/v1/models/taxi:predict", BODY).0, 404, "that is the price");
    source.set(vec![servable(MODEL, 3, &packages.taxi(1.0), &["live"])]);
    server.poll();
    while server.post("/v1/models/taxi/labels/live:predict", BODY).0 != 200 {
        std::thread::yield_now();
    }
    assert_eq!(server.handle.models()[0].latest, Some(3));
}

#[test]
fn one_matrix_stands_for_all_inputs_in_the_order_of_the_signature() {
    let packages = Packages::new();
    let (server, _) = Running::of(vec![
        servable("half", 1, &packages.half_plus_two(), &[]),
        servable(MODEL, 1, &packages.taxi(0.0), &[]),
    ]);
    let (_, metadata) = server.get("/v2/models/half");
    assert_eq!(metadata["parameters"]["input_forms"], json!(["columns", "matrix"]));
    assert_eq!(server.get("/v2/models/taxi").1["parameters"]["input_forms"], json!(["columns"]));
    let infer_json = |data: serde_json::Value, shape: &[u64]| {
        let inputs = json!([{ "name": "input-0", "datatype": "FP32", "shape": shape, "data": data }]);
        server.post("/v2/models/half/infer", json!({ "inputs": inputs }).to_string())
    };
    let expected = json!([2.5, 3.0, 4.5]);
    for data in [json!([1.0, 2.0, 5.0]), json!([[1.0], [2.0], [5.0]])] {
        let (status, reply) = infer_json(data, &[3, 1]);
        assert_eq!((status, &reply["outputs"][0]["data"]), (200, &expected), "{reply}");
    }
    assert_eq!(infer_json(json!([1.0, 2.0]), &[2]).0, 400, "without columns it is another input");
    assert_eq!(infer_json(json!([1.0, 2.0]), &[1, 2]).0, 400);
    // Text among numbers needs tensors of its own; the error says which column.
    let inputs = json!([{ "name": "x", "datatype": "FP64", "shape": [1, 5], "data": [[12.5, 600.0, 1.0, 2.0, 1.0]] }]);
    let (status, error) = server.error("/v2/models/taxi/infer", &json!({ "inputs": inputs }).to_string());
    assert!(status == 400 && error.contains("row 0, column 3 (`company`)"), "{error}");

    let contents = InferTensorContents { fp64_contents: vec![1.0, 2.0, 5.0], ..Default::default() };
    let mut tensor = oip("anything", "FP64", 3, Some(contents));
    tensor.shape = vec![3, 1];
    let mut request = infer(vec![tensor]);
    request.model_name = "half".to_owned();
    let reply = server.runtime.block_on(server.inference().model_infer(request)).unwrap().into_inner();
    assert_eq!(reply.outputs[0].contents.as_ref().unwrap().fp64_contents, [2.5, 3.0, 4.5]);
}

#[test]
fn policies_choose_among_the_versions_of_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    for version in [1, 2, 3] {
        write(folder.path(), version, version as f64);
    }
    let served = |policy: VersionPolicy| {
        let model = ModelConfig { policy, ..ModelConfig::new(MODEL, folder.path()) };
        let server = Running::start(options(), Arc::new(ConfiguredSource::new(vec![model])));
        server.handle.models()[0].versions.iter().map(|version| version.version).collect::<Vec<_>>()
    };
    assert_eq!(served(VersionPolicy::Latest(2)), [3, 2]);
    assert_eq!(served(VersionPolicy::All), [3, 2, 1]);
    assert_eq!(served(VersionPolicy::Specific([1, 9].into())), [1]);
}

#[test]
fn clients_name_only_paths_under_allowed_roots() {
    let folder = tempfile::tempdir().unwrap();
    let (inside, outside) = (folder.path().join("models/one"), folder.path().join("secret"));
    write(&inside, 1, 0.0);
    write(&outside, 1, 1.0);
    let source = ConfiguredSource::new(vec![ModelConfig::new("kept", &outside)]);
    let options =
        ServerOptions { model_roots: vec![folder.path().join("models")], log_roots: Vec::new(), ..controlled() };
    let server = Running::start(options, Arc::new(source));
    let mut client = server.models();
    let mut reload = |config: ModelServerConfig| {
        let request = ReloadConfigRequest { config: Some(config), metric_names: Vec::new() };
        server.runtime.block_on(client.handle_reload_config_request(request)).map(|_| ())
    };
    reload(config(&[("kept", &outside), ("one", &inside)])).unwrap();
    assert_eq!(server.post("/v1/models/one:predict", BODY).0, 200);
    for (name, base) in [("one", &outside), ("kept", &folder.path().join("models/../secret"))] {
        let refused = reload(config(&[(name, base)])).unwrap_err();
        assert_eq!(refused.code(), Code::PermissionDenied);
        assert!(refused.message().contains("is under no allowed root"), "{}", refused.message());
    }
    let mut logging = config(&[("one", &inside)]);
    if let Some(model_server_config::Config::ModelConfigList(list)) = &mut logging.config {
        list.config[0].logging_config = Some(LoggingConfig {
            log_collector_config: Some(LogCollectorConfig {
                filename_prefix: folder.path().join("models/log").to_str().unwrap().to_owned(),
                ..LogCollectorConfig::default()
            }),
            sampling_config: Some(SamplingConfig { sampling_rate: 1.0 }),
        });
    }
    let refused = reload(logging).unwrap_err();
    assert!(refused.code() == Code::PermissionDenied && refused.message().contains("log prefix"), "{refused}");
    assert_eq!(server.post("/v1/models/one:predict", BODY).0, 200, "nothing has changed");
}

#[test]
fn a_source_without_models_keeps_the_server_from_being_ready() {
    let packages = Packages::new();
    let (server, source) = Running::of(Vec::new());
    assert_eq!(server.get("/readyz").0, 503, "there is nothing that could answer");
    assert_eq!(server.get("/livez").0, 200);
    source.set(vec![servable(MODEL, 1, &packages.taxi(0.0), &[])]);
    server.poll();
    assert_eq!(server.get("/readyz").0, 200);
    source.set(Vec::new());
    server.poll();
    assert_eq!(server.get("/readyz").0, 503, "and nothing again");
    let none = Running::start(options(), Arc::new(ConfiguredSource::new(Vec::new())));
    assert_eq!(none.get("/readyz").0, 200, "a configuration without models is all there");
}
