//! The registry of steps as nodes of ONNX: a line for each, a file for each or for each family.

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

use tidemill_core::TensorSpec;
use tidemill_model::{Feature, Mapper};

use super::UnseenCategories;
use super::builder::{Builder, Name, int};
use super::source::Raw;
use crate::onnx::value::datatype;

/// One kind of step as nodes of ONNX, computed as the executor computes it.
pub(super) trait ExportStep {
    /// Why ONNX cannot express the step, if it cannot.
    fn refusal(&self) -> Option<String> {
        None
    }

    /// Whether the step needs raw values, for [`decode`](Self::decode).
    fn decodes(&self, _is_text: bool) -> bool {
        false
    }

    /// Applies the step to raw values, before one that decodes them. Returns the indicator of missing values, if the
    /// step is that.
    fn prepare(&self, _: &mut Builder, _: &mut Raw) -> Result<Option<Name>, String> {
        Err("it has no form in ONNX before a table".to_owned())
    }

    /// Decodes raw values to numbers or columns with this step, the first one of `at.after`.
    fn decode(&self, _: &mut Builder, _: &Raw, _: &Position<'_>) -> Result<Decoded, String> {
        Err("it does not apply to raw values".to_owned())
    }

    /// Applies the step to numbers; NaN is a missing value.
    fn over_numbers(&self, _: &mut Builder, _x: &str, _: &Position<'_>) -> Result<Output, String> {
        Err("it comes after other steps".to_owned())
    }

    /// Applies the step to numbers with constants of its own for each row, by the row's position among `steps`, which
    /// are all of this kind.
    fn by_key(&self, _: &mut Builder, _x: &str, _position: &str, _steps: &[&Mapper]) -> Result<Name, String> {
        Err("`by_key` holds a step that has no form in ONNX by key".to_owned())
    }
}

/// The position of a step in its feature.
pub(super) struct Position<'a> {
    pub(super) feature: &'a Feature,
    /// The step and those after it.
    pub(super) after: &'a [Mapper],
    pub(super) inputs: &'a [TensorSpec],
    pub(super) unseen: UnseenCategories,
}

/// Numbers or columns decoded from raw values.
pub(super) struct Decoded {
    pub(super) value: Name,
    /// The final columns, one matrix each, if there are several.
    pub(super) columns: Option<Vec<Name>>,
    /// How many steps are covered.
    pub(super) taken: usize,
}

impl Decoded {
    fn one(value: Name, taken: usize) -> Self {
        Self { value, columns: None, taken }
    }
}

/// The result of a step on numbers.
pub(super) enum Output {
    Value(Name),
    /// Whether the value is missing, as a separate column.
    Indicator(Name),
    /// The final columns.
    Columns(Vec<Name>),
}

/// The export of each step.
pub(super) fn exporter(mapper: &Mapper) -> &dyn ExportStep {
    match mapper {
        Mapper::Impute(step) => step,
        Mapper::ZScore(step) => step,
        Mapper::MinMax(step) => step,
        Mapper::Bucketize(step) => step,
        Mapper::Vocabulary(step) => step,
        Mapper::Categorical(step) => step,
        Mapper::Clip(step) => step,
        Mapper::Power(step) => step,
        Mapper::HashBuckets(step) => step,
        Mapper::DatePart(step) => step,
        Mapper::DaysSince(step) => step,
        Mapper::Cyclic(step) => step,
        Mapper::Robust(step) => step,
        Mapper::Gaussian(step) => step,
        Mapper::Interpolate(step) => step,
        Mapper::Density(step) => step,
        Mapper::ByKey(step) => step,
        Mapper::Project(step) => step,
        Mapper::Frequency(step) => step,
        Mapper::TargetEncode(step) => step,
        Mapper::KeyedHash(step) => step,
        Mapper::RegexReplace(step) => step,
        Mapper::RegexExtract(step) => step,
        Mapper::Tokenize(step) => step,
        Mapper::Split(step) => step,
        Mapper::Ngrams(step) => step,
        Mapper::MultiHot(step) => step,
        Mapper::BagOfWords(step) => step,
        Mapper::TfIdf(step) => step,
        Mapper::Window(step) => step,
        Mapper::Image(step) => step,
        Mapper::Log => &log::Log,
        Mapper::Log1p => &log::Log1p,
        Mapper::Sqrt => &power::Sqrt,
        Mapper::OneHot => &one_hot::OneHot,
        Mapper::MissingIndicator => &missing_indicator::MissingIndicator,
        Mapper::Lower => &case::Lower,
        Mapper::Upper => &case::Upper,
        Mapper::Strip => &case::Strip,
        Mapper::Distinct => &tokens::Distinct,
        Mapper::WordCount => &tokens::WordCount,
    }
}

/// How many boundaries are not above x.
fn reached(graph: &mut Builder, x: &str, boundaries: &[f64]) -> Name {
    let column = graph.as_column(x);
    let table = graph.table(&[1, boundaries.len() as i64], boundaries);
    count(graph, "GreaterOrEqual", &column, &table)
}

/// In how many columns of a row a comparison is true.
fn count(graph: &mut Builder, comparison: &str, left: &str, right: &str) -> Name {
    let found = graph.both(comparison, left, right);
    let ones = graph.cast(&found, datatype::DOUBLE);
    let axes = graph.list(&[1]);
    graph.op("ReduceSum", &[&ones, &axes], vec![int("keepdims", 0)])
}

/// `value`, missing if `x` is.
fn present(graph: &mut Builder, x: &str, value: &str) -> Name {
    let (missing, none) = (graph.of("IsNaN", x), graph.number(f64::NAN));
    graph.choose(&missing, &none, value)
}
