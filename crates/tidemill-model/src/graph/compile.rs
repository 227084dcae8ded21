//! A feature's steps made ready to run: one source, then operations in place over a column of `f64`.

use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType as ArrowType;
use tidemill_core::{DataType, TensorSpec};

use super::feature::first_code;
use super::load::{load_integers, load_numbers};
use super::op::{Op, Place, op};
use super::project::Projection;
use super::siphash::siphash;
use super::source::CompiledSource;
use super::spread::Spread;
use super::table::{CodeTable, with_digits};
use super::text::TextChain;
use super::time::seconds_of;
use super::tokens::{Bag, Tokenizer};
use super::window::Window;
use super::{Keys, Node, Picture, Scalar, Stage};

/// A feature ready to run: its source, how raw values become numbers, steps in place, and the columns in the end.
#[derive(Debug)]
pub(super) struct CompiledFeature {
    source: CompiledSource,
    /// Steps of text before the head.
    text: TextChain,
    head: Head,
    /// The last column is whether the value is missing before the head.
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
    /// A bucket by keyed hash.
    KeyedHash {
        key: [u64; 2],
        buckets: u32,
        missing: f64,
    },
    /// Text into seconds since 1970.
    Time,
    /// Tokens counted into columns.
    Bag(Bag),
    /// How many tokens.
    WordCount(Tokenizer),
    /// Several columns into several others.
    Project(Projection),
    /// What came before into one number.
    Window(Window),
    /// A picture into many.
    Image(Picture),
}

impl CompiledFeature {
    /// `nodes` have been checked to fit `source`, and to give `outputs` columns. `inputs` are the graph's.
    pub(super) fn new(source: CompiledSource, nodes: &[Node], outputs: usize, inputs: &[TensorSpec]) -> Self {
        let width = outputs - usize::from(nodes.contains(&Node::MissingIndicator));
        let is_text = source.stage() == Stage::Text;
        let spread = match nodes.last() {
            Some(Node::OneHot) => Some(Spread::OneHot { first: first_code(nodes) }),
            Some(Node::Cyclic { period }) => Some(Spread::Cyclic { period: *period }),
            _ => None,
        };
        // Before a step that reads raw values only steps of text, `impute` and `missing_indicator` can stand.
        let at = nodes.iter().position(|node| reads_raw(node, is_text));
        let (before, after) = nodes.split_at(at.unwrap_or(0));
        let (head, taken) = head(before, after, is_text);
        Self {
            source,
            text: if is_text { TextChain::new(before) } else { TextChain::default() },
            head,
            indicates_raw: before.contains(&Node::MissingIndicator),
            ops: after[taken..].iter().filter_map(|node| op(node, inputs)).collect(),
            spread,
            width,
            outputs,
        }
    }

    /// Runs the feature over the batch at `place` into `out`: as many columns as it gives, of as many values as the
    /// batch has rows.
    ///
    /// `false`: a column has another type than was bound.
    pub(super) fn run(&self, place: Place<'_>, out: &mut [Vec<f64>]) -> bool {
        if let Head::Project(projection) = &self.head {
            return self
                .source
                .positions()
                .is_some_and(|inputs| projection.run(place.batch, place.columns, inputs, out));
        }
        if let (Head::Window(window), Some(inputs)) = (&self.head, self.source.history()) {
            let Some((main, others)) = out.split_first_mut() else { return false };
            let (spread, indicator) = others.split_at_mut(self.width.saturating_sub(1).min(others.len()));
            return window.run(place.batch, place.columns, inputs, main)
                && self.run_steps(main, spread, indicator.first_mut(), place);
        }
        // A plain column is borrowed, which is what most features are.
        if let Some(raw) = self.source.column(place.batch, place.columns) {
            return self.run_over(raw, place, out);
        }
        self.source.values(place.batch, place.columns).is_some_and(|raw| self.run_over(&raw, place, out))
    }

    fn run_over(&self, raw: &ArrayRef, place: Place<'_>, out: &mut [Vec<f64>]) -> bool {
        let Some((main, others)) = out.split_first_mut() else { return false };
        let (spread, indicator) = others.split_at_mut(self.width.saturating_sub(1).min(others.len()));
        let mut indicator = indicator.first_mut();
        self.load(raw, main, spread, indicator.as_deref_mut()) && self.run_steps(main, spread, indicator, place)
    }

    /// The steps in place, and columns in the end.
    fn run_steps(
        &self,
        main: &mut [f64],
        spread: &mut [Vec<f64>],
        mut indicator: Option<&mut Vec<f64>>,
        place: Place<'_>,
    ) -> bool {
        for op in &self.ops {
            if let Op::Indicate = op {
                if let Some(indicator) = &mut indicator {
                    for (indicator, value) in indicator.iter_mut().zip(&*main) {
                        *indicator = f64::from(u8::from(value.is_nan()));
                    }
                }
            } else if !op.run(main, place) {
                return false;
            }
        }
        if let Some(columns) = &self.spread {
            columns.run(main, spread);
        }
        true
    }

    /// Raw values into numbers, lists of tokens into columns.
    fn load(
        &self,
        raw: &ArrayRef,
        main: &mut [f64],
        spread: &mut [Vec<f64>],
        mut indicator: Option<&mut Vec<f64>>,
    ) -> bool {
        if self.indicates_raw
            && let Some(indicator) = &mut indicator
        {
            for (row, indicator) in indicator.iter_mut().enumerate() {
                *indicator = f64::from(u8::from(*raw.data_type() == ArrowType::Null || raw.is_null(row)));
            }
        }
        match &self.head {
            Head::Number => load_numbers(raw, main),
            Head::Codes { table, missing } if table.holds_text() => {
                self.text.run(raw, indicator, |row, text| main[row] = text.map_or(*missing, |text| table.text(text)))
            }
            Head::Codes { table, missing } => load_integers(raw, *missing, main, |value| table.integer(value)),
            Head::KeyedHash { key, buckets, missing } => {
                let bucket = |bytes: &[u8]| (siphash(*key, bytes) % u64::from(*buckets)) as f64;
                if self.source.datatype() == DataType::Int64 {
                    return load_integers(raw, *missing, main, |value| with_digits(value, bucket));
                }
                self.text
                    .run(raw, indicator, |row, text| main[row] = text.map_or(*missing, |text| bucket(text.as_bytes())))
            }
            Head::Time => self.text.run(raw, indicator, |row, text| main[row] = text.map_or(f64::NAN, seconds_of)),
            Head::WordCount(tokenizer) => self.text.run(raw, indicator, |row, text| {
                main[row] = text.map_or(f64::NAN, |text| {
                    let mut tokens = Vec::new();
                    tokenizer.tokens(text, &mut tokens);
                    tokens.len() as f64
                });
            }),
            Head::Bag(bag) => {
                main.fill(0.0);
                for column in spread.iter_mut() {
                    column.fill(0.0);
                }
                self.text.run(raw, indicator, |row, text| {
                    if let Some(text) = text {
                        let mut tokens = Vec::new();
                        bag.tokenizer.tokens(text, &mut tokens);
                        bag.add(row, &tokens, main, spread);
                    }
                })
            }
            Head::Image(picture) => picture.run(raw, main, spread),
            Head::Project(_) | Head::Window(_) => false,
        }
    }
}

/// Whether the step needs values as they come, or as steps of text leave them.
fn reads_raw(node: &Node, is_text: bool) -> bool {
    match node {
        Node::Vocabulary { .. }
        | Node::Categorical { values: Some(_) }
        | Node::HashBuckets { .. }
        | Node::KeyedHash { .. }
        | Node::Frequency { .. }
        | Node::TargetEncode { .. }
        | Node::Tokenize { .. }
        | Node::Split { .. }
        | Node::Project { .. }
        | Node::Window { .. }
        | Node::Image(_) => true,
        Node::DatePart { .. } => is_text,
        _ => false,
    }
}

/// How values that `before` leaves become numbers by the first steps of `after`, and how many of those are done then.
fn head(before: &[Node], after: &[Node], is_text: bool) -> (Head, usize) {
    let none = if is_text { Keys::Strings(Vec::new()) } else { Keys::Integers(Vec::new()) };
    match after.first() {
        Some(Node::Vocabulary { values, oov_buckets }) => (codes(values, *oov_buckets, before), 1),
        Some(Node::Categorical { values: Some(values) }) => (codes(values, 0, before), 1),
        Some(Node::HashBuckets { buckets }) => (codes(&none, *buckets, before), 1),
        // What follows turns codes into numbers; the code of a missing value comes after all others.
        Some(Node::Frequency { values, .. } | Node::TargetEncode { values, .. }) => {
            let table = CodeTable::new(values, 0);
            let missing = match filled(before) {
                Some(Scalar::Int(value)) if !is_text => table.integer(*value),
                _ => values.len() as f64,
            };
            (Head::Codes { table, missing }, 0)
        }
        Some(Node::KeyedHash { buckets, key }) => {
            let bucket = |bytes: &[u8]| (siphash(*key, bytes) % u64::from(*buckets)) as f64;
            let missing = match filled(before) {
                Some(Scalar::Int(value)) if !is_text => with_digits(*value, bucket),
                _ => f64::NAN,
            };
            (Head::KeyedHash { key: *key, buckets: *buckets, missing }, 1)
        }
        Some(Node::DatePart { .. }) if is_text => (Head::Time, 0),
        Some(Node::Tokenize { .. } | Node::Split { .. }) => list(after),
        Some(Node::Image(picture)) => (Head::Image(picture.clone()), 1),
        Some(Node::Window { from_seconds, length_seconds, take }) => {
            (Head::Window(Window::new(*from_seconds, *length_seconds, *take)), 1)
        }
        Some(Node::Project { means, components }) => (Head::Project(Projection::new(means, components)), 1),
        _ => {
            debug_assert!(!is_text, "text needs a table, which the check of stages demands");
            (Head::Number, 0)
        }
    }
}

/// Tokens, and what is made of them.
fn list(after: &[Node]) -> (Head, usize) {
    let is_list = |node: &&Node| {
        matches!(node, Node::Tokenize { .. } | Node::Split { .. } | Node::Ngrams { .. } | Node::Distinct)
    };
    let cut = after.iter().take_while(is_list).count();
    let head = Tokenizer::new(&after[..cut]).and_then(|tokenizer| match after.get(cut)? {
        Node::WordCount => Some(Head::WordCount(tokenizer)),
        counts => Bag::new(tokenizer, counts).map(Head::Bag),
    });
    (head.unwrap_or(Head::Number), (cut + 1).min(after.len()))
}

/// The constant that `impute` among `nodes` fills missing values with.
fn filled(nodes: &[Node]) -> Option<&Scalar> {
    nodes.iter().find_map(|node| match node {
        Node::Impute { value } => Some(value),
        _ => None,
    })
}

/// A table and the code of a missing whole number: that of the first imputed constant, if any step imputes. Text is
/// filled before.
fn codes(keys: &Keys, oov_buckets: u32, before: &[Node]) -> Head {
    let table = CodeTable::new(keys, oov_buckets);
    let missing = match filled(before) {
        Some(Scalar::Int(value)) => table.integer(*value),
        _ => f64::NAN,
    };
    Head::Codes { table, missing }
}
