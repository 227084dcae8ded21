//! TF Serving's `PredictionService` and `ModelService`.

mod examples;
mod metadata;
mod models;
mod predict;
mod prediction;
mod spec;
mod tensor;
