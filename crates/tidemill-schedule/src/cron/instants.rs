//! The instants of a day: what becomes of a time that does not exist, or exists twice.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use super::Cron;

impl Cron {
    /// Adds the ticks of `date` in a zone to `found`, in ascending order.
    ///
    /// A pattern for fixed times runs exactly once for each: at the end of the gap if clocks skip the time, and at the
    /// first occurrence if it exists twice. A pattern with `*` or a step in minute or hour runs at every instant whose
    /// wall time matches: never in a gap, and in both halves of an overlap.
    pub(crate) fn instants(&self, date: Date, zone: &TimeZone, found: &mut Vec<Timestamp>) {
        if !self.matches(date) {
            return;
        }
        let before = found.len();
        for hour in self.hours.iter() {
            for minute in self.minutes.iter() {
                let wall = date.at(hour as i8, minute as i8, 0, 0);
                match zone.to_ambiguous_timestamp(wall).offset() {
                    AmbiguousOffset::Unambiguous { offset } => found.extend(at(wall, offset)),
                    AmbiguousOffset::Fold { before, .. } if self.is_fixed => found.extend(at(wall, before)),
                    AmbiguousOffset::Fold { before, after } => {
                        found.extend(at(wall, before));
                        found.extend(at(wall, after));
                    }
                    AmbiguousOffset::Gap { after, .. } if self.is_fixed => found.extend(end_of_gap(wall, after, zone)),
                    AmbiguousOffset::Gap { .. } => {}
                }
            }
        }
        found[before..].sort_unstable();
        let mut last = None;
        let mut kept = before;
        for index in before..found.len() {
            if last.replace(found[index]) != Some(found[index]) {
                found[kept] = found[index];
                kept += 1;
            }
        }
        found.truncate(kept);
    }
}

/// The instant of a wall time; none beyond the years that can be represented.
fn at(wall: DateTime, offset: Offset) -> Option<Timestamp> {
    offset.to_timestamp(wall).ok()
}

/// The first instant after the gap that `wall` falls into. Read with the offset that is valid after the gap, the wall
/// time is an instant before it.
fn end_of_gap(wall: DateTime, after: Offset, zone: &TimeZone) -> Option<Timestamp> {
    zone.following(at(wall, after)?).next().map(|transition| transition.timestamp())
}
