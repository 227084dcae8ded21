//! The bytes of a `tf.Example` or a `tf.SequenceExample`.
//!
//! ```proto
//! message Example         { Features features = 1; }
//! message SequenceExample { Features context = 1; FeatureLists feature_lists = 2; }
//! message Features        { map<string, Feature> feature = 1; }
//! message Feature         { oneof kind { BytesList bytes_list = 1; FloatList float_list = 2; Int64List int64_list = 3; } }
//! message BytesList       { repeated bytes value = 1; }    // the others alike, their values packed or not
//! message FeatureLists    { map<string, FeatureList> feature_list = 1; }
//! message FeatureList     { repeated Feature feature = 1; }    // a step each
//! ```
//!
//! An example is a sequence example without lists. They are read where they lie: text and bytes are not copied, and a row is
//! never a map.

use crate::wire::{Content, Wire};

/// The values of one feature.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Values<'a> {
    /// Not even a kind.
    Unset,
    /// Texts or bytes.
    Bytes(&'a [&'a [u8]]),
    /// Numbers with 32 bits.
    Floats(&'a [f32]),
    /// Whole numbers.
    Ints(&'a [i64]),
}

/// Takes the features of an example as they come.
pub trait Features {
    /// A feature with its values. The error says what is wrong with it.
    fn feature(&mut self, name: &str, values: Values<'_>) -> Result<(), String>;

    /// A list of features: the values of all steps one after another, and how many each step has.
    fn sequence(&mut self, name: &str, values: Values<'_>, steps: &[usize]) -> Result<(), String>;
}

/// Reads one example. The error says what is wrong.
pub fn read_example(bytes: &[u8], features: &mut impl Features) -> Result<(), String> {
    let mut held = Held::default();
    let mut example = Wire::new(bytes);
    while let Some(field) = example.next_field().map_err(no_example)? {
        match field {
            (1, Content::Bytes(map)) => entries(map, |name, feature| {
                held.clear();
                held.add(name, feature)?;
                features.feature(name, held.values())
            })?,
            (2, Content::Bytes(map)) => entries(map, |name, list| {
                held.clear();
                let mut list = Wire::new(list);
                while let Some(field) = list.next_field().map_err(no_example)? {
                    if let (1, Content::Bytes(step)) = field {
                        held.add(name, step)?;
                    }
                }
                features.sequence(name, held.values(), &held.steps)
            })?,
            _ => {}
        }
    }
    Ok(())
}

/// The names and values of a map.
fn entries<'a>(bytes: &'a [u8], mut take: impl FnMut(&str, &'a [u8]) -> Result<(), String>) -> Result<(), String> {
    let mut map = Wire::new(bytes);
    while let Some(field) = map.next_field().map_err(no_example)? {
        let (1, Content::Bytes(entry)) = field else { continue };
        let (mut key, mut value) = (&[][..], &[][..]);
        let mut entry = Wire::new(entry);
        while let Some(field) = entry.next_field().map_err(no_example)? {
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
        take(name, value)?;
    }
    Ok(())
}

/// The values of a feature, or of all steps of a list of features.
#[derive(Default)]
struct Held<'a> {
    /// The field of the kind of the values so far; 0: none.
    kind: u64,
    bytes: Vec<&'a [u8]>,
    floats: Vec<f32>,
    ints: Vec<i64>,
    steps: Vec<usize>,
}

impl<'a> Held<'a> {
    fn clear(&mut self) {
        self.kind = 0;
        self.bytes.clear();
        self.floats.clear();
        self.ints.clear();
        self.steps.clear();
    }

    fn len(&self) -> usize {
        self.bytes.len() + self.floats.len() + self.ints.len()
    }

    fn values(&self) -> Values<'_> {
        match self.kind {
            1 => Values::Bytes(&self.bytes),
            2 => Values::Floats(&self.floats),
            3 => Values::Ints(&self.ints),
            _ => Values::Unset,
        }
    }

    /// Takes in the values of one more `Feature`.
    fn add(&mut self, name: &str, bytes: &'a [u8]) -> Result<(), String> {
        let before = self.len();
        let mut feature = Wire::new(bytes);
        let mut kind = None;
        while let Some(field) = feature.next_field().map_err(no_example)? {
            if let (number @ 1..=3, Content::Bytes(list)) = field {
                kind = Some((number, list));
            }
        }
        if let Some((number, list)) = kind {
            if self.kind != 0 && self.kind != number {
                return Err(format!("feature `{name}` holds values of several kinds"));
            }
            self.kind = number;
            self.list(list)?;
        }
        self.steps.push(self.len() - before);
        Ok(())
    }

    fn list(&mut self, bytes: &'a [u8]) -> Result<(), String> {
        let mut list = Wire::new(bytes);
        while let Some(field) = list.next_field().map_err(no_example)? {
            match (self.kind, field) {
                (1, (1, Content::Bytes(value))) => self.bytes.push(value),
                (2, (1, Content::Bytes(packed))) => {
                    let (chunks, rest) = packed.as_chunks::<4>();
                    if !rest.is_empty() {
                        return Err(no_example("a list of floats is cut short"));
                    }
                    self.floats.extend(chunks.iter().map(|chunk| f32::from_le_bytes(*chunk)));
                }
                (2, (1, Content::Fixed32(bits))) => self.floats.push(f32::from_bits(bits)),
                (3, (1, Content::Bytes(packed))) => {
                    let mut packed = Wire::new(packed);
                    while !packed.is_at_end() {
                        self.ints.push(packed.varint().map_err(no_example)? as i64);
                    }
                }
                (3, (1, Content::Varint(value))) => self.ints.push(value as i64),
                _ => {}
            }
        }
        Ok(())
    }
}

fn no_example(reason: &'static str) -> String {
    format!("it is no tf.Example: {reason}")
}
