//! The registry of fitted steps: a line for each, a file for each or for each family.

mod bucketize;
mod by_key;
mod case;
mod categorical;
mod clip;
mod count_tokens;
mod cyclic;
mod date_part;
mod days_since;
mod density;
mod frequency;
mod gaussian;
mod hash_buckets;
mod image;
mod impute;
mod interpolate;
mod log;
mod min_max;
mod missing_indicator;
mod one_hot;
mod pca;
mod power;
mod regex;
mod robust;
mod target_encode;
mod tokens;
mod vocabulary;
mod window;
mod z_score;

use serde::{Deserialize, Serialize};

pub use self::image::{Channels, Image};
pub use self::regex::{RegexExtract, RegexReplace};
pub use bucketize::Bucketize;
pub use by_key::ByKey;
pub use categorical::Categorical;
pub use clip::Clip;
pub use count_tokens::{BagOfWords, MultiHot, TfIdf};
pub use cyclic::Cyclic;
pub use date_part::DatePart;
pub use days_since::DaysSince;
pub use density::Density;
pub use frequency::Frequency;
pub use gaussian::Gaussian;
pub use hash_buckets::{HashBuckets, KeyedHash};
pub use impute::Impute;
pub use interpolate::Interpolate;
pub use min_max::MinMax;
pub use pca::Project;
pub use power::Power;
pub use robust::Robust;
pub use target_encode::{Encoding, TargetEncode};
pub use tokens::{Ngrams, Split, Tokenize, Tokenizer};
pub use vocabulary::Vocabulary;
pub use window::{Window, WindowAggregate};
pub use z_score::ZScore;

pub(crate) use self::image::check_picture;
pub use window::seconds;
pub(crate) use window::{HistoryInputs, LengthMismatch, list_length_mismatch};

use super::mapper::MapStep;

/// Makes [`Mapper`] of a table of steps: those with constants, and those without.
macro_rules! mappers {
    (
        constants: { $($variant:ident,)* }
        plain: { $($(#[$doc:meta])* $plain:ident: $module:ident,)* }
    ) => {
        /// One fitted step of a feature.
        ///
        /// A missing value is a null of the raw column or a NaN. Each step documents what becomes of it, and of other
        /// values that have no natural answer. Most steps keep a missing value missing: only `impute`, `target_encode` and
        /// the steps that count into columns make it present.
        ///
        /// `one_hot`, `cyclic`, `project`, `image`, `multi_hot`, `bag_of_words` and `tf_idf` end a feature and give several
        /// columns; `missing_indicator` adds one more, the last.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Mapper {
            $(#[doc = concat!("See [`", stringify!($variant), "`].")] $variant($variant),)*
            $($(#[$doc])* $plain,)*
        }

        impl Mapper {
            pub(super) fn step(&self) -> &dyn MapStep {
                match self {
                    $(Self::$variant(step) => step,)*
                    $(Self::$plain => &$module::$plain,)*
                }
            }
        }

        $(impl From<$variant> for Mapper {
            fn from(step: $variant) -> Self {
                Self::$variant(step)
            }
        })*
    };
}

mappers! {
    constants: {
        Impute,
        ZScore,
        MinMax,
        Bucketize,
        Vocabulary,
        Categorical,
        Clip,
        Power,
        HashBuckets,
        DatePart,
        DaysSince,
        Cyclic,
        Robust,
        Gaussian,
        Interpolate,
        Density,
        ByKey,
        Project,
        Frequency,
        TargetEncode,
        KeyedHash,
        RegexReplace,
        RegexExtract,
        Tokenize,
        Split,
        Ngrams,
        MultiHot,
        BagOfWords,
        TfIdf,
        Window,
        Image,
    }
    plain: {
        /// Natural logarithm. x ≤ 0 becomes missing.
        Log: log,
        /// Natural logarithm of 1 + x. x ≤ −1 becomes missing.
        Log1p: log,
        /// Square root. x < 0 becomes missing.
        Sqrt: power,
        /// A column for each code: 1 where the value has it, 0 elsewhere. A missing value is 0 in every column.
        OneHot: one_hot,
        /// One more column: 1 where the value is missing, 0 elsewhere. The value itself is passed on.
        MissingIndicator: missing_indicator,
        /// Text in lower case, by Unicode.
        Lower: case,
        /// Text in upper case, by Unicode.
        Upper: case,
        /// Text without white space at either end.
        Strip: case,
        /// Every token once.
        Distinct: tokens,
        /// How many tokens there are; an empty list has 0.
        WordCount: tokens,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_called_as_it_is_stored() {
        let steps = [
            Mapper::Log,
            Mapper::WordCount,
            Mapper::MissingIndicator,
            ZScore { mean: 1.0, std_dev: 2.0 }.into(),
            KeyedHash { buckets: 2, key: [1, 2] }.into(),
            Project { means: vec![0.0], components: vec![vec![1.0]] }.into(),
        ];
        for step in steps {
            let stored = serde_json::to_value(&step).unwrap();
            let tag = stored.as_str().or_else(|| stored.as_object()?.keys().next().map(String::as_str));
            assert_eq!(tag, Some(step.name()));
            assert_eq!(serde_json::from_value::<Mapper>(stored).unwrap(), step);
        }
    }
}
