//! Spans of time as people write them: `36h`, `14d`, `2w`.

/// Units with their seconds.
const UNITS: [(&str, u64); 5] = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400), ("w", 604_800)];

/// Seconds of a span such as `90s`, `15m`, `36h`, `14d`, `2w`; why it is none.
pub fn seconds_of_span(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is no span of time; write `90s`, `15m`, `36h`, `14d` or `2w`");
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (count, unit) = text.split_at(digits);
    let (_, seconds) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    let count: u64 = count.parse().map_err(|_| wrong())?;
    // A thousand years are enough, and keep sums of spans within range.
    count.checked_mul(*seconds).filter(|seconds| *seconds <= 1000 * 366 * 86_400).ok_or_else(wrong)
}

/// A span in the largest unit that it is a whole number of: `2w`.
pub fn span_of_seconds(seconds: u64) -> String {
    let fits = UNITS.iter().rev().find(|(_, unit)| seconds > 0 && seconds.is_multiple_of(*unit));
    let (name, unit) = fits.unwrap_or(&UNITS[0]);
    format!("{}{name}", seconds / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_written() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("36h", 129_600), ("13d", 1_123_200), ("2w", 1_209_600)] {
            assert_eq!(seconds_of_span(text), Ok(seconds));
            assert_eq!(span_of_seconds(seconds), text);
        }
        assert_eq!(span_of_seconds(0), "0s");
        for wrong in ["", "2", "w", "2 w", "-2w", "1y", "99999999999999999999d", "9999999999w", "2wé"] {
            assert!(seconds_of_span(wrong).is_err(), "{wrong}");
        }
    }
}
