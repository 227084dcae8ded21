//! The search.

use std::collections::HashMap;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use tidemill_core::TaskKind;

use super::chance::{Chance, z};
use super::column::FinderColumn;
use super::moments::{Moments, effect_size, welch_p_value};
use super::space::{DEPTH_MAX, Family, LossTable, Ranges};
use super::{Condition, Confirmation, FoundSlice, SliceSearch};
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
/// The same for crossings of three.
const COLUMNS_CROSSED_IN_THREES_MAX: usize = 20;
/// Crossings of three with more cells are not tried: they would have few rows each.
const CELLS_MAX: usize = 150_000;

/// How slices are ranked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RankBy {
    /// By how much worse the model does there.
    #[default]
    Effect,
    /// By what it adds to the loss of all rows: how much worse, times the rows.
    Cost,
}

/// Options of the search.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchOptions {
    /// How many slices to report.
    pub top: usize,
    /// Conditions of a slice at most: 1 to 3.
    pub depth: usize,
    /// How slices are ranked.
    pub rank_by: RankBy,
    /// The fewest rows a slice may have; by default half a percent of the rows, and 30 at least.
    pub min_rows: Option<u64>,
    /// The least effect size.
    pub min_effect_size: f64,
    /// The largest p-value, corrected for the search.
    pub significance: f64,
}

impl Default for SearchOptions {
    fn default() -> Self {
        Self {
            top: 5,
            depth: DEPTH_MAX,
            rank_by: RankBy::Effect,
            min_rows: None,
            min_effect_size: 0.1,
            significance: 0.05,
        }
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
    family: Family,
    ranges: Ranges,
    moments: Moments,
    effect: f64,
    p_value: f64,
    adjusted: f64,
}

/// Searches for the slices on which the candidate of `table` performs worst. Weights are ignored: rows are counted.
///
/// Slices are found on half of the rows and confirmed on the other half, which the search has not seen.
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
    let is_searched = |row: &u32| draw(u32::MAX - 1, sample.rows[*row as usize]) < 0.5;
    let (searched, held_out): (Vec<u32>, Vec<u32>) = (0..rows as u32).partition(is_searched);

    let space = Space::new(&sample.columns, &losses, searched, held_out, options.depth);
    let (tried, candidates) = space.candidates(min_rows as f64 / 2.0, options);
    let (chosen, unconfirmed) = space.choose(candidates, min_rows as f64 / 2.0, options);

    let slices = chosen
        .into_iter()
        .map(|(candidate, confirmation)| space.found(&candidate, confirmation, mean, table, sample, decision_threshold))
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
        depth: options.depth as u64,
        tried,
        unconfirmed,
        min_rows,
        min_effect_size: options.min_effect_size,
        significance: options.significance,
        slices,
    }
}

struct Space<'a> {
    columns: &'a [FinderColumn],
    losses: &'a [f64],
    searched: Vec<u32>,
    held_out: Vec<u32>,
    families: Vec<Family>,
    /// The columns that were crossed with each other, ascending.
    crossed: Vec<usize>,
    /// The losses of the rows that are searched.
    whole: Moments,
}

/// The losses of some rows.
fn moments_of(losses: impl Iterator<Item = f64>) -> Moments {
    let mut moments = Moments::default();
    losses.for_each(|loss| moments.push(loss));
    moments
}

impl<'a> Space<'a> {
    fn new(
        columns: &'a [FinderColumn],
        losses: &'a [f64],
        searched: Vec<u32>,
        held_out: Vec<u32>,
        depth: usize,
    ) -> Self {
        let mut families: Vec<Family> = (0..columns.len()).map(|column| Family::new(columns, &[column])).collect();
        // The columns by what they tell of the loss.
        let mut telling: Vec<usize> = (0..columns.len()).collect();
        let explained: Vec<f64> = families
            .par_iter()
            .map(|family| LossTable::new(*family, columns, &searched, losses).explained_squares())
            .collect();
        telling.sort_by(|a, b| explained[*b].total_cmp(&explained[*a]));
        let most_telling = |count: usize| {
            let mut some: Vec<usize> = telling.iter().copied().take(count).collect();
            some.sort_unstable();
            some
        };
        let crossed = most_telling(if depth > 1 { COLUMNS_CROSSED_MAX } else { 0 });
        for (at, a) in crossed.iter().enumerate() {
            families.extend(crossed[at + 1..].iter().map(|b| Family::new(columns, &[*a, *b])));
        }
        if depth > 2 {
            let threes = most_telling(COLUMNS_CROSSED_IN_THREES_MAX);
            for (first, a) in threes.iter().enumerate() {
                for (second, b) in threes.iter().enumerate().skip(first + 1) {
                    let of = threes[second + 1..].iter().map(|c| Family::new(columns, &[*a, *b, *c]));
                    families.extend(of.filter(|family| family.cells() <= CELLS_MAX));
                }
            }
        }
        let whole = moments_of(searched.iter().map(|row| losses[*row as usize]));
        Self { columns, losses, searched, held_out, families, crossed, whole }
    }

    /// Names of the columns that were not crossed with others.
    fn alone(&self) -> Vec<String> {
        let alone = (0..self.columns.len()).filter(|column| self.crossed.binary_search(column).is_err());
        alone.map(|column| self.columns[column].name.clone()).collect()
    }

    fn table(&self, family: Family) -> LossTable {
        LossTable::new(family, self.columns, &self.searched, self.losses)
    }

    /// The losses of both halves.
    fn both_tables(&self, family: Family) -> [LossTable; 2] {
        [&self.searched, &self.held_out].map(|rows| LossTable::new(family, self.columns, rows, self.losses))
    }

    /// How many slices are large enough (and leave enough rows outside), and those of them that are bad enough: every one,
    /// for no part of a slice with too few rows has enough.
    fn candidates(&self, min_rows: f64, options: &SearchOptions) -> (u64, Vec<Candidate>) {
        let rows = self.whole.n;
        // Centred on all rows, the half that is searched has a mean of its own.
        let mean = self.whole.mean();
        let deviation = (self.whole.squares / rows.max(1.0) - mean * mean).max(0.0).sqrt();
        let of_family = |family: &Family| {
            let table = self.table(*family);
            let slices = family.slices(self.columns, |slice| table.count(*slice) >= min_rows);
            let mut tried = 0_u64;
            let mut found = Vec::new();
            for ranges in slices {
                let moments = table.moments(ranges);
                let rest = self.whole.minus(moments);
                if rest.n < min_rows {
                    continue;
                }
                tried += 1;
                let effect = effect_size(moments, rest);
                if effect >= options.min_effect_size {
                    let p_value = welch_p_value(moments, rest);
                    if p_value <= options.significance {
                        found.push(Candidate { family: *family, ranges, moments, effect, p_value, adjusted: 1.0 });
                    }
                }
            }
            (tried, found)
        };
        let parts: Vec<(u64, Vec<Candidate>)> = self.families.par_iter().map(of_family).collect();
        let tried = parts.iter().map(|(tried, _)| tried).sum();
        let mut found: Vec<Candidate> = parts.into_iter().flat_map(|(_, found)| found).collect();
        if found.is_empty() {
            return (tried, found);
        }
        let chance = Chance::of(&self.families, self.columns, &self.searched, self.losses, min_rows / rows.max(1.0));
        for candidate in &mut found {
            let Moments { n, sum, .. } = candidate.moments;
            let by_chance = chance.p_value(z(sum - n * mean, n, rows, deviation));
            candidate.adjusted = by_chance.max(candidate.p_value);
        }
        found.retain(|candidate| candidate.adjusted <= options.significance);
        let cost = |c: &Candidate| c.moments.n * (c.moments.mean() - self.whole.minus(c.moments).mean());
        let rank = |c: &Candidate| if options.rank_by == RankBy::Cost { cost(c) } else { c.effect };
        // A stable sort: candidates of equal rank and size stay in the order of their families, fewer conditions first.
        found.sort_by(|a, b| rank(b).total_cmp(&rank(a)).then(b.moments.n.total_cmp(&a.moments.n)));
        (tried, found)
    }

    /// The best slices that add information and are confirmed, in their order, and how many were not confirmed.
    fn choose(
        &self,
        candidates: Vec<Candidate>,
        min_rows: f64,
        options: &SearchOptions,
    ) -> (Vec<(Candidate, Confirmation)>, u64) {
        let mut covered = vec![false; self.losses.len()];
        let mut chosen: Vec<(Candidate, Confirmation)> = Vec::new();
        let mut unconfirmed = 0;
        // Candidates that follow each other are often of one family.
        let mut tables: HashMap<Vec<usize>, [LossTable; 2]> = HashMap::new();
        for candidate in candidates.into_iter().take(CANDIDATES_MAX) {
            if chosen.len() == options.top {
                break;
            }
            let key = candidate.family.columns().to_vec();
            if tables.len() > TABLES_KEPT && !tables.contains_key(&key) {
                tables.clear();
            }
            let tables = tables.entry(key).or_insert_with(|| self.both_tables(candidate.family));
            if self.is_implied(&candidate, tables) || !self.adds_information(&candidate, &covered, min_rows, options) {
                continue;
            }
            let confirmation = self.confirmed(&candidate);
            if confirmation.p_value > options.significance {
                unconfirmed += 1;
                continue;
            }
            for (row, covered) in covered.iter_mut().enumerate() {
                *covered |= candidate.family.contains(candidate.ranges, self.columns, row);
            }
            chosen.push((candidate, confirmation));
        }
        (chosen, unconfirmed)
    }

    /// Whether a wider slice is as bad: its rows beyond the candidate are not clearly better, among the rows that were searched
    /// and among the others. A part of a bad slice is always a bit worse by chance where it was found.
    fn is_implied(&self, candidate: &Candidate, tables: &[LossTable; 2]) -> bool {
        candidate.family.wider(candidate.ranges, self.columns).into_iter().any(|outer| {
            tables.iter().any(|table| {
                let inside = table.moments(candidate.ranges);
                let beyond = table.moments(outer).minus(inside);
                // No rows beyond: the same rows under a simpler name; the test returns 1.
                welch_p_value(inside, beyond) > IMPLIED_P_VALUE
            })
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
        let (mut inside, mut outside) = (Moments::default(), Moments::default());
        for row in self.searched.iter().map(|row| *row as usize).filter(|row| !covered[*row]) {
            let of =
                if candidate.family.contains(candidate.ranges, self.columns, row) { &mut inside } else { &mut outside };
            of.push(self.losses[row]);
        }
        inside.n >= min_rows
            && inside.n * 2.0 >= candidate.moments.n
            && effect_size(inside, outside) >= options.min_effect_size
            && welch_p_value(inside, outside) <= options.significance
    }

    /// The losses inside and outside a slice, of some rows.
    fn divided(&self, candidate: &Candidate, rows: impl Iterator<Item = usize>) -> (Moments, Moments) {
        let (mut inside, mut outside) = (Moments::default(), Moments::default());
        for row in rows {
            let is_inside = candidate.family.contains(candidate.ranges, self.columns, row);
            (if is_inside { &mut inside } else { &mut outside }).push(self.losses[row]);
        }
        (inside, outside)
    }

    /// The slice on the rows that the search has not seen.
    fn confirmed(&self, candidate: &Candidate) -> Confirmation {
        let (inside, outside) = self.divided(candidate, self.held_out.iter().map(|row| *row as usize));
        Confirmation {
            rows: inside.n as u64,
            effect_size: effect_size(inside, outside),
            p_value: welch_p_value(inside, outside),
        }
    }

    fn found(
        &self,
        candidate: &Candidate,
        confirmation: Confirmation,
        mean: f64,
        table: &EvaluationTable,
        sample: &FinderSample,
        decision_threshold: f64,
    ) -> FoundSlice {
        let (inside, outside) = self.divided(candidate, 0..self.losses.len());
        let is_inside = |row: &usize| candidate.family.contains(candidate.ranges, self.columns, *row);
        let ids: Vec<usize> = (0..self.losses.len()).filter(is_inside).map(|row| sample.rows[row] as usize).collect();
        let rows = self.losses.len() as f64;
        let of_all = mean * rows;
        FoundSlice {
            conditions: self.conditions(candidate),
            rows: inside.n as u64,
            share: inside.n / rows,
            loss: inside.mean() + mean,
            rest_loss: outside.mean() + mean,
            cost_share: if of_all > 0.0 { (inside.sum + mean * inside.n) / of_all } else { 0.0 },
            effect_size: effect_size(inside, outside),
            p_value: candidate.p_value,
            adjusted_p_value: candidate.adjusted,
            confirmed: Some(confirmation),
            metrics: metrics_of(&table.task, &table.ordered_part(&ids), decision_threshold),
        }
    }

    fn conditions(&self, candidate: &Candidate) -> Vec<Condition> {
        let of = candidate.family.columns().iter().zip(candidate.ranges);
        of.map(|(column, range)| self.columns[*column].condition(range)).collect()
    }
}

/// Tables of losses that are kept while candidates are examined.
const TABLES_KEPT: usize = 16;
