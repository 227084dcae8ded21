//! A feature's steps made ready to run: one source, then operations in place over a column of `f64`.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType as ArrowType, Float64Type, Int64Type};
use tidemill_core::DataType;

use super::node::{Keys, Node, Scalar};
use super::table::CodeTable;

/// A feature ready to run.
#[derive(Debug)]
pub(super) struct CompiledFeature {
    /// Which input it reads.
    pub(super) input: usize,
    source: Source,
    ops: Vec<Op>,
}

/// How raw values become `f64`.
#[derive(Debug)]
enum Source {
    Number,
    /// Through a table; `missing` is the code of a missing value.
    Codes {
        table: CodeTable,
        missing: f64,
    },
}

/// A step over numbers, in place.
#[derive(Debug)]
enum Op {
    Fill(f64),
    Shift { mean: f64 },
    ZScore { mean: f64, std_dev: f64 },
    Scale { min: f64, width: f64, output_min: f64, output_width: f64 },
    Sigmoid { output_min: f64, output_width: f64 },
    Bucketize(Vec<f64>),
    Log,
    Log1p,
    Clip { min: f64, max: f64 },
}

impl CompiledFeature {
    /// `nodes` have been checked to fit a column of `datatype`.
    pub(super) fn new(input: usize, datatype: DataType, nodes: &[Node]) -> Self {
        let lookup = nodes.iter().find_map(|node| match node {
            Node::Vocabulary { values, oov_buckets } => Some((values, *oov_buckets)),
            Node::Categorical { values: Some(values) } => Some((values, 0)),
            _ => None,
        });
        if let Some((keys, oov_buckets)) = lookup {
            return Self { input, source: codes(keys, oov_buckets, nodes), ops: Vec::new() };
        }
        let mut ops: Vec<Op> = Vec::with_capacity(nodes.len());
        ops.extend(nodes.iter().filter_map(op));
        debug_assert!(datatype != DataType::Bytes, "text needs a table, which the check of stages demands");
        Self { input, source: Source::Number, ops }
    }

    /// Runs the feature over a raw column into `out`, which has as many values as the column.
    ///
    /// `false`: the column has another type than was bound.
    pub(super) fn run(&self, column: &ArrayRef, out: &mut [f64]) -> bool {
        match &self.source {
            Source::Number => {
                if !load_numbers(column, out) {
                    return false;
                }
            }
            Source::Codes { table, missing } => {
                if !load_codes(column, table, *missing, out) {
                    return false;
                }
            }
        }
        for op in &self.ops {
            op.run(out);
        }
        true
    }
}

/// A table and the code of a missing value: that of the first imputed constant, if any step imputes.
fn codes(keys: &Keys, oov_buckets: u32, nodes: &[Node]) -> Source {
    let table = CodeTable::new(keys, oov_buckets);
    let missing = nodes
        .iter()
        .find_map(|node| match node {
            Node::Impute { value: Scalar::Text(text) } => Some(table.text(text)),
            Node::Impute { value: Scalar::Int(value) } => Some(table.integer(*value)),
            _ => None,
        })
        .unwrap_or(f64::NAN);
    Source::Codes { table, missing }
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
        // Buckets, true and false are codes already; tables are the source.
        Node::Categorical { .. } | Node::Vocabulary { .. } => return None,
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
