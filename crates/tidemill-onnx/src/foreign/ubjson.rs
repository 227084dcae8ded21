//! Universal Binary JSON, in which XGBoost saves models since version 2.

use serde_json::{Map, Number, Value};

/// Deeper nesting is rejected.
const DEPTH_MAX: usize = 64;
/// More values are rejected: each takes up to 32 bytes here and one there.
const VALUES_MAX: usize = 1 << 26;

/// The document in `bytes`, as the JSON that it stands for; numbers that JSON lacks become null.
pub(super) fn read(bytes: &[u8]) -> Result<Value, String> {
    let mut reader = Reader { bytes, at: 0, values: 0 };
    let marker = reader.byte()?;
    let value = reader.value(marker, 0)?;
    match reader.at {
        end if end == bytes.len() => Ok(value),
        end => Err(format!("{} bytes follow the end at byte {end}", bytes.len() - end)),
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    values: usize,
}

impl<'a> Reader<'a> {
    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take::<1>()?[0])
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn slice(&mut self, count: usize) -> Result<&'a [u8], String> {
        let part = self.at.checked_add(count).and_then(|end| self.bytes.get(self.at..end));
        let part = part.ok_or_else(|| format!("the file ends within a value at byte {}: it was cut short", self.at))?;
        self.at += count;
        Ok(part)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut taken = [0; N];
        taken.copy_from_slice(self.slice(N)?);
        Ok(taken)
    }

    /// A whole number that says how much follows.
    fn length(&mut self) -> Result<usize, String> {
        let (at, marker) = (self.at, self.byte()?);
        let length = self.whole(marker)?.and_then(|length| usize::try_from(length).ok());
        length.ok_or_else(|| format!("byte {at} is not a length"))
    }

    fn whole(&mut self, marker: u8) -> Result<Option<i64>, String> {
        Ok(Some(match marker {
            b'i' => i64::from(i8::from_be_bytes(self.take()?)),
            b'U' => i64::from(self.byte()?),
            b'I' => i64::from(i16::from_be_bytes(self.take()?)),
            b'l' => i64::from(i32::from_be_bytes(self.take()?)),
            b'L' => i64::from_be_bytes(self.take()?),
            _ => return Ok(None),
        }))
    }

    fn text(&mut self) -> Result<String, String> {
        let (at, length) = (self.at, self.length()?);
        String::from_utf8(self.slice(length)?.to_vec()).map_err(|_| format!("the text at byte {at} is not UTF-8"))
    }

    fn value(&mut self, marker: u8, depth: usize) -> Result<Value, String> {
        self.values += 1;
        if depth > DEPTH_MAX || self.values > VALUES_MAX {
            return Err("it is nested too deeply, or holds too many values".to_owned());
        }
        if let Some(whole) = self.whole(marker)? {
            return Ok(whole.into());
        }
        let real = |x: f64| Number::from_f64(x).map_or(Value::Null, Value::Number);
        Ok(match marker {
            b'Z' | b'N' => Value::Null,
            b'T' => true.into(),
            b'F' => false.into(),
            b'd' => real(f64::from(f32::from_be_bytes(self.take()?))),
            b'D' => real(f64::from_be_bytes(self.take()?)),
            b'C' => char::from(self.byte()?).to_string().into(),
            b'S' | b'H' => self.text()?.into(),
            b'[' => self.list(depth)?,
            b'{' => self.object(depth)?,
            other => return Err(format!("byte {} is `{}`, not a value of UBJSON", self.at - 1, other.escape_ascii())),
        })
    }

    /// The type of all values of a container, and their number, if it declares them.
    fn declared(&mut self) -> Result<(Option<u8>, Option<usize>), String> {
        let mut kind = None;
        if self.peek() == Some(b'$') {
            self.at += 1;
            kind = Some(self.byte()?);
        }
        let mut count = None;
        if self.peek() == Some(b'#') {
            self.at += 1;
            count = Some(self.length()?);
        }
        if kind.is_some() && count.is_none() {
            return Err(format!("a list at byte {} has a type and no length", self.at));
        }
        // Every value takes at least a byte, except those that a type alone says.
        if count.is_some_and(|count| count > self.bytes.len() - self.at) {
            return Err(format!("the file ends within a list at byte {}: it was cut short", self.at));
        }
        Ok((kind, count))
    }

    fn list(&mut self, depth: usize) -> Result<Value, String> {
        let (kind, count) = self.declared()?;
        let mut values = Vec::with_capacity(count.unwrap_or(0));
        loop {
            match count {
                Some(count) if values.len() == count => break,
                None if self.peek() == Some(b']') => {
                    self.at += 1;
                    break;
                }
                _ => {}
            }
            let marker = kind.map_or_else(|| self.byte(), Ok)?;
            values.push(self.value(marker, depth + 1)?);
        }
        Ok(values.into())
    }

    fn object(&mut self, depth: usize) -> Result<Value, String> {
        let (kind, count) = self.declared()?;
        let mut members = Map::new();
        let mut read = 0;
        loop {
            match count {
                Some(count) if read == count => break,
                None if self.peek() == Some(b'}') => {
                    self.at += 1;
                    break;
                }
                _ => {}
            }
            let name = self.text()?;
            let marker = kind.map_or_else(|| self.byte(), Ok)?;
            let value = self.value(marker, depth + 1)?;
            members.insert(name, value);
            read += 1;
        }
        Ok(members.into())
    }
}
