//! Formats text and numbers for a page.

use crate::gate::number;

/// A number in a column of its like: four decimals, so that points stand below each other, one more for small ones
/// and two for those from 10; very small and very large ones by their significant digits.
pub(super) fn decimals(value: f64) -> String {
    match value.abs() {
        a if a >= 1000.0 || (a != 0.0 && a < 0.000_01) => number(value),
        a if a >= 10.0 => format!("{value:.2}"),
        a if a != 0.0 && a < 0.001 => format!("{value:.5}"),
        _ => format!("{value:.4}"),
    }
}

/// The same with its sign, a proper minus instead of a hyphen.
pub(super) fn signed(value: f64) -> String {
    let sign = if value > 0.0 { "+" } else { "−" };
    if value == 0.0 { "0".into() } else { format!("{sign}{}", decimals(value.abs())) }
}

/// The start of a text that is too long to read.
pub(super) fn shortened(text: &str) -> String {
    const CHARS_MAX: usize = 120;
    if text.chars().nth(CHARS_MAX).is_none() {
        return text.to_owned();
    }
    text.chars().take(CHARS_MAX - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_a_column_line_up() {
        assert_eq!(
            [0.9, 0.0, 1.234_56, 0.000_123_4, 0.000_001, 11.7, 12_345.6].map(decimals),
            ["0.9000", "0.0000", "1.2346", "0.00012", "0.000001", "11.70", "12346"]
        );
        assert_eq!([0.25, -0.25, 0.0].map(signed), ["+0.2500", "−0.2500", "0"]);
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        assert_eq!(shortened("ähm"), "ähm");
        assert_eq!(shortened(&"ä".repeat(500)).chars().count(), 120);
    }
}
