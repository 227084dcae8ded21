//! What moved, on top of the page of two datasets, with what the figures mean. It needs no script.

use std::fmt::Write as _;

use tidemill_core::markup::{escape, marked};
use tidemill_core::{DatasetStatistics, Distance};

use crate::drift::{DriftReport, FeatureDrift, movement};
use crate::validation::{grouped, short_number};

/// Features listed at most.
const LISTED_MAX: usize = 100;

/// The section of features beyond their threshold; without one, only what the figures mean.
pub(super) fn moved_section(
    report: &DriftReport,
    baseline: &DatasetStatistics,
    current: &DatasetStatistics,
    features: &[&str],
) -> String {
    let far: Vec<&FeatureDrift> = report.features.iter().filter(|feature| feature.exceeded()).collect();
    let mut out =
        format!("<section id=\"moved\"><h2>Beyond a threshold<span>{}</span></h2>", grouped(far.len() as u64));
    if far.is_empty() {
        out.push_str("<p class=\"sub\">No feature is beyond its threshold.</p>");
    } else {
        out.push_str("<div class=\"scroll alerts moved\"><ul>");
    }
    for feature in far.iter().take(LISTED_MAX) {
        let name = feature.distance.feature.as_str();
        let sides = baseline.feature(name).zip(current.feature(name));
        let moved = sides.map(|(a, b)| movement(a, b, report.by_weight)).unwrap_or_default();
        let linked = features
            .iter()
            .position(|known| *known == name)
            .map_or_else(|| escape(name), |at| format!("<a href=\"#f{at}\">{}</a>", escape(name)));
        let over: Vec<String> = feature
            .measured
            .iter()
            .filter(|measured| measured.exceeded)
            .map(|measured| {
                format!(
                    "{} {}, threshold {}",
                    distance_title(measured.distance),
                    short_number(measured.value),
                    short_number(measured.threshold)
                )
            })
            .collect();
        let _ = write!(
            out,
            "<li><span class=\"name\">{linked}</span><span>{}<span class=\"sub\">{}</span></span></li>",
            marked(&moved),
            over.join("; ")
        );
    }
    if !far.is_empty() {
        out.push_str("</ul></div>");
    }
    let used: Vec<Distance> = Distance::ALL
        .into_iter()
        .filter(|which| report.features.iter().any(|of| of.measured.iter().any(|measured| measured.distance == *which)))
        .collect();
    for which in used {
        let _ = write!(out, "<p class=\"sub\">{}: {}</p>", distance_title(which), meaning(which));
    }
    out.push_str("</section>");
    out
}

/// The name of a distance in a sentence.
pub(super) const fn distance_title(distance: Distance) -> &'static str {
    match distance {
        Distance::LInfinity => "L-infinity distance",
        Distance::JensenShannon => "Jensen-Shannon divergence",
        Distance::NormalizedAbsoluteDifference => "normalized absolute difference",
        Distance::PopulationStabilityIndex => "population stability index",
        Distance::KolmogorovSmirnov => "Kolmogorov-Smirnov distance",
        Distance::Wasserstein => "Wasserstein distance",
    }
}

/// What the value of a distance says.
const fn meaning(distance: Distance) -> &'static str {
    match distance {
        Distance::LInfinity => {
            "the largest change of the share of one value, from 0 to 1. 0.1 means that a value gained or lost 10 points of 100."
        }
        Distance::JensenShannon => {
            "how different two distributions are. 0 means the same, 1 means that they have no value in common."
        }
        Distance::NormalizedAbsoluteDifference => {
            "the largest change of the count of one value, as a share of all values."
        }
        Distance::PopulationStabilityIndex => {
            "how different two distributions are. 0 means the same; above 0.1 is usually called a moderate change, above 0.25 a large one."
        }
        Distance::KolmogorovSmirnov => {
            "the largest difference of the shares below any number, from 0 to 1. 0.1 means that at some number 10 points of 100 more of the values are below it."
        }
        Distance::Wasserstein => "how far the values moved on average, in the unit of the feature.",
    }
}
