//! Models of other programs: looked into, predicted with; packages written for other runtimes.

use std::path::Path;

use crate::support::{Sandbox, golden};

fn copy(sandbox: &Sandbox, file: &str, to: &str) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tidemill-onnx/tests").join(file);
    std::fs::copy(source, sandbox.path(to)).expect("the file can be copied");
}

#[test]
fn model_files_of_other_programs_are_shown_and_predicted_with() {
    let sandbox = Sandbox::empty();
    copy(&sandbox, "foreign/binary.txt", "light.txt");
    copy(&sandbox, "foreign/softprob.json", "boost.json");
    copy(&sandbox, "onnx/forest_three.onnx", "forest.onnx");
    let shown = |file: &str| {
        let output = sandbox.tidemill(&["model", "show", file]);
        assert_eq!(output.code, 0, "{}", output.stderr);
        output.stdout
    };
    let text = shown("light.txt");
    assert!(text.contains("LightGBM text") && text.contains("binary sigmoid:0.7") && text.contains("kind"), "{text}");
    let text = shown("boost.json");
    assert!(text.contains("multi:softprob") && text.contains("FP64 [-1, 3]"), "{text}");
    let text = shown("forest.onnx");
    assert!(text.contains("TreeEnsembleClassifier") && text.contains("FP32 [-1, 4]"), "{text}");

    std::fs::write(sandbox.path("rows.csv"), "a,b,c,d,kind\n0.5,-20,1.25,0,3\n,,,,\n").unwrap();
    let predicted = sandbox.tidemill(&["predict", "light.txt", "rows.csv"]);
    assert_eq!(predicted.code, 0, "{}", predicted.stderr);
    assert!(predicted.stdout.starts_with("a,b,c,d,kind,probability\n"), "{}", predicted.stdout);
    std::fs::write(sandbox.path("four.csv"), "p,q,r,s\n0.5,-2,1.25,0\n1,1,1,1\n").unwrap();
    let predicted = sandbox.tidemill(&["predict", "forest.onnx", "four.csv", "--keep", "p"]);
    let head = "p,output_label,output_probability[high],output_probability[low],output_probability[mid]\n";
    assert!(predicted.stdout.starts_with(head) && predicted.stdout.lines().count() == 3, "{}", predicted.stdout);
    let row = r#"{"a": 1.5, "b": 0, "c": null, "d": -2, "kind": 3}"#;
    let predicted = sandbox.json(&["predict", "light.txt", "--row", row, "--row", row]);
    assert_eq!(predicted.as_array().map(Vec::len), Some(2), "{predicted}");
    assert!(predicted[0]["probability"].as_f64().is_some_and(|p| (0.0..=1.0).contains(&p)), "{predicted}");
    let refused = sandbox.tidemill(&["predict", "light.txt", "--row", "a=1"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.contains("`--row a=1` is no JSON object"), "{refused}");
    let refused = sandbox.tidemill(&["predict", "forest.onnx", "rows.csv"]);
    assert!(refused.code == 2 && refused.stderr.contains("matrix `X` of 4 columns"), "{}", refused.stderr);
    let refused = sandbox.tidemill(&["predict", "rows.csv", "four.csv"]);
    assert!(refused.code != 0 && refused.stderr.contains("neither ONNX"), "{}", refused.stderr);
}

#[test]
fn the_engine_of_an_onnx_model_is_shown_and_may_be_asked_for() {
    let sandbox = Sandbox::empty();
    copy(&sandbox, "onnx/forest_three.onnx", "forest.onnx");
    copy(&sandbox, "onnx/convolution.onnx", "network.onnx");
    let runs_on = |file: &str, more: &[&str]| {
        let shown = sandbox.json(&[&["model", "show", file][..], more].concat());
        shown["facts"]["runs on"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(runs_on("forest.onnx", &[]), "tidemill");
    assert_eq!(runs_on("network.onnx", &["--onnx-engine", "tract"]), "tract");
    assert_eq!(runs_on("network.onnx", &["--onnx-engine", "native"]), "tidemill");
    // Nothing stands in for an engine that was asked for.
    let (asked, library) = (["--onnx-engine", "onnxruntime"], ["--onnxruntime", "none.so"]);
    let said =
        if cfg!(feature = "onnxruntime") { "there is no library of ONNX Runtime at" } else { "built without it" };
    for command in [&["model", "show", "forest.onnx"][..], &["predict", "forest.onnx", "--row", "{}"]] {
        let refused = sandbox.tidemill(&[command, &asked, &library].concat());
        assert!(refused.code == 2 && refused.stderr.contains(said), "{}", refused.stderr);
    }
    let serve = ["serve", "--model_base_path", "models", "--rest_api_port", "0", "--port", "off"];
    let refused = sandbox.tidemill(&[&serve[..], &library].concat());
    assert!(refused.code == 2 && refused.stderr.contains(said), "{}", refused.stderr);
    // What the interpreter runs needs no library.
    assert_eq!(runs_on("forest.onnx", &library), "tidemill");
    if let (true, Ok(library)) = (cfg!(feature = "onnxruntime"), std::env::var("TIDEMILL_TEST_ONNXRUNTIME")) {
        let runtime = runs_on("forest.onnx", &[&asked[..], &["--onnxruntime", &library]].concat());
        assert!(runtime.starts_with("ONNX Runtime 1."), "{runtime}");
    }
}

#[test]
fn models_that_are_not_run_are_shown() {
    let sandbox = Sandbox::empty();
    std::fs::create_dir_all(sandbox.path("half/123")).unwrap();
    copy(&sandbox, "inspect/graph.pb", "half/123/saved_model.pb");
    copy(&sandbox, "inspect/softmax.tflite", "softmax.tflite");
    golden("model-show-saved-model", sandbox.tidemill(&["model", "show", "half/123"]));
    golden("model-show-tflite", sandbox.tidemill(&["model", "show", "softmax.tflite"]));
    let document = sandbox.json(&["model", "show", "half/123"]);
    assert_eq!((&document["runs"], &document["format"]), (&false.into(), &"TensorFlow SavedModel".into()));
    let input = &document["graphs"][0]["signatures"]["serving_default"]["inputs"]["x"];
    assert_eq!(input, &serde_json::json!({ "name": "x:0", "datatype": "FP32", "shape": [-1] }));
    let refused = sandbox.tidemill(&["model", "show", "./half"]);
    assert!(refused.code != 0 && refused.stderr.contains("holds versions of a model"), "{}", refused.stderr);
    std::fs::write(sandbox.path("rows.csv"), "x\n1\n").unwrap();
    let refused = sandbox.tidemill(&["predict", "half/123", "rows.csv"]);
    assert!(refused.code != 0 && refused.stderr.contains("--signature_def serving_default"), "{}", refused.stderr);
}

#[test]
fn a_package_is_written_as_onnx_or_the_reason_is_told() {
    let sandbox = Sandbox::taxi(3000);
    sandbox.tidemill(&["run", "-q"]);
    let refused = sandbox.tidemill(&["model", "export", "taxi-tips", "--out", "taxi.onnx"]);
    assert!(
        refused.code == 2 && refused.stderr.contains("feature `payment_type`: `vocabulary` hashes"),
        "{}",
        refused.stderr
    );
    assert!(!sandbox.path("taxi.onnx").exists());
    let export = ["model", "export", "taxi-tips", "--out", "taxi.onnx", "--unseen-as-missing"];
    sandbox.tidemill(&export);
    assert!(sandbox.path("taxi.onnx").is_file());
    let again = sandbox.tidemill(&export);
    assert!(again.code == 2 && again.stderr.contains("not written over"), "{}", again.stderr);
    sandbox.tidemill(&["predict", "taxi.onnx", "data/trips.csv", "--keep", "fare", "--out", "a.csv"]);
    sandbox.tidemill(&["predict", "data/trips.csv", "--keep", "fare", "--out", "b.csv"]);
    let values = |name: &str| -> Vec<f64> {
        let text = sandbox.read(name);
        text.lines().skip(1).map(|line| line.rsplit(',').next().unwrap().parse().unwrap()).collect()
    };
    let (written, native) = (values("a.csv"), values("b.csv"));
    assert!(written.len() > 2000 && written.len() == native.len());
    // All values of this data are in the vocabularies.
    assert!(written.iter().zip(&native).all(|(a, b)| (a - b).abs() < 1e-11));
}
