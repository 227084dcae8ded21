//! How often tokens occur, and in how many documents.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use tidemill_validation::stored;

use super::DISTINCT_MAX;
use super::counts::TooMany;
use super::merge::{Merge, merge_maps};

/// How often tokens occur, and in how many documents.
#[derive(Debug, Default)]
pub(crate) struct WordCounts {
    words: HashMap<Box<str>, Word>,
    documents: u64,
}

#[derive(Debug, Default, Clone, Copy)]
struct Word {
    occurrences: u64,
    documents: u64,
}

stored!(WordCounts { documents, words });
stored!(Word { occurrences, documents });

impl Merge for WordCounts {
    fn merge(&mut self, other: Self) {
        self.documents += other.documents;
        merge_maps(&mut self.words, other.words, |word, other| {
            word.occurrences += other.occurrences;
            word.documents += other.documents;
        });
    }
}

impl WordCounts {
    /// How many different tokens there are.
    pub(crate) fn distinct(&self) -> usize {
        self.words.len()
    }

    /// Takes in the tokens of a document.
    pub(crate) fn update(&mut self, tokens: &[Cow<'_, str>]) -> Result<(), TooMany> {
        self.documents += 1;
        let mut seen = HashSet::with_capacity(tokens.len());
        for token in tokens {
            let word = match self.words.get_mut(&**token) {
                Some(word) => word,
                None => self.words.entry(token.as_ref().into()).or_default(),
            };
            word.occurrences += 1;
            word.documents += u64::from(seen.insert(token.as_ref()));
        }
        if self.words.len() as u64 > DISTINCT_MAX { Err(TooMany) } else { Ok(()) }
    }

    /// Every token with how often it occurs.
    pub(crate) fn occurrences(&self) -> Vec<(String, u64)> {
        self.words.iter().map(|(word, counts)| (word.to_string(), counts.occurrences)).collect()
    }

    /// How rare each of `words` is: 1 + ln((N + 1) / (df + 1)), or where not `smooth` 1 + ln(N / df), with N documents
    /// of which df have the token.
    pub(crate) fn idf(&self, words: &[String], smooth: bool) -> Vec<f64> {
        let documents = self.documents as f64;
        let idf = |word: &String| {
            let with = self.words.get(word.as_str()).map_or(0, |counts| counts.documents) as f64;
            if smooth { 1.0 + ((documents + 1.0) / (with + 1.0)).ln() } else { 1.0 + (documents / with.max(1.0)).ln() }
        };
        words.iter().map(idf).collect()
    }
}
