//! From the files of a log to closed windows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::Int64Type;
use serde::{Deserialize, Serialize};

use super::compare::{DriftRules, compare};
use super::counts::{Reader, WindowCounts};
use super::finding::{self, Kind};
use super::profile::Profile;
use super::report::{Comparison, Performance, WindowReport};
use super::store::StateFolder;
use super::{LOG_COLUMNS, window_start};
use crate::MonitorError;
use crate::config::{Against, MonitorFile};
use crate::log::{InferenceLog, LogFile, Micros, times};

/// Rows whose time is later than the clock by more than this do not move time on.
const FUTURE: Micros = 600_000_000;
/// A week.
const WEEK: Micros = 7 * 86_400_000_000;

/// Gives the references of versions.
pub trait Profiles {
    /// That of a version; `None` if it cannot be made yet, as long as the log is too short to learn from.
    fn profile(&mut self, version: u64, state: &StateFolder) -> Result<Option<Profile>, MonitorError>;
}

/// What was read so far, stored between runs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seen {
    /// Files of the server whose rows were counted.
    pub files: BTreeSet<String>,
    /// Windows that are still filling.
    pub open: Vec<(Micros, u64, WindowCounts)>,
    /// The start of the next window to be closed.
    pub next: Option<Micros>,
    /// The latest time of a request.
    pub newest: Option<Micros>,
    /// The version of the last rows.
    pub version: Option<u64>,
    /// Rows whose window was closed already.
    pub late: u64,
    /// Rows without a time that can be read.
    pub without_time: u64,
    /// Rows from the future: a clock is wrong.
    pub future: u64,
    /// Rows.
    pub rows: u64,
    /// Rows of the last closed windows, the newest last.
    pub volumes: Vec<u64>,
}

/// A window that was closed, all versions together.
#[derive(Debug, Clone)]
pub struct Closed {
    /// Its beginning.
    pub start: Micros,
    /// Its end.
    pub end: Micros,
    /// By version.
    pub reports: Vec<WindowReport>,
}

/// Reads a log and closes windows.
pub struct Engine<'a> {
    file: &'a MonitorFile,
    state: &'a mut StateFolder,
    profiles: &'a mut dyn Profiles,
    known: BTreeMap<u64, Arc<Profile>>,
    open: BTreeMap<(Micros, u64), WindowCounts>,
    seen: Seen,
}

impl<'a> Engine<'a> {
    /// Goes on from what was seen.
    pub fn new(file: &'a MonitorFile, seen: Seen, state: &'a mut StateFolder, profiles: &'a mut dyn Profiles) -> Self {
        let open = seen.open.iter().map(|(start, version, counts)| ((*start, *version), counts.clone())).collect();
        Self { file, state, profiles, known: BTreeMap::new(), open, seen }
    }

    /// Reads the files that were not read, and closes the windows whose time is over. `now` is the clock, if windows
    /// shall also be closed where no request comes any more; without it, at the end of the log all windows are closed.
    /// `closed` gets each in the order of time. Returns what was seen, to go on from.
    pub fn read(
        mut self,
        log: &InferenceLog,
        now: Option<Micros>,
        mut closed: impl FnMut(&Closed, &mut StateFolder) -> Result<(), MonitorError>,
    ) -> Result<Seen, MonitorError> {
        let files = log.files()?;
        // What was removed from the log need not be remembered.
        let there: BTreeSet<&String> = files.iter().flat_map(|file| &file.sources).collect();
        self.seen.files.retain(|name| there.contains(name));
        let files: Vec<LogFile> =
            files.into_iter().filter(|file| file.sources.iter().any(|name| !self.seen.files.contains(name))).collect();
        for (at, file) in files.iter().enumerate() {
            if !self.count_file(file, now)? {
                // A reference is not there yet: what comes after waits, too.
                return self.finish();
            }
            // Later files begin later, by their names.
            let bound = files.get(at + 1).and_then(|next| next.range.map(|(first, _)| first).or_else(|| began(next)));
            let mark = self.seen.newest.map(|newest| newest - self.file.lateness.micros());
            if let (Some(mark), Some(bound)) = (mark, bound) {
                self.close_until(mark.min(bound), &mut closed)?;
            }
        }
        match (now, self.seen.newest) {
            (Some(now), Some(newest)) => {
                // Files of the log are complete some minutes after their last row.
                let idle = now - self.file.lateness.micros() - 900_000_000;
                self.close_until((newest - self.file.lateness.micros()).max(idle), &mut closed)?;
            }
            (None, Some(newest)) => {
                let end = window_start(newest, self.length()) + self.length();
                self.close_until(end, &mut closed)?;
            }
            _ => {}
        }
        self.finish()
    }

    fn finish(mut self) -> Result<Seen, MonitorError> {
        let open = std::mem::take(&mut self.open);
        self.seen.open = open.into_iter().map(|((start, version), counts)| (start, version, counts)).collect();
        Ok(self.seen)
    }

    const fn length(&self) -> Micros {
        self.file.window.micros()
    }

    fn profile(&mut self, version: u64) -> Result<Option<Arc<Profile>>, MonitorError> {
        if let Some(known) = self.known.get(&version) {
            return Ok(Some(Arc::clone(known)));
        }
        let kept = self.state.profile(version)?;
        let made = match kept {
            Some(kept) => Some(kept),
            None => self.profiles.profile(version, self.state)?,
        };
        let Some(made) = made else { return Ok(None) };
        self.state.put_profile(&made)?;
        let made = Arc::new(made);
        self.known.insert(version, Arc::clone(&made));
        Ok(Some(made))
    }

    /// Counts the rows of a file that were not counted. `false`: a reference is not there yet, and nothing was counted.
    fn count_file(&mut self, file: &LogFile, now: Option<Micros>) -> Result<bool, MonitorError> {
        if std::fs::metadata(&file.path).map_err(MonitorError::io(&file.path))?.len() == 0 {
            self.seen.files.extend(file.sources.iter().cloned());
            return Ok(true);
        }
        let types = self.known.values().next().map(|profile| profile.types());
        let types = match types {
            Some(types) => Some(types),
            // The first file of all: its version says what its columns are.
            None => match self.seen.version {
                Some(version) => self.profile(version)?.map(|profile| profile.types()),
                None => {
                    let mut first = file.read_present(None, &BTreeSet::from(["_version".to_owned()]))?;
                    let version = first.next().transpose()?.and_then(|batch| versions(&batch).first().copied());
                    match version {
                        Some(version) => match self.profile(version)? {
                            Some(profile) => Some(profile.types()),
                            None => return Ok(false),
                        },
                        None => None,
                    }
                }
            },
        };
        let partly = file.sources.iter().any(|name| self.seen.files.contains(name));
        let before = (self.open.clone(), self.seen.clone());
        // Windows need no names of requests.
        for batch in file.read_without(types, &["_request_id", "_row", "_model"])? {
            let batch = batch?;
            let batch = if partly { self.unread(&batch)? } else { batch };
            if !self.count(&batch, file, now)? {
                (self.open, self.seen) = before;
                return Ok(false);
            }
        }
        self.seen.files.extend(file.sources.iter().cloned());
        Ok(true)
    }

    /// The rows of a compacted file whose own file was not counted.
    fn unread(&self, batch: &RecordBatch) -> Result<RecordBatch, MonitorError> {
        let Some(sources) = batch.column_by_name(crate::log::SOURCE_COLUMN).and_then(|of| of.as_string_opt::<i32>())
        else {
            return Ok(batch.clone());
        };
        let new: Vec<u32> = (0..batch.num_rows() as u32)
            .filter(|row| !self.seen.files.contains(sources.value(*row as usize)))
            .collect();
        take(batch, new)
    }

    fn count(&mut self, batch: &RecordBatch, file: &LogFile, now: Option<Micros>) -> Result<bool, MonitorError> {
        let times = times(batch, &file.path)?;
        let versions = versions(batch);
        let length = self.length();
        // Runs of rows of one window and version, in order; rows out of order are gathered.
        let mut rows: BTreeMap<(Micros, u64), Vec<u32>> = BTreeMap::new();
        let latest = now.map_or(Micros::MAX, |now| now + FUTURE);
        for (row, time) in times.iter().enumerate() {
            self.seen.rows += 1;
            let Some(time) = *time else {
                self.seen.without_time += 1;
                continue;
            };
            if time > latest {
                self.seen.future += 1;
                continue;
            }
            let start = window_start(time, length);
            if self.seen.next.is_some_and(|next| start < next) {
                self.seen.late += 1;
                continue;
            }
            self.seen.newest = Some(self.seen.newest.map_or(time, |newest| newest.max(time)));
            rows.entry((start, versions[row])).or_default().push(row as u32);
        }
        for ((start, version), rows) in rows {
            let Some(profile) = self.profile(version)? else { return Ok(false) };
            self.seen.version = Some(version);
            let counts = self.open.entry((start, version)).or_insert_with(|| WindowCounts::new(&profile));
            let others = LOG_COLUMNS.into_iter().chain(self.file.exclude.iter().map(String::as_str));
            counts.update(&take(batch, rows)?, &Reader::new(&profile, others));
        }
        Ok(true)
    }

    /// Closes all windows that end at or before `mark`.
    fn close_until(
        &mut self,
        mark: Micros,
        closed: &mut impl FnMut(&Closed, &mut StateFolder) -> Result<(), MonitorError>,
    ) -> Result<(), MonitorError> {
        let length = self.length();
        let first = self.seen.next.or_else(|| self.open.keys().next().map(|(start, _)| *start));
        let Some(mut start) = first else { return Ok(()) };
        while start + length <= mark {
            let is_first = self.seen.next.is_none();
            let mut of_window = Vec::new();
            while let Some(entry) = self.open.first_entry().filter(|entry| entry.key().0 <= start) {
                let ((_, version), counts) = entry.remove_entry();
                of_window.push((version, counts));
            }
            if of_window.is_empty() {
                // Nobody asked: an empty window of the last version.
                let Some(version) = self.seen.version else { break };
                let Some(profile) = self.profile(version)? else { break };
                of_window.push((version, WindowCounts::new(&profile)));
            }
            let rows: u64 = of_window.iter().map(|(_, counts)| counts.rows).sum();
            let mut reports = Vec::with_capacity(of_window.len());
            for (version, counts) in of_window {
                reports.push(self.judge(start, version, counts, is_first)?);
            }
            self.judge_volume(rows, is_first, &mut reports);
            for report in &reports {
                self.state.put(report.clone())?;
            }
            self.seen.next = Some(start + length);
            closed(&Closed { start, end: start + length, reports }, self.state)?;
            start += length;
        }
        Ok(())
    }

    fn judge(
        &mut self,
        start: Micros,
        version: u64,
        counts: WindowCounts,
        is_first: bool,
    ) -> Result<WindowReport, MonitorError> {
        let end = start + self.length();
        let Some(profile) = self.profile(version)? else {
            return Err(MonitorError::Reference {
                message: format!("version {version} of `{}` has no reference any more", self.file.model),
                hint: None,
            });
        };
        let maintenance = self.file.alert.maintenance.iter().any(|period| period.covers(start, end));
        let judged = counts.rows >= self.file.rows_min.max(1) && !maintenance;
        let rules = DriftRules {
            false_discovery_rate: self.file.drift.false_discovery_rate,
            distance_min: self.file.drift.distance_min,
        };
        let (mut comparisons, mut findings) = (Vec::new(), Vec::new());
        if counts.rows > 0 {
            let columns = compare(&profile, &profile.counts, &counts, rules);
            if judged {
                finding::of_columns("the reference", &columns, &mut findings);
            }
            comparisons.push(Comparison { against: "the reference".to_owned(), columns });
            for against in &self.file.also_compare {
                let distance = match against {
                    Against::Previous => self.length(),
                    Against::LastWeek => WEEK,
                };
                let Some(before) = self.state.get(start - distance, version)?.filter(|before| before.judged) else {
                    continue;
                };
                let columns = compare(&profile, &before.counts, &counts, rules);
                if judged && findings.iter().all(|finding| finding.kind != Kind::Drift) {
                    finding::of_columns(against.words(), &columns, &mut findings);
                }
                comparisons.push(Comparison { against: against.words().to_owned(), columns });
            }
            if !maintenance {
                finding::of_schema(&profile, &counts, &mut findings);
                finding::of_answers(&profile, &counts, &mut findings);
            }
        }
        let mut performance = Performance::default();
        if let (true, Some(sums), Some(estimator)) =
            (self.file.performance.estimate, &counts.estimate, &profile.estimator)
        {
            performance.estimated = sums.measures(estimator);
            if judged {
                let (metric, tolerance) = self.file.expected(estimator);
                let kind = Kind::EstimatedPerformance;
                findings.extend(finding::of_performance(
                    kind,
                    &metric,
                    &performance.estimated,
                    estimator.reference(),
                    tolerance,
                ));
            }
        }
        Ok(WindowReport {
            version,
            start,
            end,
            partial: is_first,
            judged,
            maintenance,
            counts,
            comparisons,
            findings,
            performance,
        })
    }

    /// The rows of all versions, beside earlier windows.
    fn judge_volume(&mut self, rows: u64, is_first: bool, reports: &mut [WindowReport]) {
        /// Windows whose rows say what is usual.
        const WINDOWS: usize = 24;
        let Some(most) = reports.iter_mut().max_by_key(|report| report.counts.rows) else { return };
        if most.maintenance || is_first {
            return;
        }
        let bounds = [self.file.volume.at_least, self.file.volume.at_most];
        finding::of_volume(rows, bounds, &self.seen.volumes, &mut most.findings);
        // Nothing at all never becomes usual, however long an outage lasts.
        self.seen.volumes.extend((rows > 0).then_some(rows));
        let beyond = self.seen.volumes.len().saturating_sub(WINDOWS);
        self.seen.volumes.drain(..beyond);
    }
}

/// The versions of the rows; 0 where the log does not say.
fn versions(batch: &RecordBatch) -> Vec<u64> {
    match batch.column_by_name("_version").and_then(|of| of.as_primitive_opt::<Int64Type>()) {
        Some(values) => {
            (0..values.len()).map(|row| if values.is_null(row) { 0 } else { values.value(row).max(0) as u64 }).collect()
        }
        None => vec![0; batch.num_rows()],
    }
}

/// Rows of a batch: a slice where they follow each other.
fn take(batch: &RecordBatch, rows: Vec<u32>) -> Result<RecordBatch, MonitorError> {
    if let (Some(first), Some(last)) = (rows.first(), rows.last())
        && (last - first) as usize + 1 == rows.len()
        && rows.is_sorted()
    {
        return Ok(batch.slice(*first as usize, rows.len()));
    }
    take_record_batch(batch, &UInt32Array::from(rows))
        .map_err(|error| MonitorError::log(format!("rows of the log cannot be divided: {error}")))
}

/// The time in the name of a file of the server.
fn began(file: &LogFile) -> Option<Micros> {
    file.sources.first().and_then(|name| crate::log::began(name))
}
