//! The cache of predictions: rows by their keys, bound in bytes, with an age.
//!
//! Rows that were used since the last sweep stay; others make room first (the CLOCK algorithm). A lookup takes a lock of
//! one of several shards for some tens of nanoseconds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use tokio::sync::oneshot;

use super::call::Outcome;
use super::spec::PredictionCacheSpec;

/// Locks that lookups are spread over.
const SHARDS: usize = 16;
/// What a row takes besides its value: key, slot, entry of the table.
const OVERHEAD_BYTES: usize = 112;

/// A remembered prediction for one row.
#[derive(Debug, Clone)]
pub(super) enum CachedRow {
    /// The only output is a number.
    Number(f64),
    /// A batch of one row.
    Row(RecordBatch),
}

impl CachedRow {
    fn bytes(&self) -> usize {
        match self {
            Self::Number(_) => OVERHEAD_BYTES,
            Self::Row(batch) => OVERHEAD_BYTES + batch.get_array_memory_size(),
        }
    }
}

/// Which predictions a lookup accepts.
#[derive(Debug, Clone, Copy)]
pub(super) enum Freshness {
    /// Those of this generation of the model that are not too old.
    Fresh(u64),
    /// The last one, whatever model and time it is from.
    Any,
}

/// A bounded cache. The generation of a model changes when another version answers.
#[derive(Debug)]
pub(super) struct PredictionCache {
    ttl: Duration,
    shard_bytes_max: usize,
    shards: [Mutex<Shard>; SHARDS],
    /// Requests for one row that are being answered, with those that wait for the same answer.
    in_work: Mutex<HashMap<u128, Vec<oneshot::Sender<Outcome>>>>,
}

/// The first of several equal requests. When it is dropped, the others are on their own.
#[derive(Debug)]
pub(super) struct Leader {
    cache: Arc<PredictionCache>,
    key: u128,
}

impl Leader {
    /// Gives the outcome to all who wait for it.
    pub(super) fn tell(self, outcome: &Outcome) {
        for follower in self.cache.in_work().remove(&self.key).into_iter().flatten() {
            // A follower may have left.
            let _ = follower.send(outcome.clone());
        }
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        self.cache.in_work().remove(&self.key);
    }
}

#[derive(Debug, Default)]
struct Shard {
    places: HashMap<u128, usize>,
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    hand: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Slot {
    key: u128,
    generation: u64,
    written: Instant,
    used: bool,
    row: CachedRow,
}

impl PredictionCache {
    pub(super) fn new(spec: &PredictionCacheSpec) -> Self {
        Self {
            ttl: Duration::from_secs(spec.ttl_secs),
            shard_bytes_max: spec.bytes_max.0 as usize / SHARDS,
            shards: std::array::from_fn(|_| Mutex::default()),
            in_work: Mutex::default(),
        }
    }

    fn in_work(&self) -> MutexGuard<'_, HashMap<u128, Vec<oneshot::Sender<Outcome>>>> {
        self.in_work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where the answer to an equal request will arrive, if one is being answered.
    pub(super) fn follow(&self, key: u128) -> Option<oneshot::Receiver<Outcome>> {
        let mut in_work = self.in_work();
        let followers = in_work.get_mut(&key)?;
        let (sender, receiver) = oneshot::channel();
        followers.push(sender);
        Some(receiver)
    }

    /// Lets equal requests wait for this one. `None`: another one leads already.
    pub(super) fn lead(self: &Arc<Self>, key: u128) -> Option<Leader> {
        let mut in_work = self.in_work();
        if in_work.contains_key(&key) {
            return None;
        }
        in_work.insert(key, Vec::new());
        Some(Leader { cache: Arc::clone(self), key })
    }

    fn shard(&self, key: u128) -> MutexGuard<'_, Shard> {
        // Keys are hashes: any bits will do.
        self.shards[(key >> 64) as usize % SHARDS].lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn get(&self, key: u128, freshness: Freshness, now: Instant) -> Option<CachedRow> {
        let mut shard = self.shard(key);
        let at = *shard.places.get(&key)?;
        let slot = shard.slots.get_mut(at)?.as_mut()?;
        let accepted = match freshness {
            Freshness::Fresh(generation) => {
                slot.generation == generation && now.saturating_duration_since(slot.written) < self.ttl
            }
            Freshness::Any => true,
        };
        accepted.then(|| {
            slot.used = true;
            slot.row.clone()
        })
    }

    pub(super) fn put(&self, key: u128, generation: u64, row: CachedRow, now: Instant) {
        let bytes = row.bytes();
        if bytes > self.shard_bytes_max {
            return;
        }
        let mut shard = self.shard(key);
        shard.remove(key);
        while shard.bytes + bytes > self.shard_bytes_max && shard.evict() {}
        let slot = Slot { key, generation, written: now, used: false, row };
        let at = match shard.free.pop() {
            Some(at) => {
                shard.slots[at] = Some(slot);
                at
            }
            None => {
                shard.slots.push(Some(slot));
                shard.slots.len() - 1
            }
        };
        shard.places.insert(key, at);
        shard.bytes += bytes;
    }

    /// Rows and bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        let lock = |shard: &Mutex<Shard>| {
            let shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            (shard.places.len(), shard.bytes)
        };
        self.shards.iter().map(lock).fold((0, 0), |(rows, bytes), shard| (rows + shard.0, bytes + shard.1))
    }
}

impl Shard {
    fn remove(&mut self, key: u128) {
        if let Some(at) = self.places.remove(&key)
            && let Some(slot) = self.slots.get_mut(at).and_then(Option::take)
        {
            self.bytes = self.bytes.saturating_sub(slot.row.bytes());
            self.free.push(at);
        }
    }

    /// Removes a row that was not used since the hand last passed. `false`: there are no rows.
    fn evict(&mut self) -> bool {
        // After one round no row counts as used.
        for _ in 0..=2 * self.slots.len() {
            self.hand = (self.hand + 1) % self.slots.len().max(1);
            match self.slots.get_mut(self.hand) {
                Some(Some(slot)) if slot.used => slot.used = false,
                Some(Some(slot)) => {
                    let key = slot.key;
                    self.remove(key);
                    return true;
                }
                _ => {}
            }
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::spec::ByteSize;

    fn cache(bytes: u64) -> PredictionCache {
        PredictionCache::new(&PredictionCacheSpec { ttl_secs: 10, bytes_max: ByteSize(bytes) })
    }

    fn number(row: Option<CachedRow>) -> Option<f64> {
        match row {
            Some(CachedRow::Number(number)) => Some(number),
            _ => None,
        }
    }

    #[test]
    fn rows_are_found_until_they_are_old_or_of_another_generation() {
        let (cache, now) = (cache(1 << 20), Instant::now());
        cache.put(7, 1, CachedRow::Number(0.5), now);
        let get = |freshness, secs| number(cache.get(7, freshness, now + Duration::from_secs(secs)));
        assert_eq!(get(Freshness::Fresh(1), 9), Some(0.5));
        assert_eq!(get(Freshness::Fresh(1), 10), None);
        assert_eq!(get(Freshness::Fresh(2), 0), None);
        assert_eq!(get(Freshness::Any, 1000), Some(0.5));
        cache.put(7, 2, CachedRow::Number(0.75), now);
        assert_eq!(get(Freshness::Fresh(2), 0), Some(0.75));
        assert_eq!(cache.size(), (1, OVERHEAD_BYTES));
    }

    #[test]
    fn memory_is_bound_and_used_rows_stay() {
        let (cache, now) = (cache(64 << 10), Instant::now());
        let key = |number: u64| u128::from(number.wrapping_mul(0x9e37_79b9_7f4a_7c15)) << 64 | u128::from(number);
        cache.put(key(1), 1, CachedRow::Number(1.0), now);
        for number in 2..20_000 {
            cache.put(key(number), 1, CachedRow::Number(0.0), now);
            assert!(cache.get(key(1), Freshness::Fresh(1), now).is_some(), "lost after {number}");
        }
        let (rows, bytes) = cache.size();
        assert!(bytes <= 64 << 10 && rows > 400, "{rows} rows, {bytes} bytes");
    }
}
