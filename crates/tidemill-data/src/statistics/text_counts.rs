//! Exact counts of distinct texts.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// Distinct values that are counted one by one.
const DISTINCT_TEXTS_MAX: usize = 10_000;
/// Bytes of distinct values that are counted one by one.
const DISTINCT_BYTES_MAX: usize = 1 << 20;

/// How often each text occurs; the texts lie one after the other in one string.
#[derive(Debug, Clone, Default)]
pub(crate) struct TextCounts {
    texts: String,
    table: HashTable<Slot>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    hash: u64,
    start: u32,
    bytes: u32,
    count: u64,
}

impl Slot {
    fn text<'a>(&self, texts: &'a str) -> &'a str {
        &texts[self.start as usize..(self.start + self.bytes) as usize]
    }
}

impl TextCounts {
    /// Counts `text`, whose hash is `hash`, `count` times more; `false` if it would be one distinct text too many.
    #[inline]
    pub fn add(&mut self, text: &str, hash: u64, count: u64) -> bool {
        let (texts, table) = (&mut self.texts, &mut self.table);
        let distinct = table.len();
        match table.entry(hash, |slot| slot.hash == hash && slot.text(texts) == text, |slot| slot.hash) {
            Entry::Occupied(mut slot) => {
                slot.get_mut().count += count;
                true
            }
            Entry::Vacant(slot) => {
                if distinct == DISTINCT_TEXTS_MAX || texts.len() + text.len() > DISTINCT_BYTES_MAX {
                    return false;
                }
                slot.insert(Slot { hash, start: texts.len() as u32, bytes: text.len() as u32, count });
                texts.push_str(text);
                true
            }
        }
    }

    /// Texts with their counts, most frequent first, ties in reverse lexicographic order.
    pub fn ranked(&self) -> Vec<(&str, u64)> {
        let mut ranked: Vec<(&str, u64)> = self.table.iter().map(|slot| (slot.text(&self.texts), slot.count)).collect();
        ranked.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| b.0.cmp(a.0)));
        ranked
    }
}
