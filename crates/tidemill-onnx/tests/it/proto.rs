//! The committed Rust of ONNX's messages is what `proto/onnx.proto` says.
//!
//! No `protoc` and no build script is needed. After a change in `proto/`, write it anew with
//! `TIDEMILL_UPDATE_PROTO=1 cargo test -p tidemill-onnx --test it proto`.

use std::path::Path;

#[test]
fn the_committed_code_is_what_the_proto_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut compiler = protox::Compiler::new([root.join("proto")]).unwrap();
    compiler.include_source_info(false).open_files(["onnx.proto"]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut config = prost_build::Config::new();
    config.out_dir(folder.path());
    config.compile_fds(compiler.file_descriptor_set()).unwrap();
    let generated = std::fs::read(folder.path().join("onnx.rs")).unwrap();
    let committed = root.join("src/onnx/generated.rs");
    if std::env::var_os("TIDEMILL_UPDATE_PROTO").is_some() {
        std::fs::write(&committed, &generated).unwrap();
    }
    assert!(std::fs::read(committed).unwrap() == generated, "`proto/onnx.proto` changed: see the head of this file");
}
