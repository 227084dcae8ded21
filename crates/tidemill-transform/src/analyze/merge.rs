//! Joining what two analyzers saw.

use std::collections::HashMap;
use std::hash::Hash;

/// An analyzer of some rows that takes in what another saw of the rows after them.
pub(crate) trait Merge {
    /// The same as if all rows had been seen here, but for the last digit of sums.
    fn merge(&mut self, other: Self);
}

/// Joins two maps, value by value.
pub(crate) fn merge_maps<K: Hash + Eq, V>(into: &mut HashMap<K, V>, other: HashMap<K, V>, merge: impl Fn(&mut V, V)) {
    for (key, value) in other {
        match into.get_mut(&key) {
            Some(found) => merge(found, value),
            None => {
                into.insert(key, value);
            }
        }
    }
}
