//! A pull parser: the caller asks for the value it expects and gets it, or the position of the error.

use std::borrow::Cow;

use super::Number;

/// Lists and objects nested deeper than this are rejected, so that no request can exhaust the stack.
const DEPTH_MAX: u32 = 64;

/// The text is not JSON. Messages and offsets are those of TF Serving's parser (`RapidJSON`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("JSON Parse error: {message} at offset: {offset}")]
pub(crate) struct JsonError {
    /// What is wrong.
    pub(crate) message: &'static str,
    /// Bytes before the error.
    pub(crate) offset: usize,
}

/// The kind of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    True,
    False,
    Number,
    String,
    Array,
    Object,
}

impl Kind {
    /// The word that TF Serving uses in messages.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Null => "Null",
            Self::True => "True",
            Self::False => "False",
            Self::Number => "Number",
            Self::String => "String",
            Self::Array => "Array",
            Self::Object => "Object",
        }
    }
}

/// Reads one JSON text from front to back.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: u32,
}

impl<'a> Reader<'a> {
    /// Starts at the front of `body`, which must be UTF-8.
    pub(crate) fn new(body: &'a [u8]) -> Result<Self, JsonError> {
        match std::str::from_utf8(body) {
            Ok(text) => Ok(Self { text, at: 0, depth: 0 }),
            Err(error) => Err(JsonError { message: "Invalid encoding in string.", offset: error.valid_up_to() }),
        }
    }

    /// Starts at the front of a value cut out of another text by [`skip`](Self::skip).
    pub(crate) fn of_value(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0 }
    }

    /// The kind of the next value.
    pub(crate) fn kind(&mut self) -> Result<Kind, JsonError> {
        match self.peek_token() {
            Some(b'n') => Ok(Kind::Null),
            Some(b't') => Ok(Kind::True),
            Some(b'f') => Ok(Kind::False),
            Some(b'-' | b'0'..=b'9' | b'N' | b'I') => Ok(Kind::Number),
            Some(b'"') => Ok(Kind::String),
            Some(b'[') => Ok(Kind::Array),
            Some(b'{') => Ok(Kind::Object),
            None if self.text.trim_ascii().is_empty() => Err(self.error("The document is empty.")),
            _ => Err(self.error("Invalid value.")),
        }
    }

    /// Reads `null`.
    pub(crate) fn null(&mut self) -> Result<(), JsonError> {
        self.literal("null")
    }

    /// Reads `true` or `false`.
    pub(crate) fn boolean(&mut self) -> Result<bool, JsonError> {
        let value = self.peek_token() == Some(b't');
        self.literal(if value { "true" } else { "false" })?;
        Ok(value)
    }

    /// Reads a number, a NaN or an infinity.
    pub(crate) fn number(&mut self) -> Result<Number<'a>, JsonError> {
        self.skip_whitespace();
        let start = self.at;
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        match self.byte() {
            Some(b'0') => self.at += 1,
            Some(b'1'..=b'9') => self.digits(),
            Some(b'N') => self.literal("NaN")?,
            Some(b'I') => {
                self.literal("Inf")?;
                if self.byte() == Some(b'i') {
                    self.literal("inity")?;
                }
            }
            _ => return Err(self.error("Invalid value.")),
        }
        let whole = self.at;
        let finite = self.text.as_bytes()[whole - 1].is_ascii_digit();
        if finite {
            self.fraction_and_exponent()?;
        }
        Ok(Number::new(&self.text[start..self.at], start, finite && self.at == whole))
    }

    fn fraction_and_exponent(&mut self) -> Result<(), JsonError> {
        if self.byte() == Some(b'.') {
            self.at += 1;
            if !matches!(self.byte(), Some(b'0'..=b'9')) {
                return Err(self.error("Miss fraction part in number."));
            }
            self.digits();
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            if !matches!(self.byte(), Some(b'0'..=b'9')) {
                return Err(self.error("Miss exponent in number."));
            }
            self.digits();
        }
        Ok(())
    }

    fn digits(&mut self) {
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
    }

    /// Reads a string; borrowed if it has no escape.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.expect(b'"', "Invalid value.")?;
        let start = self.at;
        match self.plain_run()? {
            b'"' => {
                self.at += 1;
                Ok(Cow::Borrowed(&self.text[start..self.at - 1]))
            }
            _ => self.escaped_string(start).map(Cow::Owned),
        }
    }

    /// Advances to the next quotation mark or backslash and returns it.
    fn plain_run(&mut self) -> Result<u8, JsonError> {
        loop {
            match self.byte() {
                Some(stop @ (b'"' | b'\\')) => return Ok(stop),
                Some(0..=0x1f) => return Err(self.error("Invalid encoding in string.")),
                Some(_) => self.at += 1,
                None => return Err(self.error("Missing a closing quotation mark in string.")),
            }
        }
    }

    fn escaped_string(&mut self, start: usize) -> Result<String, JsonError> {
        let mut text = String::from(&self.text[start..self.at]);
        loop {
            // Here `at` is on a quotation mark or a backslash.
            if self.byte() == Some(b'"') {
                self.at += 1;
                return Ok(text);
            }
            self.at += 1;
            let escape = self.byte();
            self.at += 1;
            match escape {
                Some(plain @ (b'"' | b'\\' | b'/')) => text.push(plain as char),
                Some(b'b') => text.push('\u{8}'),
                Some(b'f') => text.push('\u{c}'),
                Some(b'n') => text.push('\n'),
                Some(b'r') => text.push('\r'),
                Some(b't') => text.push('\t'),
                Some(b'u') => text.push(self.unicode_escape()?),
                _ => {
                    self.at -= 1;
                    return Err(self.error("Invalid escape character in string."));
                }
            }
            let run = self.at;
            self.plain_run()?;
            text.push_str(&self.text[run..self.at]);
        }
    }

    fn unicode_escape(&mut self) -> Result<char, JsonError> {
        let first = self.hex4()?;
        let code = match first {
            0xD800..=0xDBFF => {
                let low = if self.rest().starts_with("\\u") {
                    self.at += 2;
                    self.hex4()?
                } else {
                    0
                };
                if !(0xDC00..=0xDFFF).contains(&low) {
                    return Err(self.error("The surrogate pair in string is invalid."));
                }
                0x1_0000 + ((first - 0xD800) << 10) + (low - 0xDC00)
            }
            other => other,
        };
        char::from_u32(code).ok_or_else(|| self.error("The surrogate pair in string is invalid."))
    }

    fn hex4(&mut self) -> Result<u32, JsonError> {
        let mut code = 0;
        for _ in 0..4 {
            let digit = self.byte().and_then(|byte| (byte as char).to_digit(16));
            let Some(digit) = digit else {
                return Err(self.error("Incorrect hex digit after \\u escape in string."));
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    /// Reads a list, calling `element` at each element; it must read exactly one value.
    pub(crate) fn array<E: From<JsonError>>(
        &mut self,
        mut element: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'[')?;
        if self.peek_token() != Some(b']') {
            loop {
                element(self)?;
                match self.peek_token() {
                    Some(b',') => self.at += 1,
                    Some(b']') => break,
                    _ => return Err(self.error("Missing a comma or ] after an array element.").into()),
                }
            }
        }
        self.close();
        Ok(())
    }

    /// Reads an object, calling `member` after each name; it must read exactly one value.
    pub(crate) fn object<E: From<JsonError>>(
        &mut self,
        mut member: impl FnMut(&mut Self, Cow<'a, str>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.open(b'{')?;
        if self.peek_token() != Some(b'}') {
            loop {
                if self.peek_token() != Some(b'"') {
                    return Err(self.error("Missing a name for object member.").into());
                }
                let name = self.string()?;
                self.expect(b':', "Missing a colon after a name of object member.")?;
                member(self, name)?;
                match self.peek_token() {
                    Some(b',') => self.at += 1,
                    Some(b'}') => break,
                    _ => return Err(self.error("Missing a comma or } after an object member.").into()),
                }
            }
        }
        self.close();
        Ok(())
    }

    /// Reads any value and returns its text.
    pub(crate) fn skip(&mut self) -> Result<&'a str, JsonError> {
        let kind = self.kind()?;
        let start = self.at;
        match kind {
            Kind::Null => self.null()?,
            Kind::True | Kind::False => self.boolean().map(drop)?,
            Kind::Number => self.number()?.as_f64().map(drop)?,
            Kind::String => self.string().map(drop)?,
            Kind::Array => self.array(|reader| reader.skip().map(drop))?,
            Kind::Object => self.object(|reader, _| reader.skip().map(drop))?,
        }
        Ok(&self.text[start..self.at])
    }

    /// Checks that only white space follows.
    pub(crate) fn end(&mut self) -> Result<(), JsonError> {
        match self.peek_token() {
            None => Ok(()),
            Some(_) => Err(self.error("The document root must not be followed by other values.")),
        }
    }

    fn open(&mut self, bracket: u8) -> Result<(), JsonError> {
        self.expect(bracket, "Invalid value.")?;
        self.depth += 1;
        if self.depth > DEPTH_MAX { Err(self.error("The document is nested too deeply.")) } else { Ok(()) }
    }

    fn close(&mut self) {
        self.at += 1;
        self.depth -= 1;
    }

    fn expect(&mut self, byte: u8, message: &'static str) -> Result<(), JsonError> {
        if self.peek_token() == Some(byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(self.error(message))
        }
    }

    fn literal(&mut self, word: &str) -> Result<(), JsonError> {
        self.skip_whitespace();
        if self.rest().starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(self.error("Invalid value."))
        }
    }

    fn peek_token(&mut self) -> Option<u8> {
        self.skip_whitespace();
        self.byte()
    }

    fn skip_whitespace(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn error(&self, message: &'static str) -> JsonError {
        JsonError { message, offset: self.at.min(self.text.len()) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &[u8]) -> Result<(), JsonError> {
        let mut reader = Reader::new(text)?;
        reader.skip()?;
        reader.end()
    }

    /// Any JSON value, without the numbers on which parsers may differ.
    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_filter("finite", |x| x.is_finite()).prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::vec((any::<String>(), inner), 0..6)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }

    fn rebuild(reader: &mut Reader<'_>) -> Result<serde_json::Value, JsonError> {
        Ok(match reader.kind()? {
            Kind::Null => {
                reader.null()?;
                serde_json::Value::Null
            }
            Kind::True | Kind::False => reader.boolean()?.into(),
            Kind::Number => {
                let number = reader.number()?;
                number.as_i64().map_or_else(|| number.as_f64().map(serde_json::Value::from), |n| Ok(n.into()))?
            }
            Kind::String => reader.string()?.into_owned().into(),
            Kind::Array => {
                let mut elements = Vec::new();
                reader.array(|reader| {
                    elements.push(rebuild(reader)?);
                    Ok::<_, JsonError>(())
                })?;
                elements.into()
            }
            Kind::Object => {
                let mut members = serde_json::Map::new();
                reader.object(|reader, name| {
                    members.insert(name.into_owned(), rebuild(reader)?);
                    Ok::<_, JsonError>(())
                })?;
                members.into()
            }
        })
    }

    proptest! {
        #[test]
        fn what_serde_json_writes_is_read_back_the_same(value in any_json(), pretty in any::<bool>()) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            let mut reader = Reader::new(text.as_bytes()).unwrap();
            prop_assert_eq!(rebuild(&mut reader).unwrap(), value);
            prop_assert!(reader.end().is_ok());
        }

        #[test]
        fn random_bytes_never_panic_and_what_is_accepted_serde_json_accepts(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if check(&bytes).is_ok() && !String::from_utf8_lossy(&bytes).contains(['N', 'I']) {
                prop_assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
            }
        }

        #[test]
        fn near_json_is_judged_as_serde_json_judges_it(text in r#"[\[\]{},: "\\u0-9eE.+truefalsn-]{0,24}"#) {
            let ours = check(text.as_bytes()).is_ok();
            let theirs = serde_json::from_str::<serde_json::Value>(&text).is_ok();
            prop_assert_eq!(ours, theirs, "{}", text);
        }
    }

    #[test]
    fn special_numbers_are_values() {
        assert!(check(b"[NaN, Infinity, -Infinity, Inf, -Inf, -NaN]").is_ok());
        assert!(check(b"[nan]").is_err());
        assert!(check(b"[Infinit]").is_err());
    }

    #[test]
    fn messages_name_the_offset() {
        let message = |text: &str| check(text.as_bytes()).unwrap_err().to_string();
        assert_eq!(message(""), "JSON Parse error: The document is empty. at offset: 0");
        assert_eq!(
            message("{\"a\" 1}"),
            "JSON Parse error: Missing a colon after a name of object member. at offset: 5"
        );
        assert_eq!(message("[1 2]"), "JSON Parse error: Missing a comma or ] after an array element. at offset: 3");
        assert_eq!(
            message("1 1"),
            "JSON Parse error: The document root must not be followed by other values. at offset: 2"
        );
        assert_eq!(message("\"\\ud800\""), "JSON Parse error: The surrogate pair in string is invalid. at offset: 7");
    }

    #[test]
    fn deep_nesting_is_refused() {
        let text = "[".repeat(100_000);
        assert_eq!(check(text.as_bytes()).unwrap_err().message, "The document is nested too deeply.");
    }
}
