//! The stage of values between two steps.

use std::fmt;

use tidemill_core::DataType;

use crate::FeatureKind;

/// The stage of values between two steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Booleans.
    Bool,
    /// Whole numbers.
    Int,
    /// Numbers.
    Float,
    /// Text.
    Text,
    /// Ordered buckets, this many.
    Bucket(u32),
    /// Codes without order, this many.
    Code(u32),
    /// Several columns; no step can follow.
    Columns,
    /// Lists of tokens.
    Tokens,
    /// Numbers of this many columns together.
    Vector(u32),
    /// Numbers with times before the row's.
    History,
    /// Bytes that need not be text.
    Binary,
}

impl Stage {
    /// The stage of a raw column of `datatype`.
    pub fn of(datatype: DataType) -> Self {
        match datatype {
            DataType::Bool => Self::Bool,
            DataType::Int64 => Self::Int,
            DataType::Fp64 => Self::Float,
            DataType::Bytes => Self::Text,
        }
    }

    /// Whether values are numbers, so that arithmetic applies.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Bool | Self::Int | Self::Float | Self::Bucket(_))
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bool => "true and false",
            Self::Int => "whole numbers",
            Self::Float => "numbers",
            Self::Text => "text",
            Self::Bucket(_) => "buckets",
            Self::Code(_) => "codes",
            Self::Columns => "several columns",
            Self::Tokens => "lists of tokens",
            Self::Vector(_) => "several columns together",
            Self::History => "a history",
            Self::Binary => "bytes",
        })
    }
}

impl Stage {
    /// How a learner may interpret values after the last step; text cannot be a feature.
    pub(super) fn kind(self) -> Result<FeatureKind, String> {
        match self {
            Self::Bool | Self::Int | Self::Float | Self::Bucket(_) | Self::Columns => Ok(FeatureKind::Numeric),
            Self::Code(cardinality) => Ok(FeatureKind::Categorical { cardinality: cardinality.max(1) }),
            Self::Text => {
                Err("text cannot be a feature; end its steps with `vocabulary`, `categorical`, `one_hot` or `hash_buckets`"
                    .to_owned())
            }
            Self::Tokens => Err(
                "a list of tokens cannot be a feature; end its steps with `multi_hot`, `bag_of_words`, `tf_idf` or `word_count`"
                    .to_owned(),
            ),
            Self::Vector(_) => Err("several columns together need `pca`".to_owned()),
            Self::Binary => Err("bytes are no feature; `image` makes numbers of a picture".to_owned()),
            Self::History => Err("a history cannot be a feature; its first step must be `lag` or `window`".to_owned()),
        }
    }
}
