//! What a step is called, and its constants in a few words.

use std::fmt;

use super::{Node, Picture, Take};

impl Node {
    /// The step's name in `transform.json`, and mostly in the pipeline file.
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
            Self::Robust { .. } => "robust",
            Self::Gaussian { .. } => "gaussian",
            Self::Interpolate { .. } => "interpolate",
            Self::Density { .. } => "density",
            Self::ByKey { .. } => "by_key",
            Self::Project { .. } => "project",
            Self::Frequency { .. } => "frequency",
            Self::TargetEncode { .. } => "target_encode",
            Self::KeyedHash { .. } => "keyed_hash",
            Self::Lower => "lower",
            Self::Upper => "upper",
            Self::Strip => "strip",
            Self::RegexReplace { .. } => "regex_replace",
            Self::RegexExtract { .. } => "regex_extract",
            Self::Tokenize { .. } => "tokenize",
            Self::Split { .. } => "split",
            Self::Ngrams { .. } => "ngrams",
            Self::Distinct => "distinct",
            Self::WordCount => "word_count",
            Self::MultiHot { .. } => "multi_hot",
            Self::BagOfWords { .. } => "bag_of_words",
            Self::TfIdf { .. } => "tf_idf",
            Self::Window { .. } => "window",
            Self::Image(_) => "image",
        }
    }
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
            Self::HashBuckets { buckets } | Self::KeyedHash { buckets, .. } => write!(f, " {buckets}"),
            Self::DatePart { part } => write!(f, " {part}"),
            Self::Cyclic { period } => write!(f, " of {period}"),
            Self::Robust { median, range } => write!(f, " (median {median:.6}, range {range:.6})"),
            Self::Gaussian { location, scale, h_left, h_right } => {
                write!(f, " (location {location:.6}, scale {scale:.6}, tails {h_left:.4} and {h_right:.4})")
            }
            Self::Interpolate { boundaries } => write!(f, " between {} boundaries", boundaries.len()),
            Self::Density { densities, .. } => write!(f, " of {} buckets", densities.len()),
            Self::ByKey { column, values, other, .. } => {
                write!(f, " `{column}` of {}: {}", values.len(), other.name())
            }
            Self::Project { means, components } => write!(f, " {} columns on {}", means.len(), components.len()),
            Self::TargetEncode { values, full, .. } => write!(f, " of {} (mean {:.6})", values.len(), full.other),
            Self::Image(Picture { height, width, channels, .. }) => {
                write!(f, " of {height} × {width} × {}", channels.count())
            }
            Self::Window { from_seconds, length_seconds, take } => {
                write!(f, " ({}", take.name())?;
                if let Take::Nth(nth) = take {
                    write!(f, " {nth}")?;
                }
                write!(f, " from {from_seconds} s before")?;
                match length_seconds {
                    Some(length) => write!(f, ", over {length} s)"),
                    None => f.write_str(")"),
                }
            }
            Self::RegexReplace { pattern, with } => write!(f, " `{pattern}` by `{with}`"),
            Self::RegexExtract { pattern, .. } | Self::Tokenize { pattern } => write!(f, " `{pattern}`"),
            Self::Split { separator } => write!(f, " at `{separator}`"),
            Self::Ngrams { min, max, .. } => write!(f, " of {min} to {max}"),
            Self::Frequency { values, .. }
            | Self::MultiHot { values, oov_buckets: 0 }
            | Self::BagOfWords { values, oov_buckets: 0 }
            | Self::TfIdf { values, .. } => write!(f, " of {}", values.len()),
            Self::MultiHot { values, oov_buckets } | Self::BagOfWords { values, oov_buckets } => {
                write!(f, " of {} and {oov_buckets} for others", values.len())
            }
            _ => Ok(()),
        }
    }
}
