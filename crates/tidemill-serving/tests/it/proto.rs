//! The committed clients and servers of the protocols are what the `.proto` files of `tidemill-proto` say.
//!
//! Building needs neither `protoc` nor a build script. After a change there, write them anew with
//! `TIDEMILL_UPDATE_PROTO=1 cargo test -p tidemill-serving --test it proto`.

use std::path::Path;

const SERVICES: [&str; 4] = [
    "tensorflow_serving/apis/prediction_service.proto",
    "tensorflow_serving/apis/model_service.proto",
    "tensorflow_serving/apis/session_service.proto",
    "grpc_predict_v2.proto",
];

#[test]
fn the_committed_services_are_what_the_protocols_say() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let descriptors = protox::Compiler::new([root.join("../tidemill-proto/proto")])
        .unwrap()
        .include_imports(true)
        .include_source_info(false)
        .open_files(SERVICES)
        .unwrap()
        .file_descriptor_set();
    let folder = tempfile::tempdir().unwrap();
    let mut config = prost_build::Config::new();
    config.extern_path(".tensorflow", "::tidemill_proto::serving::tensorflow");
    config.extern_path(".inference", "::tidemill_proto::serving::inference");
    tonic_prost_build::configure()
        .build_transport(false)
        .out_dir(folder.path())
        .compile_fds_with_config(descriptors, config)
        .unwrap();
    let committed = root.join("src/protocol/grpc/generated");
    for name in ["inference.rs", "tensorflow.serving.rs"] {
        let written = std::fs::read(folder.path().join(name)).unwrap();
        if std::env::var_os("TIDEMILL_UPDATE_PROTO").is_some() {
            std::fs::write(committed.join(name), &written).unwrap();
        }
        let found = std::fs::read(committed.join(name)).unwrap();
        assert!(found == written, "`{name}` is not what the protocols say: see the head of this file");
    }
}
