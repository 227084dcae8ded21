//! What a model takes and gives.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Type of a tensor's elements, named as in the Open Inference Protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum DataType {
    /// True or false.
    Bool,
    /// 64-bit signed integers.
    Int64,
    /// 64-bit floating-point numbers.
    Fp64,
    /// UTF-8 text, one element a row.
    Bytes,
}

impl DataType {
    /// The name in the Open Inference Protocol.
    pub const fn oip_name(self) -> &'static str {
        match self {
            Self::Bool => "BOOL",
            Self::Int64 => "INT64",
            Self::Fp64 => "FP64",
            Self::Bytes => "BYTES",
        }
    }

    /// The name in TensorFlow Serving.
    pub const fn tf_name(self) -> &'static str {
        match self {
            Self::Bool => "DT_BOOL",
            Self::Int64 => "DT_INT64",
            Self::Fp64 => "DT_DOUBLE",
            Self::Bytes => "DT_STRING",
        }
    }
}

impl fmt::Display for DataType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.oip_name())
    }
}

/// What each row of a tensor holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowShape {
    /// One value: shape `[-1]`.
    #[default]
    Value,
    /// As many values as there are: shape `[-1, -1]`. Where a client's rows must be of one length, NaN or null fills
    /// up the shorter ones.
    List,
    /// Bytes that need not be text, such as a picture: shape `[-1]`, of type `BYTES`.
    Binary,
}

/// One named input or output, a column with a value for each row: shape `[-1]`; or a list for each: see [`RowShape`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorSpec {
    /// The feature's or the output's name.
    pub name: String,
    /// Type of its elements.
    pub datatype: DataType,
    /// A row may lack it.
    #[serde(default)]
    pub optional: bool,
    /// What each row holds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub form: RowShape,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl TensorSpec {
    /// A column with one value for each row.
    pub fn new(name: impl Into<String>, datatype: DataType, optional: bool) -> Self {
        Self { name: name.into(), datatype, optional, form: RowShape::Value }
    }

    /// The same tensor with rows of another form.
    #[must_use]
    pub fn with_form(self, form: RowShape) -> Self {
        Self { form, ..self }
    }

    /// What a row holds, in a message: `FP64`, `a list of FP64`, `bytes`.
    pub fn type_name(&self) -> String {
        match self.form {
            RowShape::Value => self.datatype.to_string(),
            RowShape::List => format!("a list of {}", self.datatype),
            RowShape::Binary => "bytes".to_owned(),
        }
    }
}

/// Everything a model takes and gives, in order.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Raw features. The label is never among them.
    pub inputs: Vec<TensorSpec>,
    /// Predictions.
    pub outputs: Vec<TensorSpec>,
    /// Inputs that are one tensor to a client.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub input_groups: Vec<TensorGroup>,
    /// Outputs that are one tensor to a client.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub output_groups: Vec<TensorGroup>,
}

/// Columns next to each other that are one tensor of shape `[-1, count]`, of the type that all of them have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TensorGroup {
    /// The tensor's name. No column has it.
    pub name: String,
    /// The first of its columns.
    pub first: usize,
    /// How many there are, at least 1.
    pub count: usize,
}

/// A tensor as a client sees it: one column of shape `[-1]`, or several of shape `[-1, count]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TensorView<'a> {
    /// Its name.
    pub name: &'a str,
    /// Type of its elements.
    pub datatype: DataType,
    /// A row may lack it.
    pub optional: bool,
    /// The first of its columns.
    pub first: usize,
    /// Its width, for a tensor of two dimensions.
    pub width: Option<usize>,
    /// What each row holds.
    pub form: RowShape,
}

impl TensorView<'_> {
    /// Its shape: −1 where the size is not fixed.
    pub fn shape(&self) -> Vec<i64> {
        let second = if self.form == RowShape::List { Some(-1) } else { self.width.map(|width| width as i64) };
        [-1].into_iter().chain(second).collect()
    }
}

impl Signature {
    /// The inputs as tensors, in order.
    pub fn input_tensors(&self) -> Vec<TensorView<'_>> {
        tensors(&self.inputs, &self.input_groups)
    }

    /// The outputs as tensors, in order.
    pub fn output_tensors(&self) -> Vec<TensorView<'_>> {
        tensors(&self.outputs, &self.output_groups)
    }
}

fn tensors<'a>(columns: &'a [TensorSpec], groups: &'a [TensorGroup]) -> Vec<TensorView<'a>> {
    let mut tensors = Vec::with_capacity(columns.len());
    let mut at = 0;
    while let Some(spec) = columns.get(at) {
        let group = groups.iter().find(|group| group.first == at && group.count > 0);
        tensors.push(TensorView {
            name: group.map_or(&spec.name, |group| &group.name),
            datatype: spec.datatype,
            optional: spec.optional,
            first: at,
            width: group.map(|group| group.count),
            form: spec.form,
        });
        at += group.map_or(1, |group| group.count);
    }
    tensors
}
