//! gRPC messages that come compressed, as the bytes of their frames.

use std::io::Write as _;
use std::sync::Arc;

use crate::support::grpc::{doubles, infer, longs, oip, spec};
use crate::support::{MODEL, Packages, Running, options, servable};
use bytes::{BufMut as _, Bytes};
use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use http_body_util::{BodyExt as _, Full};
use prost::Message as _;
use tidemill_serving::StaticSource;
use tidemill_serving::proto::inference::{InferTensorContents, ModelInferResponse};
use tidemill_serving::proto::tensorflow::serving::{PredictRequest, PredictResponse};
use tonic::Code;
use tonic::body::Body;
use tonic::codegen::Service as _;
use tonic::codegen::http::Request;
use tonic::transport::Channel;

const PREDICT: &str = "/tensorflow.serving.PredictionService/Predict";
const INFER: &str = "/inference.GRPCInferenceService/ModelInfer";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut to = GzEncoder::new(Vec::new(), Compression::best());
    to.write_all(bytes).unwrap();
    to.finish().unwrap()
}

fn deflate(bytes: &[u8]) -> Vec<u8> {
    let mut to = ZlibEncoder::new(Vec::new(), Compression::fast());
    to.write_all(bytes).unwrap();
    to.finish().unwrap()
}

/// A message behind its head.
fn frame(is_compressed: u8, message: &[u8]) -> Vec<u8> {
    let mut bytes = vec![is_compressed];
    bytes.put_u32(message.len() as u32);
    bytes.extend_from_slice(message);
    bytes
}

/// Sends a body and returns the message of the answer, or the code and what is said.
async fn send(mut channel: Channel, path: &str, coding: &str, body: Vec<u8>) -> Result<Bytes, (Code, String)> {
    std::future::poll_fn(|context| channel.poll_ready(context)).await.unwrap();
    let request = Request::post(path)
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("grpc-encoding", coding)
        .body(Body::new(Full::new(Bytes::from(body)).map_err(|never| match never {})))
        .unwrap();
    let (head, body) = channel.call(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap_or_default();
    let told = |name: &str| {
        let value = trailers.get(name).or_else(|| head.headers.get(name));
        value.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    };
    match Code::from(told("grpc-status").parse::<i32>().unwrap()) {
        Code::Ok => Ok(body.to_bytes().slice(5..)),
        code => Err((code, told("grpc-message"))),
    }
}

#[test]
fn compressed_messages_are_inflated_within_limits() {
    let packages = Packages::new();
    let source = StaticSource::new(vec![servable(MODEL, 1, &packages.taxi(0.0), &[])]);
    let server = Running::start(options(), Arc::new(source));
    let channel = server.channel();
    let send =
        |path: &str, coding: &str, body: Vec<u8>| server.runtime.block_on(send(channel.clone(), path, coding, body));
    let inputs = [("fare", doubles(&[12.5])), ("seconds", longs(&[600]))];
    let inputs = inputs.into_iter().map(|(name, tensor)| (name.to_owned(), tensor)).collect();
    let predict = PredictRequest { model_spec: Some(spec(MODEL)), inputs, output_filter: Vec::new() }.encode_to_vec();
    let contents = |fp64: &[f64], int64: &[i64]| {
        Some(InferTensorContents { fp64_contents: fp64.to_vec(), int64_contents: int64.to_vec(), ..Default::default() })
    };
    let tensors =
        vec![oip("fare", "FP64", 1, contents(&[12.5], &[])), oip("seconds", "INT64", 1, contents(&[], &[600]))];
    let infer = infer(tensors).encode_to_vec();
    let plain = PredictResponse::decode(send(PREDICT, "identity", frame(0, &predict)).unwrap()).unwrap();
    let value = plain.outputs["probability"].double_val[0];
    for (coding, squeeze) in [("gzip", gzip as fn(&[u8]) -> Vec<u8>), ("deflate", deflate)] {
        let answer = send(PREDICT, coding, frame(1, &squeeze(&predict))).unwrap();
        assert_eq!(PredictResponse::decode(answer).unwrap(), plain, "{coding}");
        let answer = ModelInferResponse::decode(send(INFER, coding, frame(1, &squeeze(&infer))).unwrap()).unwrap();
        assert_eq!(answer.outputs[0].contents.as_ref().unwrap().fp64_contents, [value], "{coding}");
        // The head says of each message whether it is compressed.
        assert_eq!(PredictResponse::decode(send(PREDICT, coding, frame(0, &predict)).unwrap()).unwrap(), plain);
    }

    let whole = gzip(&predict);
    let bomb = gzip(&vec![0; 64 << 20]);
    assert!(bomb.len() < 1 << 17);
    for (coding, body, code, part) in [
        ("gzip", frame(1, b"x"), Code::InvalidArgument, "not whole in gzip"),
        ("gzip", frame(1, &whole[..whole.len() - 9]), Code::InvalidArgument, "not whole in gzip"),
        ("deflate", frame(1, &whole), Code::InvalidArgument, "not whole in deflate"),
        ("gzip", frame(1, &whole)[..9].to_vec(), Code::InvalidArgument, "bytes, but has 4"),
        ("gzip", vec![1, 0], Code::InvalidArgument, "cut short"),
        ("gzip", frame(1, &bomb), Code::OutOfRange, "once it is inflated"),
        ("gzip", frame(1, &vec![7; 2 << 20]), Code::OutOfRange, "larger than the limit of 1048576 bytes"),
        ("zstd", frame(1, &whole), Code::Unimplemented, ""),
    ] {
        for path in [PREDICT, INFER] {
            let (found, message) = send(path, coding, body.clone()).unwrap_err();
            // In headers a space is written `%20`.
            let said = message.replace("%20", " ");
            assert!(found == code && said.contains(part), "{path} {coding}: {found:?} {said}");
        }
    }
    assert_eq!(server.get("/readyz").0, 200, "all room that was made is given back");
}
