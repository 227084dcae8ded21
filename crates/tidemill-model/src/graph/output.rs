//! What a step makes of values, and whether it applies to them.

use super::{Keys, Node, Scalar, Stage, Take};

/// More columns of one feature are a mistake: hash or cut the vocabulary.
pub(super) const COLUMNS_MAX: u32 = 1024;

impl Node {
    /// What values of `stage` are after this step; why it does not apply to them, or which constant cannot be.
    pub fn output(&self, stage: Stage) -> Result<Stage, String> {
        let finite = |name: &str, value: f64| self.finite(name, value);
        let number = || {
            if stage.is_number() { Ok(Stage::Float) } else { Err(self.does_not_apply(stage)) }
        };
        match self {
            Self::Impute { value } => {
                if let Scalar::Float(value) = value {
                    finite("value", *value)?;
                }
                match (stage, value) {
                    (Stage::Text, Scalar::Text(_)) | (Stage::Int, Scalar::Int(_)) | (Stage::Bool, Scalar::Bool(_)) => {
                        Ok(stage)
                    }
                    (Stage::Int | Stage::Float | Stage::Bool, Scalar::Int(_) | Scalar::Float(_)) => Ok(Stage::Float),
                    (Stage::Bucket(size), Scalar::Int(bucket)) if (0..i64::from(size)).contains(bucket) => Ok(stage),
                    (
                        Stage::Code(_)
                        | Stage::Columns
                        | Stage::Tokens
                        | Stage::Vector(_)
                        | Stage::History
                        | Stage::Binary,
                        _,
                    ) => Err(self.does_not_apply(stage)),
                    _ => Err(format!("`impute` has a value of another type than its column, which holds {stage}")),
                }
            }
            Self::ZScore { mean, std_dev } => {
                finite("mean", *mean)?;
                finite("std_dev", *std_dev)?;
                if *std_dev < 0.0 { Err("`std_dev` of `z_score` is negative".to_owned()) } else { number() }
            }
            Self::MinMax { min, max, output_min, output_max } => {
                for (name, value) in
                    [("min", min), ("max", max), ("output_min", output_min), ("output_max", output_max)]
                {
                    finite(name, *value)?;
                }
                if min > max || output_min >= output_max {
                    return Err("`min_max` has bounds in the wrong order".to_owned());
                }
                number()
            }
            Self::Bucketize { boundaries } => {
                for boundary in boundaries {
                    finite("boundaries", *boundary)?;
                }
                if !boundaries.is_sorted_by(|a, b| a < b) {
                    return Err("`boundaries` of `bucketize` are not strictly ascending".to_owned());
                }
                number()?;
                Ok(Stage::Bucket(code_count(boundaries.len() as u64 + 1)?))
            }
            Self::Vocabulary { values, oov_buckets } => {
                self.check_keys(stage, values)?;
                Ok(Stage::Code(code_count(values.len() as u64 + u64::from(*oov_buckets))?))
            }
            Self::Categorical { values: Some(values) } => {
                self.check_keys(stage, values)?;
                Ok(Stage::Code(code_count(values.len() as u64)?))
            }
            Self::Categorical { values: None } => match stage {
                Stage::Bool => Ok(Stage::Code(2)),
                Stage::Bucket(size) => Ok(Stage::Code(size)),
                _ => Err(self.does_not_apply(stage)),
            },
            Self::Log | Self::Log1p | Self::Sqrt => number(),
            Self::Power { exponent } => {
                finite("exponent", *exponent)?;
                number()
            }
            Self::HashBuckets { buckets: 0 } => Err("`hash_buckets` needs at least 1 bucket".to_owned()),
            Self::HashBuckets { buckets } => match stage {
                Stage::Int | Stage::Text => Ok(Stage::Code(code_count(u64::from(*buckets))?)),
                _ => Err(self.does_not_apply(stage)),
            },
            Self::DatePart { part } => match stage {
                Stage::Int | Stage::Float | Stage::Text => Ok(part.end().map_or(Stage::Float, Stage::Bucket)),
                _ => Err(self.does_not_apply(stage)),
            },
            Self::OneHot => match stage {
                Stage::Code(size) | Stage::Bucket(size) if size > COLUMNS_MAX => {
                    Err(format!("`one_hot` would give {size} columns, and {COLUMNS_MAX} are the most"))
                }
                Stage::Bool | Stage::Code(_) | Stage::Bucket(_) => Ok(Stage::Columns),
                _ => Err(self.does_not_apply(stage)),
            },
            Self::Cyclic { period } => {
                finite("period", *period)?;
                if *period <= 0.0 {
                    return Err("`period` of `cyclic` is not above 0".to_owned());
                }
                number().map(|_| Stage::Columns)
            }
            Self::MissingIndicator => match stage {
                Stage::Columns | Stage::Code(_) | Stage::Tokens | Stage::Vector(_) | Stage::History | Stage::Binary => {
                    Err(self.does_not_apply(stage))
                }
                _ => Ok(stage),
            },
            Self::Clip { min, max } => {
                for (name, bound) in [("min", min), ("max", max)] {
                    if let Some(bound) = bound {
                        finite(name, *bound)?;
                    }
                }
                if let (Some(min), Some(max)) = (min, max)
                    && min > max
                {
                    return Err("`clip` has bounds in the wrong order".to_owned());
                }
                number()
            }
            Self::Robust { .. }
            | Self::Gaussian { .. }
            | Self::Interpolate { .. }
            | Self::Density { .. }
            | Self::ByKey { .. }
            | Self::Project { .. } => self.output_of_numbers(stage),
            Self::Window { take: Take::Nth(0), .. } => Err("`nth` of `window` counts from 1".to_owned()),
            Self::Window { length_seconds: Some(0), .. } => Err("`length_seconds` of `window` is 0".to_owned()),
            Self::Window { .. } if stage == Stage::History => Ok(Stage::Float),
            Self::Window { .. } => Err(self.does_not_apply(stage)),
            Self::Image(picture) => {
                picture.columns()?;
                if stage == Stage::Binary { Ok(Stage::Columns) } else { Err(self.does_not_apply(stage)) }
            }
            Self::Frequency { .. } | Self::TargetEncode { .. } | Self::KeyedHash { .. } => self.output_of_keys(stage),
            Self::Lower
            | Self::Upper
            | Self::Strip
            | Self::RegexReplace { .. }
            | Self::RegexExtract { .. }
            | Self::Tokenize { .. }
            | Self::Split { .. }
            | Self::Ngrams { .. }
            | Self::Distinct
            | Self::WordCount
            | Self::MultiHot { .. }
            | Self::BagOfWords { .. }
            | Self::TfIdf { .. } => self.output_of_text(stage),
        }
    }

    pub(super) fn check_keys(&self, stage: Stage, keys: &Keys) -> Result<(), String> {
        match (stage, keys) {
            (Stage::Int, Keys::Integers(_)) | (Stage::Text, Keys::Strings(_)) => {}
            _ => return Err(self.does_not_apply(stage)),
        }
        self.check_distinct(keys)
    }

    pub(super) fn check_distinct(&self, keys: &Keys) -> Result<(), String> {
        if keys.has_duplicates() { Err(format!("`{}` lists a value twice", self.name())) } else { Ok(()) }
    }

    pub(super) fn finite(&self, name: &str, value: f64) -> Result<(), String> {
        if value.is_finite() { Ok(()) } else { Err(format!("`{name}` of `{}` is {value}", self.name())) }
    }

    pub(super) fn does_not_apply(&self, stage: Stage) -> String {
        format!("`{}` does not apply to {stage}", self.name())
    }
}

/// Codes are `u32` and are held exactly in an `f64`; more than 2³¹ of them is a mistake.
pub(super) fn code_count(count: u64) -> Result<u32, String> {
    u32::try_from(count).ok().filter(|count| *count <= 1 << 31).ok_or_else(|| format!("{count} codes are too many"))
}
