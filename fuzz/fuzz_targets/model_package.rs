//! Packages: any bytes as one of the files, with the right digest where the manifest says one.

#![no_main]

#[allow(dead_code, reason = "the loaded model is for other targets")]
mod support;

use std::path::Path;
use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use tidemill_model::Manifest;
use tidemill_onnx::load_model;

const FILES: [&str; 5] = ["model.json", "transform.json", "learner.bin", "sample.json", "schema.json"];

fuzz_target!(|data: &[u8]| {
    static PACKAGE: OnceLock<tempfile::TempDir> = OnceLock::new();
    let package = PACKAGE.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        support::write(folder.path());
        folder
    });
    let Some((&which, content)) = data.split_first() else { return };
    let name = FILES[usize::from(which) % FILES.len()];
    let folder = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir(package.path()).expect("files") {
        let file = entry.expect("a file");
        std::fs::copy(file.path(), folder.path().join(file.file_name())).expect("a copy");
    }
    std::fs::write(folder.path().join(name), content).expect("bytes are written");
    if name != "model.json" {
        sign(folder.path(), name, content);
    }
    if let Ok(model) = load_model(folder.path()) {
        let _ = model.replay_sample();
    }
});

/// Puts the size and the digest of a file into the manifest.
fn sign(folder: &Path, name: &str, content: &[u8]) {
    let path = folder.join("model.json");
    let mut manifest: Manifest = serde_json::from_slice(&std::fs::read(&path).expect("a manifest")).expect("a manifest");
    let entry = tidemill_model::FileEntry {
        digest: tidemill_core::Digest::from_bytes(blake3::hash(content).as_bytes()),
        bytes: content.len() as u64,
    };
    manifest.files.insert(name.to_owned(), entry);
    std::fs::write(&path, serde_json::to_vec(&manifest).expect("JSON")).expect("bytes are written");
}
