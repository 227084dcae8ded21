//! What a cell's text can be, and reading it as that.

use arrow::datatypes::DataType;

use crate::column_type::list_of;

/// The kinds of cells that a column holds: a set, from which the type of the column follows.
///
/// Sets are joined, never narrowed, and the join is associative and commutative: the type of a column does not
/// depend on the order in which its cells are seen, nor on how the file is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct CellKinds(u16);

impl CellKinds {
    /// No value so far.
    pub(super) const NOTHING: Self = Self(0);
    /// A whole number that fits 64 bits: `7`, `-20`.
    pub(super) const INT: Self = Self(1);
    /// A whole number beyond 64 bits: `18446744073709551615`.
    pub(super) const BIG: Self = Self(1 << 1);
    /// A whole number written as a decimal, which a float holds exactly: `7.0`, `1e3`.
    pub(super) const WHOLE: Self = Self(1 << 2);
    /// Any other number: `2.5`, `-inf`.
    pub(super) const FRACTION: Self = Self(1 << 3);
    /// Not a number: `NaN`.
    pub(super) const NAN: Self = Self(1 << 4);
    /// Digits that begin with a zero, as codes do: `007`.
    const ZEROS: Self = Self(1 << 5);
    /// `true` or `false`.
    pub(super) const BOOL: Self = Self(1 << 6);
    /// A word that stands for a missing value wherever numbers are expected: `NA`, `null`.
    const NULL_WORD: Self = Self(1 << 7);
    /// A sign that may stand for a missing value: `?`, `-`.
    const NULL_SIGN: Self = Self(1 << 8);
    /// A number with a comma instead of a point: `3,50`.
    const COMMA: Self = Self(1 << 9);
    /// The same with three decimals, which may be a thousand and more: `1,234`.
    const THOUSANDS: Self = Self(1 << 12);
    /// Any other text.
    pub(super) const TEXT: Self = Self(1 << 10);
    /// Bytes that are not text.
    pub(super) const BYTES: Self = Self(1 << 11);

    const NUMBERS: Self =
        Self(Self::INT.0 | Self::BIG.0 | Self::WHOLE.0 | Self::FRACTION.0 | Self::NAN.0 | Self::ZEROS.0);
    /// What makes a column text, whatever else is in it.
    const TEXTS: Self = Self(Self::TEXT.0 | Self::ZEROS.0 | Self::NULL_SIGN.0 | Self::COMMA.0 | Self::THOUSANDS.0);

    /// The kinds of both.
    pub(super) fn join(self, other: Self) -> Self {
        let both = Self(self.0 | other.0);
        // What decides the type alone swallows what no longer matters.
        if both.has(Self::BYTES) {
            Self::BYTES
        } else if both.has(Self::TEXT) {
            Self::TEXT
        } else if both.has(Self::FRACTION) {
            Self(both.0 & !(Self::INT.0 | Self::BIG.0 | Self::WHOLE.0 | Self::NAN.0))
        } else {
            both
        }
    }

    /// Whether any of the kinds in `any` is there.
    pub(super) fn has(self, any: Self) -> bool {
        self.0 & any.0 != 0
    }

    /// Whether no further cell can change the type to another than text or bytes.
    pub(super) fn is_settled(self) -> bool {
        self.has(Self(Self::TEXT.0 | Self::BYTES.0))
    }

    /// Whether the cells are text only because of signs that may stand for missing values.
    pub(super) fn is_text_by_sign(self) -> bool {
        let others = Self(self.0 & !(Self::NULL_SIGN.0 | Self::NULL_WORD.0));
        self.has(Self::NULL_SIGN) && others != Self::NOTHING && !others.has(Self::TEXTS)
    }

    /// Whether the cells are text only because of decimal commas.
    pub(super) fn is_text_by_comma(self) -> bool {
        self.has(Self::COMMA) && !self.has(Self(Self::TEXT.0 | Self::ZEROS.0 | Self::BOOL.0 | Self::FRACTION.0))
    }

    /// Whether all cells are digits, or words for missing values among them.
    pub(super) fn is_digits(self) -> bool {
        let digits = Self(Self::INT.0 | Self::BIG.0 | Self::ZEROS.0);
        self.has(digits) && Self(self.0 & !(digits.0 | Self::NULL_WORD.0 | Self::NAN.0)) == Self::NOTHING
    }

    /// Whether the cells are text only because whole numbers are too long.
    pub(super) fn is_text_by_length(self) -> bool {
        self.has(Self::BIG) && self.data_type() == DataType::Utf8 && !self.has(Self::TEXTS)
    }

    /// The Arrow type of a column.
    ///
    /// Text where any cell is text, begins with a zero as codes do, or is a whole number too long for 64 bits beside
    /// other whole numbers. Words such as `NA` do not make text of numbers; nor does `NaN` make floats of whole numbers.
    pub(super) fn data_type(self) -> DataType {
        let fits_numbers = self.has(Self::NUMBERS);
        if self.has(Self::BYTES) {
            DataType::Binary
        } else if self.has(Self::TEXTS) || (self.has(Self::BOOL) && fits_numbers) {
            DataType::Utf8
        } else if self.has(Self::BOOL) {
            DataType::Boolean
        } else if self.has(Self(Self::FRACTION.0 | Self::WHOLE.0)) {
            DataType::Float64
        } else if self.has(Self::BIG) {
            DataType::Utf8
        } else if self.has(Self::INT) {
            DataType::Int64
        } else if self.has(Self::NAN) {
            DataType::Float64
        } else if self.has(Self::NULL_WORD) {
            DataType::Utf8
        } else {
            DataType::Int64
        }
    }

    /// Whether every cell can be read as this type.
    pub(super) fn fits(self, data_type: &DataType) -> bool {
        let other_than_numbers =
            Self(Self::TEXT.0 | Self::BYTES.0 | Self::BOOL.0 | Self::NULL_SIGN.0 | Self::COMMA.0 | Self::THOUSANDS.0);
        match data_type {
            DataType::Utf8 => !self.has(Self::BYTES),
            DataType::Float64 => !self.has(other_than_numbers),
            DataType::Int64 => !self.has(other_than_numbers) && !self.has(Self(Self::BIG.0 | Self::FRACTION.0)),
            DataType::Boolean => Self(self.0 & !(Self::BOOL.0 | Self::NULL_WORD.0)) == Self::NOTHING,
            _ => false,
        }
    }

    /// Whether a cell, which is not empty, adds nothing to what is known: a quick look at the most common cells.
    #[inline]
    pub(super) fn covers(self, text: &str, decimal: Decimal) -> bool {
        let text = text.as_bytes();
        (self.has(Self(Self::INT.0 | Self::FRACTION.0)) && is_short_int(text))
            || (self.has(Self::FRACTION) && decimal == Decimal::Point && is_plain_decimal(text))
    }

    /// The kind of one cell, which is not empty.
    pub(super) fn of(text: &str, decimal: Decimal) -> Self {
        let text = trimmed(text);
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let fits = text.parse::<i64>().is_ok();
            return match (digits.len() > 1 && digits.starts_with('0'), fits) {
                (true, true) => Self::ZEROS,
                (true, false) => Self(Self::ZEROS.0 | Self::BIG.0),
                (false, true) => Self::INT,
                (false, false) => Self::BIG,
            };
        }
        if let Some(number) = decimal.parse(text) {
            return if number.is_nan() {
                Self::NAN
            } else if number.fract() == 0.0 && number.abs() < EXACT_MAX {
                Self::WHOLE
            } else {
                Self::FRACTION
            };
        }
        if parse_bool(text).is_some() {
            Self::BOOL
        } else if is_null_word(text) {
            Self::NULL_WORD
        } else if is_null_sign(text) {
            Self::NULL_SIGN
        } else if decimal == Decimal::Point && Decimal::Comma.parse(text).is_some() {
            let decimals = text.rsplit_once(',').map_or(0, |(_, decimals)| decimals.len());
            if decimals == 3 { Self::THOUSANDS } else { Self::COMMA }
        } else {
            Self::TEXT
        }
    }

    /// Whether the cell may stand for a missing value.
    pub(super) fn is_null_token(self) -> bool {
        self.has(Self(Self::NULL_WORD.0 | Self::NULL_SIGN.0 | Self::NAN.0))
    }
}

/// The first whole number that a float may share with another: 2^53.
pub(super) const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// Words that stand for a missing value, in any case: those of pandas, R and databases.
const NULL_WORDS: [&str; 12] =
    ["NA", "N/A", "null", "None", "<NA>", "#N/A", "#NA", "n.a.", "\\N", "#N/A N/A", "1.#QNAN", "1.#IND"];

/// Signs and words that stand for a missing value in some files and for themselves in others.
const NULL_SIGNS: [&str; 20] = [
    "?",
    "-",
    "--",
    "---",
    ".",
    "..",
    "*",
    "–",
    "—",
    "nil",
    "missing",
    "unknown",
    "undefined",
    "(null)",
    "(none)",
    "#VALUE!",
    "#DIV/0!",
    "#REF!",
    "#NUM!",
    "#NAME?",
];

/// Whether the text stands for a missing value wherever a number or a boolean is expected.
pub(super) fn is_null_word(text: &str) -> bool {
    let text = trimmed(text);
    (2..=8).contains(&text.len())
        && NULL_WORDS.iter().any(|word| word.eq_ignore_ascii_case(text.strip_prefix('-').unwrap_or(text)))
}

fn is_null_sign(text: &str) -> bool {
    text.len() <= 9 && NULL_SIGNS.iter().any(|sign| sign.eq_ignore_ascii_case(text))
}

/// The sign between the whole part of a number and its decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Decimal {
    /// `3.50`
    #[default]
    Point,
    /// `3,50`
    Comma,
}

impl Decimal {
    /// Reads a number, as [`parse_float`] does.
    pub(super) fn parse(self, text: &str) -> Option<f64> {
        match self {
            Self::Point => parse_float(text),
            Self::Comma if text.contains('.') => None,
            Self::Comma => match text.split_once(',') {
                None => parse_float(text),
                Some((whole, decimals)) => {
                    let is_digit = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_digit);
                    // Digits on both sides: `1,` and `,5` are lists with a hole.
                    let plain = is_digit(whole.as_bytes().last()) && is_digit(decimals.as_bytes().first());
                    plain.then(|| parse_float(&format!("{whole}.{decimals}"))).flatten()
                }
            },
        }
    }

    /// Reads a whole number of 64 bits, which may be written as a decimal: `7`, `7.0`.
    pub(super) fn parse_whole(self, text: &str) -> Option<i64> {
        parse_int(text).or_else(|| {
            let number = self.parse(text).filter(|number| number.abs() < EXACT_MAX)?;
            whole_number(number)
        })
    }
}

/// What the rows of a column hold: a value each, or a list of values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Shape {
    /// The kinds of the values.
    pub(super) kinds: CellKinds,
    /// Whether there is a row with a list.
    pub(super) is_list: bool,
}

impl Shape {
    /// The shape that holds the rows of both: where one has lists, a single value is a list of one.
    pub(super) fn join(self, other: Self) -> Self {
        Self { kinds: self.kinds.join(other.kinds), is_list: self.is_list || other.is_list }
    }

    /// The Arrow type of a column.
    pub(super) fn data_type(self) -> DataType {
        if self.is_list { list_of(self.kinds.data_type()) } else { self.kinds.data_type() }
    }
}

impl From<CellKinds> for Shape {
    fn from(kinds: CellKinds) -> Self {
        Self { kinds, is_list: false }
    }
}

/// Digits of the longest number that cannot overflow 64 bits.
const SAFE_DIGITS: usize = 18;

/// Whether the text is at most 18 digits after an optional minus, and does not begin with a zero unless it is one.
fn is_short_int(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    !digits.is_empty()
        && digits.len() <= SAFE_DIGITS
        && digits.iter().all(u8::is_ascii_digit)
        && (digits[0] != b'0' || digits.len() == 1)
}

/// Whether the text is digits with one point among them: a number without a closer look.
fn is_plain_decimal(text: &[u8]) -> bool {
    let body = text.strip_prefix(b"-").unwrap_or(text);
    let (mut digits, mut points) = (0, 0);
    for &byte in body {
        digits += usize::from(byte.is_ascii_digit());
        points += usize::from(byte == b'.');
    }
    digits > 0 && points == 1 && digits + points == body.len()
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

    fn kinds_of<'a>(cells: impl IntoIterator<Item = &'a str>, decimal: Decimal) -> CellKinds {
        cells.into_iter().fold(CellKinds::NOTHING, |kinds, cell| {
            if kinds.covers(cell, decimal) { kinds } else { kinds.join(CellKinds::of(cell, decimal)) }
        })
    }

    fn type_of(cells: &[&str]) -> DataType {
        kinds_of(cells.iter().copied(), Decimal::Point).data_type()
    }

    #[test]
    fn types_are_those_of_the_rule() {
        assert_eq!(type_of(&["1", "-20", "+3", " 4 ", "0"]), DataType::Int64);
        assert_eq!(type_of(&["9223372036854775807", "-9223372036854775808"]), DataType::Int64);
        assert_eq!(type_of(&["1", "2.5"]), DataType::Float64);
        assert_eq!(type_of(&["1e3", ".5", "5.", "NaN", "-inf", "0.5", "00.5"]), DataType::Float64);
        assert_eq!(type_of(&["true", "FALSE"]), DataType::Boolean);
        assert_eq!(type_of(&["true", "1"]), DataType::Utf8);
        assert_eq!(type_of(&["1.5", "300s"]), DataType::Utf8);
        for text in ["-", ".", "-.", "1.2.3", "0x10", "1_000", " ", "--1", "1 2"] {
            assert_eq!(type_of(&[text]), DataType::Utf8, "{text:?}");
        }
    }

    #[test]
    fn digits_that_lose_something_as_numbers_are_text() {
        for zeros in ["007", "00", "-05", "02134", "00000000000000000000000017"] {
            assert_eq!(type_of(&["12", zeros]), DataType::Utf8, "{zeros}");
            assert_eq!(type_of(&["2.5", zeros]), DataType::Utf8, "{zeros}");
        }
        assert_eq!(type_of(&["1", "9223372036854775808"]), DataType::Utf8);
        assert_eq!(type_of(&["0.5", "9223372036854775808"]), DataType::Float64);
        let long = kinds_of(["1", "9223372036854775808"], Decimal::Point);
        assert!(long.is_text_by_length() && long.fits(&DataType::Float64) && !long.fits(&DataType::Int64));
        let codes = kinds_of(["02134", "10115"], Decimal::Point);
        assert!(codes.fits(&DataType::Int64) && codes.fits(&DataType::Float64) && codes.fits(&DataType::Utf8));
        assert!(!codes.fits(&DataType::Boolean) && !codes.is_text_by_length());
    }

    #[test]
    fn words_for_missing_values_leave_numbers_numbers() {
        for word in ["NA", "n/a", "NULL", "None", "<NA>", "#N/A", "\\N", "-1.#IND"] {
            assert_eq!(type_of(&["1", word]), DataType::Int64, "{word}");
            assert_eq!(type_of(&["1.5", word]), DataType::Float64, "{word}");
            assert_eq!(type_of(&["true", word]), DataType::Boolean, "{word}");
            assert_eq!(type_of(&[word]), DataType::Utf8, "{word}");
            assert_eq!(type_of(&["a", word]), DataType::Utf8, "{word}");
        }
        assert_eq!(type_of(&["1", "NaN"]), DataType::Int64);
        assert_eq!(type_of(&["NaN"]), DataType::Float64);
        for sign in ["?", "-", ".", "unknown", "#DIV/0!"] {
            let kinds = kinds_of(["1", sign], Decimal::Point);
            assert_eq!(kinds.data_type(), DataType::Utf8, "{sign}");
            assert!(kinds.is_text_by_sign(), "{sign}");
        }
        assert!(!kinds_of(["?", "-"], Decimal::Point).is_text_by_sign());
        assert!(!kinds_of(["?", "007"], Decimal::Point).is_text_by_sign());
    }

    #[test]
    fn numbers_may_have_a_decimal_comma() {
        let prices = ["3,50", "4", "-0,25", "1e3"];
        assert!(kinds_of(prices[..3].iter().copied(), Decimal::Point).is_text_by_comma());
        assert_eq!(kinds_of(prices, Decimal::Comma).data_type(), DataType::Float64);
        assert_eq!(Decimal::Comma.parse("-0,25"), Some(-0.25));
        for text in ["1.234,56", "3.5", "1,2,3", ",5", "1,"] {
            assert_eq!(Decimal::Comma.parse(text), None, "{text}");
        }
        assert_eq!(Decimal::Comma.parse_whole("7,0"), Some(7));
        assert_eq!(Decimal::Point.parse_whole("7.0"), Some(7));
        assert_eq!(Decimal::Point.parse_whole("7.5"), None);
        assert_eq!(Decimal::Point.parse_whole("9007199254740993.0"), None);
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
        fn the_order_of_cells_does_not_matter(
            mut cells in prop::collection::vec("[-0-9.,]{1,3}|true|x|NA|NaN|[?]|[0-9]{19,21}|[0-9]e3", 0..8),
            cut in 0usize..8,
        ) {
            let fold = |cells: &[String]| kinds_of(cells.iter().map(String::as_str), Decimal::Point);
            let whole = fold(&cells);
            let cut = cut.min(cells.len());
            prop_assert_eq!(fold(&cells[..cut]).join(fold(&cells[cut..])), whole);
            cells.reverse();
            prop_assert_eq!(fold(&cells), whole);
        }

        #[test]
        fn what_fits_a_type_can_be_read_as_it(cells in prop::collection::vec("[-+0-9.e]{1,5}|[0-9]{17,21}|NA|NaN|true", 1..6)) {
            let kinds = kinds_of(cells.iter().map(String::as_str), Decimal::Point);
            let null = |text: &str| is_null_word(text);
            for cell in &cells {
                if kinds.fits(&DataType::Float64) {
                    prop_assert!(null(cell) || Decimal::Point.parse(cell).is_some(), "{}", cell);
                }
                if kinds.fits(&DataType::Int64) {
                    let nan = cell == "NaN";
                    prop_assert!(nan || null(cell) || Decimal::Point.parse_whole(cell).is_some(), "{}", cell);
                }
            }
        }
    }
}
