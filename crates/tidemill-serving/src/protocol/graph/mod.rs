//! Models of tensors in all protocols: names, element types and shapes are those of the model's file.

mod builder;
pub(crate) mod json;
pub(crate) mod wire;

pub(crate) use builder::{Inputs, TensorBuilder};
