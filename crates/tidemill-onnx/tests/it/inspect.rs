//! Models that are not run say what they are. How the files were made: `inspect/make.py`.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tidemill_onnx::{InspectedModel, InspectedSignature, inspect, load_model, parse};

fn seed(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inspect").join(name)).unwrap()
}

/// A folder with `bytes` as the file `name`.
fn folder(name: &str, bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), bytes).unwrap();
    let path = folder.path().to_owned();
    (folder, path)
}

fn saved_model(name: &str) -> InspectedModel {
    let (_folder, path) = folder("saved_model.pb", &seed(name));
    inspect(path).unwrap().unwrap()
}

/// Each tensor as `in x FP32 [-1] x:0`, inputs first.
fn lines(signature: &InspectedSignature) -> Vec<String> {
    let sides = [("in", &signature.inputs), ("out", &signature.outputs)];
    let line = |side: &'static str| {
        move |(name, tensor): (&String, &tidemill_onnx::InspectedTensor)| {
            format!("{side} {name} {} {:?} {}", tensor.datatype, tensor.shape.clone().unwrap(), tensor.name)
        }
    };
    sides.into_iter().flat_map(|(side, tensors)| tensors.iter().map(line(side))).collect()
}

#[test]
fn a_saved_model_of_a_graph_has_the_signatures_that_saved_model_cli_shows() {
    let model = saved_model("graph.pb");
    assert_eq!((model.format, model.version.as_str()), ("TensorFlow SavedModel", "TensorFlow 2.21.0"));
    let [graph] = &model.graphs[..] else { panic!("{} graphs", model.graphs.len()) };
    assert_eq!(graph.tags, ["serve"]);
    let signatures: Vec<_> = graph.signatures.iter().map(|(name, one)| (name.as_str(), one.method.as_str())).collect();
    assert_eq!(
        signatures,
        [("regress_x_to_y", "tensorflow/serving/regress"), ("serving_default", "tensorflow/serving/predict")]
    );
    let regress = lines(&graph.signatures["regress_x_to_y"]);
    assert_eq!(regress, ["in inputs BYTES [-1] tf_example:0", "out outputs FP32 [-1, 1] y2:0"]);
    assert_eq!(lines(&graph.signatures["serving_default"]), ["in x FP32 [-1] x:0", "out y FP32 [-1] y:0"]);
    assert!(model.conversion().ends_with(" --signature_def serving_default --output model.onnx"));
    let names: Vec<&str> = model.operators.keys().map(String::as_str).collect();
    assert_eq!(
        names.join(" "),
        "AddV2 AssignVariableOp Const Identity MergeV2Checkpoints Mul NoOp Pack ParseExampleV2 Placeholder \
         PlaceholderWithDefault ReadVariableOp RestoreV2 SaveV2 Select ShardedFilename StaticRegexFullMatch StringJoin \
         VarHandleOp VarIsInitializedOp"
    );
}

#[test]
fn operators_within_functions_are_counted_and_functions_are_none() {
    let model = saved_model("functions.pb");
    let graph = &model.graphs[0];
    let [(name, signature)] = &graph.signatures.iter().collect::<Vec<_>>()[..] else { panic!("{graph:?}") };
    assert_eq!(name.as_str(), "serving_default");
    assert_eq!(signature.inputs["x"].shape, Some(vec![-1, 3]));
    assert_eq!(signature.inputs["who"].datatype, "BYTES");
    assert_eq!(signature.outputs.keys().collect::<Vec<_>>(), ["who", "y"]);
    for operator in ["StringUpper", "Sum", "Mul"] {
        assert_eq!(model.operators[operator], 1, "{:?}", model.operators);
    }
    assert!(!model.operators.keys().any(|name| name.contains("inference_")), "{:?}", model.operators);
}

#[test]
fn a_tflite_model_has_its_signature_and_operators() {
    let (_folder, path) = folder("softmax.tflite", &seed("softmax.tflite"));
    let model = inspect(&path).unwrap().unwrap();
    assert_eq!(model, inspect(path.join("softmax.tflite")).unwrap().unwrap());
    assert_eq!((model.format, model.version.as_str()), ("TFLite model", "version 3"));
    let signature = &model.graphs[0].signatures["serving_default"];
    assert_eq!((&signature.inputs["x"].datatype[..], &signature.inputs["x"].shape), ("FP32", &Some(vec![-1, 4])));
    assert_eq!(signature.outputs["probability"].shape, Some(vec![-1, 3]));
    let operators: Vec<_> = model.operators.iter().map(|(name, count)| format!("{name} {count}")).collect();
    assert_eq!(operators, ["ADD 1", "FULLY_CONNECTED 1", "SOFTMAX 1"]);
}

#[test]
fn a_load_says_what_it_is_which_operators_it_has_and_what_to_do() {
    for (name, file, parts) in [
        (
            "saved_model.pb",
            "graph.pb",
            ["TensorFlow SavedModel (TensorFlow 2.21.0)", "ParseExampleV2", "--saved-model /"],
        ),
        ("m.tflite", "softmax.tflite", ["TFLite model (version 3)", "FULLY_CONNECTED, SOFTMAX", "--tflite /"]),
    ] {
        let (_folder, path) = folder(name, &seed(file));
        let error = load_model(path).unwrap_err().to_string();
        for part in parts.into_iter().chain(["which this version does not run", "convert it to ONNX"]) {
            assert!(error.contains(part), "{part} is not in {error}");
        }
    }
    let (_folder, path) = folder("saved_model.pb", b"\x08\x01");
    let error = load_model(path).unwrap_err().to_string();
    assert!(error.contains("SavedModel") && error.contains("it holds no graph"), "{error}");

    let versions = tempfile::tempdir().unwrap();
    std::fs::create_dir(versions.path().join("7")).unwrap();
    let error = load_model(versions.path()).unwrap_err().to_string();
    assert!(error.contains("holds versions of a model") && error.contains("7`"), "{error}");
    assert_eq!(inspect(versions.path()).unwrap(), None);
}

proptest! {
    #[test]
    fn damaged_files_never_panic(
        pick in 0..3_usize,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let (name, seed_name) =
            [("saved_model.pb", "graph.pb"), ("saved_model.pb", "functions.pb"), ("m.tflite", "softmax.tflite")][pick];
        let mut bytes = seed(seed_name);
        for (at, byte) in &damage {
            let at = at.index(bytes.len());
            // The first bytes say that it is a TFLite model.
            if at >= 8 || pick < 2 {
                bytes[at] = *byte;
            }
        }
        if damage.len() > 3 {
            bytes.truncate(cut.index(bytes.len()));
        }
        let (_folder, path) = folder(name, &bytes);
        drop(inspect(&path));
        prop_assert!(load_model(&path).is_err());
        if pick == 2 {
            prop_assert!(parse(&bytes, Path::new("m")).is_err());
        }
    }
}
