//! The life of alerts: pending, firing, resolved. A state machine without a clock: windows in, changes out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::log::Micros;
use crate::watch::{Finding, Kind, Severity};

/// Where an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertState {
    /// Unusual windows, not yet enough of them.
    Pending,
    /// Enough of them.
    Firing,
    /// The last windows were as usual.
    Resolved,
}

/// What a window says of a kind of finding.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It is unusual, in this version of the model.
    Found(Finding, u64),
    /// It is as usual.
    Usual,
}

/// One incident: all windows of a model that are unusual in the same way, until they are usual again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alert {
    /// The same for the whole life of the incident.
    pub fingerprint: String,
    /// What it is about.
    pub kind: Kind,
    /// Where it is.
    pub state: AlertState,
    /// How bad it was at its worst.
    pub severity: Severity,
    /// The version of the model whose window was the last unusual one.
    pub model_version: u64,
    /// The beginning of the first unusual window.
    pub since: Micros,
    /// The end of the window with which it fired.
    pub fired: Option<Micros>,
    /// The end of the window with which it was resolved.
    pub resolved: Option<Micros>,
    /// The last unusual window: its beginning.
    pub last: Micros,
    /// What was found in it.
    pub finding: Finding,
    /// Unusual windows.
    pub windows: u64,
    /// Somebody looks at it.
    #[serde(default)]
    pub acknowledged: Option<Acknowledgement>,
}

/// Somebody looks at an alert: it is not told again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    /// Who.
    pub by: String,
    /// When.
    pub at: Micros,
    /// What they say.
    pub note: String,
}

/// Nobody is told of some alerts for a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Silence {
    /// A number to remove it by.
    pub id: u64,
    /// Only this kind; all without it.
    pub kind: Option<Kind>,
    /// Until when.
    pub until: Micros,
    /// Why.
    pub reason: String,
    /// Who said so.
    pub by: String,
}

/// A change that somebody may want to hear of.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The alert after the change.
    pub alert: Alert,
    /// The end of the window with which it changed.
    pub at: Micros,
}

/// The alerts of a monitor.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertBook {
    /// What the last windows said, by kind, the newest last: whether they were unusual.
    recent: BTreeMap<Kind, Vec<bool>>,
    /// Incidents that go on.
    pub open: BTreeMap<Kind, Alert>,
    /// Incidents that are over, the newest last.
    pub past: Vec<Alert>,
    /// Silences.
    pub silences: Vec<Silence>,
    next_silence: u64,
}

/// Incidents that are kept after they are over.
const PAST_MAX: usize = 500;

impl AlertBook {
    /// Takes in what a window says. Kinds that are not in `outcomes` were not judged. An alert fires with `after`
    /// unusual windows of the last `of`, and is resolved when the last `after` were usual.
    pub fn observe(
        &mut self,
        model: &str,
        (start, end): (Micros, Micros),
        outcomes: BTreeMap<Kind, Outcome>,
        (after, of): (usize, usize),
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        for (kind, outcome) in outcomes {
            // Poisoned labels are no matter of chance: one window is enough.
            let after = if kind == Kind::SuspiciousLabels { 1 } else { after };
            let recent = self.recent.entry(kind).or_default();
            recent.push(matches!(outcome, Outcome::Found(..)));
            let beyond = recent.len().saturating_sub(of.max(after));
            recent.drain(..beyond);
            let unusual = recent.iter().filter(|unusual| **unusual).count();
            let calm = recent.iter().rev().take_while(|unusual| !**unusual).count();
            match outcome {
                Outcome::Found(finding, version) => {
                    let alert = self.open.entry(kind).or_insert_with(|| Alert {
                        fingerprint: fingerprint(model, kind, start),
                        kind,
                        state: AlertState::Pending,
                        severity: finding.severity,
                        model_version: version,
                        since: start,
                        fired: None,
                        resolved: None,
                        last: start,
                        finding: finding.clone(),
                        windows: 0,
                        acknowledged: None,
                    });
                    let worse = finding.severity > alert.severity;
                    alert.severity = alert.severity.max(finding.severity);
                    (alert.last, alert.model_version, alert.finding) = (start, version, finding);
                    alert.windows += 1;
                    if alert.state == AlertState::Pending && unusual >= after {
                        alert.state = AlertState::Firing;
                        alert.fired = Some(end);
                        changes.push(Change { alert: alert.clone(), at: end });
                    } else if alert.state == AlertState::Firing && worse {
                        changes.push(Change { alert: alert.clone(), at: end });
                    }
                }
                Outcome::Usual => {
                    let Some(alert) = self.open.get(&kind) else { continue };
                    let over = match alert.state {
                        AlertState::Pending => unusual == 0,
                        _ => calm >= after,
                    };
                    if over && let Some(mut alert) = self.open.remove(&kind) {
                        let was_firing = alert.state == AlertState::Firing;
                        alert.state = AlertState::Resolved;
                        alert.resolved = Some(end);
                        if was_firing {
                            changes.push(Change { alert: alert.clone(), at: end });
                            self.past.push(alert);
                        }
                    }
                }
            }
        }
        let beyond = self.past.len().saturating_sub(PAST_MAX);
        self.past.drain(..beyond);
        changes
    }

    /// Whether nobody is to be told of a kind now.
    pub fn is_silenced(&self, kind: Kind, now: Micros) -> bool {
        self.silences.iter().any(|silence| silence.until > now && silence.kind.is_none_or(|only| only == kind))
    }

    /// Adds a silence and returns its number. Those that are over are forgotten.
    pub fn silence(&mut self, kind: Option<Kind>, until: Micros, reason: &str, by: &str, now: Micros) -> u64 {
        self.silences.retain(|silence| silence.until > now);
        self.next_silence += 1;
        let id = self.next_silence;
        self.silences.push(Silence { id, kind, until, reason: reason.to_owned(), by: by.to_owned() });
        id
    }

    /// The alert, open or past, whose fingerprint begins so.
    pub fn find(&self, prefix: &str) -> Option<&Alert> {
        self.open.values().chain(self.past.iter().rev()).find(|alert| alert.fingerprint.starts_with(prefix))
    }
}

/// The same incident has the same fingerprint, whoever computes it.
fn fingerprint(model: &str, kind: Kind, since: Micros) -> String {
    format!("{:016x}", xxh3_64(format!("{model} {} {since}", kind.name()).as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds windows (`x` unusual, `.` usual, `?` not judged) and writes down what changed after which window.
    fn story(windows: &str, after: usize, of: usize) -> Vec<(usize, AlertState)> {
        let (mut book, mut told) = (AlertBook::default(), Vec::new());
        for (at, window) in windows.chars().enumerate() {
            let finding = || Finding::new(Kind::Drift, Severity::Warning, "fare");
            let outcomes = match window {
                'x' => BTreeMap::from([(Kind::Drift, Outcome::Found(finding(), 1))]),
                '.' => BTreeMap::from([(Kind::Drift, Outcome::Usual)]),
                _ => BTreeMap::new(),
            };
            let changes = book.observe("m", (at as i64, at as i64 + 1), outcomes, (after, of));
            told.extend(changes.into_iter().map(|change| (at, change.alert.state)));
        }
        told
    }

    #[test]
    fn an_alert_fires_once_for_an_incident_and_is_resolved_once() {
        use AlertState::{Firing, Resolved};
        assert_eq!(story("..x..x.", 2, 3), []);
        assert_eq!(story(".x.x", 2, 3), [(3, Firing)]);
        assert_eq!(story("xxxxxx..", 2, 3), [(1, Firing), (7, Resolved)]);
        assert_eq!(story("xx.x.x..xx", 2, 3), [(1, Firing), (7, Resolved), (9, Firing)]);
        assert_eq!(story("x?????x", 2, 3), [(6, Firing)], "what is not judged is no news");
        assert_eq!(story("x.", 1, 1), [(0, Firing), (1, Resolved)]);
    }

    #[test]
    fn silences_end() {
        let mut book = AlertBook::default();
        assert_eq!(book.silence(Some(Kind::Drift), 10, "known", "me", 0), 1);
        assert!(book.is_silenced(Kind::Drift, 9) && !book.is_silenced(Kind::Missing, 9));
        assert!(!book.is_silenced(Kind::Drift, 10));
        assert_eq!((book.silence(None, 30, "all", "me", 20), book.silences.len()), (2, 1));
    }
}
