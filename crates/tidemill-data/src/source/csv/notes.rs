//! What one reading of a file noticed about a column, beside its type.

use std::collections::BTreeMap;

/// Spellings counted, at most.
const TOKENS_MAX: usize = 8;

/// The cells that may stand for missing values, counted by their spelling.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::source) struct Notes {
    tokens: BTreeMap<String, u64>,
}

impl Notes {
    /// Counts a cell.
    pub(super) fn count(&mut self, text: &str) {
        self.add(text.trim(), 1);
    }

    fn add(&mut self, token: &str, count: u64) {
        if let Some(known) = self.tokens.get_mut(token) {
            *known += count;
        } else if self.tokens.len() < TOKENS_MAX {
            self.tokens.insert(token.to_owned(), count);
        }
    }

    /// Adds what was noticed in other rows.
    pub(in crate::source) fn join(&mut self, other: &Self) {
        other.tokens.iter().for_each(|(token, count)| self.add(token, *count));
    }

    /// The spellings with the number of cells that have them, in the byte order of the spellings.
    pub(in crate::source) fn tokens(&self) -> impl Iterator<Item = (&str, u64)> {
        self.tokens.iter().map(|(token, count)| (token.as_str(), *count))
    }
}
