//! What is known of text of several words.

use tidemill_core::LanguageStatistics;

use super::numeric::NumericAccumulator;
use super::state::stored;

/// Values from which on a feature can be called running text, and the share of them that must look like it.
const TEXT_VALUES: u64 = 100;
const TEXT_SHARE: f64 = 0.8;

/// Words of one value: how many, and their characters together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Words {
    pub count: u32,
    pub chars: u32,
}

impl Words {
    /// The words of `text`, separated by white space.
    pub fn of(text: &str) -> Self {
        let (mut count, mut chars) = (0, 0);
        if text.is_ascii() {
            let mut inside = false;
            for byte in text.bytes() {
                let black = !byte.is_ascii_whitespace();
                count += u32::from(black && !inside);
                chars += u32::from(black);
                inside = black;
            }
        } else {
            for word in text.split_whitespace() {
                count += 1;
                chars += word.chars().count() as u32;
            }
        }
        Self { count, chars }
    }

    /// Three words or more, of 2.5 to 8 characters on average: the rule by which TFDV tells natural language.
    fn look_like_a_sentence(self) -> bool {
        self.count >= 3 && (2.5..=8.0).contains(&(f64::from(self.chars) / f64::from(self.count)))
    }
}

/// Accumulates the words of a column of text.
#[derive(Debug, Clone, Default)]
pub(crate) struct LanguageAccumulator {
    values: u64,
    tokens: u64,
    chars: u64,
    sentences: u64,
    counts: NumericAccumulator,
    /// Numbers of words that wait to be taken in together.
    waiting: Vec<f64>,
}

stored!(LanguageAccumulator { values, tokens, chars, sentences, counts; fresh waiting });

impl LanguageAccumulator {
    /// Takes in the words of a value, `count` times over.
    pub fn add(&mut self, words: Words, count: u64) {
        self.values += count;
        self.tokens += u64::from(words.count) * count;
        self.chars += u64::from(words.chars) * count;
        self.sentences += if words.look_like_a_sentence() { count } else { 0 };
        if count == 1 {
            self.waiting.push(f64::from(words.count));
        } else {
            self.counts.add(f64::from(words.count), count);
        }
    }

    /// Takes in what waits; call it after every batch.
    pub fn settle(&mut self) {
        if !self.waiting.is_empty() {
            self.counts.update(&self.waiting);
            self.waiting.clear();
        }
    }

    /// Takes in what another accumulator has seen, after both have settled.
    pub fn merge(&mut self, other: &Self) {
        self.values += other.values;
        self.tokens += other.tokens;
        self.chars += other.chars;
        self.sentences += other.sentences;
        self.counts.merge(&other.counts);
    }

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.counts.memory()
    }

    /// The statistics, where values have two words or more on average.
    pub fn finish(&self) -> Option<LanguageStatistics> {
        if self.values == 0 || self.tokens < 2 * self.values {
            return None;
        }
        let counts = self.counts.finish();
        let sentence_share = self.sentences as f64 / self.values as f64;
        Some(LanguageStatistics {
            min_tokens: counts.min as u64,
            avg_tokens: self.tokens as f64 / self.values as f64,
            max_tokens: counts.max as u64,
            avg_token_length: self.chars as f64 / self.tokens as f64,
            tokens: counts.quantiles,
            sentence_share,
            is_text: self.values >= TEXT_VALUES && sentence_share >= TEXT_SHARE,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_white_space_separates() {
        assert_eq!(Words::of("  the quick\tfox "), Words { count: 3, chars: 11 });
        assert_eq!(Words::of("la café\u{a0}noir"), Words { count: 3, chars: 10 });
        assert_eq!(Words::of(""), Words::default());
        assert!(Words::of("the quick fox").look_like_a_sentence());
        assert!(!Words::of("a b c").look_like_a_sentence() && !Words::of("two words").look_like_a_sentence());
    }
}
