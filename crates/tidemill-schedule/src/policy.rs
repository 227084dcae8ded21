//! What is done with a tick that is late, or whose pipeline is still running.

use std::time::Duration;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A tick that is processed later than this was missed: no process ran the schedule at the time.
pub const LATE_AFTER: Duration = Duration::from_mins(1);

/// Which missed ticks are run later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// None: they are recorded as MISSED.
    #[default]
    None,
    /// The newest, once for all that were missed.
    Last,
    /// All of them, in order, one after the other.
    All,
}

/// What happens to a tick while an earlier run is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// It is recorded as SKIPPED.
    #[default]
    Forbid,
    /// It waits for its turn; if this many are waiting already, it is SKIPPED.
    Queue(u32),
    /// The run that is going on is stopped.
    Replace,
    /// It runs at the same time, up to this many runs at once; one more is SKIPPED.
    Allow(u32),
}

/// A tick whose time has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueTick {
    /// Its time.
    pub at: Timestamp,
    /// The tick before it: a run processes the interval from there to `at`.
    pub from: Timestamp,
}

/// What becomes of a due tick.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It runs, subject to [`Overlap`].
    Run,
    /// It runs as soon as those before it have ended, whatever [`Overlap`] says.
    RunInTurn,
    /// Nothing ran it in time, for this reason.
    Missed(String),
    /// It does not run, for this reason.
    Skipped(String),
}

/// The fates of ticks that are due at `now`, in ascending order.
///
/// `window` bounds what [`CatchUp::Last`] and [`CatchUp::All`] run: an older tick stays missed.
pub fn late(due: &[DueTick], now: Timestamp, catch_up: CatchUp, window: Duration, is_paused: bool) -> Vec<Fate> {
    let age = |tick: &DueTick| Duration::try_from(now.duration_since(tick.at)).unwrap_or_default();
    let is_late = |tick: &DueTick| age(tick) > LATE_AFTER;
    let newest = due.len().saturating_sub(1);
    due.iter()
        .enumerate()
        .map(|(place, tick)| {
            if is_paused {
                return Fate::Skipped("the schedule was paused".to_owned());
            }
            if !is_late(tick) {
                return if catch_up == CatchUp::All && due.first().is_some_and(is_late) {
                    Fate::RunInTurn
                } else {
                    Fate::Run
                };
            }
            match catch_up {
                CatchUp::None => Fate::Missed("nothing ran the schedule at that time".to_owned()),
                _ if age(tick) > window => Fate::Missed("it is older than `catch_up_window`".to_owned()),
                CatchUp::Last if place < newest => Fate::Missed("a later tick runs for it".to_owned()),
                CatchUp::Last => Fate::RunInTurn,
                CatchUp::All => Fate::RunInTurn,
            }
        })
        .collect()
}

/// What to do now with a tick that is to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Placement {
    /// Start it.
    Start,
    /// Ask again when a run has ended.
    Wait,
    /// Stop the runs that are going on, and ask again when they have ended.
    Replace,
    /// Record it as SKIPPED, for this reason.
    Skip(String),
}

/// Places a tick, given how many runs of its pipeline are going on and how many ticks wait before it.
///
/// `in_turn` is a tick with [`Fate::RunInTurn`].
pub fn overlapping(overlap: Overlap, in_turn: bool, running: usize, waiting: usize) -> Placement {
    let runs =
        |count: usize| if count == 1 { "a run is going on".to_owned() } else { format!("{count} runs are going on") };
    let limit = match overlap {
        Overlap::Allow(limit) => limit.max(1) as usize,
        _ => 1,
    };
    if running < limit && waiting == 0 {
        return Placement::Start;
    }
    if in_turn {
        return Placement::Wait;
    }
    match overlap {
        Overlap::Queue(limit) if waiting < limit.max(1) as usize => Placement::Wait,
        Overlap::Queue(_) => Placement::Skip(format!("{} and {waiting} ticks wait already", runs(running))),
        Overlap::Replace => Placement::Replace,
        Overlap::Forbid | Overlap::Allow(_) if running == 0 => Placement::Wait,
        Overlap::Forbid | Overlap::Allow(_) => Placement::Skip(runs(running)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// Ticks of every hour from 00:00 to 05:00, seen at 05:00:10.
    fn fates(catch_up: CatchUp, window: Duration, is_paused: bool) -> Vec<Fate> {
        let due: Vec<DueTick> = (0..6)
            .map(|hour| DueTick { at: at(&format!("2026-01-01T0{hour}:00Z")), from: at("2026-01-01T00:00Z") })
            .collect();
        late(&due, at("2026-01-01T05:00:10Z"), catch_up, window, is_paused)
    }

    #[test]
    fn missed_ticks_are_run_as_asked() {
        let day = Duration::from_hours(24);
        let none = fates(CatchUp::None, day, false);
        assert!(none[..5].iter().all(|fate| matches!(fate, Fate::Missed(_))) && none[5] == Fate::Run);
        // The tick of 05:00 is in time, and runs for all.
        assert_eq!(
            fates(CatchUp::Last, day, false),
            none.iter()
                .map(|fate| match fate {
                    Fate::Missed(_) => Fate::Missed("a later tick runs for it".to_owned()),
                    fate => fate.clone(),
                })
                .collect::<Vec<_>>()
        );
        assert_eq!(fates(CatchUp::All, day, false), vec![Fate::RunInTurn; 6]);
        let window = fates(CatchUp::All, Duration::from_hours(2) + Duration::from_mins(30), false);
        assert!(matches!(&window[2], Fate::Missed(reason) if reason.contains("catch_up_window")));
        assert_eq!(window[3..], vec![Fate::RunInTurn; 3]);
        assert!(fates(CatchUp::All, day, true).iter().all(|fate| matches!(fate, Fate::Skipped(_))));
    }

    #[test]
    fn overlapping_ticks_are_placed_as_asked() {
        for overlap in [Overlap::Forbid, Overlap::Queue(1), Overlap::Replace, Overlap::Allow(2)] {
            assert_eq!(overlapping(overlap, false, 0, 0), Placement::Start);
            assert_eq!(overlapping(overlap, true, 2, 0), Placement::Wait, "in turn");
        }
        assert!(matches!(overlapping(Overlap::Forbid, false, 1, 0), Placement::Skip(_)));
        assert_eq!(overlapping(Overlap::Queue(2), false, 1, 1), Placement::Wait);
        assert!(matches!(overlapping(Overlap::Queue(2), false, 1, 2), Placement::Skip(_)));
        assert_eq!(overlapping(Overlap::Replace, false, 1, 0), Placement::Replace);
        assert_eq!(overlapping(Overlap::Allow(2), false, 1, 0), Placement::Start);
        assert!(matches!(overlapping(Overlap::Allow(2), false, 2, 0), Placement::Skip(_)));
    }
}
