//! Analyzers as bytes, so that what was seen of a span can be kept, and joining two of them.

use std::collections::HashMap;
use std::hash::Hash;

/// Something that is kept as bytes and read back to the bit.
pub(crate) trait State: Sized {
    /// Appends the bytes.
    fn put(&self, out: &mut Vec<u8>);
    /// Reads what [`put`](Self::put) wrote; `None` for anything else.
    fn get(input: &mut &[u8]) -> Option<Self>;
}

/// An analyzer of some rows that takes in what another saw of the rows after them.
pub(crate) trait Merge {
    /// The same as if all rows had been seen here, but for the last digit of sums.
    fn merge(&mut self, other: Self);
}

/// The next `count` bytes.
pub(crate) fn take<'a>(input: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = input.split_at_checked(count)?;
    *input = rest;
    Some(taken)
}

impl State for u64 {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes());
    }

    fn get(input: &mut &[u8]) -> Option<Self> {
        Some(Self::from_le_bytes(take(input, 8)?.try_into().ok()?))
    }
}

impl State for i64 {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend(self.to_le_bytes());
    }

    fn get(input: &mut &[u8]) -> Option<Self> {
        Some(Self::from_le_bytes(take(input, 8)?.try_into().ok()?))
    }
}

impl State for f64 {
    fn put(&self, out: &mut Vec<u8>) {
        self.to_bits().put(out);
    }

    fn get(input: &mut &[u8]) -> Option<Self> {
        u64::get(input).map(Self::from_bits)
    }
}

impl State for bool {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn get(input: &mut &[u8]) -> Option<Self> {
        match take(input, 1)? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }
}

impl State for Box<str> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        out.extend(self.as_bytes());
    }

    fn get(input: &mut &[u8]) -> Option<Self> {
        let length = usize::try_from(u64::get(input)?).ok()?;
        std::str::from_utf8(take(input, length)?).ok().map(Into::into)
    }
}

impl<T: State> State for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        (self.len() as u64).put(out);
        for item in self {
            item.put(out);
        }
    }

    fn get(input: &mut &[u8]) -> Option<Self> {
        let count = u64::get(input)?;
        // Memory is taken as items come, whatever the count says.
        let mut items = Self::new();
        for _ in 0..count {
            items.push(T::get(input)?);
        }
        Some(items)
    }
}

impl<T: State> State for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn get(input: &mut &[u8]) -> Option<Self> {
        if bool::get(input)? { T::get(input).map(Some) } else { Some(None) }
    }
}

impl<A: State, B: State> State for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn get(input: &mut &[u8]) -> Option<Self> {
        Some((A::get(input)?, B::get(input)?))
    }
}

impl<K: State + Ord + Hash + Eq, V: State> State for HashMap<K, V> {
    fn put(&self, out: &mut Vec<u8>) {
        let mut entries: Vec<(&K, &V)> = self.iter().collect();
        entries.sort_unstable_by(|a, b| a.0.cmp(b.0));
        (entries.len() as u64).put(out);
        for (key, value) in entries {
            key.put(out);
            value.put(out);
        }
    }

    fn get(input: &mut &[u8]) -> Option<Self> {
        let count = u64::get(input)?;
        let mut map = Self::new();
        for _ in 0..count {
            map.insert(K::get(input)?, V::get(input)?);
        }
        Some(map)
    }
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
