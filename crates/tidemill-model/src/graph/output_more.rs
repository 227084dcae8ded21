//! What steps make of values: those with richer constants, and those of text.

use super::node::Encoding;
use super::output::{COLUMNS_MAX, code_count};
use super::{Keys, Node, Stage, text};

/// Longer runs of tokens are a mistake.
const NGRAM_MAX: u32 = 8;

impl Node {
    /// Whether the constants can be, whatever the values are; why not.
    pub fn check_constants(&self) -> Result<(), String> {
        for stage in [Stage::Text, Stage::Tokens, Stage::Float, Stage::Int, Stage::Bool, Stage::History, Stage::Binary]
        {
            match self.output(stage) {
                Ok(_) => return Ok(()),
                Err(reason) if reason == self.does_not_apply(stage) => {}
                Err(reason) => return Err(reason),
            }
        }
        Ok(())
    }

    pub(super) fn output_of_numbers(&self, stage: Stage) -> Result<Stage, String> {
        let number = || if stage.is_number() { Ok(Stage::Float) } else { Err(self.does_not_apply(stage)) };
        match self {
            Self::Robust { median, range } => {
                self.finite("median", *median)?;
                self.finite("range", *range)?;
                if *range < 0.0 { Err("`range` of `robust` is negative".to_owned()) } else { number() }
            }
            Self::Gaussian { location, scale, h_left, h_right } => {
                self.finite("location", *location)?;
                self.finite("scale", *scale)?;
                if *scale < 0.0 {
                    return Err("`scale` of `gaussian` is negative".to_owned());
                }
                if ![h_left, h_right].into_iter().all(|h| (0.0..1.0).contains(h)) {
                    return Err("the tails of `gaussian` are not from 0 to below 1".to_owned());
                }
                number()
            }
            Self::Interpolate { boundaries } => {
                self.check_edges(boundaries)?;
                number()
            }
            Self::Density { boundaries, densities } => {
                self.check_edges(boundaries)?;
                for density in densities {
                    self.finite("densities", *density)?;
                }
                if densities.len() + 1 != boundaries.len() {
                    return Err("`density` has no density for each bucket".to_owned());
                }
                number()
            }
            Self::ByKey { values, nodes, other, .. } => {
                self.check_distinct(values)?;
                if nodes.len() != values.len() {
                    return Err("`by_key` has no step for each key".to_owned());
                }
                let gives = other.output(stage)?;
                let is_allowed = |node: &Self| {
                    matches!(node, Self::ZScore { .. } | Self::MinMax { .. } | Self::Bucketize { .. })
                        && node.name() == other.name()
                };
                if !is_allowed(other) || !nodes.iter().all(is_allowed) {
                    return Err("`by_key` holds `z_score`, `min_max` or `bucketize`, the same for every key".to_owned());
                }
                let mut widest = gives;
                for node in nodes {
                    if let (Stage::Bucket(a), Stage::Bucket(b)) = (widest, node.output(stage)?) {
                        widest = Stage::Bucket(a.max(b));
                    }
                }
                Ok(widest)
            }
            Self::Project { means, components } => {
                for value in means.iter().chain(components.iter().flatten()) {
                    self.finite("components", *value)?;
                }
                let fits = components.iter().all(|component| component.len() == means.len());
                match stage {
                    Stage::Vector(columns) if columns as usize == means.len() && fits && !components.is_empty() => {
                        Ok(Stage::Columns)
                    }
                    Stage::Vector(columns) => Err(format!("`project` has constants for other than {columns} columns")),
                    _ => Err(self.does_not_apply(stage)),
                }
            }
            _ => Err(self.does_not_apply(stage)),
        }
    }

    fn check_edges(&self, edges: &[f64]) -> Result<(), String> {
        for edge in edges {
            self.finite("boundaries", *edge)?;
        }
        if edges.len() < 2 || !edges.is_sorted_by(|a, b| a < b) {
            return Err(format!("`boundaries` of `{}` are not two or more, strictly ascending", self.name()));
        }
        Ok(())
    }

    pub(super) fn output_of_keys(&self, stage: Stage) -> Result<Stage, String> {
        match self {
            Self::Frequency { values, shares } => {
                self.check_keys(stage, values)?;
                for share in shares {
                    self.finite("shares", *share)?;
                }
                if shares.len() == values.len() {
                    Ok(Stage::Float)
                } else {
                    Err("`frequency` has no share for each value".to_owned())
                }
            }
            Self::TargetEncode { values, full, folds } => {
                self.check_keys(stage, values)?;
                if folds.len() == 1 {
                    return Err("`target_encode` has a single fold".to_owned());
                }
                for Encoding { encodings, missing, other } in folds.iter().chain([full]) {
                    for encoding in encodings.iter().chain([missing, other]) {
                        self.finite("encodings", *encoding)?;
                    }
                    if encodings.len() != values.len() {
                        return Err("`target_encode` has no encoding for each value".to_owned());
                    }
                }
                Ok(Stage::Float)
            }
            Self::KeyedHash { buckets: 0, .. } => Err("`keyed_hash` needs at least 1 bucket".to_owned()),
            Self::KeyedHash { buckets, .. } => match stage {
                Stage::Int | Stage::Text => Ok(Stage::Code(code_count(u64::from(*buckets))?)),
                _ => Err(self.does_not_apply(stage)),
            },
            _ => Err(self.does_not_apply(stage)),
        }
    }

    pub(super) fn output_of_text(&self, stage: Stage) -> Result<Stage, String> {
        let of_text = |gives: Stage| if stage == Stage::Text { Ok(gives) } else { Err(self.does_not_apply(stage)) };
        let of_tokens = |gives: Stage| if stage == Stage::Tokens { Ok(gives) } else { Err(self.does_not_apply(stage)) };
        match self {
            Self::Lower | Self::Upper | Self::Strip => of_text(Stage::Text),
            Self::RegexReplace { pattern, .. } => {
                text::regex(pattern)?;
                of_text(Stage::Text)
            }
            Self::RegexExtract { pattern, group } => {
                let groups = text::regex(pattern)?.captures_len();
                if *group as usize >= groups {
                    return Err(format!("`{pattern}` has no group {group}"));
                }
                of_text(Stage::Text)
            }
            Self::Tokenize { pattern } => {
                text::regex(pattern)?;
                of_text(Stage::Tokens)
            }
            Self::Split { separator } => {
                if separator.is_empty() {
                    return Err("`separator` of `split` is empty".to_owned());
                }
                of_text(Stage::Tokens)
            }
            Self::Ngrams { min, max, .. } => {
                if !(1..=NGRAM_MAX).contains(min) || !(*min..=NGRAM_MAX).contains(max) {
                    return Err(format!("`ngrams` are of 1 to {NGRAM_MAX} tokens, not of {min} to {max}"));
                }
                of_tokens(Stage::Tokens)
            }
            Self::Distinct => of_tokens(Stage::Tokens),
            Self::WordCount => of_tokens(Stage::Float),
            Self::MultiHot { values, oov_buckets } | Self::BagOfWords { values, oov_buckets } => {
                self.check_listed(values, *oov_buckets)?;
                of_tokens(Stage::Columns)
            }
            Self::TfIdf { values, idf } => {
                self.check_listed(values, 0)?;
                for idf in idf {
                    self.finite("idf", *idf)?;
                }
                if idf.len() != values.len() {
                    return Err("`tf_idf` has no weight for each token".to_owned());
                }
                of_tokens(Stage::Columns)
            }
            _ => Err(self.does_not_apply(stage)),
        }
    }

    fn check_listed(&self, values: &Keys, oov_buckets: u32) -> Result<(), String> {
        self.check_distinct(values)?;
        if matches!(values, Keys::Integers(_)) {
            return Err(format!("`{}` lists whole numbers, and tokens are text", self.name()));
        }
        let columns = values.len() as u64 + u64::from(oov_buckets);
        if columns > u64::from(COLUMNS_MAX) {
            return Err(format!("`{}` would give {columns} columns, and {COLUMNS_MAX} are the most", self.name()));
        }
        Ok(())
    }
}
