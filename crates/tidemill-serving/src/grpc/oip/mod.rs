//! The Open Inference Protocol's `GRPCInferenceService`.

mod contents;
mod infer;
mod service;
