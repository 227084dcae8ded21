//! The gRPC protocols: their messages, with a client and a server for each service.
//!
//! The clients and servers are generated from `proto/` of `tidemill-proto` and committed (`tests/it/proto.rs` writes and checks
//! them), so that building needs no `protoc`.

pub use tidemill_proto::serving::FILE_DESCRIPTOR_SET;

/// The Open Inference Protocol: `inference.GRPCInferenceService`.
pub mod inference {
    #![allow(missing_docs, clippy::pedantic, clippy::all, reason = "generated")]
    pub use tidemill_proto::serving::inference::*;
    include!("generated/inference.rs");
}

/// Tensors, examples and signatures of TensorFlow.
pub mod tensorflow {
    pub use tidemill_proto::serving::tensorflow::*;

    /// TF Serving: `PredictionService` and `ModelService`.
    pub mod serving {
        #![allow(missing_docs, clippy::pedantic, clippy::all, reason = "generated")]
        pub use tidemill_proto::serving::tensorflow::serving::*;
        include!("generated/tensorflow.serving.rs");
    }
}
