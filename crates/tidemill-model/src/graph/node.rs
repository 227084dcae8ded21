//! The steps of a feature, with their fitted constants.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{DatePart, Keys, Scalar, Stage};

/// One fitted step of a feature.
///
/// A missing value is a null of the raw column or a NaN. Each step says what becomes of it, and of other values
/// that have no natural answer:
///
/// | step | missing gives | other edges |
/// |---|---|---|
/// | `impute` | the constant | |
/// | `z_score` | missing | deviation 0 (a constant column): x − mean |
/// | `min_max` | missing | min = max: sigmoid(x), scaled to the output range; values outside are not clipped |
/// | `bucketize` | missing (TensorFlow Transform: the last bucket) | −∞ and +∞ fall in the first and last bucket |
/// | `vocabulary` | missing | a value not listed: an out-of-vocabulary bucket; missing where there is none |
/// | `categorical` | missing | a value not listed: missing |
/// | `log`, `log1p` | missing | x ≤ 0, or x ≤ −1 for `log1p`: missing |
/// | `clip` | missing | ±∞ become the bounds |
/// | `sqrt` | missing | x < 0: missing |
/// | `power` | missing | x < 0 with a fraction as exponent, 0 with a negative one: missing |
/// | `hash_buckets` | missing | |
/// | `date_part` | missing | text that is no ISO date, years before 1 or after 9999: missing |
/// | `one_hot` | 0 in every column | a code that is missing: 0 in every column |
/// | `cyclic` | missing in both columns | ±∞: missing |
/// | `missing_indicator` | passed on | adds a column: 1 where the value is missing, 0 elsewhere |
///
/// A column as it is (no step) keeps missing values missing. No step but `impute` and `one_hot` makes a missing value
/// present.
///
/// `one_hot` and `cyclic` end a feature and give several columns, `missing_indicator` gives one more, the last.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Node {
    /// A missing value becomes `value`.
    Impute {
        /// Of the column's type. A number with a fraction turns whole numbers into real ones.
        value: Scalar,
    },
    /// (x − mean) / `std_dev`; x − mean where the deviation is 0.
    ZScore {
        /// Mean of the values it was fitted on.
        mean: f64,
        /// Their standard deviation, divided by n.
        std_dev: f64,
    },
    /// (x − min) / (max − min), scaled to the output range.
    MinMax {
        /// Smallest value it was fitted on.
        min: f64,
        /// Largest.
        max: f64,
        /// What `min` becomes.
        output_min: f64,
        /// What `max` becomes.
        output_max: f64,
    },
    /// The number of boundaries that are not above x: bucket i holds b\[i−1\] ≤ x < b\[i\].
    Bucketize {
        /// Strictly ascending.
        boundaries: Vec<f64>,
    },
    /// The position of a value in a list; for others a bucket by hash.
    ///
    /// A value not listed gets `size + xxh3_64(value) % oov_buckets`, where the hash is XXH3 with seed 0 of the
    /// UTF-8 bytes, for whole numbers of their decimal digits.
    Vocabulary {
        /// The values that have a code of their own, in the order of their codes.
        values: Keys,
        /// Buckets for all other values. 0: they are missing.
        oov_buckets: u32,
    },
    /// The position of a value in a list of all values seen in fitting.
    Categorical {
        /// The values in the order of their codes. Absent for buckets and for true and false, which are codes already.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        values: Option<Keys>,
    },
    /// Natural logarithm.
    Log,
    /// Natural logarithm of 1 + x.
    Log1p,
    /// The nearest value within bounds.
    Clip {
        /// Low bound.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min: Option<f64>,
        /// High bound.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<f64>,
    },
    /// Square root.
    Sqrt,
    /// x to the power of a constant.
    Power {
        /// The exponent.
        exponent: f64,
    },
    /// `xxh3_64(value) % buckets` for text and whole numbers, hashed as in `vocabulary`.
    HashBuckets {
        /// How many, at least 1.
        buckets: u32,
    },
    /// A part of a time in UTC: of seconds since 1970, or of text such as `2024-02-29T12:30:00+01:00`.
    DatePart {
        /// Which part.
        part: DatePart,
    },
    /// A column for each code: 1 where the value has it, 0 elsewhere.
    OneHot,
    /// The sine and the cosine of 2π · x / period.
    Cyclic {
        /// After so much it starts over; above 0.
        period: f64,
    },
    /// One more column: whether the value is missing here. The value itself is passed on.
    MissingIndicator,
}

/// More columns of one feature are a mistake: hash or cut the vocabulary.
const ONE_HOT_MAX: u32 = 1024;

impl Node {
    /// The step's name in the pipeline file.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Impute { .. } => "impute",
            Self::ZScore { .. } => "z_score",
            Self::MinMax { .. } => "min_max",
            Self::Bucketize { .. } => "bucketize",
            Self::Vocabulary { .. } => "vocabulary",
            Self::Categorical { .. } => "categorical",
            Self::Log => "log",
            Self::Log1p => "log1p",
            Self::Clip { .. } => "clip",
            Self::Sqrt => "sqrt",
            Self::Power { .. } => "power",
            Self::HashBuckets { .. } => "hash_buckets",
            Self::DatePart { .. } => "date_part",
            Self::OneHot => "one_hot",
            Self::Cyclic { .. } => "cyclic",
            Self::MissingIndicator => "missing_indicator",
        }
    }

    /// What values of `stage` are after this step; why it does not apply to them, or which constant cannot be.
    pub fn output(&self, stage: Stage) -> Result<Stage, String> {
        let finite = |name: &str, value: f64| {
            if value.is_finite() { Ok(()) } else { Err(format!("`{name}` of `{}` is {value}", self.name())) }
        };
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
                    (Stage::Code(_) | Stage::Columns, _) => Err(self.does_not_apply(stage)),
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
                Stage::Code(size) | Stage::Bucket(size) if size > ONE_HOT_MAX => {
                    Err(format!("`one_hot` would give {size} columns, and {ONE_HOT_MAX} are the most"))
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
                Stage::Columns | Stage::Code(_) => Err(self.does_not_apply(stage)),
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
        }
    }

    fn check_keys(&self, stage: Stage, keys: &Keys) -> Result<(), String> {
        match (stage, keys) {
            (Stage::Int, Keys::Integers(_)) | (Stage::Text, Keys::Strings(_)) => {}
            _ => return Err(self.does_not_apply(stage)),
        }
        if keys.has_duplicates() { Err(format!("`{}` lists a value twice", self.name())) } else { Ok(()) }
    }

    fn does_not_apply(&self, stage: Stage) -> String {
        format!("`{}` does not apply to {stage}", self.name())
    }
}

/// Codes are `u32` and are held exactly in an `f64`; more than 2³¹ of them is a mistake.
fn code_count(count: u64) -> Result<u32, String> {
    u32::try_from(count).ok().filter(|count| *count <= 1 << 31).ok_or_else(|| format!("{count} codes are too many"))
}

/// The step and its constants in a few words, for a model card: `z_score (mean 11.7015, deviation 12.2579)`.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Impute { value } => write!(f, " {value}"),
            Self::ZScore { mean, std_dev } => write!(f, " (mean {mean:.6}, deviation {std_dev:.6})"),
            Self::MinMax { min, max, .. } => write!(f, " ({min} to {max})"),
            Self::Bucketize { boundaries } => write!(f, " into {}", boundaries.len() + 1),
            Self::Vocabulary { values, oov_buckets: 0 } | Self::Categorical { values: Some(values) } => {
                write!(f, " of {}", values.len())
            }
            Self::Vocabulary { values, oov_buckets } => write!(f, " of {} and {oov_buckets} for others", values.len()),
            Self::Clip { min: Some(min), max: Some(max) } => write!(f, " to {min} … {max}"),
            Self::Clip { min: Some(min), max: None } => write!(f, " to at least {min}"),
            Self::Clip { min: None, max: Some(max) } => write!(f, " to at most {max}"),
            Self::Power { exponent } => write!(f, " {exponent}"),
            Self::HashBuckets { buckets } => write!(f, " {buckets}"),
            Self::DatePart { part } => write!(f, " {part}"),
            Self::Cyclic { period } => write!(f, " of {period}"),
            _ => Ok(()),
        }
    }
}
