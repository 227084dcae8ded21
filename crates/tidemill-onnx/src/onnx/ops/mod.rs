//! The operators of the interpreter: classic machine learning, and related ones.

mod arithmetic;
mod broadcast;
mod encode;
mod linear;
mod logic;
mod matrix;
mod prepare;
mod reduce;
mod shape;
mod svm;
mod text;
mod tokens;
mod top;
mod transform;
mod trees;
mod unary;

use super::attributes::Attributes;
use super::generated::NodeProto;
use super::value::Tensor;

/// A compiled operator: maps input tensors to output tensors; an input that the node leaves out is `None`.
pub(super) type Kernel = Box<dyn Fn(&[Option<&Tensor>]) -> Result<Vec<Tensor>, String> + Send + Sync>;

/// The domain of ONNX Runtime's own operators; exporters of text features use one of them.
const MICROSOFT: &str = "com.microsoft";

/// The domain of the operators of classic machine learning.
pub(crate) const ML: &str = "ai.onnx.ml";

/// Compiles a node; `None` for an unknown operator. `opset` is the version of the node's domain.
pub(super) fn compile(node: &NodeProto, opset: i64) -> Result<Option<Kernel>, String> {
    let attributes = Attributes::of(node);
    let name = node.op_type.as_str();
    Ok(match node.domain.as_str() {
        "" | "ai.onnx" => {
            if let Some(kernel) = unary::compile(name, attributes, opset) {
                Some(kernel)
            } else if let Some(kernel) = arithmetic::compile(name, attributes) {
                Some(kernel)
            } else if let Some(kernel) = logic::compile(name, attributes) {
                Some(kernel)
            } else if let Some(kernel) = shape::compile(name, attributes)? {
                Some(kernel)
            } else if let Some(kernel) = transform::compile(name, attributes, opset)? {
                Some(kernel)
            } else if let Some(kernel) = text::compile(name, attributes)? {
                Some(kernel)
            } else if name == "TfIdfVectorizer" {
                Some(tokens::vectorizer(attributes)?)
            } else if let Some(kernel) = reduce::compile(name, attributes, opset) {
                Some(kernel)
            } else if let Some(kernel) = top::compile(name, attributes, opset) {
                Some(kernel)
            } else {
                matrix::compile(name, attributes)
            }
        }
        ML => match name {
            "TreeEnsembleClassifier" | "TreeEnsembleRegressor" | "TreeEnsemble" => {
                Some(trees::compile(name, attributes)?)
            }
            "LinearClassifier" | "LinearRegressor" => Some(linear::compile(name, attributes)?),
            "SVMClassifier" | "SVMRegressor" => Some(svm::compile(name, attributes)?),
            _ => match encode::compile(name, attributes)? {
                Some(kernel) => Some(kernel),
                None => prepare::compile(name, attributes)?,
            },
        },
        MICROSOFT if name == "Tokenizer" => Some(tokens::tokenizer(attributes)?),
        _ => None,
    })
}

/// The input at `index`, which must be there.
fn input<'a>(inputs: &[Option<&'a Tensor>], index: usize) -> Result<&'a Tensor, String> {
    inputs.get(index).copied().flatten().ok_or_else(|| format!("input {index} is missing"))
}

/// The input at `index`, if the node has it.
fn optional<'a>(inputs: &[Option<&'a Tensor>], index: usize) -> Option<&'a Tensor> {
    inputs.get(index).copied().flatten()
}
