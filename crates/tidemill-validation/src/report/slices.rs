//! The slices that a page can show.

use std::collections::HashMap;

use serde::Serialize;
use tidemill_core::{DatasetStatistics, SliceStatistics};

use super::stats::{StatsData, stats_data};

/// Features times slices that a page holds at most: a page stays a few megabytes.
const BLOCKS_MAX: usize = 4_000;

/// Slices by the dataset they are of, and how many had no room.
#[derive(Debug, Default, Serialize)]
pub(super) struct SlicesData {
    pub shown: Vec<SliceData>,
    pub left: usize,
}

#[derive(Debug, Serialize)]
pub(super) struct SliceData {
    pub name: String,
    /// The dataset, as a number.
    pub of: usize,
    /// The columns, as its heading.
    pub family: String,
    pub rows: u64,
    /// In the order of the features of the page.
    pub stats: Vec<Option<StatsData>>,
}

impl SlicesData {
    /// The slices of the datasets, as many as there is room for, largest first in each family.
    pub fn new(datasets: &[&DatasetStatistics], features: &[&str]) -> Self {
        let all: Vec<(usize, String, &SliceStatistics)> = datasets
            .iter()
            .enumerate()
            .flat_map(|(of, dataset)| {
                dataset.slices.iter().flat_map(move |family| {
                    let heading = family.columns.join(" × ");
                    family.slices.iter().map(move |slice| (of, heading.clone(), slice))
                })
            })
            .collect();
        let room = BLOCKS_MAX / features.len().max(1);
        let left = all.len().saturating_sub(room);
        let shown = all
            .into_iter()
            .take(room)
            .map(|(of, family, slice)| {
                let by_name: HashMap<&str, _> =
                    slice.statistics.features.iter().map(|feature| (feature.name.as_str(), feature)).collect();
                SliceData {
                    name: slice.statistics.name.clone(),
                    of,
                    family,
                    rows: slice.statistics.num_examples,
                    stats: features.iter().map(|name| by_name.get(name).map(|feature| stats_data(feature))).collect(),
                }
            })
            .collect();
        Self { shown, left }
    }

    pub fn is_empty(&self) -> bool {
        self.shown.is_empty() && self.left == 0
    }
}
