//! TF Serving's gRPC services, from outside.

use std::collections::BTreeMap;

use crate::support::grpc::{bits, bools, doubles, longs, spec, spec_label, spec_version, texts, tf};
use crate::support::{MODEL, Packages, Running, servable};
use prost::Message as _;
use serde_json::{Value, json};
use tidemill_model::Model;
use tidemill_serving::proto::tensorflow::feature::Kind;
use tidemill_serving::proto::tensorflow::serving::inference_result::Result as TaskResult;
use tidemill_serving::proto::tensorflow::serving::input::Kind as InputKind;
use tidemill_serving::proto::tensorflow::serving::model_server_config::Config;
use tidemill_serving::proto::tensorflow::serving::model_version_status::State;
use tidemill_serving::proto::tensorflow::serving::{
    ClassificationRequest, ExampleList, ExampleListWithContext, GetModelMetadataRequest, GetModelStatusRequest,
    InferenceTask, Input, ModelConfigList, ModelServerConfig, ModelSpec, MultiInferenceRequest, PredictRequest,
    RegressionRequest, ReloadConfigRequest, SignatureDefMap,
};
use tidemill_serving::proto::tensorflow::{
    BytesList, DataType as T, Example, Feature, Features, FloatList, Int64List, TensorProto, TensorShapeProto,
};
use tonic::Code;

/// The taxi model as version 7 with the label `stable`, `half_plus_two` as version 123, a regression, a broken one.
fn server() -> (Running, Model) {
    let packages = Packages::new();
    let taxi = packages.taxi(0.25);
    let running = Running::controlled(vec![
        servable(MODEL, 7, &taxi, &["stable"]),
        servable("half_plus_two", 123, &packages.half_plus_two(), &[]),
        servable("cost", 1, &packages.regression(), &[]),
        servable("broken", 1, &packages.broken(), &[]),
    ]);
    (running, Model::load(&taxi).unwrap())
}

fn expected(model: &Model, rows: &[Value]) -> Vec<f64> {
    model.predict_values(&model.batch_from_rows(rows).unwrap()).unwrap()
}

fn request<const N: usize>(inputs: [(&str, TensorProto); N]) -> PredictRequest {
    let inputs = inputs.into_iter().map(|(name, tensor)| (name.to_owned(), tensor)).collect();
    PredictRequest { model_spec: Some(spec(MODEL)), inputs, output_filter: Vec::new() }
}

fn half(x: TensorProto) -> PredictRequest {
    PredictRequest { model_spec: Some(spec("half_plus_two")), ..request([("x", x)]) }
}

fn example<const N: usize>(features: [(&str, Kind); N]) -> Example {
    let feature = |(name, kind): (&str, Kind)| (name.to_owned(), Feature { kind: Some(kind) });
    Example { features: Some(Features { feature: features.into_iter().map(feature).collect() }) }
}

fn float(value: f32) -> Kind {
    Kind::FloatList(FloatList { value: vec![value] })
}

fn int(value: i64) -> Kind {
    Kind::Int64List(Int64List { value: vec![value] })
}

fn text(value: &str) -> Kind {
    Kind::BytesList(BytesList { value: crate::support::grpc::bytes(&[value]) })
}

fn input(examples: Vec<Example>) -> Input {
    Input { kind: Some(InputKind::ExampleList(ExampleList { examples })) }
}

#[test]
fn predict_gives_the_numbers_of_the_library() {
    let (server, model) = server();
    let mut client = server.prediction();
    let rows = [
        json!({ "fare": 12.5, "seconds": 600, "miles": 2.3, "company": "Flash", "shared": true }),
        json!({ "fare": 3.25, "seconds": -60, "company": "Grün", "shared": false }),
    ];
    let full = request([
        ("fare", doubles(&[12.5, 3.25])),
        ("seconds", longs(&[600, -60])),
        ("miles", doubles(&[2.3, f64::NAN])),
        ("company", texts(&["Flash", "Grün"])),
        ("shared", bools(&[true, false])),
    ]);
    let reply = server.runtime.block_on(client.predict(full.clone())).unwrap().into_inner();
    let output = &reply.outputs["probability"];
    assert_eq!(bits(&output.double_val), bits(&expected(&model, &rows)));
    assert_eq!(output.dtype(), T::DtDouble);
    assert_eq!(output.tensor_shape.as_ref().unwrap().dim[0].size, 2);
    assert_eq!(
        reply.model_spec,
        Some(ModelSpec { signature_name: "serving_default".into(), ..spec_version(MODEL, 7) })
    );

    // The same over REST, and with whatever is optional left out.
    let (_, rest) = server.post("/v1/models/taxi:predict", json!({ "instances": rows }).to_string());
    assert_eq!(rest["predictions"], json!(output.double_val));
    let few = request([("fare", doubles(&[3.25])), ("seconds", longs(&[60]))]);
    let few = PredictRequest { output_filter: vec!["probability".into()], ..few };
    let reply = server.runtime.block_on(client.predict(few)).unwrap().into_inner();
    let row = json!({ "fare": 3.25, "seconds": 60 });
    assert_eq!(bits(&reply.outputs["probability"].double_val), bits(&expected(&model, &[row])));

    for asked in [spec_version(MODEL, 7), spec_label(MODEL, "stable")] {
        let request = PredictRequest { model_spec: Some(asked), ..full.clone() };
        assert!(server.runtime.block_on(client.predict(request)).is_ok());
    }
}

#[test]
fn every_numeric_type_is_taken_in_lists_and_as_content() {
    let (server, _) = server();
    let mut client = server.prediction();
    let mut answer = |x: TensorProto| {
        let reply = server.runtime.block_on(client.predict(half(x)));
        reply
            .map(|reply| reply.into_inner().outputs["prediction"].double_val.clone())
            .map_err(|s| s.message().to_owned())
    };
    let ints = |dtype: T| TensorProto { int_val: vec![1, 2, 5], ..tf(dtype, &[3]) };
    let golden = Ok(vec![2.5, 3.0, 4.5]);
    for tensor in [
        doubles(&[1.0, 2.0, 5.0]),
        longs(&[1, 2, 5]),
        TensorProto { float_val: vec![1.0, 2.0, 5.0], ..tf(T::DtFloat, &[3, 1]) },
        ints(T::DtInt8),
        ints(T::DtInt16),
        ints(T::DtInt32),
        ints(T::DtUint8),
        ints(T::DtUint16),
        TensorProto { uint32_val: vec![1, 2, 5], ..tf(T::DtUint32, &[3]) },
        TensorProto { uint64_val: vec![1, 2, 5], ..tf(T::DtUint64, &[3]) },
        TensorProto { half_val: vec![0x3c00, 0x4000, 0x4500], ..tf(T::DtHalf, &[3]) },
        TensorProto { half_val: vec![0x3f80, 0x4000, 0x40a0], ..tf(T::DtBfloat16, &[3]) },
        TensorProto { tensor_content: vec![1, 2, 5].into(), ..tf(T::DtUint8, &[3]) },
        TensorProto {
            tensor_content: [1.0f32, 2.0, 5.0].map(f32::to_le_bytes).concat().into(),
            ..tf(T::DtFloat, &[3, 1])
        },
        TensorProto { tensor_content: [1i64, 2, 5].map(i64::to_le_bytes).concat().into(), ..tf(T::DtInt64, &[3]) },
    ] {
        assert_eq!(answer(tensor.clone()), golden, "{tensor:?}");
    }
    let constant = TensorProto { double_val: vec![5.0], ..tf(T::DtDouble, &[4]) };
    assert_eq!(answer(constant), Ok(vec![4.5; 4]), "one value stands for all");
    assert_eq!(answer(doubles(&[])), Ok(vec![]));
    assert_eq!(answer(doubles(&[f64::INFINITY, f64::NEG_INFINITY])), Ok(vec![4.5, 2.5]));

    for (tensor, part) in [
        (longs(&[(1 << 53) + 1]), "element 0: 9007199254740993 cannot be FP64 without loss"),
        (texts(&["1"]), "element 0: BYTES cannot be FP64"),
        (bools(&[true]), "element 0: BOOL cannot be FP64"),
        (doubles(&[f64::NAN]), "`x`"),
        (TensorProto { int_val: vec![1, 300, 2], ..tf(T::DtUint8, &[3]) }, "element 1: `300` is not UINT8"),
        (
            TensorProto { double_val: vec![1.0, 2.0], ..tf(T::DtDouble, &[3]) },
            "asks for 3 elements, and `double_val` has 2",
        ),
        (
            TensorProto { float_val: vec![1.0; 3], ..tf(T::DtDouble, &[3]) },
            "asks for 3 elements, and `double_val` has 0",
        ),
        (TensorProto { double_val: vec![1.0], ..tf(T::DtDouble, &[1 << 40]) }, "`double_val` has 1"),
        (TensorProto { double_val: vec![1.0], ..tf(T::DtDouble, &[]) }, "[-1] or [-1, 1] is expected"),
        (TensorProto { double_val: vec![1.0; 4], ..tf(T::DtDouble, &[2, 2]) }, "the shape is [2, 2]"),
        (TensorProto { double_val: vec![1.0], ..tf(T::DtDouble, &[-1]) }, "the size -1 in the shape is below 0"),
        (TensorProto { tensor_content: vec![0; 15].into(), ..tf(T::DtDouble, &[2]) }, "2 elements of 8 bytes"),
        (TensorProto { tensor_content: vec![1].into(), ..tf(T::DtString, &[1]) }, "`string_val`"),
        (tf(T::DtComplex64, &[1]), "tensors of type DT_COMPLEX64 are not taken"),
        (TensorProto { dtype: 99, ..tf(T::DtFloat, &[1]) }, "tensors of type 99 are not taken"),
        (TensorProto { half_val: vec![70_000], ..tf(T::DtHalf, &[1]) }, "`70000` is not FP16"),
        (
            TensorProto { tensor_shape: Some(TensorShapeProto { dim: vec![], unknown_rank: true }), ..doubles(&[1.0]) },
            "the shape of a tensor must be known",
        ),
    ] {
        let message = answer(tensor.clone()).unwrap_err();
        assert!(message.contains(part), "{tensor:?}: {message}");
    }
}

#[test]
fn what_is_asked_wrongly_is_said_in_tf_servings_words() {
    let (server, _) = server();
    let mut client = server.prediction();
    let fare_and_seconds = || request([("fare", doubles(&[1.0])), ("seconds", longs(&[1]))]);
    let of = |spec: ModelSpec| PredictRequest { model_spec: Some(spec), ..fare_and_seconds() };
    for (request, code, part) in [
        (PredictRequest::default(), Code::InvalidArgument, "Missing ModelSpec"),
        (of(spec("")), Code::InvalidArgument, "ModelSpec has no name specified."),
        (of(spec("half")), Code::NotFound, "Servable not found for request: Latest(half)"),
        (of(spec("broken")), Code::NotFound, "Servable not found for request: Latest(broken)"),
        (of(spec_version(MODEL, 9)), Code::NotFound, "Servable not found for request: Specific(taxi, 9)"),
        (of(spec_version(MODEL, -1)), Code::InvalidArgument, "the version -1 is below 0"),
        (of(spec_label(MODEL, "gone")), Code::InvalidArgument, "Unrecognized servable version label: gone"),
        (
            of(ModelSpec { signature_name: "s".into(), ..spec(MODEL) }),
            Code::InvalidArgument,
            "Serving signature name: \"s\" not found in signature def",
        ),
        (
            request([("fare", doubles(&[1.0]))]),
            Code::InvalidArgument,
            "Missing but required: seconds (INT64). Sent: {fare}. Required: {fare,seconds}.",
        ),
        (request([]), Code::InvalidArgument, "Missing but required: fare"),
        (
            request([("fare", doubles(&[1.0])), ("second", longs(&[1]))]),
            Code::InvalidArgument,
            "input tensor alias not found in signature: second. Inputs expected to be in the set \
             {fare,seconds,miles,company,shared}.",
        ),
        (
            request([("fare", doubles(&[1.0])), ("seconds", longs(&[1, 2]))]),
            Code::InvalidArgument,
            "input `seconds`: 2 rows are given, and the first input has 1",
        ),
        (
            PredictRequest { output_filter: vec!["p".into()], ..fare_and_seconds() },
            Code::InvalidArgument,
            "output tensor alias not found in signature: p Outputs expected to be in the set {probability}.",
        ),
    ] {
        let status = server.runtime.block_on(client.predict(request)).unwrap_err();
        assert_eq!(status.code(), code, "{status}");
        assert!(status.message().contains(part), "{status}");
    }
    let long = "x".repeat(100_000);
    let status = server.runtime.block_on(client.predict(of(spec(&long)))).unwrap_err();
    assert_eq!(status.code(), Code::NotFound, "a status is short enough for every client");
}

#[test]
fn classes_and_values_follow_the_task_and_have_32_bits() {
    let (server, model) = server();
    let mut client = server.prediction();
    let rows = [
        json!({ "fare": 12.5, "seconds": 600, "miles": 2.5, "company": "Flash", "shared": true }),
        json!({ "fare": 3, "seconds": 60, "company": "Flash" }),
    ];
    let value = expected(&model, &rows);
    let examples = vec![
        example([("fare", float(12.5)), ("seconds", int(600)), ("miles", float(2.5)), ("shared", int(1))]),
        example([("fare", int(3)), ("seconds", int(60)), ("miles", Kind::FloatList(FloatList { value: vec![] }))]),
    ];
    let context = Some(example([("company", text("Flash"))]));
    let with_context = ExampleListWithContext { examples, context };
    let input_with_context = Some(Input { kind: Some(InputKind::ExampleListWithContext(with_context)) });
    let request = ClassificationRequest { model_spec: Some(spec(MODEL)), input: input_with_context.clone() };
    let reply = server.runtime.block_on(client.classify(request)).unwrap().into_inner();
    assert_eq!(reply.model_spec.unwrap().name, MODEL);
    let classes: Vec<Vec<(String, f32)>> = reply
        .result
        .unwrap()
        .classifications
        .into_iter()
        .map(|row| row.classes.into_iter().map(|class| (class.label, class.score)).collect())
        .collect();
    let pair = |value: f64| vec![("0".to_owned(), (1.0 - value) as f32), ("1".to_owned(), value as f32)];
    assert_eq!(classes, [pair(value[0]), pair(value[1])]);

    let halves = Some(input(vec![example([("x", float(1.0))]), example([("x", int(2))])]));
    let request = RegressionRequest { model_spec: Some(spec("half_plus_two")), input: halves.clone() };
    let reply = server.runtime.block_on(client.regress(request)).unwrap().into_inner();
    let values: Vec<f32> = reply.result.unwrap().regressions.into_iter().map(|row| row.value).collect();
    assert_eq!(values, [2.5, 3.0]);

    let task = |model: &str, signature: &str, method: &str| InferenceTask {
        model_spec: Some(ModelSpec { signature_name: signature.to_owned(), ..spec(model) }),
        method_name: format!("tensorflow/serving/{method}"),
    };
    let tasks = vec![task("half_plus_two", "regression", "regress"), task("half_plus_two", "", "regress")];
    let request = MultiInferenceRequest { tasks, input: halves.clone() };
    let reply = server.runtime.block_on(client.multi_inference(request)).unwrap().into_inner();
    assert_eq!(reply.results.len(), 2);
    for result in reply.results {
        let Some(TaskResult::RegressionResult(result)) = result.result else { panic!("no values") };
        assert_eq!(result.regressions[1].value, 3.0);
    }

    let mut multi_error = |tasks: Vec<InferenceTask>| {
        let request = MultiInferenceRequest { tasks, input: halves.clone() };
        server.runtime.block_on(client.multi_inference(request)).unwrap_err().message().to_owned()
    };
    assert_eq!(multi_error(vec![]), "Inference request missing tasks");
    assert!(multi_error(vec![task("a", "", "regress"), task("b", "", "regress")]).contains("same model name"));
    assert!(multi_error(vec![task("a", "", "regress"), task("a", "", "classify")]).contains("Duplicate evaluation"));
    assert!(multi_error(vec![task("a", "", "predict")]).contains("Unsupported signature method_name"));
}

#[test]
fn wrong_examples_are_told_what_is_wrong() {
    let (server, _) = server();
    let mut client = server.prediction();
    let two = || Kind::FloatList(FloatList { value: vec![1.0, 2.0] });
    let good = || example([("fare", float(1.0)), ("seconds", int(1))]);
    let bad_text = Kind::BytesList(BytesList { value: vec![vec![0xff].into()] });
    let context = ExampleListWithContext { examples: vec![good()], context: Some(good()) };
    for (input, part) in [
        (Input::default(), "Input is empty."),
        (input(vec![]), "Input is empty."),
        (input(vec![good(), Example::default()]), "example 1: Missing named input: fare (FP64)"),
        (input(vec![example([("fare", two()), ("seconds", int(1))])]), "feature `fare`: 2 values are given"),
        (input(vec![example([("fare", text("a")), ("seconds", int(1))])]), "feature `fare`: BYTES cannot be FP64"),
        (input(vec![example([("fare", int(1)), ("seconds", float(1.5))])]), "1.5 cannot be INT64 without loss"),
        (input(vec![example([("fare", int(1)), ("second", int(1))])]), "did you mean `seconds`?"),
        (
            input(vec![example([("fare", int(1)), ("seconds", int(1)), ("shared", int(2))])]),
            "feature `shared`: an integer cannot be BOOL",
        ),
        (input(vec![example([("fare", int(1)), ("seconds", int(1)), ("company", bad_text)])]), "is not UTF-8"),
        (
            Input { kind: Some(InputKind::ExampleListWithContext(context)) },
            "the feature `fare` is given twice, here and in the context",
        ),
    ] {
        let request = ClassificationRequest { model_spec: Some(spec(MODEL)), input: Some(input) };
        let status = server.runtime.block_on(client.classify(request)).unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(status.message().contains(part), "{status}");
    }
    let request = RegressionRequest { model_spec: Some(spec(MODEL)), input: Some(input(vec![good()])) };
    let status = server.runtime.block_on(client.regress(request)).unwrap_err();
    assert!(status.message().contains("Expected signature method_name to be tensorflow/serving/regress"), "{status}");
}

#[test]
fn metadata_holds_the_signatures() {
    let (server, _) = server();
    let mut client = server.prediction();
    let request = |fields: &[&str]| GetModelMetadataRequest {
        model_spec: Some(spec(MODEL)),
        metadata_field: fields.iter().map(|field| (*field).to_owned()).collect(),
    };
    let reply = server.runtime.block_on(client.get_model_metadata(request(&["signature_def"]))).unwrap().into_inner();
    assert_eq!(reply.model_spec, Some(spec_version(MODEL, 7)));
    let any = &reply.metadata["signature_def"];
    assert_eq!(any.type_url, "type.googleapis.com/tensorflow.serving.SignatureDefMap");
    let signatures = SignatureDefMap::decode(&any.value[..]).unwrap().signature_def;
    assert_eq!(signatures.keys().collect::<Vec<_>>(), ["classification", "serving_default"]);
    let default = &signatures["serving_default"];
    assert_eq!(default.method_name, "tensorflow/serving/predict");
    let types: BTreeMap<&str, T> = default.inputs.iter().map(|(name, info)| (name.as_str(), info.dtype())).collect();
    assert_eq!(
        types.into_iter().collect::<Vec<_>>(),
        [
            ("company", T::DtString),
            ("fare", T::DtDouble),
            ("miles", T::DtDouble),
            ("seconds", T::DtInt64),
            ("shared", T::DtBool)
        ]
    );
    assert_eq!(default.outputs["probability"].tensor_shape.as_ref().unwrap().dim[0].size, -1);
    for (fields, part) in [(&[][..], "at least one metadata_field"), (&["other"], "Metadata field other")] {
        let status = server.runtime.block_on(client.get_model_metadata(request(fields))).unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(part), "{status}");
    }
}

#[test]
fn the_states_of_versions_are_told_and_what_is_fixed_is_not_configured() {
    let (server, _) = server();
    let mut client = server.models();
    let mut status = |spec: ModelSpec| {
        let request = GetModelStatusRequest { model_spec: Some(spec) };
        server.runtime.block_on(client.get_model_status(request)).map(|reply| reply.into_inner().model_version_status)
    };
    let good = status(spec_label(MODEL, "stable")).unwrap();
    assert_eq!((good.len(), good[0].version, good[0].state()), (1, 7, State::Available));
    assert_eq!(good[0].status.as_ref().unwrap().error_code, 0);
    let broken = status(spec("broken")).unwrap();
    assert_eq!(broken[0].state(), State::End);
    let said = broken[0].status.as_ref().unwrap();
    assert_eq!(said.error_code, 2);
    assert!(said.error_message.contains("learner.bin"), "{}", said.error_message);
    assert_eq!(status(spec("nobody")).unwrap_err().code(), Code::NotFound);
    assert_eq!(status(spec_version(MODEL, 8)).unwrap_err().code(), Code::NotFound);

    let config = Some(ModelServerConfig { config: Some(Config::ModelConfigList(ModelConfigList::default())) });
    let request = ReloadConfigRequest { config, metric_names: Vec::new() };
    let refused = server.runtime.block_on(client.handle_reload_config_request(request));
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::Unimplemented);
    assert!(refused.message().contains("registry"), "{refused}");
}
