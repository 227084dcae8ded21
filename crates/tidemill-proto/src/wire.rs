//! Messages of Protocol Buffers, field by field where they lie: nothing is copied, and nothing is built of what is not
//! wanted.

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'a> {
    /// A number of one to ten bytes: integers, booleans, enumerations.
    Varint(u64),
    /// Eight bytes, little endian.
    Fixed64(u64),
    /// A text, bytes, a message, or numbers one after another.
    Bytes(&'a [u8]),
    /// Four bytes, little endian.
    Fixed32(u32),
}

/// The fields of a message, in the encoding of Protocol Buffers. Groups, which nobody writes any more, are refused.
///
/// ```
/// use tidemill_proto::wire::{Content, Wire};
///
/// let mut message = Wire::new(&[0x0a, 2, b'h', b'i', 0x10, 0x96, 0x01]);
/// assert_eq!(message.next_field(), Ok(Some((1, Content::Bytes(b"hi")))));
/// assert_eq!(message.next_field(), Ok(Some((2, Content::Varint(150)))));
/// assert_eq!(message.next_field(), Ok(None));
/// ```
#[derive(Debug, Clone)]
pub struct Wire<'a> {
    rest: &'a [u8],
}

impl<'a> Wire<'a> {
    /// The fields of `bytes`.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Whether nothing is left.
    pub const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next field's number and content; `None` at the end. The error says what is wrong with the bytes.
    #[inline]
    pub fn next_field(&mut self) -> Result<Option<(u64, Content<'a>)>, &'static str> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let key = self.varint()?;
        let content = match key & 7 {
            0 => Content::Varint(self.varint()?),
            1 => Content::Fixed64(u64::from_le_bytes(*self.chunk()?)),
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| CUT)?;
                let (bytes, rest) = self.rest.split_at_checked(length).ok_or(CUT)?;
                self.rest = rest;
                Content::Bytes(bytes)
            }
            5 => Content::Fixed32(u32::from_le_bytes(*self.chunk()?)),
            _ => return Err("a field has a type that is not used"),
        };
        match key >> 3 {
            0 => Err("a field has the number 0"),
            number => Ok(Some((number, content))),
        }
    }

    /// The next number of those that lie one after another.
    #[inline]
    pub fn varint(&mut self) -> Result<u64, &'static str> {
        match self.rest.split_first() {
            Some((&byte, rest)) if byte < 0x80 => {
                self.rest = rest;
                Ok(byte.into())
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, &'static str> {
        let mut value = 0_u64;
        for shift in (0..70).step_by(7) {
            let (byte, rest) = self.rest.split_first().ok_or(CUT)?;
            self.rest = rest;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if *byte < 0x80 {
                return Ok(value);
            }
        }
        Err("a number has more than ten bytes")
    }

    fn chunk<const N: usize>(&mut self) -> Result<&'a [u8; N], &'static str> {
        let (chunk, rest) = self.rest.split_first_chunk().ok_or(CUT)?;
        self.rest = rest;
        Ok(chunk)
    }
}

const CUT: &str = "it is cut short";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_message_is_refused() {
        for (bytes, reason) in [
            (&[0x08][..], CUT),
            (&[0x08, 0x80], CUT),
            (&[0x0a, 2, 0], CUT),
            (&[0x09, 0, 0, 0, 0, 0, 0, 0], CUT),
            (&[0x0d, 0, 0, 0], CUT),
            (&[0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01], CUT),
            (&[0x02, 0], "a field has the number 0"),
            (&[0x0b, 0x0c], "a field has a type that is not used"),
            (&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0], "a number has more than ten bytes"),
        ] {
            assert_eq!(Wire::new(bytes).next_field(), Err(reason), "{bytes:?}");
        }
    }

    #[test]
    fn numbers_are_read_to_their_last_bit() {
        let of = |bytes: &[u8]| Wire::new(bytes).varint();
        assert_eq!(of(&[0x7f]), Ok(127));
        assert_eq!(of(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]), Ok(u64::MAX));
        let mut fixed = Wire::new(&[0x09, 1, 0, 0, 0, 0, 0, 0, 0x80, 0x15, 2, 0, 0, 1]);
        assert_eq!(fixed.next_field(), Ok(Some((1, Content::Fixed64(0x8000_0000_0000_0001)))));
        assert_eq!(fixed.next_field(), Ok(Some((2, Content::Fixed32(0x0100_0002)))));
        assert!(fixed.is_at_end());
    }
}
