//! The words of the text form of a message.

use super::read::TextError;

/// A word of the text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A name, a number, `true`, `inf`: letters, digits, `_`, `.`, `+` and `-`.
    Word(String),
    /// The content of one quoted string.
    Text(Vec<u8>),
    /// `{`, `}`, `<`, `>`, `[`, `]`, `:`, `,`, `;`, `/`.
    Mark(u8),
    End,
}

impl Token {
    /// How the token is named in an error.
    pub fn describe(&self) -> String {
        match self {
            Self::Word(word) => format!("`{}`", word.chars().take(40).collect::<String>()),
            Self::Text(_) => "a string".to_owned(),
            Self::Mark(mark) => format!("`{}`", char::from(*mark)),
            Self::End => "the end of the text".to_owned(),
        }
    }
}

/// Reads tokens with one of lookahead.
pub(super) struct Tokens<'a> {
    text: &'a str,
    at: usize,
    /// Where the token handed out last began.
    pub start: usize,
    ahead: Option<(usize, Token)>,
}

impl<'a> Tokens<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0, start: 0, ahead: None }
    }

    /// An error at a byte of the text.
    pub fn error_at(&self, offset: usize, message: String) -> TextError {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        TextError { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1, message }
    }

    /// An error at the token handed out last.
    pub fn error(&self, message: String) -> TextError {
        self.error_at(self.start, message)
    }

    pub fn peek(&mut self) -> Result<&Token, TextError> {
        if self.ahead.is_none() {
            self.ahead = Some(self.read()?);
        }
        Ok(self.ahead.as_ref().map_or(&Token::End, |ahead| &ahead.1))
    }

    pub fn next(&mut self) -> Result<Token, TextError> {
        let (start, token) = match self.ahead.take() {
            Some(ahead) => ahead,
            None => self.read()?,
        };
        self.start = start;
        Ok(token)
    }

    /// Takes the mark if it comes next.
    pub fn take(&mut self, mark: u8) -> Result<bool, TextError> {
        let there = *self.peek()? == Token::Mark(mark);
        if there {
            self.next()?;
        }
        Ok(there)
    }

    fn read(&mut self) -> Result<(usize, Token), TextError> {
        let bytes = self.text.as_bytes();
        loop {
            match bytes.get(self.at) {
                Some(b'#') => self.at += memchr::memchr(b'\n', &bytes[self.at..]).unwrap_or(bytes.len() - self.at),
                Some(byte) if byte.is_ascii_whitespace() || *byte == 0x0b => self.at += 1,
                _ => break,
            }
        }
        let start = self.at;
        let Some(first) = bytes.get(start) else { return Ok((start, Token::End)) };
        let token = match first {
            b'"' | b'\'' => Token::Text(self.quoted(*first)?),
            b'{' | b'}' | b'<' | b'>' | b'[' | b']' | b':' | b',' | b';' | b'/' => {
                self.at += 1;
                Token::Mark(*first)
            }
            byte if is_word(*byte) => {
                let length = bytes[start..].iter().take_while(|byte| is_word(**byte)).count();
                self.at += length;
                Token::Word(self.text[start..self.at].to_owned())
            }
            _ => {
                let found = self.text[start..].chars().next().unwrap_or_default();
                return Err(self.error_at(start, format!("`{}` has no meaning here", found.escape_debug())));
            }
        };
        Ok((start, token))
    }

    fn quoted(&mut self, quote: u8) -> Result<Vec<u8>, TextError> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let mut out = Vec::new();
        self.at += 1;
        loop {
            match bytes.get(self.at) {
                None | Some(b'\n') => return Err(self.error_at(start, "a string is not closed".to_owned())),
                Some(byte) if *byte == quote => {
                    self.at += 1;
                    return Ok(out);
                }
                Some(b'\\') => self.escape(&mut out)?,
                Some(byte) => {
                    out.push(*byte);
                    self.at += 1;
                }
            }
        }
    }

    /// One escape: as in C, and `\u` and `\U` with four and eight digits.
    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), TextError> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let wrong = |tokens: &Self| tokens.error_at(start, "no such escape in a string".to_owned());
        let kind = *bytes.get(start + 1).ok_or_else(|| wrong(self))?;
        self.at += 2;
        let simple = match kind {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'a' => 0x07,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'v' => 0x0b,
            b'\\' | b'\'' | b'"' | b'?' => kind,
            b'0'..=b'7' => {
                let (value, length) = digits(&bytes[start + 1..], 8, 3);
                self.at = start + 1 + length;
                u8::try_from(value).map_err(|_| wrong(self))?
            }
            b'x' | b'X' => {
                let (value, length) = digits(&bytes[start + 2..], 16, 2);
                self.at = start + 2 + length;
                u8::try_from(value).ok().filter(|_| length > 0).ok_or_else(|| wrong(self))?
            }
            b'u' | b'U' => {
                let wanted = if kind == b'u' { 4 } else { 8 };
                let (value, length) = digits(&bytes[start + 2..], 16, wanted);
                let c = char::from_u32(value).filter(|_| length == wanted).ok_or_else(|| wrong(self))?;
                self.at = start + 2 + length;
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err(wrong(self)),
        };
        out.push(simple);
        Ok(())
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'+' | b'-')
}

/// The number that up to `most` digits stand for, and how many they are.
fn digits(bytes: &[u8], radix: u32, most: usize) -> (u32, usize) {
    let mut value = 0u32;
    let mut length = 0;
    for digit in bytes.iter().take(most).map_while(|byte| char::from(*byte).to_digit(radix)) {
        value = value.wrapping_mul(radix).wrapping_add(digit);
        length += 1;
    }
    (value, length)
}
