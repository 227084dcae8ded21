//! Dates and times in text: the project's one parser.

pub(crate) use tidemill_core::calendar::{DateFormat as Written, Moment};

/// Reads a date or time; see [`Moment::parse`].
pub(crate) fn parse(text: &str) -> Option<Moment> {
    Moment::parse(text)
}
