//! The committed Rust of the protocols is what their `.proto` files say.
//!
//! Building needs neither `protoc` nor a build script. After a change in `proto/`, write the Rust anew with
//! `TIDEMILL_UPDATE_PROTO=1 cargo test -p tidemill-proto --test proto`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::Path;

use protox::prost::Message as _;

const SERVER: [&str; 8] = [
    "tensorflow_serving/apis/prediction_service.proto",
    "tensorflow_serving/apis/model_service.proto",
    "tensorflow_serving/apis/session_service.proto",
    "tensorflow_serving/apis/prediction_log.proto",
    "tensorflow_serving/config/monitoring_config.proto",
    "tensorflow_serving/config/ssl_config.proto",
    "tensorflow_serving/servables/tensorflow/batching_parameters.proto",
    "grpc_predict_v2.proto",
];

const METADATA: [&str; 2] =
    ["tensorflow_metadata/proto/v0/statistics.proto", "tensorflow_metadata/proto/v0/schema.proto"];

const ANALYSIS: [&str; 1] = ["tensorflow_model_analysis/config.proto"];

/// The files that belong beside the generated code, by name. `bytes`: fields of bytes are read where they lie.
fn generated(proto: &Path, files: &[&str], bytes: bool) -> BTreeMap<String, Vec<u8>> {
    let descriptors = protox::Compiler::new([proto])
        .unwrap()
        .include_imports(true)
        .include_source_info(false)
        .open_files(files)
        .unwrap()
        .file_descriptor_set();
    let folder = tempfile::tempdir().unwrap();
    let mut config = prost_build::Config::new();
    // In a fixed order, so that the same request always gets the same bytes and the same complaint.
    config.btree_map(["."]);
    if bytes {
        config.bytes(["."]);
    }
    let encoded = descriptors.encode_to_vec();
    config.out_dir(folder.path()).compile_fds(descriptors).unwrap();
    let mut files = BTreeMap::from([("descriptors.bin".to_owned(), encoded)]);
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        files.insert(entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap());
    }
    files
}

fn check(committed: &Path, files: BTreeMap<String, Vec<u8>>) {
    if std::env::var_os("TIDEMILL_UPDATE_PROTO").is_some() {
        for (name, content) in &files {
            std::fs::write(committed.join(name), content).unwrap();
        }
    }
    let mut names: Vec<String> =
        std::fs::read_dir(committed).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, files.keys().cloned().collect::<Vec<_>>());
    for (name, content) in files {
        let found = std::fs::read(committed.join(&name)).unwrap();
        assert!(found == content, "`{name}` is not what `proto/` says: see the head of this file");
    }
}

#[test]
fn the_committed_code_of_the_server_is_what_the_protocols_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    check(&root.join("src/generated/serving"), generated(&root.join("proto"), &SERVER, true));
}

#[test]
fn the_committed_code_of_metadata_is_what_the_protocols_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    check(&root.join("src/generated/metadata"), generated(&root.join("proto"), &METADATA, false));
}

#[test]
fn the_committed_code_of_evaluations_is_what_the_protocols_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    check(&root.join("src/generated/analysis"), generated(&root.join("proto"), &ANALYSIS, false));
}
