//! Writes JSON values straight into the bytes of a response.

/// Appends a number, the shortest text that reads back to the same bits; bare `NaN`, `Infinity`, `-Infinity`.
pub(crate) fn float(out: &mut Vec<u8>, value: f64) {
    if value.is_finite() {
        out.extend_from_slice(ryu::Buffer::new().format_finite(value).as_bytes());
    } else if value.is_nan() {
        out.extend_from_slice(b"NaN");
    } else {
        out.extend_from_slice(if value > 0.0 { b"Infinity" } else { b"-Infinity" });
    }
}

/// Appends an integer.
pub(crate) fn integer(out: &mut Vec<u8>, value: impl Into<i128>) {
    use std::io::Write as _;
    write!(out, "{}", value.into()).expect("writing to a vector cannot fail");
}

/// Appends `true` or `false`.
pub(crate) fn boolean(out: &mut Vec<u8>, value: bool) {
    out.extend_from_slice(if value { b"true" } else { b"false" });
}

/// Appends a string with its quotation marks.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("writing text to a vector cannot fail");
}

/// Appends `[`, the items with commas between them, `]`.
pub(crate) fn list<T>(out: &mut Vec<u8>, items: impl IntoIterator<Item = T>, mut item: impl FnMut(&mut Vec<u8>, T)) {
    out.push(b'[');
    for (index, value) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        item(out, value);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::json::Reader;

    proptest! {
        #[test]
        fn a_float_is_read_back_bit_for_bit(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            let mut out = Vec::new();
            float(&mut out, value);
            let back = Reader::new(&out).unwrap().number().unwrap().as_f64().unwrap();
            prop_assert!(back.to_bits() == bits || (back.is_nan() && value.is_nan()));
        }
    }

    #[test]
    fn whole_numbers_keep_their_point_and_specials_are_bare() {
        let mut out = Vec::new();
        list(&mut out, [2.5, 3.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0], float);
        assert_eq!(out, b"[2.5,3.0,NaN,Infinity,-Infinity,-0.0]");
    }
}
