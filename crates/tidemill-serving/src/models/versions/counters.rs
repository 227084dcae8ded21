//! The counters of single versions, as Prometheus text.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};

use super::served::VersionTarget;
use super::{ServedVersion, Snapshot};

/// The counters of one version.
#[derive(Debug, Default)]
pub(super) struct VersionCounters {
    requests: AtomicU64,
    rows: AtomicU64,
}

impl VersionCounters {
    /// Records that the version has predicted `rows` rows for a request.
    pub(super) fn ran(&self, rows: usize) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.rows.fetch_add(rows as u64, Ordering::Relaxed);
    }
}

/// The counters of each loaded version, as Prometheus text. The series of a version end with it, so that they do not
/// accumulate over the years.
pub(crate) fn versions_text(snapshot: &Snapshot<dyn VersionTarget>) -> String {
    let series = |value: fn(&ServedVersion) -> Option<(String, u64)>, name: &str, kind: &str, help: &str| {
        let mut text = String::new();
        for target in snapshot.loaded() {
            let model = target.version();
            if let Some((more, number)) = value(model) {
                let (model, version) = (escaped(&model.signature.name), model.number);
                let named = if more.is_empty() { "model" } else { "model_name" };
                // Writing to text cannot fail.
                let _ = writeln!(text, "{name}{{{named}=\"{model}\",version=\"{version}\"{more}}} {number}");
            }
        }
        if text.is_empty() { text } else { format!("# HELP {name} {help}\n# TYPE {name} {kind}\n{text}\n") }
    };
    series(
        |model| Some((String::new(), model.counters.requests.load(Ordering::Relaxed))),
        "tidemill_model_version_requests_total",
        "counter",
        "Requests a model version has predicted for.",
    ) + &series(
        |model| Some((String::new(), model.counters.rows.load(Ordering::Relaxed))),
        "tidemill_model_version_rows_total",
        "counter",
        "Rows a model version has predicted.",
    ) + &series(
        |model| model.mlmd.as_ref().map(|uuid| (format!(",mlmd_uuid=\"{}\"", escaped(uuid)), 1)),
        ":tensorflow:serving:mlmd_map",
        "gauge",
        "Ids of versions in ML Metadata.",
    )
}

/// Text as the value of a label.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
