//! A file that is one array of objects, as lines of one object each.

use std::fmt;
use std::io::{self, Read};

/// What is wrong with the array around the objects.
#[derive(Debug)]
pub(in crate::source) struct ArrayFault(&'static str);

impl fmt::Display for ArrayFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for ArrayFault {}

impl ArrayFault {
    fn error(message: &'static str) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, Self(message))
    }
}

/// Where the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before the array.
    Before,
    /// In the array, at so many brackets and braces below it.
    In(u64),
    /// Behind the array.
    Behind,
}

/// Reads the text of a JSON array and gives its elements, one a line; line ends inside an element become spaces.
///
/// Brackets, commas between elements and strings are understood here; everything else is for the reader of lines.
#[allow(clippy::struct_excessive_bools, reason = "each says where the reader is, and they change on their own")]
pub(in crate::source) struct ArrayLines<R> {
    input: R,
    place: Place,
    in_string: bool,
    is_escaped: bool,
    /// Whether there is something of an element on the line.
    has_element: bool,
    /// Whether a comma came after the element before.
    is_after_comma: bool,
    is_done: bool,
    out: Vec<u8>,
    given: usize,
}

/// Bytes read at once.
const PIECE_BYTES: usize = 1 << 16;

impl<R: Read> ArrayLines<R> {
    pub(in crate::source) fn new(input: R) -> Self {
        Self {
            input,
            place: Place::Before,
            in_string: false,
            is_escaped: false,
            has_element: false,
            is_after_comma: false,
            is_done: false,
            out: Vec::new(),
            given: 0,
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut piece = vec![0; PIECE_BYTES];
        let got = self.input.read(&mut piece)?;
        self.out.clear();
        self.given = 0;
        if got == 0 {
            self.is_done = true;
            return match self.place {
                Place::Behind => Ok(()),
                Place::Before | Place::In(_) => Err(ArrayFault::error("the file ends before the array does")),
            };
        }
        for &byte in &piece[..got] {
            self.take(byte)?;
        }
        Ok(())
    }

    fn take(&mut self, byte: u8) -> io::Result<()> {
        let Place::In(depth) = self.place else {
            return match (self.place, byte) {
                (Place::Before, b'[') => {
                    self.place = Place::In(0);
                    Ok(())
                }
                // The mark of UTF-8, and space.
                (Place::Before, 0xef | 0xbb | 0xbf) | (_, b' ' | b'\t' | b'\r' | b'\n') => Ok(()),
                _ => Err(ArrayFault::error("there is something behind the end of the array")),
            };
        };
        if self.in_string {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            // A line end in a string is a fault of the string, which the reader of lines finds.
            self.out.push(if byte == b'\n' { 0x01 } else { byte });
            return Ok(());
        }
        match byte {
            b'\n' | b'\r' | b'\t' | b' ' => {
                if self.has_element {
                    self.out.push(b' ');
                }
                return Ok(());
            }
            b',' if depth == 0 => {
                if !self.has_element {
                    return Err(ArrayFault::error("there is a comma without an element before it"));
                }
                self.out.push(b'\n');
                (self.has_element, self.is_after_comma) = (false, true);
                return Ok(());
            }
            b']' if depth == 0 => {
                if !self.has_element && self.is_after_comma {
                    return Err(ArrayFault::error("there is a comma behind the last element"));
                }
                self.out.push(b'\n');
                self.place = Place::Behind;
                return Ok(());
            }
            b'"' => self.in_string = true,
            b'{' | b'[' => self.place = Place::In(depth + 1),
            b'}' | b']' => self.place = Place::In(depth.saturating_sub(1)),
            _ => {}
        }
        self.has_element = true;
        self.out.push(byte);
        Ok(())
    }
}

impl<R: Read> Read for ArrayLines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.given == self.out.len() && !self.is_done {
            self.fill()?;
        }
        let rest = &self.out[self.given..];
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        self.given += count;
        Ok(count)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(text: &str) -> io::Result<String> {
        let mut out = String::new();
        ArrayLines::new(text.as_bytes()).read_to_string(&mut out).map(|_| out)
    }

    #[test]
    fn elements_become_lines() {
        assert_eq!(lines("[{\"a\": 1},{\"a\": 2}]\n").unwrap(), "{\"a\": 1}\n{\"a\": 2}\n");
        let pretty = "[\n  {\n    \"a\": \"x, ] \\\" y\",\n    \"b\": [1,\n2]\n  },\n  {}\n]";
        let expected = ["{     \"a\": \"x, ] \\\" y\",     \"b\": [1, 2]   }", "{}"];
        let found = lines(pretty).unwrap();
        let found: Vec<&str> = found.lines().map(str::trim).collect();
        assert_eq!(found, expected);
        assert_eq!(lines(" [] ").unwrap().trim(), "");
    }

    #[test]
    fn what_is_no_array_is_refused() {
        for (text, message) in [
            ("[{}", "the file ends before the array does"),
            ("[{}] {}", "there is something behind the end of the array"),
            ("[{},]", "there is a comma behind the last element"),
            ("[,{}]", "there is a comma without an element before it"),
        ] {
            assert_eq!(lines(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_array_of_objects_comes_back(values in prop::collection::vec("[a\"\\\\{}\\[\\],\n é]{0,8}", 0..6), pretty: bool) {
            let objects: Vec<serde_json::Value> = values.iter().map(|v| serde_json::json!({ "k": v, "l": [v] })).collect();
            let text = if pretty { serde_json::to_string_pretty(&objects) } else { serde_json::to_string(&objects) };
            let found = lines(&text.unwrap()).unwrap();
            let found: Vec<serde_json::Value> =
                found.lines().filter(|line| !line.trim().is_empty()).map(|line| serde_json::from_str(line).unwrap()).collect();
            prop_assert_eq!(found, objects);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = ArrayLines::new(bytes.as_slice()).read_to_end(&mut Vec::new());
        }
    }
}
