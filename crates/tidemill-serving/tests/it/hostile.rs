//! Bodies nobody would send on purpose.

use crate::support::{MODEL, Packages, Running, agent, servable};
use proptest::prelude::*;

const SEEDS: [(&str, &str); 5] = [
    (
        "/v1/models/taxi:predict",
        r#"{"instances":[{"fare":12.5,"seconds":600,"miles":NaN,"company":{"b64":"Rmxhc2g="},"shared":true}]}"#,
    ),
    (
        "/v1/models/taxi:predict",
        r#"{"signature_name":"serving_default","inputs":{"fare":[1,2.5e3],"seconds":[1,-2],"company":["é",null]}}"#,
    ),
    ("/v1/models/taxi:classify", r#"{"context":{"company":"Blue"},"examples":[{"fare":-Infinity,"seconds":[3]}]}"#),
    (
        "/v2/models/taxi/infer",
        r#"{"id":"1","inputs":[{"name":"fare","shape":[1],"datatype":"FP32","data":[1.5]},{"name":"seconds","shape":[1,1],"datatype":"INT8","data":[[7]]}]}"#,
    ),
    (
        "/v2/models/taxi/infer",
        "{\"inputs\":[{\"name\":\"fare\",\"shape\":[1],\"datatype\":\"FP16\",\"parameters\":{\"binary_data_size\":2}},{\"name\":\"seconds\",\"shape\":[1],\"datatype\":\"UINT8\",\"parameters\":{\"binary_data_size\":1}}]}\u{1}\u{2}\u{3}",
    ),
];

/// A change to the bytes of a body: at a place (as a share of its length), so many bytes out, these in.
fn any_change() -> impl Strategy<Value = (f64, usize, Vec<u8>)> {
    let json = prop::collection::vec(prop::sample::select(b"{}[]\",:0123456789eE+-.nulltrefasNI\\".to_vec()), 0..4);
    let bytes = prop_oneof![json, prop::collection::vec(any::<u8>(), 0..6)];
    (0.0..1.0, 0usize..12, bytes)
}

#[test]
fn damaged_bodies_are_answered_and_never_a_fault_of_the_server() {
    let packages = Packages::new();
    let (server, _) = Running::of(vec![servable(MODEL, 1, &packages.taxi(0.0), &[])]);
    let agent = agent();
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(1500));
    let seed = prop::sample::select(SEEDS.to_vec());
    let cases = (seed, prop::collection::vec(any_change(), 0..4), prop::option::of(0usize..400));
    runner
        .run(&cases, |((path, body), changes, header)| {
            let mut body = body.as_bytes().to_vec();
            let json = body.iter().position(|byte| *byte == 1).unwrap_or(body.len());
            for (at, out, bytes) in changes {
                let at = (at * body.len() as f64) as usize;
                let end = (at + out).min(body.len());
                body.splice(at..end, bytes);
            }
            let mut request = agent.post(server.url(path));
            if path.ends_with("infer") {
                request = request.header("Inference-Header-Content-Length", header.unwrap_or(json).to_string());
            }
            let mut response = request.send(&body[..]).unwrap();
            let status = response.status().as_u16();
            let reply = response.body_mut().read_to_string().unwrap();
            prop_assert!(status == 200 || status == 400, "{status} {reply}");
            prop_assert!(status == 200 || reply.starts_with("{\"error\":\""), "{reply}");
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_list_nested_a_million_deep_is_only_an_error() {
    let packages = Packages::new();
    let (server, _) = Running::of(vec![servable(MODEL, 1, &packages.taxi(0.0), &[])]);
    for opening in ["[", "{\"a\":", "{\"instances\":[{\"fare\":["] {
        let body = opening.repeat(1_000_000 / opening.len());
        assert_eq!(server.error("/v1/models/taxi:predict", &body).0, 400);
        assert_eq!(server.error("/v2/models/taxi/infer", &body).0, 400);
    }
}
