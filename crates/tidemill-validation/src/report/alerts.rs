//! The list of alerts on top of the page. It needs no script.

use std::fmt::Write as _;

use tidemill_core::markup::{escape, marked};
use tidemill_core::{DatasetStatistics, shortened};

use crate::alerts::{Alert, AlertKind, alerts, first_of_each_kind};
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
    /// The reason; of several datasets, the one that it is of and the others that have the alert too.
    pub fn text(&self, datasets: &[&DatasetStatistics]) -> String {
        let Some((first, others)) = self.of.split_first().filter(|_| datasets.len() > 1) else {
            return self.alert.message.clone();
        };
        let name = |index: &usize| shortened(&datasets[*index].name);
        let others: Vec<String> = others.iter().map(name).collect();
        let also = if others.is_empty() { String::new() } else { format!(", also in {}", others.join(", ")) };
        format!("{} (in {}{also})", self.alert.message, name(first))
    }
}

/// The alerts of all datasets, worst first. What several datasets share is one alert, with the figure of the largest.
pub(super) fn noted(datasets: &[&DatasetStatistics]) -> Vec<Noted> {
    let mut out: Vec<Noted> = Vec::new();
    let mut known = std::collections::HashMap::new();
    let mut largest_first: Vec<(usize, &&DatasetStatistics)> = datasets.iter().enumerate().collect();
    largest_first.sort_by_key(|(_, dataset)| std::cmp::Reverse(dataset.num_examples));
    for (index, dataset) in largest_first {
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
    // A few of each kind before more of the worst kind.
    let (shown, folded) = first_of_each_kind(noted, FIRST, |noted| noted.alert.kind);
    for (index, of) in shown.iter().chain(&folded).take(LISTED_MAX).enumerate() {
        if index == shown.len() {
            let more = grouped(folded.len() as u64);
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
    out.push_str("</ul>");
    if noted.len() > LISTED_MAX {
        let left = grouped((noted.len() - LISTED_MAX) as u64);
        let _ = write!(out, "<p class=\"sub\">and {left} more, beside their features</p>");
    }
    out.push_str(if folded.is_empty() { "</div></section>" } else { "</details></div></section>" });
    out
}

/// The colour of a kind: what a model cannot use, and what it may use badly.
fn tone(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::Empty | AlertKind::Constant | AlertKind::NotFinite => "bad",
        _ => "warn",
    }
}
