//! The Open Inference Protocol over gRPC, from outside.

use crate::support::grpc::{bits, bytes, infer, oip};
use crate::support::{MODEL, Packages, Running, servable};
use bytes::Bytes;
use serde_json::json;
use tidemill_model::Model;
use tidemill_serving::proto::inference::infer_parameter::ParameterChoice;
use tidemill_serving::proto::inference::model_infer_request::{InferInputTensor, InferRequestedOutputTensor};
use tidemill_serving::proto::inference::{
    InferParameter, InferTensorContents as Contents, ModelInferRequest, ModelMetadataRequest, ModelReadyRequest,
    RepositoryModelLoadRequest, RepositoryModelUnloadRequest, ServerLiveRequest, ServerMetadataRequest,
    ServerReadyRequest,
};
use tonic::Code;

/// The taxi model as versions 1 and 2 (2 has the label `champion`), `half_plus_two`, and a broken one.
fn server() -> (Running, Model, Model) {
    let packages = Packages::new();
    let (one, two) = (packages.taxi(0.5), packages.taxi(-0.5));
    let running = Running::controlled(vec![
        servable(MODEL, 1, &one, &[]),
        servable(MODEL, 2, &two, &["champion"]),
        servable("half_plus_two", 123, &packages.half_plus_two(), &[]),
        servable("broken", 1, &packages.broken(), &[]),
    ]);
    (running, Model::load(&one).unwrap(), Model::load(&two).unwrap())
}

fn two_rows() -> Vec<InferInputTensor> {
    vec![
        oip("fare", "FP64", 2, Some(Contents { fp64_contents: vec![12.5, 3.0], ..Contents::default() })),
        oip("seconds", "INT64", 2, Some(Contents { int64_contents: vec![600, 60], ..Contents::default() })),
        oip("company", "BYTES", 2, Some(Contents { bytes_contents: bytes(&["Flash", "Grün"]), ..Contents::default() })),
        oip("shared", "BOOL", 2, Some(Contents { bool_contents: vec![true, false], ..Contents::default() })),
    ]
}

fn expected(model: &Model) -> Vec<f64> {
    let rows = [
        json!({ "fare": 12.5, "seconds": 600, "company": "Flash", "shared": true }),
        json!({ "fare": 3.0, "seconds": 60, "company": "Grün", "shared": false }),
    ];
    model.predict_values(&model.batch_from_rows(&rows).unwrap()).unwrap()
}

/// The same tensors with their elements in binary.
fn raw(inputs: &[InferInputTensor]) -> ModelInferRequest {
    let content = |input: &InferInputTensor| -> Bytes {
        let contents = input.contents.as_ref().unwrap();
        let text = |text: &Bytes| [&(text.len() as u32).to_le_bytes(), &text[..]].concat();
        let mut bytes: Vec<u8> = contents.fp64_contents.iter().flat_map(|x| x.to_le_bytes()).collect();
        bytes.extend(contents.int64_contents.iter().flat_map(|x| x.to_le_bytes()));
        bytes.extend(contents.bool_contents.iter().map(|x| u8::from(*x)));
        bytes.extend(contents.bytes_contents.iter().flat_map(text));
        bytes.into()
    };
    let without = |input: &InferInputTensor| InferInputTensor { contents: None, ..input.clone() };
    ModelInferRequest {
        raw_input_contents: inputs.iter().map(content).collect(),
        ..infer(inputs.iter().map(without).collect())
    }
}

#[test]
fn health_and_metadata() {
    let (server, ..) = server();
    let mut client = server.inference();
    server.runtime.block_on(async {
        assert!(client.server_live(ServerLiveRequest {}).await.unwrap().into_inner().live);
        assert!(!client.server_ready(ServerReadyRequest {}).await.unwrap().into_inner().ready, "one is broken");
        for (name, version, ready) in [
            (MODEL, "", true),
            (MODEL, "2", true),
            (MODEL, "champion", true),
            ("broken", "", false),
            (MODEL, "3", false),
            ("nobody", "", false),
        ] {
            let request = ModelReadyRequest { name: name.into(), version: version.into() };
            assert_eq!(client.model_ready(request).await.unwrap().into_inner().ready, ready, "{name} {version}");
        }
        let about = client.server_metadata(ServerMetadataRequest {}).await.unwrap().into_inner();
        assert_eq!(about.name, "tidemill");
        assert_eq!(about.extensions, ["binary_tensor_data", "model_repository", "parameters"]);
        let request = ModelMetadataRequest { name: MODEL.into(), version: String::new() };
        let model = client.model_metadata(request).await.unwrap().into_inner();
        assert_eq!(model.versions, ["1", "2"]);
        let inputs: Vec<_> =
            model.inputs.iter().map(|input| (&*input.name, &*input.datatype, &input.shape[..])).collect();
        assert_eq!(inputs[..2], [("fare", "FP64", &[-1][..]), ("seconds", "INT64", &[-1])]);
        assert_eq!(model.outputs[0].name, "probability");
        for load in [
            client.repository_model_load(RepositoryModelLoadRequest::default()).await.unwrap_err(),
            client.repository_model_unload(RepositoryModelUnloadRequest::default()).await.unwrap_err(),
        ] {
            assert_eq!(load.code(), Code::NotFound, "nothing is named");
        }
    });
}

#[test]
fn versions_differ_the_id_is_echoed_and_the_answer_has_the_form_of_the_request() {
    let (server, one, two) = server();
    let mut client = server.inference();
    let model = |version: &str| if version == "1" { &one } else { &two };
    for version in ["", "1", "2", "champion"] {
        let (lists, binary) = (infer(two_rows()), raw(&two_rows()));
        for request in [lists, binary] {
            let outputs = vec![InferRequestedOutputTensor { name: "probability".into(), ..Default::default() }];
            let parameters =
                [("anything".to_owned(), InferParameter { parameter_choice: Some(ParameterChoice::DoubleParam(1.0)) })];
            let request = ModelInferRequest {
                id: "42".into(),
                model_version: version.into(),
                parameters: parameters.into(),
                outputs,
                ..request
            };
            let is_raw = !request.raw_input_contents.is_empty();
            let reply = server.runtime.block_on(client.model_infer(request)).unwrap().into_inner();
            assert_eq!((&*reply.model_name, &*reply.id), (MODEL, "42"));
            assert_eq!(reply.model_version, if version == "1" { "1" } else { "2" });
            let output = &reply.outputs[0];
            assert_eq!((&*output.name, &*output.datatype, &output.shape[..]), ("probability", "FP64", &[2][..]));
            let got: Vec<u64> = if is_raw {
                assert_eq!((reply.raw_output_contents.len(), &output.contents), (1, &None));
                reply.raw_output_contents[0]
                    .chunks(8)
                    .map(|chunk| u64::from_le_bytes(chunk.try_into().unwrap()))
                    .collect()
            } else {
                bits(&output.contents.as_ref().unwrap().fp64_contents)
            };
            assert_eq!(got, bits(&expected(model(version))));
        }
    }
}

#[test]
fn every_datatype_is_taken() {
    let (server, ..) = server();
    let mut client = server.inference();
    let mut answer = |datatype: &str, shape: &[i64], contents: Option<Contents>, raw: Option<Vec<u8>>| {
        let input = InferInputTensor { shape: shape.to_vec(), ..oip("x", datatype, 0, contents) };
        let raw_input_contents = raw.into_iter().map(Bytes::from).collect();
        let request =
            ModelInferRequest { model_name: "half_plus_two".into(), raw_input_contents, ..infer(vec![input]) };
        let reply = server.runtime.block_on(client.model_infer(request)).map_err(|status| {
            assert_eq!(status.code(), Code::InvalidArgument, "{status}");
            status.message().to_owned()
        })?;
        let reply = reply.into_inner();
        Ok::<_, String>(match reply.raw_output_contents.first() {
            Some(raw) => raw.chunks(8).map(|chunk| f64::from_le_bytes(chunk.try_into().unwrap())).collect(),
            None => reply.outputs[0].contents.as_ref().unwrap().fp64_contents.clone(),
        })
    };
    let golden = || Ok(vec![2.5, 3.0, 4.5]);
    let none = Contents::default;
    let ints = || Contents { int_contents: vec![1, 2, 5], ..none() };
    let uints = || Contents { uint_contents: vec![1, 2, 5], ..none() };
    for (datatype, contents) in [
        ("INT8", ints()),
        ("INT16", ints()),
        ("INT32", ints()),
        ("INT64", Contents { int64_contents: vec![1, 2, 5], ..none() }),
        ("UINT8", uints()),
        ("UINT16", uints()),
        ("UINT32", uints()),
        ("UINT64", Contents { uint64_contents: vec![1, 2, 5], ..none() }),
        ("FP32", Contents { fp32_contents: vec![1.0, 2.0, 5.0], ..none() }),
        ("FP64", Contents { fp64_contents: vec![1.0, 2.0, 5.0], ..none() }),
    ] {
        assert_eq!(answer(datatype, &[3], Some(contents.clone()), None), golden(), "{datatype}");
        assert_eq!(answer(datatype, &[3, 1], Some(contents), None), golden(), "{datatype}");
    }
    for (datatype, raw) in [
        ("UINT8", vec![1, 2, 5]),
        ("INT16", vec![1, 0, 2, 0, 5, 0]),
        ("FP16", [0x3c00u16, 0x4000, 0x4500].map(u16::to_le_bytes).concat()),
        ("BF16", [0x3f80u16, 0x4000, 0x40a0].map(u16::to_le_bytes).concat()),
        ("FP32", [1.0f32, 2.0, 5.0].map(f32::to_le_bytes).concat()),
        ("UINT64", [1u64, 2, 5].map(u64::to_le_bytes).concat()),
    ] {
        assert_eq!(answer(datatype, &[3], None, Some(raw)), golden(), "{datatype}");
    }
    assert_eq!(answer("FP64", &[0], Some(none()), None), Ok(vec![]));

    for (datatype, shape, contents, raw, part) in [
        ("FP16", &[3][..], Some(ints()), None, "FP16 has no list: it must be in `raw_input_contents`"),
        ("FP64", &[3], Some(ints()), None, "the shape [3] asks for 3 elements, and `fp64_contents` has 0"),
        ("INT32", &[2], Some(ints()), None, "the shape [2] asks for 2 elements, and `int_contents` has 3"),
        ("INT32", &[1 << 40], Some(ints()), None, "`int_contents` has 3"),
        ("INT8", &[1], Some(Contents { int_contents: vec![200], ..none() }), None, "element 0: `200` is not INT8"),
        ("FP80", &[3], Some(ints()), None, "`FP80` is not a datatype of the protocol"),
        ("BYTES", &[1], Some(Contents { bytes_contents: bytes(&["a"]), ..none() }), None, "BYTES cannot be FP64"),
        ("INT32", &[-3], Some(ints()), None, "the size -3 in the shape is below 0"),
        ("INT32", &[3, 3], Some(ints()), None, "the shape is [3, 3]"),
        ("INT32", &[], Some(ints()), None, "the shape is []"),
        ("UINT8", &[3], Some(uints()), Some(vec![1, 2, 5]), "`contents` and `raw_input_contents` exclude each other"),
        ("FP64", &[1], None, Some(vec![0; 7]), "asks for 1 elements of 8 bytes, and the binary data has 7"),
        ("BYTES", &[1], None, Some(vec![9, 0, 0, 0, 65]), "the binary data ends within element 0"),
        ("FP64", &[1], None, None, "`fp64_contents` has 0"),
    ] {
        let message = answer(datatype, shape, contents, raw).unwrap_err();
        assert!(message.contains(part), "{datatype} {shape:?}: {message}");
    }
}

#[test]
fn what_is_asked_wrongly_is_told() {
    let (server, ..) = server();
    let mut client = server.inference();
    let of = |model: &str, version: &str| ModelInferRequest {
        model_name: model.into(),
        model_version: version.into(),
        ..infer(two_rows())
    };
    let parameter = |name: &str| [(name.to_owned(), InferParameter::default())].into();
    let output = |name: &str| InferRequestedOutputTensor { name: name.into(), ..Default::default() };
    let unknown = oip("fares", "FP64", 2, two_rows()[0].contents.clone());
    let twice = [two_rows(), two_rows()].concat();
    for (request, code, part) in [
        (of("nobody", ""), Code::NotFound, "unknown model `nobody`"),
        (of(MODEL, "9"), Code::NotFound, "model `taxi` has no version `9`"),
        (of("broken", ""), Code::Unavailable, "model `broken` is not ready"),
        (infer(two_rows()[..1].to_vec()), Code::InvalidArgument, "missing inference input `seconds` (INT64)"),
        (infer(vec![]), Code::InvalidArgument, "missing inference input `fare`"),
        (infer(vec![unknown]), Code::InvalidArgument, "unexpected inference input `fares`"),
        (infer(twice), Code::InvalidArgument, "input `fare`: the input is given twice"),
        (
            ModelInferRequest { outputs: vec![output("p")], ..infer(two_rows()) },
            Code::InvalidArgument,
            "unexpected inference output `p` for model `taxi`; it has `probability`",
        ),
        (
            ModelInferRequest {
                outputs: vec![InferRequestedOutputTensor {
                    parameters: parameter("classification"),
                    ..output("probability")
                }],
                ..infer(two_rows())
            },
            Code::InvalidArgument,
            "the parameter `classification` is not supported",
        ),
        (
            ModelInferRequest { parameters: parameter("shared_memory_region"), ..infer(two_rows()) },
            Code::InvalidArgument,
            "the parameter `shared_memory_region` is not supported",
        ),
        (
            ModelInferRequest { raw_input_contents: vec![Bytes::new()], ..infer(two_rows()) },
            Code::InvalidArgument,
            "`raw_input_contents` holds 1 tensors, and there are 4 inputs",
        ),
    ] {
        let status = server.runtime.block_on(client.model_infer(request)).unwrap_err();
        assert_eq!(status.code(), code, "{status}");
        assert!(status.message().contains(part), "{status}");
    }
}
