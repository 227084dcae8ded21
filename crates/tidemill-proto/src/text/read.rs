//! Reads the text form of a message.

use std::collections::HashSet;

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};
use prost_types::field_descriptor_proto::Type;

use super::descriptors::{Field, Types};
use super::tokens::{Token, Tokens};

/// Messages within each other at most: what a function that calls itself can bear.
const DEPTH_MAX: usize = 64;

/// A longer text is refused.
pub const BYTES_MAX: usize = 1 << 30;

/// Where and why a text is not the message it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} column {column}: {message}")]
pub struct TextError {
    /// Line of the first character that is wrong, from 1.
    pub line: usize,
    /// Its column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
}

/// Reads the message `name` (as `tensorflow.metadata.v0.Schema`) from its text format.
///
/// Fields in any order, lists in brackets, comments, either kind of bracket and quote: what protobuf's own readers
/// take, without extensions. An unknown field is an error that names the nearest known one.
pub fn from_text<T: Message + Default>(name: &str, text: &str) -> Result<T, TextError> {
    let mut tokens = Tokens::new(text);
    if text.len() > BYTES_MAX {
        return Err(tokens.error(format!("the text is longer than {BYTES_MAX} bytes")));
    }
    let message = format!(".{name}");
    if !Types::known().has(&message) {
        return Err(tokens.error(format!("there is no message `{name}`")));
    }
    let mut bytes = Vec::new();
    fields(&mut tokens, &message, None, 0, &mut bytes)?;
    T::decode(bytes.as_slice()).map_err(|error| tokens.error(error.to_string()))
}

/// Reads fields to the closing mark (or the end of the text), and writes them in the wire format.
fn fields(
    tokens: &mut Tokens<'_>,
    message: &str,
    close: Option<u8>,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), TextError> {
    if depth > DEPTH_MAX {
        return Err(tokens.error(format!("more than {DEPTH_MAX} messages within each other")));
    }
    let known = Types::known().fields(message);
    let (mut seen, mut chosen) = (HashSet::new(), HashSet::new());
    loop {
        let name = match (tokens.next()?, close) {
            (Token::End, None) => return Ok(()),
            (Token::Mark(mark), Some(close)) if mark == close => return Ok(()),
            (Token::Word(name), _) => name,
            (Token::Mark(b'['), _) => return Err(tokens.error("extensions are not read".to_owned())),
            (other, _) => return Err(tokens.error(format!("expected the name of a field, found {}", other.describe()))),
        };
        let Some(field) = known.iter().find(|field| field.name == name) else {
            let hint = nearest(&name, known).map_or_else(String::new, |nearest| format!(", did you mean `{nearest}`?"));
            let message = message.rsplit('.').next().unwrap_or(message);
            return Err(tokens.error(format!("`{message}` has no field `{name}`{hint}")));
        };
        if !field.repeated && !seen.insert(field.number) {
            return Err(tokens.error(format!("`{name}` is set twice")));
        }
        if let Some(group) = field.one_of
            && !chosen.insert(group)
        {
            return Err(tokens.error(format!("`{name}` is set beside another field of which only one can be set")));
        }
        let colon = tokens.take(b':')?;
        if tokens.take(b'[')? {
            if !field.repeated {
                return Err(tokens.error(format!("`{name}` holds one value, not a list")));
            }
            if !tokens.take(b']')? {
                loop {
                    value(tokens, field, colon, depth, out)?;
                    if tokens.take(b']')? {
                        break;
                    }
                    if !tokens.take(b',')? {
                        let found = tokens.next()?.describe();
                        return Err(tokens.error(format!("expected `,` or `]` in a list, found {found}")));
                    }
                }
            }
        } else {
            value(tokens, field, colon, depth, out)?;
        }
        if !tokens.take(b',')? {
            tokens.take(b';')?;
        }
    }
}

/// The field that a misspelt name most likely means: at most a third of its letters are wrong.
fn nearest<'a>(name: &str, known: &'a [Field]) -> Option<&'a str> {
    let slips = |field: &'a Field| (strsim::osa_distance(name, &field.name), field.name.as_str());
    let near = |(slips, _): &(usize, &str)| *slips <= name.chars().count().max(3) / 3;
    known.iter().map(slips).filter(near).min_by_key(|(slips, _)| *slips).map(|(_, name)| name)
}

fn value(
    tokens: &mut Tokens<'_>,
    field: &Field,
    colon: bool,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), TextError> {
    let token = tokens.next()?;
    let wrong = |tokens: &Tokens<'_>, expected: &str| {
        Err(tokens.error(format!("`{}` is {expected}, found {}", field.name, token.describe())))
    };
    if matches!(field.kind, Type::Message | Type::Group) {
        let close = match token {
            Token::Mark(b'{') => b'}',
            Token::Mark(b'<') => b'>',
            _ => return wrong(tokens, "a message in `{ }`"),
        };
        let mut inner = Vec::new();
        fields(tokens, &field.type_name, Some(close), depth + 1, &mut inner)?;
        delimited(field.number, &inner, out);
        return Ok(());
    }
    if !colon {
        return Err(tokens.error(format!("expected `:` after `{}`, found {}", field.name, token.describe())));
    }
    match (field.kind, token.clone()) {
        (Type::String | Type::Bytes, Token::Text(mut text)) => {
            // Strings that follow on each other are one.
            while let Token::Text(_) = tokens.peek()? {
                if let Token::Text(more) = tokens.next()? {
                    text.extend_from_slice(&more);
                }
            }
            if field.kind == Type::String && std::str::from_utf8(&text).is_err() {
                return Err(tokens.error(format!("`{}` is not UTF-8", field.name)));
            }
            delimited(field.number, &text, out);
        }
        (Type::String | Type::Bytes, _) => return wrong(tokens, "text in quotes"),
        (Type::Double | Type::Float, Token::Word(word)) => match float(&word) {
            Some(number) if field.kind == Type::Double => prost::encoding::double::encode(field.number, &number, out),
            Some(number) => prost::encoding::float::encode(field.number, &(number as f32), out),
            None => return wrong(tokens, "a number"),
        },
        (Type::Bool, Token::Word(word)) => match word.as_str() {
            "true" | "True" | "t" | "1" => varint(field.number, 1, out),
            "false" | "False" | "f" | "0" => varint(field.number, 0, out),
            _ => return wrong(tokens, "`true` or `false`"),
        },
        (Type::Enum, Token::Word(word)) => {
            let values = Types::known().values(&field.type_name);
            let by_name = values.iter().find(|value| value.0 == word).map(|value| value.1);
            match by_name.or_else(|| integer(&word).and_then(|number| i32::try_from(number).ok())) {
                Some(number) => varint(field.number, i64::from(number) as u64, out),
                None => {
                    let names: Vec<&str> = values.iter().map(|value| value.0.as_str()).collect();
                    return wrong(tokens, &format!("one of {}", names.join(", ")));
                }
            }
        }
        (kind, Token::Word(word)) => {
            let fits = |number: &i128| match kind {
                Type::Int32 => i32::try_from(*number).is_ok(),
                Type::Uint32 => u32::try_from(*number).is_ok(),
                Type::Uint64 => u64::try_from(*number).is_ok(),
                _ => i64::try_from(*number).is_ok(),
            };
            match integer(&word).filter(fits) {
                Some(number) => varint(field.number, number as u64, out),
                None => return wrong(tokens, "a whole number within its range"),
            }
        }
        _ => return wrong(tokens, "a single value"),
    }
    Ok(())
}

fn varint(number: u32, value: u64, out: &mut Vec<u8>) {
    encode_key(number, WireType::Varint, out);
    encode_varint(value, out);
}

fn delimited(number: u32, bytes: &[u8], out: &mut Vec<u8>) {
    encode_key(number, WireType::LengthDelimited, out);
    encode_varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

/// A whole number: decimal, `0x` hexadecimal or `0` octal.
fn integer(word: &str) -> Option<i128> {
    let (sign, digits) = word.strip_prefix('-').map_or((1, word), |digits| (-1, digits));
    if digits.starts_with(['+', '-']) {
        return None;
    }
    let number = if let Some(hexadecimal) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        i128::from_str_radix(hexadecimal, 16)
    } else if digits.len() > 1 && digits.starts_with('0') {
        i128::from_str_radix(digits, 8)
    } else {
        digits.parse()
    };
    number.ok().map(|number| sign * number)
}

/// A number: what Rust reads, `inf`, `nan`, and an `f` at the end as in C.
fn float(word: &str) -> Option<f64> {
    let text = word.strip_suffix(['f', 'F']).filter(|text| text.ends_with(|c: char| c.is_ascii_digit() || c == '.'));
    text.unwrap_or(word).parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::metadata::{DatasetFeatureStatisticsList, Schema};
    use crate::text::to_text;

    #[test]
    fn text_is_read_as_protobuf_reads_it_and_comes_back() {
        let text = "feature {\n  name: \"fa\" 'r\\x65' # dollars\n  type: FLOAT; presence < min_fraction: 1.f >\n  \
                    in_environment: [\"a\", 'b'] float_domain { min: -inf, max: 1e3 }\n}\n\
                    string_domain: { name: 'd' value: \"\\303\\251\\n\" }\n\
                    tensor_representation_group { key: \"\" value { } } dataset_constraints { min_examples_count: 0x10 }";
        let schema: Schema = from_text("tensorflow.metadata.v0.Schema", text).unwrap();
        let fare = &schema.feature[0];
        assert_eq!((fare.name(), fare.in_environment.len()), ("fare", 2));
        assert_eq!(schema.string_domain[0].value, ["é\n"]);
        assert_eq!(schema.dataset_constraints.as_ref().unwrap().min_examples_count, Some(16));
        let written = to_text("tensorflow.metadata.v0.Schema", &schema);
        assert!(written.starts_with("feature {\n  name: \"fare\"\n"), "{written}");
        assert_eq!(from_text::<Schema>("tensorflow.metadata.v0.Schema", &written).unwrap(), schema);
    }

    #[test]
    fn a_mistake_has_its_place() {
        for (text, expected) in [
            (
                "feature {\n  nmae: \"fare\"\n}\n",
                "line 2 column 3: `Feature` has no field `nmae`, did you mean `name`?",
            ),
            ("feature { name: fare }", "line 1 column 17: `name` is text in quotes, found `fare`"),
            ("feature { name: \"fare }", "line 1 column 17: a string is not closed"),
            ("feature { name: 'a'\n name: 'b' }", "line 2 column 2: `name` is set twice"),
            (
                "feature { type: DOUBLE }",
                "line 1 column 17: `type` is one of TYPE_UNKNOWN, BYTES, INT, FLOAT, STRUCT, found `DOUBLE`",
            ),
            ("feature {", "line 1 column 10: expected the name of a field, found the end of the text"),
            (
                "feature { shape { } value_count { } }",
                "line 1 column 21: `value_count` is set beside another field of which only one can be set",
            ),
            ("feature: 3", "line 1 column 10: `feature` is a message in `{ }`, found `3`"),
        ] {
            assert_eq!(from_text::<Schema>("tensorflow.metadata.v0.Schema", text).unwrap_err().to_string(), expected);
        }
        let deep = "feature { struct_domain { ".repeat(50_000);
        let error = from_text::<Schema>("tensorflow.metadata.v0.Schema", &deep).unwrap_err();
        assert_eq!(error.message, "more than 64 messages within each other");
        assert!(
            from_text::<DatasetFeatureStatisticsList>("tensorflow.metadata.v0.DatasetFeatureStatisticsList", "")
                .unwrap()
                .datasets
                .is_empty()
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(feature|name|type|[{}<>:\\[\\],;]|\"[^\"]{0,3}\"|'|-?[0-9.xef]{1,5}|#|[ \n]|.){0,40}") {
            let _ = from_text::<Schema>("tensorflow.metadata.v0.Schema", &text);
        }
    }
}
