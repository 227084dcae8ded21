//! What members of a state are made of.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

use super::{COUNT_MAX, Input, StateError, Stored};

/// Writes and reads a structure member by member, or an enumeration by a number for each of its variants.
///
/// Members of a structure after `fresh` begin empty; the condition after `if` must hold of what is read. A number of no
/// variant is an error with the text after `else`.
#[macro_export]
macro_rules! stored {
    (enum $name:ident {
        $($tag:literal $variant:ident $(($($member:ident),+))? $({ $($field:ident),+ })?),+ $(,)?
    } else $unknown:literal) => {
        impl $crate::Stored for $name {
            fn store(&self, out: &mut Vec<u8>) {
                match self {
                    $(Self::$variant $(($($member),+))? $({ $($field),+ })? => {
                        $crate::Stored::store(&($tag as u8), out);
                        $($($crate::Stored::store($member, out);)+)?
                        $($($crate::Stored::store($field, out);)+)?
                    })+
                }
            }

            fn load(input: &mut $crate::StateInput<'_>) -> Result<Self, $crate::StateError> {
                match <u8 as $crate::Stored>::load(input)? {
                    $($tag => {
                        $($(let $member = $crate::Stored::load(input)?;)+)?
                        $($(let $field = $crate::Stored::load(input)?;)+)?
                        Ok(Self::$variant $(($($member),+))? $({ $($field),+ })?)
                    })+
                    _ => Err(input.wrong($unknown)),
                }
            }
        }
    };
    ($name:ident { $($field:ident),+ $(; fresh $($fresh:ident),+)? } $(if $sound:expr)?) => {
        impl $crate::Stored for $name {
            fn store(&self, out: &mut Vec<u8>) {
                $($crate::Stored::store(&self.$field, out);)+
            }

            fn load(input: &mut $crate::StateInput<'_>) -> Result<Self, $crate::StateError> {
                $(let $field = $crate::Stored::load(input)?;)+
                let loaded = Self { $($field,)+ $($($fresh: Default::default(),)+)? };
                $(
                    let sound: fn(&Self) -> bool = $sound;
                    input.expect(sound(&loaded), concat!(stringify!($name), " is out of order"))?;
                )?
                Ok(loaded)
            }
        }
    };
}
pub(crate) use crate::stored;

impl Stored for u64 {
    fn store(&self, out: &mut Vec<u8>) {
        let mut rest = *self;
        while rest >= 0x80 {
            out.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        out.push(rest as u8);
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        let mut value = 0;
        for shift in (0..56).step_by(7) {
            let byte = input.take(1)?[0];
            value |= Self::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                input.expect(value <= COUNT_MAX, "a count is too large")?;
                return Ok(value);
            }
        }
        Err(input.wrong("a count is too large"))
    }
}

/// A place in a list, or the length of one.
impl Stored for usize {
    fn store(&self, out: &mut Vec<u8>) {
        (*self as u64).store(out);
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        Self::try_from(u64::load(input)?).map_err(|_| input.wrong("a place is too far"))
    }
}

impl Stored for f64 {
    fn store(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        Ok(Self::from_bits(word(input)?))
    }
}

/// Eight bytes as they are.
pub(crate) fn word(input: &mut Input<'_>) -> Result<u64, StateError> {
    let bytes = input.take(8)?;
    Ok(bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)))
}

/// A whole number, as its eight bytes.
impl Stored for i64 {
    fn store(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        Ok(word(input)?.cast_signed())
    }
}

/// A number that says which of several things follows.
impl Stored for u8 {
    fn store(&self, out: &mut Vec<u8>) {
        out.push(*self);
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        Ok(input.take(1)?[0])
    }
}

impl Stored for bool {
    fn store(&self, out: &mut Vec<u8>) {
        out.push(u8::from(*self));
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        match u8::load(input)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(input.wrong("a flag is neither set nor clear")),
        }
    }
}

impl Stored for String {
    fn store(&self, out: &mut Vec<u8>) {
        text(self, out);
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        input.text().map(str::to_owned)
    }
}

impl Stored for Box<str> {
    fn store(&self, out: &mut Vec<u8>) {
        text(self, out);
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        input.text().map(Into::into)
    }
}

/// A text that is not owned.
pub(crate) fn text(text: &str, out: &mut Vec<u8>) {
    (text.len() as u64).store(out);
    out.extend_from_slice(text.as_bytes());
}

impl<T: Stored> Stored for Option<T> {
    fn store(&self, out: &mut Vec<u8>) {
        self.is_some().store(out);
        if let Some(value) = self {
            value.store(out);
        }
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        bool::load(input)?.then(|| T::load(input)).transpose()
    }
}

impl<T: Stored> Stored for Box<T> {
    fn store(&self, out: &mut Vec<u8>) {
        self.as_ref().store(out);
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        T::load(input).map(Self::new)
    }
}

impl<T: Stored> Stored for Vec<T> {
    fn store(&self, out: &mut Vec<u8>) {
        (self.len() as u64).store(out);
        for value in self {
            value.store(out);
        }
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        let length = input.length()?;
        // Not all at once: members may be larger here than where they are written.
        let mut values = Self::with_capacity(length.min(4096));
        for _ in 0..length {
            values.push(T::load(input)?);
        }
        Ok(values)
    }
}

/// By key, ascending: the order of a hash table is nobody's promise.
impl<K: Stored + Ord + Hash, V: Stored, S: BuildHasher + Default> Stored for HashMap<K, V, S> {
    fn store(&self, out: &mut Vec<u8>) {
        let mut entries: Vec<(&K, &V)> = self.iter().collect();
        entries.sort_unstable_by(|a, b| a.0.cmp(b.0));
        entries.len().store(out);
        for (key, value) in entries {
            key.store(out);
            value.store(out);
        }
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        let length = input.length()?;
        let mut entries = Self::default();
        for _ in 0..length {
            entries.insert(K::load(input)?, V::load(input)?);
        }
        input.expect(entries.len() == length, "a key stands twice")?;
        Ok(entries)
    }
}

impl<T: Stored + Copy + Default, const N: usize> Stored for [T; N] {
    fn store(&self, out: &mut Vec<u8>) {
        for value in self {
            value.store(out);
        }
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        let mut values = [T::default(); N];
        for value in &mut values {
            *value = T::load(input)?;
        }
        Ok(values)
    }
}

impl<A: Stored, B: Stored> Stored for (A, B) {
    fn store(&self, out: &mut Vec<u8>) {
        self.0.store(out);
        self.1.store(out);
    }

    fn load(input: &mut Input<'_>) -> Result<Self, StateError> {
        Ok((A::load(input)?, B::load(input)?))
    }
}
