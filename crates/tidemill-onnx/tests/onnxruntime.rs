//! ONNX Runtime as an engine: the same answers as recorded, the same files refused.
//!
//! `TIDEMILL_TEST_ONNXRUNTIME` names its library; `scripts/test-services` fetches one.

#![cfg(feature = "onnxruntime")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod onnx_support;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::OnceLock;

use onnx_support::{batch, differences, folder, hostile, model, recorded};
use tidemill_core::Coded;
use tidemill_onnx::{OnnxEngine, OnnxOptions, OnnxRuntimeError, import_with, load_model_with, parse, parse_with};

/// The library, if there is one to test with. A process keeps the first that loads: what is none comes before.
fn library() -> Option<PathBuf> {
    static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || {
        files_that_are_no_library_are_refused();
        let found = std::env::var_os("TIDEMILL_TEST_ONNXRUNTIME").map(PathBuf::from);
        if found.is_none() {
            eprintln!(
                "skipped: TIDEMILL_TEST_ONNXRUNTIME is not set; \
                 `scripts/test-services cargo test --workspace --features tidemill-model/onnxruntime` fetches a library"
            );
        }
        found
    };
    LIBRARY.get_or_init(find).clone()
}

fn files_that_are_no_library_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let check = |file: &Path| {
        let options = OnnxOptions { library: Some(file.to_owned()), ..OnnxOptions::default() };
        options.check().unwrap_err()
    };
    let file = dir.path().join("libonnxruntime.so");
    let error = check(&file);
    assert!(matches!(&error, OnnxRuntimeError::NotFound { library } if *library == file), "{error}");
    assert!(error.hint().unwrap().contains("TIDEMILL_ONNXRUNTIME"), "{error:?}");
    std::fs::write(&file, "no library").unwrap();
    let error = check(&file);
    assert!(matches!(error, OnnxRuntimeError::NotLoaded { .. }), "{error}");
    assert!(error.to_string().contains("libonnxruntime.so` cannot be loaded as ONNX Runtime: "), "{error}");
    assert!(!error.to_string().ends_with("dlopen failed"), "{error}");
    let Some(error) = compiled(dir.path(), "int other(void) { return 0; }").map(|file| check(&file)) else { return };
    assert!(error.to_string().ends_with("it has no `OrtGetApiBase`"), "{error}");
    let old = r#"
        static const void *api(unsigned version) { (void)version; return 0; }
        static const char *version(void) { return "1.16.3"; }
        static const struct { const void *(*api)(unsigned); const char *(*version)(void); } base = { api, version };
        const void *OrtGetApiBase(void) { return &base; }
    "#;
    let error = compiled(dir.path(), old).map(|file| check(&file)).unwrap();
    assert!(error.to_string().ends_with("is ONNX Runtime 1.16.3, and 1.17 or newer is needed"), "{error}");
}

/// A shared library of C, where there is a compiler.
fn compiled(dir: &Path, source: &str) -> Option<PathBuf> {
    let name = format!("{}.so", source.len());
    std::fs::write(dir.join("library.c"), source).unwrap();
    let compiler = Command::new("cc").current_dir(dir).args(["-shared", "-fPIC", "-o", &name, "library.c"]).status();
    compiler.ok().filter(ExitStatus::success).map(|_| dir.join(name))
}

fn asked_for(library: PathBuf) -> OnnxOptions {
    OnnxOptions { engine: OnnxEngine::OnnxRuntime, library: Some(library), ..OnnxOptions::default() }
}

#[test]
fn what_is_no_library_is_said() {
    library();
}

#[test]
fn recorded_answers_come_out_again() {
    let Some(library) = library() else { return };
    let options = asked_for(library);
    let recorded = recorded();
    let wrong: Vec<String> =
        recorded.iter().flat_map(|(name, expected)| differences(name, expected, &options)).collect();
    assert!(wrong.is_empty(), "{}\n{} in all", wrong[..wrong.len().min(20)].join("\n"), wrong.len());
}

#[test]
fn a_model_says_what_runs_it() {
    let Some(library) = library() else { return };
    let runs_on = |name: &str, options: &OnnxOptions| {
        let model = import_with(folder().join(name), options).unwrap();
        model.facts().iter().find(|(fact, _)| *fact == "runs on").unwrap().1.clone()
    };
    // What the others run they run, whatever lies on the machine.
    let auto = OnnxOptions { library: Some(library.clone()), ..OnnxOptions::default() };
    assert_eq!(runs_on("forest.onnx", &auto), "tidemill");
    assert_eq!(runs_on("convolution.onnx", &auto), "tract");
    let runtime = runs_on("forest.onnx", &asked_for(library));
    assert!(runtime.starts_with("ONNX Runtime 1."), "{runtime}");
}

#[test]
fn what_nothing_else_runs_needs_the_name_of_the_library() {
    let Some(library) = library() else { return };
    let file = model(&[("QuickGelu", "com.microsoft", "x", "y")], &[], 1, "com.microsoft");
    let path = Path::new("m.onnx");
    let error = parse(&file, path).unwrap_err().to_string();
    assert!(error.contains("`QuickGelu` of `com.microsoft`; ONNX Runtime may run it"), "{error}");
    let options = OnnxOptions { library: Some(library), ..OnnxOptions::default() };
    let model = parse_with(&file, path, &options).unwrap();
    let rows = model.batch_from_rows(&[serde_json::json!({"x": 0.0}), serde_json::json!({"x": 1.0})]).unwrap();
    let made = model.predict(&rows).unwrap();
    let column = arrow::array::AsArray::as_primitive::<arrow::datatypes::Float64Type>(made.column(0));
    // x / (1 + e^(-1.702 x))
    assert!(column.value(0) == 0.0 && (column.value(1) - 0.845_795_8).abs() < 1e-6, "{column:?}");
    // What it does not know either is refused by both.
    let file = onnx_support::model(&[("Frobnicate", "acme", "x", "y")], &[], 1, "acme");
    let error = parse_with(&file, path, &options).unwrap_err().to_string();
    assert!(error.contains("`Frobnicate` of `acme`; ONNX Runtime does not run it: "), "{error}");
}

#[test]
fn hostile_files_are_refused_before_the_library_reads_them() {
    let Some(library) = library() else { return };
    let options = asked_for(library);
    for (file, expected) in hostile() {
        let error = parse_with(&file, Path::new("m.onnx"), &options).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn damaged_files_are_refused_or_run() {
    let Some(library) = library() else { return };
    let options = asked_for(library);
    let mut state = 1_u64;
    let mut next = || {
        // Knuth's MMIX generator.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    for name in ["columns", "svc", "xgboost_three", "binned", "convolution", "forest"] {
        let whole = std::fs::read(folder().join(format!("{name}.onnx"))).unwrap();
        for _ in 0..50 {
            let mut bytes = whole.clone();
            for _ in 0..=next() % 4 {
                let at = next() % bytes.len();
                bytes[at] = next() as u8;
            }
            if let Ok(model) = parse_with(&bytes, Path::new("m.onnx"), &options) {
                let rows = model.batch_from_rows(&[]).unwrap();
                assert_eq!(model.predict(&rows).unwrap().num_rows(), 0);
            }
        }
    }
}

#[test]
fn threads_that_ask_at_once_get_the_same_answers() {
    let Some(library) = library() else { return };
    let recorded = recorded();
    let model = load_model_with(folder().join("torch_cnn.onnx"), &asked_for(library)).unwrap();
    let rows = batch(&model, &recorded["torch_cnn"]);
    let alone = model.predict(&rows).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..20).for_each(|_| assert_eq!(model.predict(&rows).unwrap(), alone)));
        }
    });
}
