//! The search.

use rayon::prelude::*;
use tidemill_core::TaskKind;

use super::column::FinderColumn;
use super::moments::{Moments, adjusted_p_values, effect_size, welch_p_value};
use super::space::{Family, Pair};
use super::{Condition, FoundSlice, SliceSearch};
use crate::EvaluationTable;
use crate::intervals::draw;
use crate::metrics::{log_loss, metrics_of};

/// The maximum number of rows searched; of a larger split an even sample is.
const SAMPLE_ROWS: u64 = 1_000_000;
/// How many candidates are examined closely, best first, before the search stops.
const CANDIDATES_MAX: usize = 2_000;
/// A slice is implied by a wider one unless the rest of the wider one does better with this certainty.
const IMPLIED_P_VALUE: f64 = 0.001;

/// Columns that are crossed with each other at most. Pairs grow with the square of the columns: of more, those whose own
/// values tell most of the loss are crossed, and the others are searched alone.
const COLUMNS_CROSSED_MAX: usize = 32;

/// Options of the search.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchOptions {
    /// How many slices to report.
    pub top: usize,
    /// The fewest rows a slice may have; by default half a percent of the rows, and 30 at least.
    pub min_rows: Option<u64>,
    /// The least effect size.
    pub min_effect_size: f64,
    /// The largest adjusted p-value.
    pub significance: f64,
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self { top: 5, min_rows: None, min_effect_size: 0.1, significance: 0.05 }
    }
}

/// The rows of a split in the search: all, or a fixed even sample of about a million.
#[derive(Debug, Clone, Copy)]
pub struct SampleFilter {
    share: f64,
}

impl SampleFilter {
    /// The filter for a split of `rows` rows.
    pub fn new(rows: u64) -> Self {
        Self { share: SAMPLE_ROWS as f64 / rows.max(1) as f64 }
    }

    /// Whether row `row` of the split is in the sample.
    pub fn takes(self, row: u32) -> bool {
        self.share >= 1.0 || draw(u32::MAX, row) < self.share
    }
}

/// The rows and columns of a search.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FinderSample {
    /// Which rows of the split, ascending.
    pub rows: Vec<u32>,
    /// Their binned columns.
    pub columns: Vec<FinderColumn>,
    /// Requested columns that are not searchable.
    pub skipped_columns: Vec<String>,
}

struct Candidate {
    family: usize,
    pair: Pair,
    moments: Moments,
    effect: f64,
    p_value: f64,
    adjusted: f64,
}

/// Searches for the slices on which the candidate of `table` performs worst. Weights are ignored: rows are counted.
pub fn search(
    table: &EvaluationTable,
    sample: &FinderSample,
    options: &SearchOptions,
    decision_threshold: f64,
) -> SliceSearch {
    let mut losses: Vec<f64> = sample
        .rows
        .par_iter()
        .map(|row| {
            let (score, label) = (table.predictions[*row as usize], table.labels[*row as usize]);
            match table.task.kind() {
                TaskKind::Binary => log_loss(score, label),
                // The score is the probability of the true label.
                TaskKind::MultiClass => log_loss(score, 1.0),
                _ => (score - label).abs(),
            }
        })
        .collect();
    let rows = losses.len();
    let mean = losses.iter().sum::<f64>() / rows.max(1) as f64;
    for loss in &mut losses {
        *loss -= mean;
    }
    let min_rows = options.min_rows.unwrap_or_else(|| (rows as u64 / 200).max(30)).max(2);

    let space = Space::new(&sample.columns, &losses);
    let tried = space.candidates(min_rows as f64);
    let tried_count = tried.len() as u64;
    let chosen = space.choose(tried, min_rows as f64, options);

    let slices = chosen
        .into_iter()
        .map(|candidate| {
            let family = &space.families[candidate.family];
            let ids: Vec<usize> = (0..rows)
                .filter(|row| family.contains(candidate.pair, space.columns, *row))
                .map(|row| sample.rows[row] as usize)
                .collect();
            let members = table.ordered_part(&ids);
            FoundSlice {
                conditions: space.conditions(&candidate),
                rows: candidate.moments.n as u64,
                share: candidate.moments.n / rows as f64,
                loss: candidate.moments.mean() + mean,
                rest_loss: space.whole.minus(candidate.moments).mean() + mean,
                effect_size: candidate.effect,
                p_value: candidate.p_value,
                adjusted_p_value: candidate.adjusted,
                metrics: metrics_of(&table.task, &members, decision_threshold),
            }
        })
        .collect();
    SliceSearch {
        loss: match table.task.kind() {
            TaskKind::Binary | TaskKind::MultiClass => "log_loss".into(),
            _ => "absolute_error".into(),
        },
        rows: rows as u64,
        columns: sample.columns.iter().map(|column| column.name.clone()).collect(),
        skipped_columns: sample.skipped_columns.clone(),
        columns_alone: space.alone(),
        tried: tried_count,
        min_rows,
        min_effect_size: options.min_effect_size,
        significance: options.significance,
        slices,
    }
}

struct Space<'a> {
    columns: &'a [FinderColumn],
    losses: &'a [f64],
    families: Vec<Family>,
    /// The columns that were crossed with each other, ascending.
    crossed: Vec<usize>,
    whole: Moments,
}

/// The columns to cross with each other, of those with these families: all, or those that explain most of the loss.
fn crossed(families: &[Family]) -> Vec<usize> {
    let mut columns: Vec<usize> = (0..families.len()).collect();
    if columns.len() > COLUMNS_CROSSED_MAX {
        let explained: Vec<f64> = families.iter().map(Family::explained_squares).collect();
        columns.sort_by(|a, b| explained[*b].total_cmp(&explained[*a]));
        columns.truncate(COLUMNS_CROSSED_MAX);
        columns.sort_unstable();
    }
    columns
}

impl<'a> Space<'a> {
    fn new(columns: &'a [FinderColumn], losses: &'a [f64]) -> Self {
        let mut families: Vec<Family> =
            (0..columns.len()).into_par_iter().map(|first| Family::new(columns, first, None, losses)).collect();
        let crossed = crossed(&families);
        let pairs: Vec<(usize, usize)> =
            crossed.iter().enumerate().flat_map(|(at, a)| crossed[at + 1..].iter().map(move |b| (*a, *b))).collect();
        let of_pairs: Vec<Family> = pairs.par_iter().map(|(a, b)| Family::new(columns, *a, Some(*b), losses)).collect();
        families.extend(of_pairs);
        let mut whole = Moments::default();
        for loss in losses {
            whole.push(*loss);
        }
        Self { columns, losses, families, crossed, whole }
    }

    /// Names of the columns that were not crossed with others.
    fn alone(&self) -> Vec<String> {
        let alone = (0..self.columns.len()).filter(|column| self.crossed.binary_search(column).is_err());
        alone.map(|column| self.columns[column].name.clone()).collect()
    }

    /// Every slice that is large enough (and leaves enough rows outside), tested against the other rows.
    fn candidates(&self, min_rows: f64) -> Vec<Candidate> {
        let mut found: Vec<Candidate> = self
            .families
            .par_iter()
            .enumerate()
            .flat_map_iter(|(number, family)| {
                family.pairs(self.columns).into_iter().filter_map(move |pair| {
                    let moments = family.moments(pair);
                    let rest = self.whole.minus(moments);
                    (moments.n >= min_rows && rest.n >= min_rows).then(|| Candidate {
                        family: number,
                        pair,
                        moments,
                        effect: effect_size(moments, rest),
                        p_value: welch_p_value(moments, rest),
                        adjusted: 1.0,
                    })
                })
            })
            .collect();
        let p_values: Vec<f64> = found.iter().map(|candidate| candidate.p_value).collect();
        for (candidate, adjusted) in found.iter_mut().zip(adjusted_p_values(&p_values)) {
            candidate.adjusted = adjusted;
        }
        found
    }

    /// The best slices that add information, largest effect first.
    fn choose(&self, tried: Vec<Candidate>, min_rows: f64, options: &SearchOptions) -> Vec<Candidate> {
        let mut candidates: Vec<Candidate> = tried
            .into_iter()
            .filter(|c| c.adjusted <= options.significance && c.effect >= options.min_effect_size)
            .collect();
        // A stable sort: candidates of equal effect and size stay in the order of their families.
        candidates.sort_by(|a, b| b.effect.total_cmp(&a.effect).then(b.moments.n.total_cmp(&a.moments.n)));
        let mut covered = vec![false; self.losses.len()];
        let mut chosen: Vec<Candidate> = Vec::new();
        for candidate in candidates.into_iter().take(CANDIDATES_MAX) {
            if chosen.len() == options.top {
                break;
            }
            if self.is_implied(&candidate) || !self.adds_information(&candidate, &covered, min_rows, options) {
                continue;
            }
            let family = &self.families[candidate.family];
            for (row, covered) in covered.iter_mut().enumerate() {
                *covered |= family.contains(candidate.pair, self.columns, row);
            }
            chosen.push(candidate);
        }
        chosen
    }

    /// Whether a wider slice is as bad: its rows beyond the candidate are not clearly better.
    fn is_implied(&self, candidate: &Candidate) -> bool {
        let family = &self.families[candidate.family];
        family.wider(candidate.pair, self.columns).into_iter().any(|outer| {
            let beyond = family.moments(outer).minus(candidate.moments);
            // No rows beyond: the same rows under a simpler name; the test returns 1.
            welch_p_value(candidate.moments, beyond) > IMPLIED_P_VALUE
        })
    }

    /// Whether the slice adds information: most of its rows belong to no slice chosen before, and it is still bad
    /// without the others.
    fn adds_information(
        &self,
        candidate: &Candidate,
        covered: &[bool],
        min_rows: f64,
        options: &SearchOptions,
    ) -> bool {
        let family = &self.families[candidate.family];
        let (mut inside, mut outside) = (Moments::default(), Moments::default());
        for (row, loss) in self.losses.iter().enumerate().filter(|(row, _)| !covered[*row]) {
            if family.contains(candidate.pair, self.columns, row) {
                inside.push(*loss);
            } else {
                outside.push(*loss);
            }
        }
        inside.n >= min_rows
            && inside.n * 2.0 >= candidate.moments.n
            && effect_size(inside, outside) >= options.min_effect_size
            && welch_p_value(inside, outside) <= options.significance
    }

    fn conditions(&self, candidate: &Candidate) -> Vec<Condition> {
        let family = &self.families[candidate.family];
        let first = self.columns[family.first].condition(candidate.pair.first);
        let second = family.second.map(|second| self.columns[second].condition(candidate.pair.second));
        [first].into_iter().chain(second).collect()
    }
}
