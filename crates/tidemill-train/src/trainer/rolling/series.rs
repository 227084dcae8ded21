//! Series of labels by key and time, and what they would be forecast to be without a model.

use std::collections::HashMap;

/// By row its series, its time in seconds since 1970 and its label.
pub(super) struct Series {
    pub(super) keys: Vec<u32>,
    pub(super) times: Vec<f64>,
    pub(super) labels: Vec<f64>,
    /// By series its rows, oldest first.
    by_key: Vec<Vec<u32>>,
}

/// How a value is forecast from earlier ones of its series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Baseline {
    /// The last one.
    Last,
    /// The last one that is a whole number of seasons of so many seconds back.
    Seasonal(f64),
}

impl Series {
    /// Series of rows; `keys` are texts that are equal in rows of one series.
    pub(super) fn new(keys: Vec<String>, times: Vec<f64>, labels: Vec<f64>) -> Self {
        let mut codes: HashMap<String, u32> = HashMap::new();
        let keys: Vec<u32> = keys
            .into_iter()
            .map(|key| {
                let next = codes.len() as u32;
                *codes.entry(key).or_insert(next)
            })
            .collect();
        let mut by_key: Vec<Vec<u32>> = vec![Vec::new(); codes.len()];
        for (row, key) in keys.iter().enumerate() {
            by_key[*key as usize].push(row as u32);
        }
        for rows in &mut by_key {
            rows.sort_by(|a, b| times[*a as usize].total_cmp(&times[*b as usize]).then(a.cmp(b)));
        }
        Self { keys, times, labels, by_key }
    }

    /// The label of the newest row of a series that is not after `time`.
    fn known_at(&self, key: u32, time: f64) -> Option<f64> {
        let rows = &self.by_key[key as usize];
        let after = rows.partition_point(|row| self.times[*row as usize] <= time);
        after.checked_sub(1).map(|at| self.labels[rows[at] as usize])
    }

    /// What the label of `row` is forecast to be from what is known at `origin`; `otherwise` where nothing of its series is.
    pub(super) fn forecast(&self, row: usize, origin: f64, baseline: Baseline, otherwise: f64) -> f64 {
        let at = match baseline {
            Baseline::Last => origin,
            Baseline::Seasonal(season) => {
                let time = self.times[row];
                time - season * ((time - origin) / season).ceil().max(1.0)
            }
        };
        let key = self.keys[row];
        self.known_at(key, at).or_else(|| self.known_at(key, origin)).unwrap_or(otherwise)
    }

    /// The mean absolute difference of labels until `origin` from the label one season earlier, or from the one before: what
    /// errors are scaled by. `None` if there are no such pairs, or no differences.
    pub(super) fn step_size(&self, origin: f64, baseline: Baseline) -> Option<f64> {
        let (mut sum, mut pairs) = (0.0, 0_u64);
        for rows in &self.by_key {
            let known = rows.partition_point(|row| self.times[*row as usize] <= origin);
            for (at, row) in rows[..known].iter().enumerate() {
                let before = match baseline {
                    Baseline::Last => at.checked_sub(1).map(|before| rows[before]),
                    Baseline::Seasonal(season) => {
                        let wanted = self.times[*row as usize] - season;
                        let found = rows[..at].partition_point(|row| self.times[*row as usize] < wanted);
                        rows[..at].get(found).filter(|row| self.times[**row as usize] == wanted).copied()
                    }
                };
                if let Some(before) = before {
                    sum += (self.labels[*row as usize] - self.labels[before as usize]).abs();
                    pairs += 1;
                }
            }
        }
        (sum > 0.0).then(|| sum / pairs as f64)
    }
}
