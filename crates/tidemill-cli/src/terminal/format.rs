//! Numbers, sizes and times for people.

use jiff::{Timestamp, Unit};

/// `15002` as `15,002`.
pub use tidemill_core::grouped as count;

/// A duration: `0.04s`, `12.3s`, `2m 05s`, `1h 04m`.
pub fn seconds(seconds: f64) -> String {
    match seconds {
        s if s < 10.0 => format!("{s:.2}s"),
        s if s < 60.0 => format!("{s:.1}s"),
        s if s < 3600.0 => format!("{}m {:02}s", s as u64 / 60, s as u64 % 60),
        s => format!("{}h {:02}m", s as u64 / 3600, s as u64 % 3600 / 60),
    }
}

/// A size in binary units: `1.8 MiB`.
pub fn bytes(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

/// Four significant digits, without an exponent where that can be read.
pub fn number(x: f64) -> String {
    if x == 0.0 || !x.is_finite() {
        return if x == 0.0 { "0".into() } else { x.to_string() };
    }
    let magnitude = x.abs().log10().floor() as i32;
    if !(-4..12).contains(&magnitude) {
        let text = format!("{x:.3e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{exponent}", digits.trim_end_matches('0').trim_end_matches('.'));
    }
    let decimals = (3 - magnitude).max(0) as usize;
    let text = format!("{x:.decimals$}");
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |rest| ("-", rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), count);
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// A number of rows in three digits: `570k`, `1.2M`.
pub fn short(x: f64) -> String {
    let (value, unit) = match x {
        x if x >= 1e9 => (x / 1e9, "G"),
        x if x >= 1e6 => (x / 1e6, "M"),
        x if x >= 1e3 => (x / 1e3, "k"),
        x => (x, ""),
    };
    if value < 10.0 && !unit.is_empty() { format!("{value:.1}{unit}") } else { format!("{value:.0}{unit}") }
}

/// How long ago: `3 minutes ago`.
pub fn age(then: Timestamp) -> String {
    let seconds = Timestamp::now().since((Unit::Second, then)).map_or(0, |span| span.get_seconds());
    let (n, unit) = match seconds {
        s if s < 5 => return "just now".into(),
        s if s < 60 => (s, "second"),
        s if s < 3600 => (s / 60, "minute"),
        s if s < 86_400 => (s / 3600, "hour"),
        s => (s / 86_400, "day"),
    };
    format!("{n} {unit}{} ago", if n == 1 { "" } else { "s" })
}

/// Text of the data, safe for a terminal: control characters are shown as escapes, never obeyed.
pub fn printable(text: &str) -> std::borrow::Cow<'_, str> {
    let hostile =
        |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c);
    if !text.contains(hostile) {
        return text.into();
    }
    text.chars()
        .map(|c| if hostile(c) { c.escape_default().to_string() } else { c.to_string() })
        .collect::<String>()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[31m\nb\u{202e}"), "a\\u{1b}[31m\\nb\\u{202e}");
        assert_eq!(printable("Café 東京"), "Café 東京");
    }

    #[test]
    fn numbers_are_short_and_honest() {
        let shown = [0.954_321, 15_002.0, 0.000_123_44, -1234.5678, 1.0, 1e-9, 17_031_081_300.0, f64::NAN].map(number);
        assert_eq!(shown, ["0.9543", "15,002", "0.0001234", "-1,235", "1", "1e-9", "17,031,081,300", "NaN"]);
        let extreme = [5e-324, 1.797e308, -2.5e-7, 1e15, f64::NEG_INFINITY].map(number);
        assert_eq!(extreme, ["4.941e-324", "1.797e308", "-2.5e-7", "1e15", "-inf"]);
        assert_eq!(count(1_234_567), "1,234,567");
        assert_eq!([0.042, 12.34, 125.0, 3900.0].map(seconds), ["0.04s", "12.3s", "2m 05s", "1h 05m"]);
    }
}
