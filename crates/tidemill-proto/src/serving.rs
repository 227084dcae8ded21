//! TF Serving and the Open Inference Protocol: their messages. The services are in `tidemill-serving`.

#![allow(missing_docs, clippy::pedantic, clippy::all, reason = "generated")]

/// Every message and service, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!("generated/serving/descriptors.bin");

/// The Open Inference Protocol.
pub mod inference {
    include!("generated/serving/inference.rs");
}

/// Tensors, examples and signatures of TensorFlow.
pub mod tensorflow {
    include!("generated/serving/tensorflow.rs");

    /// Error codes.
    pub mod error {
        include!("generated/serving/tensorflow.error.rs");
    }

    /// TF Serving.
    pub mod serving {
        include!("generated/serving/tensorflow.serving.rs");
    }
}
