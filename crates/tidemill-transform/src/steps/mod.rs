//! The registry of steps: how each is written in the pipeline file, and what it is before fitting.
//!
//! To add a step: a file here, a line in `STEPS`, a variant of [`Step`] if it has constants to fit, and the fitted step
//! in `tidemill-model/src/graph/steps`. `docs/develop/add-a-step.md` shows it with an example.

mod bucketize;
mod case;
mod categorical;
mod choice;
mod clip;
mod count_tokens;
mod cyclic;
mod date_part;
mod days_since;
mod density;
mod fixed;
mod frequency;
mod gaussian;
mod hash_buckets;
mod image;
mod impute;
mod interpolate;
mod log;
mod min_max;
mod numeric;
mod one_hot;
mod parse;
mod pca;
mod per_key;
mod power;
mod quantiles;
mod regex;
mod robust;
mod target_encode;
mod tokens;
mod vocabulary;
mod window;
mod z_score;

pub use bucketize::Bucketize;
pub use choice::{Choice, Order};
pub use clip::{ClipQuantiles, ClipTukey};
pub use count_tokens::{BagOfWords, MultiHot, TfIdf};
pub use density::Density;
pub use impute::Impute;
pub use interpolate::Interpolate;
pub use min_max::MinMax;
pub use one_hot::OneHot;
pub use pca::Pca;
pub use robust::Robust;
pub use target_encode::TargetEncode;
pub use vocabulary::Vocabulary;
pub use window::Window;
pub use z_score::ZScore;

pub(crate) use parse::StepParams;

use tidemill_model::Mapper;

use crate::step::{FitStep, StepEntry};

/// Every step by its name in the pipeline file, in the order in which they are listed for people.
pub(crate) const STEPS: &[StepEntry] = &[
    numeric::NUMERIC,
    numeric::IDENTITY,
    impute::IMPUTE,
    z_score::Z_SCORE,
    min_max::MIN_MAX,
    robust::ROBUST,
    bucketize::BUCKETIZE,
    vocabulary::VOCABULARY,
    categorical::CATEGORICAL,
    one_hot::ONE_HOT,
    hash_buckets::HASH_BUCKETS,
    date_part::DATE_PART,
    days_since::DAYS_SINCE,
    cyclic::CYCLIC,
    log::LOG,
    log::LOG1P,
    power::SQRT,
    power::POWER,
    clip::CLIP,
    gaussian::GAUSSIAN,
    gaussian::SCALE_TO_GAUSSIAN,
    interpolate::INTERPOLATE,
    density::DENSITY,
    frequency::FREQUENCY,
    target_encode::TARGET_ENCODE,
    case::LOWER,
    case::UPPER,
    case::STRIP,
    regex::REGEX_REPLACE,
    regex::REGEX_EXTRACT,
    tokens::TOKENIZE,
    tokens::SPLIT,
    tokens::NGRAMS,
    tokens::DISTINCT,
    tokens::WORD_COUNT,
    count_tokens::MULTI_HOT,
    count_tokens::BAG_OF_WORDS,
    count_tokens::TF_IDF,
    pca::PCA,
    window::LAG,
    window::WINDOW,
    image::IMAGE,
];

/// Makes [`Step`] of a table of steps: those with parameters, and those without.
macro_rules! steps {
    (
        parameters: { $($variant:ident,)* }
        plain: { $($(#[$doc:meta])* $plain:ident: $module:ident,)* }
    ) => {
        /// One step of a feature, before fitting.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Step {
            /// A fitted step whose constants stand in the file, or which has none.
            Fixed(Mapper),
            $(#[doc = concat!("See [`", stringify!($variant), "`].")] $variant($variant),)*
            $($(#[$doc])* $plain,)*
        }

        impl Step {
            pub(crate) fn as_fit(&self) -> &dyn FitStep {
                match self {
                    Self::Fixed(mapper) => mapper,
                    $(Self::$variant(step) => step,)*
                    $(Self::$plain => &$module::$plain,)*
                }
            }
        }

        $(impl From<$variant> for Step {
            fn from(step: $variant) -> Self {
                Self::$variant(step)
            }
        })*
    };
}

steps! {
    parameters: {
        Impute,
        ZScore,
        MinMax,
        Robust,
        Bucketize,
        Vocabulary,
        OneHot,
        ClipQuantiles,
        ClipTukey,
        Interpolate,
        Density,
        TargetEncode,
        MultiHot,
        BagOfWords,
        TfIdf,
        Pca,
        Window,
    }
    plain: {
        /// The value as it is.
        Numeric: numeric,
        /// A code for each value seen in training.
        Categorical: categorical,
        /// The share of rows that have the value.
        Frequency: frequency,
        /// A standard normal variable, by Tukey's hh-distribution.
        Gaussian: gaussian,
    }
}
