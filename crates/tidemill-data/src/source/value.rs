//! What a cell's text can be, and reading it as that.

use arrow::datatypes::DataType;

use crate::column_type::list_of;

/// The narrowest type that holds every cell of a column seen so far.
///
/// Types are joined, never narrowed, and the join is associative and commutative: the type of a column does not
/// depend on the order in which its cells are seen, nor on how the file is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Guess {
    /// All cells are empty so far.
    #[default]
    Nothing,
    /// Every cell is a whole number that fits 64 bits.
    Int,
    /// Every cell is a number.
    Float,
    /// Every cell is `true` or `false`.
    Bool,
    /// Any other text.
    Text,
    /// Bytes that are no text.
    Bytes,
}

impl Guess {
    /// The narrowest type that holds the cells of both.
    pub(super) fn join(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::Nothing, a) | (a, Self::Nothing) => a,
            (Self::Int | Self::Float, Self::Int | Self::Float) => Self::Float,
            (Self::Bytes, _) | (_, Self::Bytes) => Self::Bytes,
            _ => Self::Text,
        }
    }

    /// The Arrow type of a column.
    pub(super) fn data_type(self) -> DataType {
        match self {
            Self::Nothing | Self::Int => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Bool => DataType::Boolean,
            Self::Text => DataType::Utf8,
            Self::Bytes => DataType::Binary,
        }
    }

    /// The type with one more cell, which is not empty.
    #[inline]
    pub(super) fn with(self, text: &str) -> Self {
        let holds = match self {
            Self::Nothing => false,
            Self::Int => is_short_int(text.as_bytes()),
            Self::Float => is_plain_decimal(text.as_bytes()),
            Self::Bool => parse_bool(text).is_some(),
            Self::Text | Self::Bytes => true,
        };
        if holds { self } else { self.join(Self::of(text)) }
    }

    /// The narrowest type of one cell, which is not empty.
    fn of(text: &str) -> Self {
        if parse_int(text).is_some() {
            Self::Int
        } else if parse_float(text).is_some() {
            Self::Float
        } else if parse_bool(text).is_some() {
            Self::Bool
        } else {
            Self::Text
        }
    }
}

/// What the rows of a column hold: a value each, or a list of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Shape {
    /// The type of the values.
    pub(super) guess: Guess,
    /// Whether there is a row with a list.
    pub(super) is_list: bool,
}

impl Shape {
    /// The shape that holds the rows of both: where one has lists, a single value is a list of one.
    pub(super) fn join(self, other: Self) -> Self {
        Self { guess: self.guess.join(other.guess), is_list: self.is_list || other.is_list }
    }

    /// The Arrow type of a column.
    pub(super) fn data_type(self) -> DataType {
        if self.is_list { list_of(self.guess.data_type()) } else { self.guess.data_type() }
    }
}

impl From<Guess> for Shape {
    fn from(guess: Guess) -> Self {
        Self { guess, is_list: false }
    }
}

/// Digits of the longest number that cannot overflow 64 bits.
const SAFE_DIGITS: usize = 18;

/// Whether the text is at most 18 digits after an optional minus: a whole number without a closer look.
fn is_short_int(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    !digits.is_empty() && digits.len() <= SAFE_DIGITS && digits.iter().all(u8::is_ascii_digit)
}

/// Whether the text is digits with at most one point among them: a number without a closer look.
fn is_plain_decimal(text: &[u8]) -> bool {
    let body = text.strip_prefix(b"-").unwrap_or(text);
    let (mut digits, mut points) = (0, 0);
    for &byte in body {
        digits += usize::from(byte.is_ascii_digit());
        points += usize::from(byte == b'.');
    }
    digits > 0 && points <= 1 && digits + points == body.len()
}

/// Reads a whole number of 64 bits; spaces around it, a sign and leading zeros are allowed.
#[inline]
pub(super) fn parse_int(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || digits.len() > SAFE_DIGITS {
        return trimmed(text).parse().ok();
    }
    let mut value = 0_i64;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return trimmed(text).parse().ok();
        }
        value = value * 10 + i64::from(digit);
    }
    Some(if negative { -value } else { value })
}

const POWERS_OF_TEN: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];

/// Reads a number to the nearest 64-bit float; spaces around it are allowed, as are `nan` and `inf`.
///
/// Up to 15 digits are a whole number that a float holds exactly, and so is the power of ten of the decimals: their
/// quotient is rounded once and therefore right (Clinger 1990, "How to read floating point numbers accurately").
#[inline]
pub(super) fn parse_float(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let (negative, body) = match bytes {
        [b'-', body @ ..] => (true, body),
        body => (false, body),
    };
    // 15 digits and a point.
    if body.is_empty() || body.len() > 16 {
        return trimmed(text).parse().ok();
    }
    let (mut whole, mut digits, mut decimals, mut point) = (0_u64, 0_usize, 0_usize, false);
    for &byte in body {
        let digit = byte.wrapping_sub(b'0');
        if digit <= 9 {
            whole = whole * 10 + u64::from(digit);
            digits += 1;
            decimals += usize::from(point);
        } else if byte == b'.' && !point {
            point = true;
        } else {
            return trimmed(text).parse().ok();
        }
    }
    if digits == 0 || digits > 15 {
        return trimmed(text).parse().ok();
    }
    let value = whole as f64 / POWERS_OF_TEN[decimals];
    Some(if negative { -value } else { value })
}

/// The whole number of 64 bits that `value` is, if it is one.
pub(super) fn whole_number(value: f64) -> Option<i64> {
    // 2^63 is the first float beyond the range; -2^63 is in it.
    let limit = 9_223_372_036_854_775_808.0;
    (value.fract() == 0.0 && (-limit..limit).contains(&value)).then_some(value as i64)
}

/// Reads `true` or `false` in any case; spaces around it are allowed.
pub(super) fn parse_bool(text: &str) -> Option<bool> {
    let text = trimmed(text);
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

fn trimmed(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn types_are_those_of_the_rule() {
        let type_of = |cells: &[&str]| cells.iter().fold(Guess::Nothing, |guess, cell| guess.with(cell));
        assert_eq!(type_of(&["1", "-20", "+3", " 4 ", "007"]), Guess::Int);
        assert_eq!(type_of(&["9223372036854775807", "-9223372036854775808"]), Guess::Int);
        assert_eq!(type_of(&["1", "9223372036854775808"]), Guess::Float);
        assert_eq!(type_of(&["1", "2.5"]), Guess::Float);
        assert_eq!(type_of(&["1e3", ".5", "5.", "NaN", "-inf"]), Guess::Float);
        assert_eq!(type_of(&["true", "FALSE"]), Guess::Bool);
        assert_eq!(type_of(&["true", "1"]), Guess::Text);
        assert_eq!(type_of(&["1.5", "300s"]), Guess::Text);
        for text in ["-", ".", "-.", "1.2.3", "0x10", "1_000", " ", "--1", "1 2"] {
            assert_eq!(type_of(&[text]), Guess::Text, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn numbers_are_read_as_the_standard_library_reads_them(text in "[-+]?[0-9]{0,20}[.]?[0-9]{0,18}(e-?[0-9]{1,3})?") {
            prop_assert_eq!(parse_int(&text), text.parse::<i64>().ok());
            prop_assert_eq!(parse_float(&text).map(f64::to_bits), text.parse::<f64>().ok().map(f64::to_bits));
        }

        #[test]
        fn printed_floats_come_back(value: f64) {
            let back = parse_float(&value.to_string()).map(f64::to_bits);
            prop_assert!(value.is_nan() || back == Some(value.to_bits()));
        }

        #[test]
        fn the_order_of_cells_does_not_matter(mut cells in prop::collection::vec("[-0-9.]{1,3}|true|x", 0..8), cut in 0usize..8) {
            let fold = |cells: &[String]| cells.iter().fold(Guess::Nothing, |guess, cell| guess.with(cell));
            let whole = fold(&cells);
            let cut = cut.min(cells.len());
            prop_assert_eq!(fold(&cells[..cut]).join(fold(&cells[cut..])), whole);
            cells.reverse();
            prop_assert_eq!(fold(&cells), whole);
        }
    }
}
