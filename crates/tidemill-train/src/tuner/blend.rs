//! Which trials are better together.
//!
//! Greedy selection with replacement (Caruana et al. 2004): beginning with the best trial, the one is added again and again that
//! makes the mean of all better. What that gains is measured on rows that had no part in the selection.

use rayon::prelude::*;
use tidemill_core::{SplitMix64, Task};
use tidemill_tune::Direction;

use super::score;

/// Members at most, repetitions counted.
pub(super) const MEMBERS_MAX: usize = 25;
/// Rows that the selection looks at; of more, every so many.
const ROWS_MAX: usize = 20_000;
/// Fewer rows do not tell what a mean gains.
const ROWS_MIN: usize = 50;
/// Repetitions of a bootstrap.
const RESAMPLES: u64 = 60;
const SEED: u64 = 0xb1e4_d000_0000_0001;

/// The predictions of a trial.
pub(super) struct Candidate {
    /// Its number.
    pub(super) trial: u64,
    /// A column for each number of the task.
    pub(super) columns: Vec<Vec<f32>>,
    /// What its learner takes for a row, in microseconds.
    pub(super) learner_us: f64,
    /// What fitting it once takes.
    pub(super) seconds: f64,
}

/// What is judged, and how.
#[derive(Clone, Copy)]
pub(super) struct Goal<'a> {
    pub(super) task: &'a Task,
    pub(super) metric: &'a str,
    pub(super) direction: Direction,
    pub(super) labels: &'a [f64],
    pub(super) weights: Option<&'a [f64]>,
    /// What the learners of all members together may take, in microseconds.
    pub(super) learners_us_max: Option<f64>,
    /// What fitting all members once may take.
    pub(super) seconds_max: Option<f64>,
}

/// Trials whose predictions are averaged.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Blend {
    /// The numbers of trials with what each counts, the first the best alone.
    pub(super) members: Vec<(u64, u32)>,
    /// The metric of all judged rows.
    pub(super) value: f64,
    /// Its standard error.
    pub(super) noise: Option<f64>,
    /// By how much it is better than the best trial on rows that had no part in the choice of either: the loss that the metric is a
    /// mean of.
    pub(super) gain: f64,
    /// The standard error of the gain.
    pub(super) gain_error: f64,
}

impl Blend {
    /// Whether it is better by more than chance.
    pub(super) fn pays(&self) -> bool {
        self.members.len() > 1 && self.gain > self.gain_error
    }
}

/// The mean of candidates that is best, with what it gains; `None` where nothing can be said: too few rows or candidates, or a
/// metric that is not known from predictions.
pub(super) fn select(goal: &Goal<'_>, candidates: &[Candidate]) -> Option<Blend> {
    let rows = goal.labels.len();
    if candidates.len() < 2 || rows < ROWS_MIN || !score::is_known(goal.task) {
        return None;
    }
    let stride = rows.div_ceil(ROWS_MAX);
    let seen: Vec<usize> = (0..rows).step_by(stride).collect();
    let is_first = |row: &usize| SplitMix64::hash(SEED ^ *row as u64).is_multiple_of(2);
    let (first, second): (Vec<usize>, Vec<usize>) = seen.iter().partition(|row| is_first(row));
    // Each half is judged with what the other half has chosen.
    let mut differences = Differences::default();
    for (choosing, judging) in [(&first, &second), (&second, &first)] {
        let chosen = Part::new(goal, candidates, choosing);
        let counts = chosen.greedy(MEMBERS_MAX)?;
        let best = chosen.best()?;
        let judged = Part::new(goal, candidates, judging);
        let mut single = vec![0; candidates.len()];
        single[best] = 1;
        differences.add(goal, &judged, &judged.mean(&single), &judged.mean(&counts))?;
    }
    let (gain, gain_error) = differences.gain();
    let all = Part::new(goal, candidates, &seen);
    let counts = all.greedy(MEMBERS_MAX)?;
    let every: Vec<usize> = (0..rows).collect();
    let columns = Part::new(goal, candidates, &every).mean(&counts);
    let value = score::value(goal.metric, goal.task, &columns, goal.labels, goal.weights)?;
    let mut members: Vec<(u64, u32)> =
        candidates.iter().zip(&counts).filter(|(_, count)| **count > 0).map(|(of, count)| (of.trial, *count)).collect();
    members.sort_by_key(|(trial, count)| (std::cmp::Reverse(*count), *trial));
    let noise = score::standard_error(goal.metric, goal.task, &columns, goal.labels);
    Some(Blend { members, value, noise, gain, gain_error })
}

/// What the mean gains, row by row, or, of a metric that is no mean, in repetitions.
#[derive(Default)]
struct Differences {
    rows: Vec<f64>,
    resampled: Vec<Vec<f64>>,
    whole: Vec<f64>,
}

impl Differences {
    fn add(&mut self, goal: &Goal<'_>, part: &Part<'_>, single: &[Vec<f64>], mean: &[Vec<f64>]) -> Option<()> {
        let losses = |columns: &[Vec<f64>]| score::losses(goal.metric, goal.task, columns, &part.labels);
        if let (Some(single), Some(mean)) = (losses(single), losses(mean)) {
            let weight = |row: usize| part.weights.as_ref().map_or(1.0, |weights| weights[row]);
            self.rows.extend(single.iter().zip(&mean).enumerate().map(|(row, (a, b))| weight(row) * (a - b)));
            return Some(());
        }
        let gain = |rows: &[usize]| -> Option<f64> {
            let of = |columns: &[Vec<f64>]| {
                let taken: Vec<Vec<f64>> =
                    columns.iter().map(|column| rows.iter().map(|row| column[*row]).collect()).collect();
                let labels: Vec<f64> = rows.iter().map(|row| part.labels[*row]).collect();
                score::value(goal.metric, goal.task, &taken, &labels, None)
            };
            Some(goal.direction.loss(of(single)?) - goal.direction.loss(of(mean)?))
        };
        let count = part.labels.len();
        self.whole.push(gain(&(0..count).collect::<Vec<_>>())?);
        let resample = |number: u64| {
            let mut draw = SplitMix64::new(SplitMix64::hash(SEED ^ number));
            gain(&(0..count).map(|_| draw.below(count as u64) as usize).collect::<Vec<_>>())
        };
        self.resampled.push((1..=RESAMPLES).into_par_iter().filter_map(resample).collect());
        Some(())
    }

    fn gain(&self) -> (f64, f64) {
        if !self.rows.is_empty() {
            return score::mean_and_error(&self.rows);
        }
        let halves = self.whole.len().max(1) as f64;
        let variance = |values: &Vec<f64>| {
            let (_, error) = score::mean_and_error(values);
            error * error * values.len() as f64
        };
        let sum: f64 = self.resampled.iter().map(variance).sum();
        (self.whole.iter().sum::<f64>() / halves, sum.sqrt() / halves)
    }
}

/// Some of the rows.
struct Part<'a> {
    goal: &'a Goal<'a>,
    candidates: &'a [Candidate],
    rows: &'a [usize],
    labels: Vec<f64>,
    weights: Option<Vec<f64>>,
}

impl<'a> Part<'a> {
    fn new(goal: &'a Goal<'a>, candidates: &'a [Candidate], rows: &'a [usize]) -> Self {
        let of = |values: &[f64]| -> Vec<f64> { rows.iter().map(|row| values[*row]).collect() };
        Self { goal, candidates, rows, labels: of(goal.labels), weights: goal.weights.map(of) }
    }

    /// The predictions of these rows, averaged as the counts say.
    fn mean(&self, counts: &[u32]) -> Vec<Vec<f64>> {
        let total: u32 = counts.iter().sum();
        let mut sums = self.sums();
        for (candidate, count) in self.candidates.iter().zip(counts).filter(|(_, count)| **count > 0) {
            self.add(&mut sums, candidate, f64::from(*count));
        }
        sums.iter_mut().flatten().for_each(|value| *value /= f64::from(total.max(1)));
        sums
    }

    fn sums(&self) -> Vec<Vec<f64>> {
        vec![vec![0.0; self.rows.len()]; self.goal.task.columns()]
    }

    fn add(&self, sums: &mut [Vec<f64>], candidate: &Candidate, times: f64) {
        for (sum, column) in sums.iter_mut().zip(&candidate.columns) {
            sum.iter_mut().zip(self.rows).for_each(|(sum, row)| *sum += times * f64::from(column[*row]));
        }
    }

    /// The loss of predictions: less is better.
    fn loss(&self, columns: &[Vec<f64>]) -> f64 {
        let (goal, labels) = (self.goal, &self.labels);
        if let Some(losses) = score::losses(goal.metric, goal.task, columns, labels) {
            let weight = |row: usize| self.weights.as_ref().map_or(1.0, |weights| weights[row]);
            return losses.iter().enumerate().map(|(row, loss)| weight(row) * loss).sum();
        }
        let value = score::value(goal.metric, goal.task, columns, labels, self.weights.as_deref());
        value.map_or(f64::INFINITY, |value| goal.direction.loss(value))
    }

    /// The best candidate alone.
    fn best(&self) -> Option<usize> {
        let losses: Vec<f64> = (0..self.candidates.len())
            .into_par_iter()
            .map(|at| {
                let mut sums = self.sums();
                self.add(&mut sums, &self.candidates[at], 1.0);
                self.loss(&sums)
            })
            .collect();
        least(&losses)
    }

    /// How often each candidate is in the best mean of up to `members_max`.
    fn greedy(&self, members_max: usize) -> Option<Vec<u32>> {
        let mut counts = vec![0_u32; self.candidates.len()];
        let first = self.best()?;
        counts[first] = 1;
        let mut sums = self.sums();
        self.add(&mut sums, &self.candidates[first], 1.0);
        let mut best = (self.loss(&sums), counts.clone());
        let mut learners_us = self.candidates[first].learner_us;
        let mut seconds = self.candidates[first].seconds;
        for size in 2..=members_max {
            let fits = |at: usize| {
                let Candidate { learner_us, seconds: of_member, .. } = self.candidates[at];
                let is_quick = self.goal.learners_us_max.is_none_or(|most| learners_us + learner_us <= most);
                let is_cheap = self.goal.seconds_max.is_none_or(|most| seconds + of_member <= most);
                counts[at] > 0 || (is_quick && is_cheap)
            };
            let losses: Vec<f64> = (0..self.candidates.len())
                .into_par_iter()
                .map(|at| {
                    if !fits(at) {
                        return f64::INFINITY;
                    }
                    let mut mean = sums.clone();
                    self.add(&mut mean, &self.candidates[at], 1.0);
                    mean.iter_mut().flatten().for_each(|value| *value /= size as f64);
                    self.loss(&mean)
                })
                .collect();
            let next = least(&losses)?;
            if !losses[next].is_finite() {
                break;
            }
            if counts[next] == 0 {
                learners_us += self.candidates[next].learner_us;
                seconds += self.candidates[next].seconds;
            }
            counts[next] += 1;
            self.add(&mut sums, &self.candidates[next], 1.0);
            if losses[next] < best.0 {
                best = (losses[next], counts.clone());
            }
        }
        Some(best.1)
    }
}

/// The place of the least; the first of equals.
fn least(losses: &[f64]) -> Option<usize> {
    (0..losses.len()).min_by(|a, b| losses[*a].total_cmp(&losses[*b]))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Labels of two classes, and predictions that know them as well as `skill` says, each with noise of its own.
    fn data(rows: usize, skills: &[f64]) -> (Vec<f64>, Vec<Candidate>) {
        let mut draw = SplitMix64::new(7);
        let labels: Vec<f64> = (0..rows).map(|_| f64::from(u8::from(draw.unit() < 0.4))).collect();
        let candidate = |(at, skill): (usize, &f64)| {
            let mut noise = SplitMix64::new(100 + at as u64);
            let of = |label: &f64| {
                let score = skill * (label - 0.5) + 3.0 * (noise.unit() - 0.5);
                (1.0 / (1.0 + (-score).exp())) as f32
            };
            Candidate {
                trial: at as u64,
                columns: vec![labels.iter().map(of).collect()],
                learner_us: 10.0,
                seconds: 1.0,
            }
        };
        let candidates = skills.iter().enumerate().map(candidate).collect();
        (labels, candidates)
    }

    fn goal<'a>(metric: &'a str, direction: Direction, labels: &'a [f64]) -> Goal<'a> {
        Goal { task: &Task::Binary, metric, direction, labels, weights: None, learners_us_max: None, seconds_max: None }
    }

    #[test]
    fn trials_with_errors_of_their_own_are_better_together() {
        let (labels, candidates) = data(3000, &[1.5, 1.5, 1.4, 0.1]);
        for (metric, direction) in [("log_loss", Direction::Minimize), ("auc", Direction::Maximize)] {
            let goal = goal(metric, direction, &labels);
            let blend = select(&goal, &candidates).unwrap();
            assert!(blend.pays() && blend.members.len() >= 3, "{blend:?}");
            let alone = candidates[0].columns[0].iter().map(|value| f64::from(*value)).collect::<Vec<_>>();
            let alone = score::value(metric, &Task::Binary, &[alone], &labels, None).unwrap();
            assert!(direction.is_better(blend.value, alone), "{blend:?} {alone}");
            assert_eq!(select(&goal, &candidates).unwrap(), blend);
        }
    }

    #[test]
    fn chance_does_not_pay() {
        // The same predictions under another name, and ones that know nothing.
        let (labels, mut candidates) = data(2000, &[2.0, 0.0, 0.0]);
        candidates.push(Candidate { trial: 9, columns: candidates[0].columns.clone(), learner_us: 10.0, seconds: 1.0 });
        let blend = select(&goal("log_loss", Direction::Minimize, &labels), &candidates);
        assert!(blend.is_none_or(|blend| blend.gain.abs() < 0.02));
        let (labels, candidates) = data(30, &[2.0, 2.0]);
        assert_eq!(select(&goal("log_loss", Direction::Minimize, &labels), &candidates), None, "too few rows");
    }

    #[test]
    fn members_fit_into_the_latency() {
        let (labels, candidates) = data(3000, &[1.5, 1.5, 1.4, 1.4]);
        let tight = Goal { learners_us_max: Some(25.0), ..goal("log_loss", Direction::Minimize, &labels) };
        let blend = select(&tight, &candidates).unwrap();
        assert_eq!(blend.members.len(), 2, "{blend:?}");
        let tight = Goal { seconds_max: Some(1.5), ..goal("log_loss", Direction::Minimize, &labels) };
        assert_eq!(select(&tight, &candidates).unwrap().members.len(), 1);
    }
}
