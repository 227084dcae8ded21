//! `monitor.yaml`: what is watched, against which reference, who is told, what is done.

mod act;
mod check;
mod labels;

pub use act::{Action, ActionSpec, Brake, Receiver, ReceiverSpec};
pub use check::check;
pub use labels::{EventRule, LabelSpec};

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::log::Micros;

/// The name of the file.
pub const MONITOR_FILE: &str = "monitor.yaml";

/// A span of time such as `1h`, in the file as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span(pub u64);

impl Span {
    /// In microseconds.
    pub const fn micros(self) -> Micros {
        (self.0 as Micros).saturating_mul(1_000_000)
    }
}

impl TryFrom<String> for Span {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        tidemill_core::seconds_of_span(&text).map(Self)
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        tidemill_core::span_of_seconds(span.0)
    }
}

/// A monitor as its file describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonitorFile {
    /// The version of the format: 1.
    pub version: u32,
    /// The name of the monitor, which its state and its alerts carry.
    pub monitor: String,
    /// The model that is watched.
    pub model: String,
    /// The folder that `serve --log` writes to.
    pub log: PathBuf,
    /// The length of a window: `1h`, `1d`, `1w`. Windows begin at whole multiples of it since 1970 (weeks on Mondays), UTC.
    #[serde(default = "hour")]
    pub window: Span,
    /// How long after its end a window waits for requests that are logged late.
    #[serde(default = "lateness")]
    pub lateness: Span,
    /// What windows are compared with.
    #[serde(default)]
    pub reference: Reference,
    /// Comparisons beside that with the reference.
    #[serde(default)]
    pub also_compare: Vec<Against>,
    /// Windows with fewer rows are counted and not judged.
    #[serde(default = "rows_min")]
    pub rows_min: u64,
    /// Columns that are not watched.
    #[serde(default)]
    pub exclude: Vec<String>,
    /// The weight of columns, for the order of causes and the severity. Default: all inputs the same.
    #[serde(default)]
    pub importance: BTreeMap<String, f64>,
    /// When a difference is drift.
    #[serde(default)]
    pub drift: DriftSpec,
    /// Bounds of the rows of a window. Default: what earlier windows had.
    #[serde(default)]
    pub volume: VolumeSpec,
    /// When an alert fires, and whose it is.
    #[serde(default)]
    pub alert: AlertSpec,
    /// Ground truth.
    #[serde(default)]
    pub labels: Option<LabelSpec>,
    /// What is expected of the model.
    #[serde(default)]
    pub performance: PerformanceSpec,
    /// Who is told.
    #[serde(default)]
    pub receivers: BTreeMap<String, ReceiverSpec>,
    /// What is done.
    #[serde(default)]
    pub actions: BTreeMap<String, ActionSpec>,
}

/// What windows are compared with.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reference {
    /// The evaluation rows of the run that made the version, with the model's predictions of them.
    #[default]
    Training,
    /// The first rows of the log.
    Learn,
    /// Rows of a file, which has the columns of the log.
    File(PathBuf),
    /// A period of the log.
    Period {
        /// Its beginning: `2026-03-01T00:00:00Z`.
        from: String,
        /// Its end.
        to: String,
    },
}

/// An earlier window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Against {
    /// The window before.
    Previous,
    /// The same window a week before.
    LastWeek,
}

impl Against {
    /// In words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Previous => "the window before",
            Self::LastWeek => "the same window last week",
        }
    }
}

/// When a difference is drift.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DriftSpec {
    /// Share of false alarms among the columns of a window that are called drifted.
    pub false_discovery_rate: f64,
    /// The least Jensen-Shannon divergence that counts, in bits. Windows of the reference raise it.
    pub distance_min: f64,
}

impl Default for DriftSpec {
    fn default() -> Self {
        Self { false_discovery_rate: 0.05, distance_min: crate::watch::DISTANCE_MIN }
    }
}

/// Bounds of the rows of a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct VolumeSpec {
    /// Fewer rows are an alert.
    pub at_least: Option<u64>,
    /// So are more.
    pub at_most: Option<u64>,
}

/// When an alert fires, and whose it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AlertSpec {
    /// Unusual windows, of the last `of`, from which an alert fires.
    pub after: usize,
    /// How many windows are looked at.
    pub of: usize,
    /// Who looks after the model.
    pub owner: Option<String>,
    /// What to do, as an address.
    pub runbook: Option<String>,
    /// An alert is told again while it fires, this often.
    pub repeat: Span,
    /// Periods in which nothing is judged.
    pub maintenance: Vec<Maintenance>,
}

impl Default for AlertSpec {
    fn default() -> Self {
        Self { after: 2, of: 3, owner: None, runbook: None, repeat: Span(4 * 3600), maintenance: Vec::new() }
    }
}

/// A period in which nothing is judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Maintenance {
    /// Its beginning: `2026-03-01T02:00:00Z`, or `02:00` for every day, UTC.
    pub from: String,
    /// Its end.
    pub to: String,
}

/// What is expected of the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PerformanceSpec {
    /// The metric. Default: `roc_auc` of a probability, `mae` of a number.
    pub metric: Option<String>,
    /// How much worse than in the reference it may be. Default: 0.05, of `mae` and `rmse` a tenth of the reference.
    pub tolerance: Option<f64>,
    /// Whether performance is estimated for windows without labels.
    pub estimate: bool,
}

impl Default for PerformanceSpec {
    fn default() -> Self {
        Self { metric: None, tolerance: None, estimate: true }
    }
}

const fn hour() -> Span {
    Span(3600)
}

const fn lateness() -> Span {
    Span(600)
}

const fn rows_min() -> u64 {
    100
}

impl MonitorFile {
    /// The metric that is watched, and how much worse than in the reference it may be.
    pub fn expected(&self, estimator: &crate::Estimator) -> (String, f64) {
        let metric = self.performance.metric.clone().unwrap_or_else(|| estimator.task().metrics()[0].to_owned());
        let reference = estimator.reference().get(&metric).map_or(0.0, |measure| measure.value.abs());
        let usual = if matches!(metric.as_str(), "mae" | "rmse") { reference * 0.1 } else { 0.05 };
        (metric, self.performance.tolerance.unwrap_or(usual))
    }
}
