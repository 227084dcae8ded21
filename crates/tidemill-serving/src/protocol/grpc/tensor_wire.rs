//! Parses messages of tensors in place: the fields of a message, and reusable buffers for the elements of a tensor.

use tidemill_proto::wire::{Content, Wire};

use crate::inference::request_error::RequestError;

/// The elements of a tensor, by wire representation.
#[derive(Debug, Default)]
pub(crate) struct TensorContents<'a> {
    pub(crate) bools: Vec<bool>,
    pub(crate) ints: Vec<i32>,
    pub(crate) int64s: Vec<i64>,
    pub(crate) uints: Vec<u32>,
    pub(crate) uint64s: Vec<u64>,
    pub(crate) singles: Vec<f32>,
    pub(crate) doubles: Vec<f64>,
    /// The 16 bits of each.
    pub(crate) halves: Vec<i32>,
    pub(crate) texts: Vec<&'a [u8]>,
}

/// One of the lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContentsField {
    Bools,
    Ints,
    Int64s,
    Uints,
    Uint64s,
    Singles,
    Doubles,
    Halves,
    Texts,
}

impl<'a> TensorContents<'a> {
    /// Appends the content of a field: one element, or packed numbers.
    pub(crate) fn append(&mut self, list: ContentsField, content: Content<'a>) -> Result<(), &'static str> {
        match (list, content) {
            (ContentsField::Bools, content) => return varints(content, |value| self.bools.push(value != 0)),
            (ContentsField::Ints, content) => return varints(content, |value| self.ints.push(value as i32)),
            (ContentsField::Int64s, content) => return varints(content, |value| self.int64s.push(value as i64)),
            (ContentsField::Uints, content) => return varints(content, |value| self.uints.push(value as u32)),
            (ContentsField::Uint64s, content) => return varints(content, |value| self.uint64s.push(value)),
            (ContentsField::Halves, content) => return varints(content, |value| self.halves.push(value as i32)),
            (ContentsField::Singles, Content::Fixed32(bits)) => self.singles.push(f32::from_bits(bits)),
            (ContentsField::Singles, packed) => {
                self.singles.extend(chunks(packed)?.iter().copied().map(f32::from_le_bytes));
            }
            (ContentsField::Doubles, Content::Fixed64(bits)) => self.doubles.push(f64::from_bits(bits)),
            (ContentsField::Doubles, packed) => {
                self.doubles.extend(chunks(packed)?.iter().copied().map(f64::from_le_bytes));
            }
            (ContentsField::Texts, content) => self.texts.push(part(content)?),
        }
        Ok(())
    }

    /// Clears all lists.
    pub(crate) fn clear(&mut self) {
        let Self { bools, ints, int64s, uints, uint64s, singles, doubles, halves, texts } = self;
        bools.clear();
        ints.clear();
        int64s.clear();
        uints.clear();
        uint64s.clear();
        singles.clear();
        doubles.clear();
        halves.clear();
        texts.clear();
    }

    /// Whether none has elements.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { bools, ints, int64s, uints, uint64s, singles, doubles, halves, texts } = self;
        let numbers =
            [ints.len(), int64s.len(), uints.len(), uint64s.len(), singles.len(), doubles.len(), halves.len()];
        bools.is_empty() && texts.is_empty() && numbers.iter().all(|count| *count == 0)
    }
}

/// Replaces the content of `shape` with the sizes of a shape. None may be below 0.
pub(crate) fn read_shape(sizes: &[i64], shape: &mut Vec<u64>) -> Result<(), RequestError> {
    shape.clear();
    for &size in sizes {
        let below = |_| RequestError::invalid(format!("the size {size} in the shape is below 0"));
        shape.push(u64::try_from(size).map_err(below)?);
    }
    Ok(())
}

/// Calls the closure with each field of a message `name`; an error is the client's fault.
pub(crate) fn fields<'a>(
    name: &str,
    bytes: &'a [u8],
    field: impl FnMut(u64, Content<'a>) -> Result<(), &'static str>,
) -> Result<(), RequestError> {
    each(bytes, field).map_err(|reason| RequestError::invalid(format!("the message is not a valid {name}: {reason}")))
}

/// Calls the closure with each field of a nested message.
pub(crate) fn each<'a>(
    bytes: &'a [u8],
    mut field: impl FnMut(u64, Content<'a>) -> Result<(), &'static str>,
) -> Result<(), &'static str> {
    let mut message = Wire::new(bytes);
    while let Some((number, content)) = message.next_field()? {
        field(number, content)?;
    }
    Ok(())
}

/// A message, or bytes.
pub(crate) fn part(content: Content<'_>) -> Result<&[u8], &'static str> {
    match content {
        Content::Bytes(bytes) => Ok(bytes),
        _ => Err(OTHER_TYPE),
    }
}

/// Text.
pub(crate) fn text(content: Content<'_>) -> Result<&str, &'static str> {
    std::str::from_utf8(part(content)?).map_err(|_| "a text is not UTF-8")
}

/// A number.
pub(crate) fn number(content: Content<'_>) -> Result<u64, &'static str> {
    match content {
        Content::Varint(number) => Ok(number),
        _ => Err(OTHER_TYPE),
    }
}

/// The key and the value of an entry of a map.
pub(crate) fn entry(content: Content<'_>) -> Result<(&str, &[u8]), &'static str> {
    let (mut key, mut value) = ("", &[][..]);
    each(part(content)?, |number, content| {
        match number {
            1 => key = text(content)?,
            2 => value = part(content)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok((key, value))
}

/// A number, or packed numbers.
pub(crate) fn varints(content: Content<'_>, mut value: impl FnMut(u64)) -> Result<(), &'static str> {
    if let Content::Varint(one) = content {
        value(one);
        return Ok(());
    }
    let mut packed = Wire::new(part(content)?);
    while !packed.is_at_end() {
        value(packed.varint()?);
    }
    Ok(())
}

/// Packed numbers of a fixed size.
fn chunks<const N: usize>(content: Content<'_>) -> Result<&[[u8; N]], &'static str> {
    match part(content)?.as_chunks() {
        (chunks, []) => Ok(chunks),
        _ => Err("a list of numbers is cut short"),
    }
}

const OTHER_TYPE: &str = "a field has another type than it should";

/// Damaged messages, parsed here and by the library.
#[cfg(test)]
pub(crate) mod damage {
    use proptest::prelude::*;
    use proptest::sample::Index;
    use proptest::test_runner::TestCaseError;

    use crate::inference::request_error::RequestError;

    /// A mutation of the bytes of a message.
    #[derive(Debug, Clone)]
    pub(crate) struct Damage {
        changes: Vec<(Index, u8)>,
        end: Index,
    }

    pub(crate) fn any_damage() -> impl Strategy<Value = Damage> {
        let changes = prop::collection::vec((any::<Index>(), any::<u8>()), 1..4);
        (changes, any::<Index>()).prop_map(|(changes, end)| Damage { changes, end })
    }

    impl Damage {
        pub(crate) fn apply(self, mut bytes: Vec<u8>) -> Vec<u8> {
            if !bytes.is_empty() {
                for (at, byte) in self.changes {
                    let at = at.index(bytes.len());
                    bytes[at] = byte;
                }
                bytes.truncate(self.end.index(bytes.len()) + 1);
            }
            bytes
        }
    }

    /// Messages that the library accepts are read the same here. The library may reject more: this parser skips parts
    /// that the library builds.
    pub(crate) fn assert_parsed_alike(
        ours: Result<String, RequestError>,
        theirs: Result<String, prost::DecodeError>,
    ) -> Result<(), TestCaseError> {
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => prop_assert_eq!(ours, theirs),
            (Err(ours), Ok(_)) => prop_assert!(ours.message.contains("type that is not used"), "{}", ours.message),
            (_, Err(_)) => {}
        }
        Ok(())
    }
}
