//! gRPC: TF Serving's services, the Open Inference Protocol's, health and reflection.
//!
//! This module only converts messages to tensors and predictions to messages; the operations on models are shared with
//! REST ([`crate::inference::service`], [`crate::protocol::tensor`]).

pub(crate) mod body;
pub(crate) mod call;
mod decompressing;
mod error;
mod health;
pub mod proto;
mod server;
pub(crate) mod tensor_wire;
pub(crate) mod unary;

pub(crate) use crate::protocol::tfs::grpc::{Recorded, predict_request, prediction_logs, replay, warmup_record};
pub(crate) use server::GrpcServer;

/// Decodes a message of one of the methods and answers it.
#[cfg(feature = "fuzzing")]
pub(crate) fn decode_any(
    target: &crate::inference::signature::TargetSignature,
    predict: crate::protocol::Predict<'_>,
    which: u8,
    message: &[u8],
) {
    match which % 3 {
        0 => crate::protocol::tfs::grpc::predict_bytes(target, predict, message),
        1 => crate::protocol::tfs::grpc::classify_bytes(target, predict, message),
        _ => crate::protocol::oip::grpc::infer_bytes(target, predict, message),
    }
}
