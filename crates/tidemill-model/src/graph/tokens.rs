//! Lists of tokens, and what is counted of them.

use std::borrow::Cow;
use std::collections::HashSet;

use regex::Regex;

use super::table::CodeTable;
use super::{Node, text};

/// A text into tokens.
#[derive(Debug)]
pub struct Tokenizer {
    cut: Cut,
    ops: Vec<TokenOp>,
}

#[derive(Debug)]
enum Cut {
    Matches(Regex),
    Parts(String),
}

#[derive(Debug)]
enum TokenOp {
    Ngrams { min: usize, max: usize, separator: String },
    Distinct,
}

impl Tokenizer {
    /// The tokenizer among `nodes`, which have been checked. `None`: no step cuts.
    pub fn new(nodes: &[Node]) -> Option<Self> {
        let cuts = |node: &Node| matches!(node, Node::Tokenize { .. } | Node::Split { .. });
        let (first, rest) = nodes[nodes.iter().position(cuts)?..].split_first()?;
        let cut = match first {
            Node::Tokenize { pattern } => Cut::Matches(text::regex(pattern).ok()?),
            Node::Split { separator } => Cut::Parts(separator.clone()),
            _ => return None,
        };
        let op = |node: &Node| match node {
            Node::Ngrams { min, max, separator } => {
                Some(TokenOp::Ngrams { min: *min as usize, max: *max as usize, separator: separator.clone() })
            }
            Node::Distinct => Some(TokenOp::Distinct),
            _ => None,
        };
        Some(Self { cut, ops: rest.iter().map_while(op).collect() })
    }

    /// The tokens of a text, in order.
    pub fn tokens<'a>(&self, text: &'a str, out: &mut Vec<Cow<'a, str>>) {
        out.clear();
        match &self.cut {
            Cut::Matches(regex) => out.extend(regex.find_iter(text).map(|found| Cow::Borrowed(found.as_str()))),
            Cut::Parts(separator) => {
                let parts = text.split(separator.as_str()).map(str::trim).filter(|part| !part.is_empty());
                out.extend(parts.map(Cow::Borrowed));
            }
        }
        for op in &self.ops {
            match op {
                TokenOp::Ngrams { min, max, separator } => {
                    let single = std::mem::take(out);
                    for run in *min..=*max {
                        match run {
                            1 => out.extend(single.iter().cloned()),
                            _ => out.extend(single.windows(run).map(|window| Cow::Owned(window.join(separator)))),
                        }
                    }
                }
                TokenOp::Distinct => {
                    let mut seen = HashSet::with_capacity(out.len());
                    out.retain(|token| seen.insert(token.clone()));
                }
            }
        }
    }
}

/// Tokens counted into columns.
#[derive(Debug)]
pub(super) struct Bag {
    pub(super) tokenizer: Tokenizer,
    table: CodeTable,
    count: Count,
}

#[derive(Debug)]
enum Count {
    /// 1 where there is any.
    Presence,
    Occurrences,
    /// The share of the list, times a weight.
    Share(Vec<f64>),
}

impl Bag {
    /// `tokenizer` and the node that counts.
    pub(super) fn new(tokenizer: Tokenizer, node: &Node) -> Option<Self> {
        let (values, oov_buckets, count) = match node {
            Node::MultiHot { values, oov_buckets } => (values, *oov_buckets, Count::Presence),
            Node::BagOfWords { values, oov_buckets } => (values, *oov_buckets, Count::Occurrences),
            Node::TfIdf { values, idf } => (values, 0, Count::Share(idf.clone())),
            _ => return None,
        };
        Some(Self { tokenizer, table: CodeTable::new(values, oov_buckets), count })
    }

    /// Counts the tokens of row `row` into columns that hold 0 there.
    pub(super) fn add(&self, row: usize, tokens: &[Cow<'_, str>], main: &mut [f64], others: &mut [Vec<f64>]) {
        for token in tokens {
            let code = self.table.text(token);
            if code.is_nan() {
                continue;
            }
            let code = code as usize;
            let cell = match code {
                0 => main.get_mut(row),
                _ => others.get_mut(code - 1).and_then(|column| column.get_mut(row)),
            };
            let Some(cell) = cell else { continue };
            match self.count {
                Count::Presence => *cell = 1.0,
                Count::Occurrences | Count::Share(_) => *cell += 1.0,
            }
        }
        if let Count::Share(idf) = &self.count {
            let length = tokens.len() as f64;
            for (code, idf) in idf.iter().enumerate() {
                let cell = match code {
                    0 => main.get_mut(row),
                    _ => others.get_mut(code - 1).and_then(|column| column.get_mut(row)),
                };
                if let Some(cell) = cell
                    && *cell > 0.0
                {
                    *cell = *cell / length * idf;
                }
            }
        }
    }
}
