//! The committed Rust of the protocols is what their `.proto` files say.
//!
//! No `protoc` and no build script is needed to build the server. After a change in `proto/`, write it anew with
//! `TIDEMILL_UPDATE_PROTO=1 cargo test -p tidemill-serving --test proto`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::path::Path;

use protox::prost::Message as _;

const FILES: [&str; 3] = [
    "tensorflow_serving/apis/prediction_service.proto",
    "tensorflow_serving/apis/model_service.proto",
    "grpc_predict_v2.proto",
];

/// The files that belong into `src/grpc/generated`, by name.
fn generated(proto: &Path) -> BTreeMap<String, Vec<u8>> {
    let descriptors = protox::Compiler::new([proto])
        .unwrap()
        .include_imports(true)
        .include_source_info(false)
        .open_files(FILES)
        .unwrap()
        .file_descriptor_set();
    let folder = tempfile::tempdir().unwrap();
    let mut config = prost_build::Config::new();
    // In a fixed order, so that the same request always gets the same bytes and the same complaint.
    config.btree_map(["."]);
    // Tensors are read where they lie in the message.
    config.bytes(["."]);
    let encoded = descriptors.encode_to_vec();
    tonic_prost_build::configure()
        .build_transport(false)
        .out_dir(folder.path())
        .compile_fds_with_config(descriptors, config)
        .unwrap();
    let mut files = BTreeMap::from([("descriptors.bin".to_owned(), encoded)]);
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        files.insert(entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap());
    }
    files
}

#[test]
fn the_committed_code_is_what_the_protocols_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let committed = root.join("src/grpc/generated");
    let files = generated(&root.join("proto"));
    if std::env::var_os("TIDEMILL_UPDATE_PROTO").is_some() {
        for (name, content) in &files {
            std::fs::write(committed.join(name), content).unwrap();
        }
    }
    let mut names: Vec<String> =
        std::fs::read_dir(&committed).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, files.keys().cloned().collect::<Vec<_>>());
    for (name, content) in files {
        let found = std::fs::read(committed.join(&name)).unwrap();
        assert!(found == content, "`{name}` is not what `proto/` says: see the head of this file");
    }
}
