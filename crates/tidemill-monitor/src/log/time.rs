//! Times of requests.

use std::path::Path;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::DataType;
use jiff::Timestamp;

use super::TIME_COLUMN;
use crate::MonitorError;

/// Microseconds since 1970, UTC.
pub type Micros = i64;

/// An hour.
pub(crate) const HOUR: Micros = 3_600_000_000;

/// A time such as `2026-11-20T11:57:20.123456Z` or `2026-11-20T11:57:20+01:00`.
pub fn parse_time(text: &str) -> Option<Micros> {
    written_by_the_server(text).or_else(|| text.parse::<Timestamp>().ok().map(Timestamp::as_microsecond))
}

/// The one form that the server writes, parsed without a general parser: a log has a time in every row.
fn written_by_the_server(text: &str) -> Option<Micros> {
    let bytes = text.as_bytes();
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':'), (19, b'.'), (26, b'Z')];
    if bytes.len() != 27 || separators.iter().any(|(at, byte)| bytes[*at] != *byte) {
        return None;
    }
    let number = |from: usize, to: usize| {
        bytes[from..to]
            .iter()
            .try_fold(0i64, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second, micros) = (number(11, 13)?, number(14, 16)?, number(17, 19)?, number(20, 26)?);
    if !(1..=12).contains(&month) || !(1..=28).contains(&day) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    // Days from civil, after Howard Hinnant; the last days of a month are left to the general parser.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000 + micros)
}

/// As the server writes it.
pub fn rfc3339(time: Micros) -> String {
    Timestamp::from_microsecond(time).map_or_else(|_| String::new(), |time| format!("{time:.6}"))
}

/// The hour of a time: `2026-11-20T11`.
pub fn hour_name(time: Micros) -> String {
    rfc3339(time).chars().take(13).collect()
}

/// The times of the rows of a batch; `None` where a time is missing or cannot be read.
pub(crate) fn times(batch: &RecordBatch, path: &Path) -> Result<Vec<Option<Micros>>, MonitorError> {
    let Some(column) = batch.column_by_name(TIME_COLUMN) else {
        return Err(MonitorError::Log {
            message: format!("`{}` has no column `{TIME_COLUMN}`", path.display()),
            hint: Some("write the log without `--log-exclude _time`: windows are made of times".to_owned()),
        });
    };
    if *column.data_type() != DataType::Utf8 {
        let message = format!("`{TIME_COLUMN}` in `{}` is {}, not text", path.display(), column.data_type());
        return Err(MonitorError::log(message));
    }
    let texts = column.as_string::<i32>();
    Ok((0..texts.len()).map(|row| if texts.is_null(row) { None } else { parse_time(texts.value(row)) }).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn times_are_read_and_written() {
        assert_eq!(parse_time("1970-01-01T00:00:00.000001Z"), Some(1));
        assert_eq!(parse_time("2026-11-20T11:57:20+01:00"), parse_time("2026-11-20T10:57:20.000000Z"));
        assert_eq!(hour_name(parse_time("2026-11-20T11:57:20.123456Z").unwrap()), "2026-11-20T11");
        for wrong in ["", "yesterday", "2026-13-20T11:57:20.123456Z", "2026-11-20T25:57:20.123456Z"] {
            assert_eq!(parse_time(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn the_fast_parser_agrees_with_the_general_one(time in -60_000_000_000_000_000i64..200_000_000_000_000_000) {
            let text = rfc3339(time);
            prop_assert_eq!(parse_time(&text), Some(time));
            if let Some(fast) = written_by_the_server(&text) {
                prop_assert_eq!(fast, time);
            }
        }
    }
}
