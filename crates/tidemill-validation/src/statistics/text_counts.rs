//! Exact counts of distinct texts.

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use xxhash_rust::xxh3::xxh3_64;

use super::state::{Input, StateError, Stored, text};

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

    /// Bytes held.
    pub fn memory(&self) -> usize {
        self.texts.capacity() + self.table.allocation_size()
    }

    /// Texts with their counts, most frequent first, ties in reverse lexicographic order.
    pub fn ranked(&self) -> Vec<(&str, u64)> {
        let mut ranked: Vec<(&str, u64)> = self.table.iter().map(|slot| (slot.text(&self.texts), slot.count)).collect();
        ranked.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| b.0.cmp(a.0)));
        ranked
    }
}

/// Most frequent first.
impl Stored for TextCounts {
    fn store(&self, out: &mut Vec<u8>) {
        (self.table.len() as u64).store(out);
        for (value, count) in self.ranked() {
            text(value, out);
            count.store(out);
        }
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        let length = input.length()?;
        let mut counts = Self::default();
        for _ in 0..length {
            let value = input.text()?;
            let count = u64::load(input)?;
            let sound = count > 0 && counts.add(value, xxh3_64(value.as_bytes()), count);
            input.expect(sound, "counts of texts are out of order")?;
        }
        input.expect(counts.table.len() == length, "a text is counted twice")?;
        Ok(counts)
    }
}
