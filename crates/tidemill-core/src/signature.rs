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

/// One named input or output, a column with a value for each row: shape `[-1]`.
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
}

/// Everything a model takes and gives, in order.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signature {
    /// Raw features. The label is never among them.
    pub inputs: Vec<TensorSpec>,
    /// Predictions.
    pub outputs: Vec<TensorSpec>,
}
