//! A JSON number, kept as text until the type it must become is known.

use super::JsonError;

/// Integers up to this magnitude are floating-point numbers without loss.
const INTEGER_EXACT_MAX: u64 = (1 << 53) - 1;

/// A number as it was written; its grammar is already checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Number<'a> {
    text: &'a str,
    offset: usize,
    integer: bool,
}

impl<'a> Number<'a> {
    /// `integer`: it has no fraction and no exponent, and is not a special number.
    pub(super) fn new(text: &'a str, offset: usize, integer: bool) -> Self {
        Self { text, offset, integer }
    }

    /// The text of the number.
    pub(crate) fn text(self) -> &'a str {
        self.text
    }

    /// Whether it has no fraction and no exponent.
    pub(crate) fn is_integer(self) -> bool {
        self.integer
    }

    /// The integer, if it was written as one and fits.
    pub(crate) fn as_i64(self) -> Option<i64> {
        if self.is_integer() { self.text.parse().ok() } else { None }
    }

    /// The integer, if it was written as one and fits.
    pub(crate) fn as_u64(self) -> Option<u64> {
        if self.is_integer() { self.text.parse().ok() } else { None }
    }

    /// The nearest floating-point number. A finite number too large for one is an error, as in TF Serving.
    pub(crate) fn as_f64(self) -> Result<f64, JsonError> {
        let value = match self.text.as_bytes() {
            [b'0'..=b'9', ..] | [b'-', b'0'..=b'9', ..] => self.text.parse::<f64>().ok(),
            b"Inf" | b"Infinity" => return Ok(f64::INFINITY),
            b"-Inf" | b"-Infinity" => return Ok(f64::NEG_INFINITY),
            _ => return Ok(f64::NAN),
        };
        value
            .filter(|value| value.is_finite())
            .ok_or(JsonError { message: "Number too big to be stored in double.", offset: self.offset })
    }

    /// Whether turning it into a floating-point number keeps its value: false only for integers beyond 2^53 − 1.
    pub(crate) fn is_exact_as_f64(self) -> bool {
        let digits = self.text.strip_prefix('-').unwrap_or(self.text);
        digits.len() < 16
            || !self.is_integer()
            || digits.parse::<u64>().is_ok_and(|magnitude| magnitude <= INTEGER_EXACT_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number<'_> {
        let mut reader = crate::protocol::json::Reader::new(text.as_bytes()).unwrap();
        Number { offset: 7, ..reader.number().unwrap() }
    }

    #[test]
    fn integers_keep_all_their_digits() {
        assert_eq!(number("9223372036854775807").as_i64(), Some(i64::MAX));
        assert_eq!(number("-9223372036854775808").as_i64(), Some(i64::MIN));
        assert_eq!(number("9223372036854775808").as_i64(), None);
        assert_eq!(number("18446744073709551615").as_u64(), Some(u64::MAX));
        assert_eq!(number("1.0").as_i64(), None);
    }

    #[test]
    fn the_sign_of_zero_survives() {
        assert_eq!(number("-0").as_f64().unwrap().to_bits(), (-0.0f64).to_bits());
        assert_eq!(number("-0.0").as_f64().unwrap().to_bits(), (-0.0f64).to_bits());
    }

    #[test]
    fn overflow_is_an_error_and_an_infinity_is_not() {
        assert_eq!(number("1e400").as_f64().unwrap_err().offset, 7);
        assert_eq!(number("-Infinity").as_f64().unwrap(), f64::NEG_INFINITY);
        assert!(number("NaN").as_f64().unwrap().is_nan());
        assert_eq!(number("1e-400").as_f64().unwrap(), 0.0);
    }

    #[test]
    fn integers_beyond_the_mantissa_are_not_exact() {
        assert!(number("9007199254740991").is_exact_as_f64());
        assert!(!number("-9007199254740993").is_exact_as_f64());
        assert!(!number("99999999999999999999999").is_exact_as_f64());
        assert!(number("0.12345678901234567890").is_exact_as_f64());
    }
}
