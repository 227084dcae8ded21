//! Durations on the command line.

use std::time::Duration;

/// `10s`, `250ms`, `1m 30s`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a duration such as `10s`, `250ms` or `1m 30s`".to_owned();
    let read: jiff::SignedDuration = text.parse().map_err(|_| wrong())?;
    Duration::try_from(read).map_err(|_| wrong())
}
