//! Models of other programs: looked into, predicted with; packages written for other runtimes.

use std::path::Path;

use crate::support::Sandbox;

fn copy(sandbox: &Sandbox, file: &str, to: &str) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tidemill-model/tests").join(file);
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
    assert!(text.contains("TreeEnsembleClassifier") && text.contains("FP64 [-1, 4]"), "{text}");

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
