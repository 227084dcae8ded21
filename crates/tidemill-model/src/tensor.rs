//! Tensors of models that other programs wrote, with the names, element types and shapes of the model.

use std::fmt;

use tidemill_core::ElementType;

use crate::ModelError;

/// The values of a tensor, row-major.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorValue {
    /// The type of its elements.
    pub element: ElementType,
    /// The sizes of its dimensions.
    pub shape: Vec<usize>,
    /// Its elements.
    pub data: TensorData,
}

/// The elements of a tensor. Whole numbers of every width are stored in 64 bits (those of `UINT64` as their bits), and
/// floating-point numbers of up to 32 bits in 32.
#[derive(Debug, Clone, PartialEq)]
pub enum TensorData {
    /// Floating-point numbers of up to 32 bits.
    F32(Vec<f32>),
    /// Floating-point numbers of 64 bits.
    F64(Vec<f64>),
    /// Whole numbers.
    Int(Vec<i64>),
    /// True or false.
    Bool(Vec<bool>),
    /// Texts.
    Text(Vec<String>),
    /// The tensors of a sequence; its shape is their number.
    List(Vec<TensorValue>),
    /// An optional value that is absent.
    Absent,
}

impl TensorData {
    /// The number of elements.
    pub fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::F64(values) => values.len(),
            Self::Int(values) => values.len(),
            Self::Bool(values) => values.len(),
            Self::Text(values) => values.len(),
            Self::List(values) => values.len(),
            Self::Absent => 0,
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The size of a dimension, as a model declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dimension {
    /// Always this size.
    Fixed(usize),
    /// Any size, the same wherever the name occurs.
    Named(String),
    /// Any size.
    Open,
}

impl Dimension {
    /// The size in metadata: −1 if it is not fixed.
    pub fn size(&self) -> i64 {
        match self {
            Self::Fixed(size) => *size as i64,
            Self::Named(_) | Self::Open => -1,
        }
    }
}

impl fmt::Display for Dimension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(size) => write!(f, "{size}"),
            Self::Named(name) => f.write_str(name),
            Self::Open => f.write_str("-1"),
        }
    }
}

/// An input or output of a model, as the model declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name.
    pub name: String,
    /// The type of its elements.
    pub element: ElementType,
    /// The sizes of its dimensions; `None`: any number of any size.
    pub shape: Option<Vec<Dimension>>,
    /// A request may lack it.
    pub optional: bool,
    /// It is a sequence of such tensors.
    pub sequence: bool,
    /// Names along the last dimension, as of classes.
    pub labels: Vec<String>,
}

impl TensorInfo {
    /// The shape in metadata: −1 where a size is not fixed.
    pub fn sizes(&self) -> Vec<i64> {
        self.shape.as_ref().map_or_else(Vec::new, |shape| shape.iter().map(Dimension::size).collect())
    }

    /// The shape for people: `[batch, 3, 224, 224]`.
    pub fn shape_text(&self) -> String {
        match &self.shape {
            Some(shape) => format!("[{}]", shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
            None => "any shape".to_owned(),
        }
    }

    /// The reason why a tensor of this shape is not one of this input.
    pub fn check_shape(&self, shape: &[usize]) -> Result<(), String> {
        let Some(declared) = &self.shape else { return Ok(()) };
        let fits =
            |(size, declared): (&usize, &Dimension)| !matches!(declared, Dimension::Fixed(fixed) if fixed != size);
        if declared.len() == shape.len() && shape.iter().zip(declared).all(fits) {
            return Ok(());
        }
        Err(format!("`{}` has the shape {shape:?}, and {} is expected", self.name, self.shape_text()))
    }
}

/// Executes a model on tensors.
pub trait TensorRuntime: fmt::Debug + Send + Sync {
    /// The inputs, in order.
    fn inputs(&self) -> &[TensorInfo];

    /// The outputs, in order.
    fn outputs(&self) -> &[TensorInfo];

    /// Returns the outputs for inputs in order. An input that is left out must be optional.
    fn run(&self, inputs: Vec<Option<TensorValue>>) -> Result<Vec<TensorValue>, ModelError>;

    /// Why rows of different requests may not be joined along the first dimension; `Ok` if the model was found to treat
    /// each row by itself.
    fn rows_are_independent(&self) -> Result<(), &str>;
}
