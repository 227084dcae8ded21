//! The messages of the protocols spoken over gRPC, with a client and a server for each service.
//!
//! Generated from `proto/` and committed (`tests/proto.rs` writes and checks them), so that building needs no `protoc`.

#![allow(missing_docs, clippy::pedantic, clippy::all, reason = "generated")]

/// Every message and service, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/descriptors.bin");

/// The Open Inference Protocol: `inference.GRPCInferenceService`.
pub mod inference {
    include!("generated/inference.rs");
}

/// Tensors, examples and signatures of TensorFlow.
pub mod tensorflow {
    include!("generated/tensorflow.rs");

    /// Error codes.
    pub mod error {
        include!("generated/tensorflow.error.rs");
    }

    /// TF Serving: `PredictionService` and `ModelService`.
    pub mod serving {
        include!("generated/tensorflow.serving.rs");
    }
}
