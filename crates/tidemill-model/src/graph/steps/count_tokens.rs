//! `multi_hot`, `bag_of_words` and `tf_idf`: tokens counted into columns.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::mapper::{COLUMNS_MAX, MapStep};
use super::super::run::{Columns, Decoder, Rows};
use super::super::table::CodeTable;
use super::super::{Keys, Mapper, Stage};
use super::tokens::Tokenizer;
use super::vocabulary::listed;

/// A column for each listed token: 1 where the list has it, 0 elsewhere. A missing text is 0 in every column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultiHot {
    /// The tokens.
    pub values: Keys,
    /// Columns for all others, by hash as in `vocabulary`.
    pub oov_buckets: u32,
}

/// A column for each listed token: how often the list has it. A missing text is 0 in every column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BagOfWords {
    /// The tokens.
    pub values: Keys,
    /// Columns for all others, by hash as in `vocabulary`.
    pub oov_buckets: u32,
}

/// A column for each listed token: its share of the list's tokens, times `idf`. A missing text is 0 in every column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TfIdf {
    /// The tokens.
    pub values: Keys,
    /// By token: how rare it is.
    pub idf: Vec<f64>,
}

fn check_listed(step: &dyn MapStep, values: &Keys, oov_buckets: u32) -> Result<(), String> {
    step.check_distinct(values)?;
    if matches!(values, Keys::Integers(_)) {
        return Err(format!("`{}` lists whole numbers, and tokens are text", step.name()));
    }
    let columns = values.len() as u64 + u64::from(oov_buckets);
    if columns > u64::from(COLUMNS_MAX) {
        return Err(format!("`{}` would give {columns} columns, and {COLUMNS_MAX} are the most", step.name()));
    }
    Ok(())
}

/// `feature=token`, and `feature.other` or `feature.other_0` and so on for hashed tokens.
fn names(feature: &str, values: &Keys, oov_buckets: u32) -> Vec<String> {
    let size = values.len() as u32;
    let name = |code: u32| match values.text(code as usize) {
        Some(token) => format!("{feature}={token}"),
        None if oov_buckets == 1 => format!("{feature}.other"),
        None => format!("{feature}.other_{}", code - size),
    };
    (0..size + oov_buckets).map(name).collect()
}

macro_rules! listed_tokens {
    ($($step:ident: $name:literal),+ $(,)?) => {
        $(impl MapStep for $step {
            fn name(&self) -> &'static str {
                $name
            }

            fn output(&self, stage: Stage) -> Result<Stage, String> {
                check_listed(self, &self.values, self.oov_buckets)?;
                self.only(Stage::Tokens, stage, Stage::Columns)
            }

            fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                listed(f, &self.values, self.oov_buckets)
            }

            fn columns(&self, feature: &str, _: &[Mapper], _: Stage) -> Option<Vec<String>> {
                Some(names(feature, &self.values, self.oov_buckets))
            }
        })+
    };
}

listed_tokens!(MultiHot: "multi_hot", BagOfWords: "bag_of_words");

impl MapStep for TfIdf {
    fn name(&self) -> &'static str {
        "tf_idf"
    }

    fn output(&self, stage: Stage) -> Result<Stage, String> {
        check_listed(self, &self.values, 0)?;
        for idf in &self.idf {
            self.finite("idf", *idf)?;
        }
        if self.idf.len() != self.values.len() {
            return Err("`tf_idf` has no weight for each token".to_owned());
        }
        self.only(Stage::Tokens, stage, Stage::Columns)
    }

    fn describe(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        listed(f, &self.values, 0)
    }

    fn columns(&self, feature: &str, _: &[Mapper], _: Stage) -> Option<Vec<String>> {
        Some(names(feature, &self.values, 0))
    }
}

/// Tokens counted into columns.
#[derive(Debug)]
pub(super) struct TokenCounter {
    tokenizer: Tokenizer,
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

impl TokenCounter {
    /// `None`: `mapper` does not count tokens.
    pub(super) fn new(tokenizer: Tokenizer, mapper: &Mapper) -> Option<Self> {
        let (values, oov_buckets, count) = match mapper {
            Mapper::MultiHot(MultiHot { values, oov_buckets }) => (values, *oov_buckets, Count::Presence),
            Mapper::BagOfWords(BagOfWords { values, oov_buckets }) => (values, *oov_buckets, Count::Occurrences),
            Mapper::TfIdf(TfIdf { values, idf }) => (values, 0, Count::Share(idf.clone())),
            _ => return None,
        };
        Some(Self { tokenizer, table: CodeTable::new(values, oov_buckets), count })
    }

    /// Counts the tokens of a row into columns that hold 0 there.
    fn add(&self, row: usize, tokens: &[Cow<'_, str>], out: &mut Columns<'_>) {
        for token in tokens {
            let code = self.table.text(token);
            if code.is_nan() {
                continue;
            }
            let Some(cell) = out.cell(code as usize, row) else { continue };
            match self.count {
                Count::Presence => *cell = 1.0,
                Count::Occurrences | Count::Share(_) => *cell += 1.0,
            }
        }
        if let Count::Share(idf) = &self.count {
            let length = tokens.len() as f64;
            for (code, idf) in idf.iter().enumerate() {
                if let Some(cell) = out.cell(code, row)
                    && *cell > 0.0
                {
                    *cell = *cell / length * idf;
                }
            }
        }
    }
}

impl Decoder for TokenCounter {
    fn run(&self, rows: &Rows<'_>, out: &mut Columns<'_>) -> bool {
        out.fill(0.0);
        let Columns { main, others, indicator } = out;
        let mut counts = Columns { main, others, indicator: None };
        rows.texts(indicator.as_deref_mut(), |row, text| {
            if let Some(text) = text {
                let mut tokens = Vec::new();
                self.tokenizer.tokens(text, &mut tokens);
                self.add(row, &tokens, &mut counts);
            }
        })
    }
}
