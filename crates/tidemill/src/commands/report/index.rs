//! The page that links the reports of a run.

use std::fmt::Write as _;

use tidemill_core::markup::{About, BASE_STYLE, escape, fill, marked};
use tidemill_metadata::ExecutionState;

use super::Found;
use crate::ui::seconds;

const PAGE: &str = include_str!("index.html");

/// One report.
pub(super) struct Entry {
    pub title: String,
    /// Relative to the index.
    pub address: String,
    pub text: String,
    pub bad: bool,
}

pub(super) fn index_page(found: &Found, about: &About, entries: &[Entry]) -> String {
    let title = format!("Reports of {}, run {}", found.run.pipeline, found.run.id.short());
    let mut cards = String::new();
    for entry in entries {
        let _ = write!(
            cards,
            "<a class=\"card{}\" href=\"{}\"><b>{}</b><span>{}</span></a>",
            if entry.bad { " bad" } else { "" },
            escape(&entry.address),
            escape(&entry.title),
            escape(&entry.text)
        );
    }
    let parts = [
        ("{{title}}", escape(&title)),
        ("{{style}}", BASE_STYLE.to_owned()),
        ("{{about}}", about.html()),
        ("{{cards}}", cards),
        ("{{state}}", found.run.state.name().to_lowercase()),
        ("{{steps}}", steps(found)),
    ];
    fill(PAGE, &parts)
}

fn steps(found: &Found) -> String {
    let mut out = String::new();
    let place =
        |name: &str| found.run.plan.as_array().and_then(|plan| plan.iter().position(|step| step["step"] == name));
    let mut steps: Vec<_> = found.steps.iter().collect();
    steps.sort_by_key(|record| place(&record.execution.step).unwrap_or(usize::MAX));
    for record in steps {
        let execution = &record.execution;
        let time = execution.finished_at.filter(|_| execution.state != ExecutionState::Cached);
        let time = time.map(|end| seconds(end.duration_since(execution.started_at).as_secs_f64())).unwrap_or_default();
        let headline = execution.outcome.as_ref().map(|outcome| outcome.headline.clone()).unwrap_or_default();
        let _ = write!(
            out,
            "<tr><th scope=\"row\">{}</th><td>{}</td><td class=\"{}\">{}</td><td class=\"r\">{time}</td><td>{}</td></tr>",
            escape(&execution.step),
            escape(&execution.component),
            if execution.state == ExecutionState::Failed { "bad" } else { "" },
            execution.state.name().to_lowercase(),
            marked(&headline)
        );
    }
    out
}
