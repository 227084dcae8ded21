//! A feature's steps made ready to run: one source, then operations in place over a column of `f64`.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{DataType as ArrowType, Float64Type, Int64Type};
use tidemill_core::DataType;

use super::feature::first_code;
use super::source::CompiledSource;
use super::table::CodeTable;
use super::time::seconds_of;
use super::{DatePart, Keys, Node, Scalar};

/// A feature ready to run: its source, how raw values become numbers, steps in place, and the columns in the end.
#[derive(Debug)]
pub(super) struct CompiledFeature {
    source: CompiledSource,
    head: Head,
    /// The last column is whether the raw value is missing.
    indicates_raw: bool,
    ops: Vec<Op>,
    spread: Option<Spread>,
    /// How many columns the spread gives, without an indicator.
    width: usize,
    /// How many columns it gives.
    pub(super) outputs: usize,
}

/// How raw values become `f64`.
#[derive(Debug)]
enum Head {
    Number,
    /// Through a table; `missing` is the code of a missing value.
    Codes {
        table: CodeTable,
        missing: f64,
    },
    /// Text into seconds since 1970; `missing` are those of a missing value.
    Time {
        missing: f64,
    },
}

/// A step over numbers, in place.
#[derive(Debug)]
enum Op {
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
}

/// One column of numbers into several.
#[derive(Debug)]
enum Spread {
    /// A column for each code from `first`.
    OneHot {
        first: u32,
    },
    Cyclic {
        period: f64,
    },
}

impl CompiledFeature {
    /// `nodes` have been checked to fit `source`, and to give `outputs` columns.
    pub(super) fn new(source: CompiledSource, nodes: &[Node], outputs: usize) -> Self {
        let width = outputs - usize::from(nodes.contains(&Node::MissingIndicator));
        let is_text = source.datatype() == DataType::Bytes;
        let reads_raw = |node: &Node| match node {
            Node::Vocabulary { .. } | Node::Categorical { values: Some(_) } | Node::HashBuckets { .. } => true,
            Node::DatePart { .. } => is_text,
            _ => false,
        };
        let spread = match nodes.last() {
            Some(Node::OneHot) => Some(Spread::OneHot { first: first_code(nodes) }),
            Some(Node::Cyclic { period }) => Some(Spread::Cyclic { period: *period }),
            _ => None,
        };
        // Before such a step only `impute` and `missing_indicator` can stand, for values are still as they came.
        let Some(at) = nodes.iter().position(reads_raw) else {
            debug_assert!(!is_text, "text needs a table, which the check of stages demands");
            let ops = nodes.iter().filter_map(op).collect();
            return Self { source, head: Head::Number, indicates_raw: false, ops, spread, width, outputs };
        };
        let (before, after) = nodes.split_at(at);
        let head = match &after[0] {
            Node::Vocabulary { values, oov_buckets } => codes(values, *oov_buckets, before),
            Node::Categorical { values: Some(values) } => codes(values, 0, before),
            Node::HashBuckets { buckets } => {
                codes(&if is_text { Keys::Strings(Vec::new()) } else { Keys::Integers(Vec::new()) }, *buckets, before)
            }
            _ => Head::Time {
                missing: filled(before).map_or(f64::NAN, |value| match value {
                    Scalar::Text(text) => seconds_of(text),
                    _ => f64::NAN,
                }),
            },
        };
        let indicates_raw = before.contains(&Node::MissingIndicator);
        Self { source, head, indicates_raw, ops: after.iter().filter_map(op).collect(), spread, width, outputs }
    }

    /// Runs the feature over a batch, of which `columns` holds the graph's inputs, into `out`: as many columns as it
    /// gives, of as many values as the batch has rows.
    ///
    /// `false`: a column has another type than was bound.
    pub(super) fn run(&self, batch: &RecordBatch, columns: &[usize], out: &mut [Vec<f64>]) -> bool {
        // A plain column is borrowed, which is what most features are.
        if let Some(raw) = self.source.column(batch, columns) {
            return self.run_over(raw, out);
        }
        self.source.values(batch, columns).is_some_and(|raw| self.run_over(&raw, out))
    }

    fn run_over(&self, raw: &ArrayRef, out: &mut [Vec<f64>]) -> bool {
        let Some((main, others)) = out.split_first_mut() else { return false };
        let is_read = match &self.head {
            Head::Number => load_numbers(raw, main),
            Head::Codes { table, missing } => load_codes(raw, table, *missing, main),
            Head::Time { missing } => load_times(raw, *missing, main),
        };
        if !is_read {
            return false;
        }
        if self.indicates_raw
            && let Some(indicator) = others.last_mut()
        {
            for (row, indicator) in indicator.iter_mut().enumerate() {
                *indicator = f64::from(u8::from(*raw.data_type() == ArrowType::Null || raw.is_null(row)));
            }
        }
        for op in &self.ops {
            if let Op::Indicate = op {
                if let Some(indicator) = others.last_mut() {
                    for (indicator, value) in indicator.iter_mut().zip(&*main) {
                        *indicator = f64::from(u8::from(value.is_nan()));
                    }
                }
            } else {
                op.run(main);
            }
        }
        if let Some(spread) = &self.spread {
            // An indicator is the last column and none of the spread's.
            spread.run(main, &mut others[..self.width - 1]);
        }
        true
    }
}

impl Spread {
    /// `main` turns into the first column of what it is spread over.
    fn run(&self, main: &mut [f64], others: &mut [Vec<f64>]) {
        match *self {
            Self::OneHot { first } => {
                for (at, other) in others.iter_mut().enumerate() {
                    let code = f64::from(first) + (at + 1) as f64;
                    for (other, value) in other.iter_mut().zip(&*main) {
                        *other = f64::from(u8::from(*value == code));
                    }
                }
                each(main, |x| f64::from(u8::from(x == f64::from(first))));
            }
            Self::Cyclic { period } => {
                let angle = |x: f64| x / period * std::f64::consts::TAU;
                if let Some(cosine) = others.first_mut() {
                    for (cosine, value) in cosine.iter_mut().zip(&*main) {
                        *cosine = angle(*value).cos();
                    }
                }
                each(main, |x| angle(x).sin());
            }
        }
    }
}

/// The constant that `impute` among `nodes` fills missing values with.
fn filled(nodes: &[Node]) -> Option<&Scalar> {
    nodes.iter().find_map(|node| match node {
        Node::Impute { value } => Some(value),
        _ => None,
    })
}

/// A table and the code of a missing value: that of the first imputed constant, if any step imputes.
fn codes(keys: &Keys, oov_buckets: u32, before: &[Node]) -> Head {
    let table = CodeTable::new(keys, oov_buckets);
    let missing = match filled(before) {
        Some(Scalar::Text(text)) => table.text(text),
        Some(Scalar::Int(value)) => table.integer(*value),
        _ => f64::NAN,
    };
    Head::Codes { table, missing }
}

fn op(node: &Node) -> Option<Op> {
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
        // Buckets, true and false are codes already; tables are the head, and what spreads comes last.
        Node::Categorical { .. }
        | Node::Vocabulary { .. }
        | Node::HashBuckets { .. }
        | Node::OneHot
        | Node::Cyclic { .. } => return None,
    })
}

impl Op {
    /// Every arm keeps NaN as it is, but `Fill`.
    fn run(&self, values: &mut [f64]) {
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
        }
    }
}

fn each(values: &mut [f64], step: impl Fn(f64) -> f64) {
    for value in values {
        *value = step(*value);
    }
}

fn load_numbers(column: &ArrayRef, out: &mut [f64]) -> bool {
    match column.data_type() {
        ArrowType::Float64 => {
            let array = column.as_primitive::<Float64Type>();
            out.copy_from_slice(array.values());
            clear_nulls(column, out);
        }
        ArrowType::Int64 => {
            let array = column.as_primitive::<Int64Type>();
            for (out, value) in out.iter_mut().zip(array.values()) {
                *out = *value as f64;
            }
            clear_nulls(column, out);
        }
        ArrowType::Boolean => {
            let array = column.as_boolean();
            for (row, out) in out.iter_mut().enumerate() {
                *out = f64::from(u8::from(array.value(row)));
            }
            clear_nulls(column, out);
        }
        ArrowType::Null => out.fill(f64::NAN),
        _ => return false,
    }
    true
}

fn clear_nulls(column: &ArrayRef, out: &mut [f64]) {
    if let Some(nulls) = column.nulls().filter(|nulls| nulls.null_count() > 0) {
        for (row, out) in out.iter_mut().enumerate() {
            if nulls.is_null(row) {
                *out = f64::NAN;
            }
        }
    }
}

fn load_times(column: &ArrayRef, missing: f64, out: &mut [f64]) -> bool {
    match column.data_type() {
        ArrowType::Utf8 => {
            let array = column.as_string::<i32>();
            for (row, out) in out.iter_mut().enumerate() {
                *out = if array.is_null(row) { missing } else { seconds_of(array.value(row)) };
            }
        }
        ArrowType::Null => out.fill(missing),
        _ => return false,
    }
    true
}

fn load_codes(column: &ArrayRef, table: &CodeTable, missing: f64, out: &mut [f64]) -> bool {
    match column.data_type() {
        ArrowType::Utf8 if table.holds_text() => {
            let array = column.as_string::<i32>();
            for (row, out) in out.iter_mut().enumerate() {
                *out = if array.is_null(row) { missing } else { table.text(array.value(row)) };
            }
        }
        ArrowType::Int64 if !table.holds_text() => {
            let array = column.as_primitive::<Int64Type>();
            for (row, out) in out.iter_mut().enumerate() {
                *out = if array.is_null(row) { missing } else { table.integer(array.value(row)) };
            }
        }
        ArrowType::Null => out.fill(missing),
        _ => return false,
    }
    true
}
