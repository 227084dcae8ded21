//! A small world that can be served and watched: requests with three inputs, a probability, and the truth.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use tempfile::TempDir;
use tidemill_core::SplitMix64;
use tidemill_monitor::config::MonitorFile;
use tidemill_monitor::{
    Micros, Monitor, MonitorError, Profile, Profiles, Round, StateFolder, Task, of_rows, parse_time, rfc3339,
};

pub const HOUR: Micros = 3_600_000_000;

/// What is different in a window.
#[derive(Debug, Clone, Copy, Default)]
pub struct Twist {
    /// Added to `amount`, in its standard deviations.
    pub shift: f64,
    /// The truth depends on the inputs otherwise.
    pub flipped: bool,
    /// Every answer is this.
    pub stuck: Option<f64>,
    /// Share of missing amounts.
    pub missing: f64,
    /// A kind that the reference does not have.
    pub new_kind: bool,
}

/// Rows of the world as the server logs them, and the truth.
pub fn rows(start: Micros, count: usize, seed: u64, twist: Twist) -> (RecordBatch, Vec<f64>) {
    let mut random = SplitMix64::new(seed.wrapping_mul(0x9e37_79b9).wrapping_add(start as u64));
    let mut normal = move || {
        let (a, b) = (random.unit().max(1e-12), random.unit());
        ((-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos(), b)
    };
    let (mut amounts, mut ages, mut kinds, mut answers, mut truths) = (vec![], vec![], vec![], vec![], vec![]);
    for _ in 0..count {
        let ((amount, _), (age, _), (noise, u)) = (normal(), normal(), normal());
        let amount = amount + twist.shift;
        let kind = if twist.new_kind && u < 0.2 { "new" } else { ["cash", "card", "app"][(u * 3.0) as usize % 3] };
        let score = 1.2 * amount - 0.6 * age;
        let chance = 1.0 / (1.0 + (-score).exp());
        let truth_chance = if twist.flipped { 1.0 - chance } else { chance };
        let (_, draw) = normal();
        amounts.push((draw.fract() >= twist.missing || noise > 1e9).then_some(50.0 + 10.0 * amount));
        ages.push((40.0 + 12.0 * age).round() as i64);
        kinds.push(kind);
        answers.push(twist.stuck.unwrap_or(chance));
        let (_, coin) = normal();
        truths.push(f64::from(u8::from(coin < truth_chance)));
    }
    let step = HOUR / count.max(1) as Micros;
    let time = |row: usize| rfc3339(start + row as Micros * step);
    let texts = |of: &dyn Fn(usize) -> String| Arc::new(StringArray::from_iter_values((0..count).map(of))) as ArrayRef;
    let batch = RecordBatch::try_from_iter([
        ("amount", Arc::new(Float64Array::from(amounts)) as ArrayRef),
        ("age", Arc::new(Int64Array::from(ages))),
        ("kind", Arc::new(StringArray::from(kinds))),
        ("_probability", Arc::new(Float64Array::from(answers))),
        ("_time", texts(&time)),
        ("_model", texts(&|_| "m".to_owned())),
        ("_version", Arc::new(Int64Array::from(vec![1; count]))),
        ("_request_id", texts(&|row| format!("{start}-{row}"))),
        ("_row", Arc::new(Int64Array::from(vec![0; count]))),
        ("_latency_us", Arc::new(Int64Array::from(vec![80; count]))),
    ]);
    (batch.unwrap(), truths)
}

/// The reference: rows of the untwisted world with their truth.
pub struct Reference {
    pub file: MonitorFile,
    pub rows: usize,
}

impl Profiles for Reference {
    fn profile(&mut self, version: u64, _: &StateFolder) -> Result<Option<Profile>, MonitorError> {
        let (batch, truths) = rows(0, self.rows, 77, Twist::default());
        let wanted: Vec<usize> = (0..4).collect();
        let batch = batch.project(&wanted).unwrap();
        let mut labels = |_: &RecordBatch| truths.iter().map(|truth| Some(*truth)).collect();
        let open = || Ok(std::iter::once(Ok(batch.clone())));
        of_rows(&self.file, version, "the world", open, Some((Task::Binary { threshold: 0.5 }, &mut labels))).map(Some)
    }
}

/// A log and a monitor of it.
pub struct World {
    pub dir: TempDir,
    pub file: MonitorFile,
    pub truths: BTreeMap<String, f64>,
    number: usize,
}

impl World {
    pub fn new(yaml: &str) -> Self {
        let mut value = serde_json::json!({ "version": 1, "monitor": "m", "model": "m", "log": "log" });
        let more: serde_json::Value = serde_json::from_str(yaml).unwrap();
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let file: MonitorFile = serde_json::from_value(value).unwrap();
        assert_eq!(tidemill_monitor::config::check(&file), []);
        Self { dir: tempfile::tempdir().unwrap(), file, truths: BTreeMap::new(), number: 0 }
    }

    pub fn start() -> Micros {
        parse_time("2026-03-02T00:00:00Z").unwrap()
    }

    pub fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// Serves an hour, counted from the start of the world.
    pub fn serve(&mut self, hour: i64, count: usize, twist: Twist) {
        let start = Self::start() + hour * HOUR;
        let (batch, truths) = rows(start, count, 1, twist);
        self.truths.extend(truths.into_iter().enumerate().map(|(row, truth)| (format!("{start}-{row}"), truth)));
        self.put(start, batch);
    }

    /// Writes a file of the log.
    pub fn put(&mut self, start: Micros, batch: RecordBatch) {
        self.number += 1;
        let stamp = rfc3339(start).replace(['-', ':'], "");
        let path = self.log().join(format!("m/{stamp}-1-{}.parquet", self.number));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        tidemill_data::write_table(&path, std::iter::once(Ok(batch))).unwrap();
    }

    pub fn open(&self, state: StateFolder) -> Monitor {
        Monitor::open(self.file.clone(), self.dir.path(), state).unwrap()
    }

    pub fn reference(&self) -> Reference {
        Reference { file: self.file.clone(), rows: 4000 }
    }

    /// Runs the monitor over all of the log.
    pub fn replay(&self) -> (Monitor, Round) {
        let mut monitor = self.open(StateFolder::in_memory());
        let round = monitor.round(&mut self.reference(), None).unwrap();
        (monitor, round)
    }

    pub fn state_dir(&self) -> StateFolder {
        StateFolder::on_disk(Path::new(&self.dir.path().join("state")))
    }
}
