//! Steps over numbers, in place.

use arrow::array::RecordBatch;
use tidemill_core::TensorSpec;
use xxhash_rust::xxh3::xxh3_64;

use super::gaussian::Gaussian;
use super::load::codes_of;
use super::node::Encoding;
use super::table::CodeTable;
use super::{DatePart, Node, Scalar};

/// A step over numbers, in place.
#[derive(Debug)]
pub(super) enum Op {
    Fill(f64),
    Shift {
        mean: f64,
    },
    ZScore {
        mean: f64,
        std_dev: f64,
    },
    Scale {
        min: f64,
        width: f64,
        output_min: f64,
        output_width: f64,
    },
    Sigmoid {
        output_min: f64,
        output_width: f64,
    },
    Bucketize(Vec<f64>),
    Log,
    Log1p,
    Clip {
        min: f64,
        max: f64,
    },
    Sqrt,
    Power(f64),
    DatePart(DatePart),
    /// Whether values are missing here, into the last column.
    Indicate,
    Robust {
        median: f64,
        range: f64,
    },
    Gaussian(Gaussian),
    Interpolate(Vec<f64>),
    Density {
        boundaries: Vec<f64>,
        densities: Vec<f64>,
    },
    ByKey(ByKey),
    /// A code into a number.
    Numbers(Numbers),
}

/// A step for each value of another column.
#[derive(Debug)]
pub(super) struct ByKey {
    /// Which of the graph's inputs holds the key.
    input: usize,
    table: CodeTable,
    ops: Vec<Op>,
    other: Box<Op>,
}

/// Codes into numbers, for a row of the training split by the fold it belongs to.
#[derive(Debug)]
pub(super) struct Numbers {
    /// By code, and for a code that is NaN.
    full: (Vec<f64>, f64),
    folds: Vec<(Vec<f64>, f64)>,
}

/// The batch that a step may look into, and whether its rows are those that constants were fitted on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) batch: &'a RecordBatch,
    /// By input of the graph: the column of the batch.
    pub(super) columns: &'a [usize],
    /// In training, the number of the batch's first row in its split.
    pub(super) training: Option<u64>,
}

/// The fold of a row of the training split: `xxh3_64` of its number in the split, as 8 bytes with the lowest first,
/// modulo the folds.
pub fn fold_of_row(row: u64, folds: usize) -> usize {
    (xxh3_64(&row.to_le_bytes()) % folds.max(1) as u64) as usize
}

/// The step in place that `node` is; `None` where it is none. `inputs` are the graph's.
pub(super) fn op(node: &Node, inputs: &[TensorSpec]) -> Option<Op> {
    Some(match *node {
        Node::Impute { ref value } => Op::Fill(match value {
            Scalar::Bool(value) => f64::from(u8::from(*value)),
            Scalar::Int(value) => *value as f64,
            Scalar::Float(value) => *value,
            Scalar::Text(_) => return None,
        }),
        Node::ZScore { mean, std_dev } => {
            if std_dev == 0.0 {
                Op::Shift { mean }
            } else {
                Op::ZScore { mean, std_dev }
            }
        }
        Node::MinMax { min, max, output_min, output_max } => {
            let output_width = output_max - output_min;
            if min == max {
                Op::Sigmoid { output_min, output_width }
            } else {
                Op::Scale { min, width: max - min, output_min, output_width }
            }
        }
        Node::Bucketize { ref boundaries } => Op::Bucketize(boundaries.clone()),
        Node::Log => Op::Log,
        Node::Log1p => Op::Log1p,
        Node::Clip { min, max } => {
            Op::Clip { min: min.unwrap_or(f64::NEG_INFINITY), max: max.unwrap_or(f64::INFINITY) }
        }
        Node::Sqrt => Op::Sqrt,
        Node::Power { exponent } => Op::Power(exponent),
        Node::DatePart { part } => Op::DatePart(part),
        Node::MissingIndicator => Op::Indicate,
        Node::Robust { median, range } => Op::Robust { median, range },
        Node::Gaussian { location, scale, h_left, h_right } => {
            Op::Gaussian(Gaussian { location, scale, h_left, h_right })
        }
        Node::Interpolate { ref boundaries } => Op::Interpolate(boundaries.clone()),
        Node::Density { ref boundaries, ref densities } => {
            Op::Density { boundaries: boundaries.clone(), densities: densities.clone() }
        }
        Node::ByKey { ref column, ref values, ref nodes, ref other } => Op::ByKey(ByKey {
            input: inputs.iter().position(|input| input.name == *column)?,
            table: CodeTable::new(values, 0),
            ops: nodes.iter().map(|node| op(node, inputs)).collect::<Option<_>>()?,
            other: Box::new(op(other, inputs)?),
        }),
        // A value not seen has no rows; one that is missing stays so.
        Node::Frequency { ref shares, .. } => {
            let numbers = [shares.as_slice(), &[f64::NAN]].concat();
            Op::Numbers(Numbers { full: (numbers, 0.0), folds: Vec::new() })
        }
        Node::TargetEncode { ref full, ref folds, .. } => {
            Op::Numbers(Numbers { full: numbers(full), folds: folds.iter().map(numbers).collect() })
        }
        // Buckets, true and false are codes already; tables, text and lists are the head, and what spreads comes last.
        Node::Categorical { .. }
        | Node::Vocabulary { .. }
        | Node::HashBuckets { .. }
        | Node::KeyedHash { .. }
        | Node::Project { .. }
        | Node::Lower
        | Node::Upper
        | Node::Strip
        | Node::RegexReplace { .. }
        | Node::RegexExtract { .. }
        | Node::Tokenize { .. }
        | Node::Split { .. }
        | Node::Ngrams { .. }
        | Node::Distinct
        | Node::WordCount
        | Node::MultiHot { .. }
        | Node::BagOfWords { .. }
        | Node::TfIdf { .. }
        | Node::Window { .. }
        | Node::Image(_)
        | Node::OneHot
        | Node::Cyclic { .. } => return None,
    })
}

impl Op {
    /// Runs the step over the rows of a batch. Every arm keeps NaN as it is, but `Fill` and `Numbers`. `false`: a column
    /// of the batch is of another type than was bound.
    pub(super) fn run(&self, values: &mut [f64], place: Place<'_>) -> bool {
        match *self {
            Self::Fill(fill) => each(values, |x| if x.is_nan() { fill } else { x }),
            Self::Shift { mean } => each(values, |x| x - mean),
            Self::ZScore { mean, std_dev } => each(values, |x| (x - mean) / std_dev),
            Self::Scale { min, width, output_min, output_width } => {
                each(values, |x| (x - min) / width * output_width + output_min);
            }
            Self::Sigmoid { output_min, output_width } => {
                each(values, |x| 1.0 / (1.0 + (-x).exp()) * output_width + output_min);
            }
            Self::Bucketize(ref boundaries) => {
                each(
                    values,
                    |x| {
                        if x.is_nan() { x } else { boundaries.partition_point(|boundary| *boundary <= x) as f64 }
                    },
                );
            }
            Self::Log => each(values, |x| if x > 0.0 { x.ln() } else { f64::NAN }),
            Self::Log1p => each(values, |x| if x > -1.0 { x.ln_1p() } else { f64::NAN }),
            Self::Clip { min, max } => each(values, |x| {
                if x < min {
                    min
                } else if x > max {
                    max
                } else {
                    x
                }
            }),
            Self::Sqrt => each(values, |x| if x >= 0.0 { x.sqrt() } else { f64::NAN }),
            // By the standard, NaN to the power of 0 is 1, and 0 to a negative power is infinite.
            Self::Power(exponent) => {
                each(values, |x| if x.is_nan() || (x == 0.0 && exponent < 0.0) { f64::NAN } else { x.powf(exponent) });
            }
            Self::DatePart(part) => each(values, |x| part.of(x)),
            Self::Indicate => {}
            Self::Robust { median, range } => {
                if range == 0.0 {
                    each(values, |x| x - median);
                } else {
                    each(values, |x| (x - median) / range);
                }
            }
            Self::Gaussian(ref gaussian) => each(values, |x| gaussian.of(x)),
            Self::Interpolate(ref boundaries) => each(values, |x| interpolate(boundaries, x)),
            Self::Density { ref boundaries, ref densities } => each(values, |x| {
                if x.is_nan() {
                    return x;
                }
                let bucket = boundaries.partition_point(|boundary| *boundary <= x);
                // The last edge belongs to the last bucket.
                let bucket = bucket - usize::from(boundaries.last() == Some(&x));
                bucket.checked_sub(1).and_then(|bucket| densities.get(bucket)).copied().unwrap_or(0.0)
            }),
            Self::ByKey(ref by_key) => return by_key.run(values, place),
            Self::Numbers(ref numbers) => numbers.run(values, place),
        }
        true
    }
}

impl ByKey {
    fn run(&self, values: &mut [f64], place: Place<'_>) -> bool {
        let key = place.columns.get(self.input).and_then(|column| place.batch.columns().get(*column));
        let Some(codes) = key.and_then(|key| codes_of(key, &self.table)) else { return false };
        values.iter_mut().enumerate().all(|(row, value)| {
            let code = codes(row);
            let op = if code.is_nan() { &*self.other } else { self.ops.get(code as usize).unwrap_or(&self.other) };
            op.run(std::slice::from_mut(value), place)
        })
    }
}

impl Numbers {
    fn run(&self, values: &mut [f64], place: Place<'_>) {
        let of = |(numbers, other): &(Vec<f64>, f64), code: f64| {
            if code.is_nan() { *other } else { numbers.get(code as usize).copied().unwrap_or(*other) }
        };
        match place.training {
            Some(first) if !self.folds.is_empty() => {
                for (row, value) in values.iter_mut().enumerate() {
                    *value = of(&self.folds[fold_of_row(first + row as u64, self.folds.len())], *value);
                }
            }
            _ => each(values, |code| of(&self.full, code)),
        }
    }
}

/// The numbers by code, the missing value's last, and that of values not listed.
fn numbers(encoding: &Encoding) -> (Vec<f64>, f64) {
    ([encoding.encodings.as_slice(), &[encoding.missing]].concat(), encoding.other)
}

/// TensorFlow Transform's `apply_buckets_with_interpolation`.
fn interpolate(boundaries: &[f64], x: f64) -> f64 {
    let above = boundaries.partition_point(|boundary| *boundary <= x);
    if x.is_nan() || above == 0 {
        return if x.is_nan() { x } else { 0.0 };
    }
    if above == boundaries.len() {
        return 1.0;
    }
    let (low, high) = (boundaries[above - 1], boundaries[above]);
    ((above - 1) as f64 + (x - low) / (high - low)) / (boundaries.len() - 1) as f64
}

pub(super) fn each(values: &mut [f64], step: impl Fn(f64) -> f64) {
    for value in values {
        *value = step(*value);
    }
}
