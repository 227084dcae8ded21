//! Times as stored and shown: RFC 3339, UTC, always with three decimals, so that text sorts as time.

use jiff::{Timestamp, Unit};
use serde::{Deserialize, Deserializer, Serializer};

/// The current time, truncated to the millisecond, so that a stored time reads back equal.
pub(crate) fn now() -> Timestamp {
    rounded(Timestamp::now())
}

/// The time as it is stored.
pub(crate) fn rounded(time: Timestamp) -> Timestamp {
    time.round(Unit::Millisecond).unwrap_or(time)
}

/// `2026-01-31T08:00:00.120Z`.
pub(crate) fn text(time: Timestamp) -> String {
    format!("{time:.3}")
}

pub(crate) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{time:.3}"))
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    Timestamp::deserialize(deserializer)
}

/// The same for an optional time.
pub(crate) mod option {
    use super::{Deserialize, Deserializer, Serializer, Timestamp};

    #[allow(clippy::ref_option, reason = "serde hands the field over so")]
    pub(crate) fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => super::serialize(time, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        Option::<Timestamp>::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_has_three_digits_always_and_parses_back() {
        let time: Timestamp = "2026-01-31T08:00:00.12Z".parse().expect("a time");
        assert_eq!(text(time), "2026-01-31T08:00:00.120Z");
        let now = now();
        assert_eq!(text(now).parse::<Timestamp>().expect("a time"), now);
        assert_eq!(text(now).len(), 24);
    }
}
