//! The list of alerts on top of the page. It needs no script.

use std::fmt::Write as _;

use tidemill_core::markup::escape;
use tidemill_core::{DatasetStatistics, shortened};

use crate::alerts::{Alert, AlertKind, alerts};
use crate::validation::grouped;

/// Alerts shown before the reader asks for more.
const FIRST: usize = 8;
/// Alerts listed at most.
const LISTED_MAX: usize = 400;

/// An alert, and the datasets that have it.
#[derive(Debug)]
pub(super) struct Noted {
    pub alert: Alert,
    of: Vec<usize>,
}

impl Noted {
    /// The reason; which datasets, unless it is all of them.
    pub fn text(&self, datasets: &[&DatasetStatistics]) -> String {
        if self.of.len() == datasets.len() && datasets.len() == 1 {
            return self.alert.message.clone();
        }
        let names: Vec<String> = self.of.iter().map(|index| shortened(&datasets[*index].name)).collect();
        format!("{} (in {})", self.alert.message, names.join(", "))
    }
}

/// The alerts of all datasets, worst first. What several datasets share is one alert, with the figure of the first.
pub(super) fn noted(datasets: &[&DatasetStatistics]) -> Vec<Noted> {
    let mut out: Vec<Noted> = Vec::new();
    let mut known = std::collections::HashMap::new();
    for (index, dataset) in datasets.iter().enumerate() {
        for alert in alerts(dataset) {
            let at = *known.entry((alert.feature.clone(), alert.kind)).or_insert(out.len());
            match out.get_mut(at) {
                Some(same) => same.of.push(index),
                None => out.push(Noted { alert, of: vec![index] }),
            }
        }
    }
    out.sort_by_key(|noted| noted.alert.kind);
    out
}

/// The section; empty without alerts.
pub(super) fn alerts_section(noted: &[Noted], datasets: &[&DatasetStatistics], features: &[&str]) -> String {
    if noted.is_empty() {
        return String::new();
    }
    let place: std::collections::HashMap<&str, usize> =
        features.iter().enumerate().map(|(index, name)| (*name, index)).collect();
    let kinds = AlertKind::ALL.into_iter().filter_map(|kind| {
        let count = noted.iter().filter(|noted| noted.alert.kind == kind).count();
        (count > 0).then(|| format!("<span>{} {}</span>", grouped(count as u64), kind.title()))
    });
    let mut out = format!(
        "<section id=\"alerts\"><h2>Alerts<span>{}</span></h2><p class=\"kinds\">{}</p><div class=\"scroll alerts\"><ul>",
        grouped(noted.len() as u64),
        kinds.collect::<String>()
    );
    for (index, of) in noted.iter().take(LISTED_MAX).enumerate() {
        if index == FIRST {
            let more = grouped((noted.len() - FIRST) as u64);
            let _ = write!(out, "</ul><details><summary>Show {more} more</summary><ul>");
        }
        let Alert { feature, kind, .. } = &of.alert;
        let name = escape(feature);
        let name = place.get(feature.as_str()).map_or(name.clone(), |at| format!("<a href=\"#f{at}\">{name}</a>"));
        let _ = write!(
            out,
            "<li><span class=\"name\">{name}</span><span class=\"chip {}\">{}</span><span>{}</span></li>",
            tone(*kind),
            kind.title(),
            marked(&of.text(datasets))
        );
    }
    if noted.len() > FIRST {
        out.push_str("</ul>");
        if noted.len() > LISTED_MAX {
            let left = grouped((noted.len() - LISTED_MAX) as u64);
            let _ = write!(out, "<p class=\"sub\">and {left} more, beside their features</p>");
        }
        out.push_str("</details></div></section>");
    } else {
        out.push_str("</ul></div></section>");
    }
    out
}

/// The colour of a kind: what a model cannot use, and what it may use badly.
fn tone(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::Empty | AlertKind::Constant | AlertKind::NotFinite => "bad",
        _ => "warn",
    }
}

/// Text with what stands between backticks as code.
pub(super) fn marked(text: &str) -> String {
    let parts = text.split('`').map(escape).enumerate();
    parts.map(|(index, part)| if index % 2 == 1 { format!("<code>{part}</code>") } else { part }).collect()
}
