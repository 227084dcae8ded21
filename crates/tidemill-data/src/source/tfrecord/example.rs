//! The bytes of a `tf.Example`.
//!
//! ```proto
//! message Example  { Features features = 1; }
//! message Features { map<string, Feature> feature = 1; }
//! message Feature  { oneof kind { BytesList bytes_list = 1; FloatList float_list = 2; Int64List int64_list = 3; } }
//! message BytesList { repeated bytes value = 1; }    // the others alike, their values packed or not
//! ```
//!
//! They are read where they lie: nothing is copied, and a row is never a map.

/// The values of one feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Values<'a> {
    /// Not even a kind.
    Unset,
    Bytes(&'a [&'a [u8]]),
    Floats(&'a [f32]),
    Ints(&'a [i64]),
}

/// Takes the features of an example as they come.
pub(super) trait Features {
    /// A feature with its values. The error says what is wrong with it.
    fn feature(&mut self, name: &str, values: Values<'_>) -> Result<(), String>;
}

/// Reads one example. The error says what is wrong.
pub(super) fn read_example(bytes: &[u8], features: &mut impl Features) -> Result<(), String> {
    let mut example = Wire::new(bytes);
    while let Some(field) = example.next().map_err(no_example)? {
        match field {
            (1, Content::Bytes(map)) => read_features(map, features)?,
            (2, Content::Bytes(_)) => {
                return Err("it is a tf.SequenceExample; files of tf.Example are read".to_owned());
            }
            _ => {}
        }
    }
    Ok(())
}

fn read_features(bytes: &[u8], features: &mut impl Features) -> Result<(), String> {
    let mut map = Wire::new(bytes);
    while let Some(field) = map.next().map_err(no_example)? {
        let (1, Content::Bytes(entry)) = field else { continue };
        let (mut key, mut value) = (&[][..], &[][..]);
        let mut entry = Wire::new(entry);
        while let Some(field) = entry.next().map_err(no_example)? {
            match field {
                (1, Content::Bytes(bytes)) => key = bytes,
                (2, Content::Bytes(bytes)) => value = bytes,
                _ => {}
            }
        }
        let name = std::str::from_utf8(key).map_err(|_| "the name of a feature is not UTF-8".to_owned())?;
        if name.is_empty() {
            return Err("a feature has no name".to_owned());
        }
        read_feature(name, value, features)?;
    }
    Ok(())
}

fn read_feature(name: &str, bytes: &[u8], features: &mut impl Features) -> Result<(), String> {
    let mut feature = Wire::new(bytes);
    let mut kind = None;
    while let Some(field) = feature.next().map_err(no_example)? {
        if let (number @ 1..=3, Content::Bytes(list)) = field {
            kind = Some((number, list));
        }
    }
    let Some((number, list)) = kind else { return features.feature(name, Values::Unset) };
    let mut list = Wire::new(list);
    match number {
        1 => {
            let mut values = Vec::new();
            while let Some(field) = list.next().map_err(no_example)? {
                if let (1, Content::Bytes(value)) = field {
                    values.push(value);
                }
            }
            features.feature(name, Values::Bytes(&values))
        }
        2 => {
            let mut values = Vec::new();
            while let Some(field) = list.next().map_err(no_example)? {
                match field {
                    (1, Content::Bytes(packed)) => {
                        let (chunks, rest) = packed.as_chunks::<4>();
                        if !rest.is_empty() {
                            return Err(no_example("a list of floats is cut short"));
                        }
                        values.extend(chunks.iter().map(|chunk| f32::from_le_bytes(*chunk)));
                    }
                    (1, Content::Fixed32(bits)) => values.push(f32::from_bits(bits)),
                    _ => {}
                }
            }
            features.feature(name, Values::Floats(&values))
        }
        _ => {
            let mut values = Vec::new();
            while let Some(field) = list.next().map_err(no_example)? {
                match field {
                    (1, Content::Bytes(packed)) => {
                        let mut packed = Wire::new(packed);
                        while packed.at < packed.bytes.len() {
                            values.push(packed.varint().map_err(no_example)? as i64);
                        }
                    }
                    (1, Content::Varint(value)) => values.push(value as i64),
                    _ => {}
                }
            }
            features.feature(name, Values::Ints(&values))
        }
    }
}

fn no_example(reason: &'static str) -> String {
    format!("it is no tf.Example: {reason}")
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Content<'a> {
    Varint(u64),
    Fixed64,
    Bytes(&'a [u8]),
    Fixed32(u32),
}

/// The fields of a message, in the encoding of Protocol Buffers.
struct Wire<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Wire<'a> {
    const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next field's number and content; `None` at the end.
    fn next(&mut self) -> Result<Option<(u64, Content<'a>)>, &'static str> {
        if self.at == self.bytes.len() {
            return Ok(None);
        }
        let key = self.varint()?;
        let content = match key & 7 {
            0 => Content::Varint(self.varint()?),
            1 => {
                self.take(8)?;
                Content::Fixed64
            }
            2 => {
                let length = self.varint()?;
                Content::Bytes(self.take(usize::try_from(length).map_err(|_| CUT)?)?)
            }
            5 => Content::Fixed32(self.take(4)?.first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes))),
            _ => return Err("a field has a type that is not used"),
        };
        match key >> 3 {
            0 => Err("a field has the number 0"),
            number => Ok(Some((number, content))),
        }
    }

    fn varint(&mut self) -> Result<u64, &'static str> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let byte = *self.bytes.get(self.at).ok_or(CUT)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err("a number has more than ten bytes")
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], &'static str> {
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len()).ok_or(CUT)?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }
}

const CUT: &str = "it is cut short";
