//! Numbers and values in messages.

use tidemill_core::{grouped, shortened};

/// A share from 0 to 1 as a percentage with as many digits as say something: `0.28 %`, `34 %`.
pub(crate) fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let digits = match percent.abs() {
        p if p == 0.0 || p >= 99.95 => 0,
        p if p >= 10.0 => 1,
        p if p >= 0.1 => 2,
        p if p >= 0.001 => 4,
        _ => return "less than 0.001 %".to_owned(),
    };
    let text = format!("{percent:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text} %")
}

/// A value in backticks, cut where it is long.
pub(crate) fn quoted(value: &str) -> String {
    format!("`{}`", shortened(value))
}

/// The first values with their counts: `` `Prcard` (12), `Way2ride` (2) and 4 more``.
pub(crate) fn value_list(values: &[(&str, u64)]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<String> =
        values.iter().take(SHOWN).map(|(value, count)| format!("{} ({})", quoted(value), grouped(*count))).collect();
    let mut text = shown.join(", ");
    if values.len() > SHOWN {
        text.push_str(&format!(" and {} more", grouped((values.len() - SHOWN) as u64)));
    }
    text
}

/// Four significant digits, whole numbers in full.
pub(crate) fn short_number(value: f64) -> String {
    if value.fract() == 0.0 && value.abs() < 1e15 {
        let sign = if value < 0.0 { "-" } else { "" };
        return format!("{sign}{}", grouped(value.abs() as u64));
    }
    let digits = 3 - (value.abs().log10().floor() as i32);
    match digits {
        1..=8 => {
            let text = format!("{value:.*}", digits as usize);
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        }
        -9..=0 => {
            let sign = if value < 0.0 { "-" } else { "" };
            format!("{sign}{}", grouped(value.abs().round() as u64))
        }
        _ => format!("{value:.3e}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, 5.0, -1_234_567.0, 3.6724, 0.012_344, 1_790.2, -12_345.67, 1e-12, 1.5e20].map(short_number);
        assert_eq!(shown, ["0", "5", "-1,234,567", "3.672", "0.01234", "1,790", "-12,346", "1.000e-12", "1.500e20"]);
    }

    #[test]
    fn numbers_read_well() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(percent(0.0028), "0.28 %");
        assert_eq!(percent(0.34), "34 %");
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.000_013), "0.0013 %");
        assert_eq!(percent(1e-9), "less than 0.001 %");
    }
}
