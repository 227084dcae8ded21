//! The operators of the interpreter: classic machine learning, and related ones.

mod arithmetic;
mod arrange;
mod attention;
mod attribute_names;
mod broadcast;
pub(super) mod control;
mod convolve;
mod encode;
mod linear;
mod linear_attention;
mod logic;
mod loss;
mod matrix;
mod normalise;
mod pick;
mod pool;
mod prepare;
mod quantise;
mod recurrent;
mod reduce;
mod resize;
mod sequence;
mod shape;
mod signal;
mod sum_of_products;
mod svm;
mod text;
mod tokens;
mod top;
mod transform;
mod trees;
mod unary;
mod vision;
mod window;

use super::attributes::Attributes;
use super::generated::NodeProto;
use super::value::Tensor;
use attribute_names::ATTRIBUTES;

/// A compiled operator: maps input tensors to output tensors; an input that the node leaves out is `None`.
pub(super) type Kernel = Box<dyn Fn(&[Option<&Tensor>]) -> Result<Vec<Tensor>, String> + Send + Sync>;

/// The domain of ONNX Runtime's own operators; exporters of text features use one of them.
const MICROSOFT: &str = "com.microsoft";

/// The domain of the operators of classic machine learning.
pub(crate) const ML: &str = "ai.onnx.ml";

/// Operators whose outputs have a type of their own, not that of the first input.
const OWN_TYPE: [&str; 12] = [
    "Shape",
    "Size",
    "ArgMax",
    "ArgMin",
    "NonZero",
    "NonMaxSuppression",
    "SequenceLength",
    "SequenceMap",
    "ConstantOfShape",
    "OptionalHasElement",
    "MelWeightMatrix",
    "TfIdfVectorizer",
];

/// Compiles a node; `None` for an unknown operator. `opset` is the version of the node's domain.
pub(super) fn compile(node: &NodeProto, opset: i64) -> Result<Option<Kernel>, String> {
    check_attributes(node)?;
    let attributes = Attributes::of(node);
    let name = node.op_type.as_str();
    let kernel = match node.domain.as_str() {
        "" | "ai.onnx" => standard(name, attributes, opset, node.output.len())?,
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
    };
    let is_own = node.domain == ML || node.domain == MICROSOFT || OWN_TYPE.contains(&name);
    Ok(kernel.map(|kernel| if is_own { kernel } else { typed(kernel) }))
}

/// The kernel of a standard operator.
fn standard(name: &str, attributes: Attributes<'_>, opset: i64, outputs: usize) -> Result<Option<Kernel>, String> {
    /// A family of operators.
    type Family = fn(&str, Attributes<'_>, i64, usize) -> Result<Option<Kernel>, String>;
    const FAMILIES: [Family; 22] = [
        |name, attributes, opset, _| Ok(unary::compile(name, attributes, opset)),
        |name, attributes, opset, _| arithmetic::compile(name, attributes, opset),
        |name, attributes, _, _| Ok(logic::compile(name, attributes)),
        |name, attributes, _, _| shape::compile(name, attributes),
        |name, attributes, opset, outputs| transform::compile(name, attributes, opset, outputs),
        |name, attributes, _, _| text::compile(name, attributes),
        |name, attributes, opset, _| Ok(reduce::compile(name, attributes, opset)),
        |name, attributes, opset, _| Ok(top::compile(name, attributes, opset)),
        |name, attributes, opset, outputs| matrix::compile(name, attributes, opset, outputs),
        |name, attributes, opset, _| arrange::compile(name, attributes, opset),
        |name, attributes, opset, _| pick::compile(name, attributes, opset),
        |name, attributes, opset, _| convolve::compile(name, attributes, opset),
        |name, attributes, opset, outputs| pool::compile(name, attributes, opset, outputs),
        |name, attributes, opset, _| resize::compile(name, attributes, opset),
        |name, attributes, _, _| recurrent::compile(name, attributes),
        |name, attributes, opset, _| attention::compile(name, attributes, opset),
        |name, attributes, opset, outputs| normalise::compile(name, attributes, opset, outputs),
        |name, attributes, _, _| quantise::compile(name, attributes),
        |name, attributes, _, outputs| loss::compile(name, attributes, outputs),
        |name, attributes, _, _| signal::compile(name, attributes),
        |name, attributes, _, _| vision::compile(name, attributes),
        |name, attributes, _, _| sequence::compile(name, attributes),
    ];
    if name == "TfIdfVectorizer" {
        return tokens::vectorizer(attributes).map(Some);
    }
    for family in FAMILIES {
        if let Some(kernel) = family(name, attributes, opset, outputs)? {
            return Ok(Some(kernel));
        }
    }
    Ok(None)
}

/// Gives outputs the element type of the first input, if they are stored the same way and the kernel did not decide.
fn typed(kernel: Kernel) -> Kernel {
    Box::new(move |inputs| {
        let made = kernel(inputs)?;
        match optional(inputs, 0).filter(|first| !first.is_natural()) {
            Some(first) => {
                let cut =
                    |tensor: Tensor| if tensor.is_undecided() { tensor.of_element(first.element()) } else { tensor };
                Ok(made.into_iter().map(cut).collect())
            }
            None => Ok(made),
        }
    })
}

/// Refuses attributes that ONNX does not define for the operator: what they ask for would be passed over in silence.
fn check_attributes(node: &NodeProto) -> Result<(), String> {
    let domain = if node.domain == "ai.onnx" { "" } else { node.domain.as_str() };
    let found = ATTRIBUTES.iter().find(|(of, operator, _)| *of == domain && *operator == node.op_type);
    let Some((_, _, known)) = found else { return Ok(()) };
    match node.attribute.iter().find(|attribute| !known.contains(&attribute.name.as_str())) {
        Some(attribute) => Err(format!("the attribute `{}` is not one that ONNX defines for it", attribute.name)),
        None => Ok(()),
    }
}

/// The input at `index`, which must be there.
fn input<'a>(inputs: &[Option<&'a Tensor>], index: usize) -> Result<&'a Tensor, String> {
    inputs.get(index).copied().flatten().ok_or_else(|| format!("input {index} is missing"))
}

/// The input at `index`, if the node has it.
fn optional<'a>(inputs: &[Option<&'a Tensor>], index: usize) -> Option<&'a Tensor> {
    inputs.get(index).copied().flatten()
}
