//! One line: an object, its members one by one.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::source::rows::Value;

/// Takes the members of an object as they come. Errors follow the position in the line.
pub(super) trait Sink {
    /// A value, or `None` for `null`, at a dotted path.
    fn value(&mut self, path: &str, value: Option<Value<'_>>) -> Result<(), String>;

    /// An object at a dotted path; its members follow.
    fn object(&mut self, path: &str) -> Result<(), String>;

    /// A list at a dotted path; its values follow.
    fn list(&mut self, path: &str) -> Result<(), String>;

    /// A value of the list, or `None` for `null`.
    fn element(&mut self, path: &str, value: Option<Value<'_>>) -> Result<(), String>;

    /// A list or an object in the list, which is passed over.
    fn nested(&mut self, path: &str, what: &'static str) -> Result<(), String>;

    /// The end of the list.
    fn end_list(&mut self, path: &str) -> Result<(), String>;
}

/// What is wrong with a line, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LineError {
    /// Byte of the line where reading stopped, counted from 1.
    pub(super) column: u64,
    pub(super) message: String,
}

/// Reads one line.
///
/// A whole number too long for 64 bits comes as its text: as a float it would lose digits.
pub(super) fn read_line(line: &str, sink: &mut impl Sink) -> Result<(), LineError> {
    let mut path = String::new();
    let quoted = quote_long_numbers(line);
    let line = quoted.as_deref().unwrap_or(line);
    let mut deserializer = serde_json::Deserializer::from_str(line);
    (&mut deserializer).deserialize_any(Row { sink, path: &mut path }).and_then(|()| deserializer.end()).map_err(
        |error| {
            let text = error.to_string();
            let message = text.rfind(" at line ").and_then(|at| text.get(..at)).unwrap_or(&text);
            let message = match message.strip_prefix("invalid type: ") {
                Some(found) => format!("{found}; every line must hold one object"),
                None => message.to_owned(),
            };
            LineError { column: (error.column() as u64).max(1), message: lower_case(message) }
        },
    )
}

/// Digits of the longest whole number that is sure to fit 64 bits without a sign.
const LONG_DIGITS: usize = 19;

/// The line with quotes and a mark around whole numbers too long for 64 bits; `None` if it has none, as nearly all lines.
fn quote_long_numbers(line: &str) -> Option<String> {
    let bytes = line.as_bytes();
    let mut run = 0;
    let has_run = bytes.iter().any(|byte| {
        run = if byte.is_ascii_digit() { run + 1 } else { 0 };
        run > LONG_DIGITS
    });
    if !has_run {
        return None;
    }
    let (mut out, mut at, mut in_string, mut found) = (String::with_capacity(line.len() + 16), 0, false, false);
    while let Some(&byte) = bytes.get(at) {
        let start = at;
        if in_string || !(byte.is_ascii_digit() || byte == b'-') {
            match byte {
                b'"' => in_string = !in_string,
                b'\\' if in_string => at += 1,
                _ => {}
            }
            at += 1;
            while !line.is_char_boundary(at.min(bytes.len())) {
                at += 1;
            }
            out.push_str(line.get(start..at.min(bytes.len())).unwrap_or_default());
            continue;
        }
        let is_part = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E');
        at += bytes[start..].iter().take_while(|byte| is_part(byte)).count();
        let number = line.get(start..at).unwrap_or_default();
        let digits = number.strip_prefix('-').unwrap_or(number);
        let is_long = digits.len() > LONG_DIGITS
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && number.parse::<u64>().is_err();
        if is_long {
            found = true;
            out.push_str(&format!("\"{LONG}{number}\""));
        } else {
            out.push_str(number);
        }
    }
    found.then_some(out)
}

/// What marks the text of a number that was quoted here: a character that nobody has assigned a meaning.
const LONG: char = '\u{e000}';

/// Messages begin small, except where they begin with a name.
fn lower_case(message: String) -> String {
    match message.strip_prefix("EOF while parsing") {
        Some(rest) => format!(
            "the line ends inside{}",
            rest.replace(" a value", " the object").replace(" an object", " the object")
        ),
        None => message,
    }
}

/// The whole line.
struct Row<'a, S> {
    sink: &'a mut S,
    path: &'a mut String,
}

impl<'de, S: Sink> Visitor<'de> for Row<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        members(self.sink, self.path, map)
    }
}

fn members<'de, S: Sink, A: MapAccess<'de>>(sink: &mut S, path: &mut String, mut map: A) -> Result<(), A::Error> {
    let stem = path.len();
    while let Some(key) = map.next_key_seed(Key)? {
        if key.is_empty() {
            return Err(A::Error::custom("a key is empty"));
        }
        if stem > 0 {
            path.push('.');
        }
        path.push_str(&key);
        map.next_value_seed(Member { sink, path, in_list: false })?;
        path.truncate(stem);
    }
    Ok(())
}

/// A key, borrowed from the line where it has no escapes.
struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Key {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_borrowed_str<E>(self, key: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(key))
    }

    fn visit_str<E>(self, key: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(key.to_owned()))
    }
}

/// The value of a key, or one in a list; `path` names the key.
struct Member<'a, S> {
    sink: &'a mut S,
    path: &'a mut String,
    in_list: bool,
}

impl<S: Sink> Member<'_, S> {
    fn give<E: serde::de::Error>(self, value: Option<Value<'_>>) -> Result<(), E> {
        let given = if self.in_list { self.sink.element(self.path, value) } else { self.sink.value(self.path, value) };
        given.map_err(E::custom)
    }
}

impl<'de, S: Sink> DeserializeSeed<'de> for Member<'_, S> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, S: Sink> Visitor<'de> for Member<'_, S> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.give(None)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.give(Some(Value::Bool(value)))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.give(Some(Value::Int(value)))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.give(Some(whole(value)))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.give(Some(Value::Float(value)))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.give(Some(match value.strip_prefix(LONG) {
            Some(digits) => Value::Digits(digits),
            None => Value::Text(value),
        }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if self.in_list {
            self.sink.nested(self.path, "lists").map_err(A::Error::custom)?;
            while list.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        self.sink.list(self.path).map_err(A::Error::custom)?;
        while list.next_element_seed(Member { sink: &mut *self.sink, path: &mut *self.path, in_list: true })?.is_some()
        {
        }
        self.sink.end_list(self.path).map_err(A::Error::custom)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.in_list {
            self.sink.nested(self.path, "objects").map_err(A::Error::custom)?;
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        self.sink.object(self.path).map_err(A::Error::custom)?;
        members(self.sink, self.path, map)
    }
}

/// A whole number that may be beyond `i64`.
fn whole(value: u64) -> Value<'static> {
    i64::try_from(value).map_or(Value::Big(value), Value::Int)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Told(Vec<String>);

    impl Sink for Told {
        fn value(&mut self, path: &str, value: Option<Value<'_>>) -> Result<(), String> {
            self.0.push(format!("{path}={value:?}"));
            Ok(())
        }

        fn object(&mut self, path: &str) -> Result<(), String> {
            self.0.push(format!("{path}:"));
            Ok(())
        }

        fn list(&mut self, path: &str) -> Result<(), String> {
            self.0.push(format!("{path}["));
            Ok(())
        }

        fn element(&mut self, path: &str, value: Option<Value<'_>>) -> Result<(), String> {
            self.value(path, value)
        }

        fn nested(&mut self, path: &str, what: &'static str) -> Result<(), String> {
            self.0.push(format!("{path} {what}"));
            Ok(())
        }

        fn end_list(&mut self, _: &str) -> Result<(), String> {
            self.0.push("]".to_owned());
            Ok(())
        }
    }

    fn told(line: &str) -> Vec<String> {
        let mut sink = Told::default();
        read_line(line, &mut sink).unwrap();
        sink.0
    }

    fn fault(line: &str) -> (u64, String) {
        let error = read_line(line, &mut Told::default()).unwrap_err();
        (error.column, error.message)
    }

    #[test]
    fn members_are_told_with_their_path() {
        assert_eq!(
            told(r#" {"a": 1, "b": {"c": {"d": -2.5}, "e": null}, "f\n": "x\"y"} "#),
            ["a=Some(Int(1))", "b:", "b.c:", "b.c.d=Some(Float(-2.5))", "b.e=None", "f\n=Some(Text(\"x\\\"y\"))"]
        );
        assert_eq!(
            told(r#"{"a":9223372036854775807,"b":9223372036854775808,"c":18446744073709551616,"d":1e3}"#),
            [
                "a=Some(Int(9223372036854775807))",
                "b=Some(Big(9223372036854775808))",
                "c=Some(Digits(\"18446744073709551616\"))",
                "d=Some(Float(1000.0))"
            ]
        );
    }

    #[test]
    fn lists_are_told_value_by_value() {
        assert_eq!(
            told(r#"{"a": [1, null, "x"], "b": {"c": []}}"#),
            ["a[", "a=Some(Int(1))", "a=None", "a=Some(Text(\"x\"))", "]", "b:", "b.c[", "]"]
        );
    }

    #[test]
    fn what_is_nested_in_lists_is_passed_over() {
        assert_eq!(told(r#"{"a": [[1, "x"]], "b": 2}"#), ["a[", "a lists", "]", "b=Some(Int(2))"]);
        assert_eq!(told(r#"{"a": [1, {"c": [3]}]}"#), ["a[", "a=Some(Int(1))", "a objects", "]"]);
    }

    #[test]
    fn long_numbers_keep_their_digits() {
        assert_eq!(
            told(r#"{"a": -99999999999999999999, "b": "99999999999999999999 \" 1", "c": 100000000000000000000.5}"#),
            [
                "a=Some(Digits(\"-99999999999999999999\"))",
                "b=Some(Text(\"99999999999999999999 \\\" 1\"))",
                "c=Some(Float(1e20))"
            ]
        );
    }

    #[test]
    fn faults_have_a_place() {
        let fault_of = |line, column, message: &str| assert_eq!(fault(line), (column, message.to_owned()), "{line}");
        fault_of("{\"a\": 1,}", 9, "trailing comma");
        fault_of("{\"a\" 1}", 6, "expected `:`");
        fault_of("{\"a\": 1", 7, "the line ends inside the object");
        fault_of("{\"a\": \"x", 8, "the line ends inside a string");
        fault_of("{\"a\": [1}", 9, "expected `,` or `]`");
        fault_of("{\"a\": 1} {}", 10, "trailing characters");
        fault_of("[1]", 1, "sequence, expected an object; every line must hold one object");
        fault_of("{\"\": 1}", 3, "a key is empty");
        fault_of("{\"a\": 01}", 8, "invalid number");
        fault_of("{\"a\": 1e999}", 11, "number out of range");
        assert!(fault(&"{\"a\":".repeat(1_000)).1.contains("recursion limit"));
    }

    proptest! {
        #[test]
        fn what_is_read_is_what_is_json(line in r#"\{("a":)?[-{}\[\]",:0-9a.e\\ntrue null]{0,24}\}?"#) {
            let is_object = serde_json::from_str::<serde_json::Value>(&line).is_ok_and(|value| value.is_object());
            match read_line(&line, &mut Told::default()) {
                Ok(()) => prop_assert!(is_object),
                Err(error) => prop_assert!(
                    !is_object || error.message.contains("empty"),
                    "{}", error.message
                ),
            }
        }

        #[test]
        fn nothing_panics(line: String) {
            let _ = read_line(&line, &mut Told::default());
        }
    }
}
