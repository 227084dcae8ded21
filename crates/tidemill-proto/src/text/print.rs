//! Writes the text form of a message.

use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost_types::field_descriptor_proto::Type;

use super::descriptors::{Field, Types};

/// Writes the message `name` (as `tensorflow.metadata.v0.Schema`) in the text format: one field per line, ordered by field
/// number, as protobuf's own libraries write it. Equal messages give equal text.
pub fn to_text<T: Message>(name: &str, message: &T) -> String {
    let mut out = String::new();
    // Our own bytes of a known message: there is nothing in them that could not be read.
    let _ = print(&message.encode_to_vec(), &format!(".{name}"), 0, &mut out);
    out
}

fn print(mut bytes: &[u8], message: &str, depth: usize, out: &mut String) -> Option<()> {
    let fields = Types::known().fields(message);
    while !bytes.is_empty() {
        let (number, wire) = decode_key(&mut bytes).ok()?;
        let Some(field) = fields.iter().find(|field| field.number == number) else {
            skip_field(wire, number, &mut bytes, DecodeContext::default()).ok()?;
            continue;
        };
        if wire != WireType::LengthDelimited {
            scalar(&mut bytes, field, depth, out)?;
            continue;
        }
        let length = decode_varint(&mut bytes).ok()? as usize;
        let (mut content, rest) = (bytes.get(..length)?, bytes.get(length..)?);
        bytes = rest;
        match field.kind {
            Type::Message | Type::Group => {
                line(out, depth, &format!("{} {{", field.name));
                print(content, &field.type_name, depth + 1, out)?;
                line(out, depth, "}");
            }
            Type::String => {
                let text = quoted(std::str::from_utf8(content).ok()?);
                line(out, depth, &format!("{}: {text}", field.name));
            }
            Type::Bytes => {
                let text: String =
                    content.iter().flat_map(|byte| std::ascii::escape_default(*byte)).map(char::from).collect();
                line(out, depth, &format!("{}: \"{text}\"", field.name));
            }
            _ => {
                while !content.is_empty() {
                    scalar(&mut content, field, depth, out)?;
                }
            }
        }
    }
    Some(())
}

/// One number, without its key.
fn scalar(bytes: &mut &[u8], field: &Field, depth: usize, out: &mut String) -> Option<()> {
    let value = match field.kind {
        Type::Double => {
            let (head, rest) = bytes.split_at_checked(8)?;
            *bytes = rest;
            float(f64::from_le_bytes(head.try_into().ok()?), |x| format!("{x:?}"))
        }
        Type::Float => {
            let (head, rest) = bytes.split_at_checked(4)?;
            *bytes = rest;
            let number = f32::from_le_bytes(head.try_into().ok()?);
            float(f64::from(number), |_| format!("{number:?}"))
        }
        kind => {
            let number = decode_varint(bytes).ok()?;
            match kind {
                Type::Bool => (number != 0).to_string(),
                Type::Uint32 | Type::Uint64 => number.to_string(),
                Type::Enum => {
                    let values = Types::known().values(&field.type_name);
                    let named = values.iter().find(|value| i64::from(value.1) == number as i64);
                    named.map_or_else(|| (number as i64).to_string(), |value| value.0.clone())
                }
                _ => (number as i64).to_string(),
            }
        }
    };
    line(out, depth, &format!("{}: {value}", field.name));
    Some(())
}

fn float(number: f64, finite: impl Fn(f64) -> String) -> String {
    match number {
        number if number.is_nan() => "nan".to_owned(),
        f64::INFINITY => "inf".to_owned(),
        f64::NEG_INFINITY => "-inf".to_owned(),
        number => {
            let text = finite(number);
            text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
        }
    }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 || c as u32 == 0x7f => out.push_str(&format!("\\{:03o}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

fn line(out: &mut String, depth: usize, text: &str) {
    (0..depth).for_each(|_| out.push_str("  "));
    out.push_str(text);
    out.push('\n');
}
