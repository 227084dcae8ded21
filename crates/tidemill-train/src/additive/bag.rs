//! Boosting on the rows of one bag.

use tidemill_core::SplitMix64;

use super::axis::{Axis, Cell, add};
use super::gradients::Scored;
use super::pairs::PairAxes;
use super::params::Additive;
use super::rows::{AdditiveRows, Kind};

/// Rounds of pairs with random cuts at most.
const PAIR_SMOOTHING: u32 = 100;

/// Where a term's cells are: for each row of the table.
pub(super) type CellOf<'a> = &'a (dyn Fn(u32) -> u16 + Sync);

/// The values of every term, by cell and score, and how the loss went.
#[derive(Debug, Clone)]
pub(super) struct BagFit {
    pub(super) values: Vec<Vec<f64>>,
    /// The loss on the bag's validation rows after each round.
    pub(super) curve: Vec<f64>,
    /// The round whose values are kept.
    pub(super) best_round: u32,
}

/// A bag between the boosting of features and that of pairs.
#[derive(Debug)]
pub(super) struct Bag {
    pub(super) learned: Scored,
    pub(super) held: Scored,
}

/// What a term of a bag is fitted on.
struct Term {
    /// The cell of every row learned from, and of every row held.
    learned: Vec<u16>,
    held: Vec<u16>,
    shape: Shape,
}

enum Shape {
    Feature(Axis),
    Pair(PairAxes),
}

impl Bag {
    /// The rows that a bag learns from and holds, with the scores of a model without features.
    pub(super) fn new(data: &AdditiveRows, base: &[f64], share: f64, seed: u64) -> Self {
        let [learned, held] = data.split(share, seed).map(|rows| Scored::new(rows, base));
        Self { learned, held }
    }

    /// Boosts a function of every feature.
    pub(super) fn boost_features<E>(
        &mut self,
        data: &AdditiveRows,
        params: &Additive,
        seed: u64,
        check: impl FnMut() -> Result<(), E>,
    ) -> Result<BagFit, E> {
        let terms = (0..data.bins.columns.len()).map(|at| {
            let column = &data.bins.columns[at];
            let is_categorical = data.bins.binning.used[at].is_categorical();
            self.term(data.cells(at), &|row| u16::from(column[row as usize]), |rows| {
                Shape::Feature(Axis { rows, is_categorical })
            })
        });
        let terms = terms.collect();
        self.boost(data, params, terms, smoothing_rounds(params, data), seed, check)
    }

    /// Boosts a function of each of `pairs` on top of the scores so far.
    pub(super) fn boost_pairs<E>(
        &mut self,
        data: &AdditiveRows,
        params: &Additive,
        pairs: &[PairAxes],
        seed: u64,
        check: impl FnMut() -> Result<(), E>,
    ) -> Result<BagFit, E> {
        let terms = pairs
            .iter()
            .map(|pair| self.term(pair.cells(), &|row| pair.cell(data, row), |rows| Shape::Pair(pair.with_rows(rows))));
        let terms = terms.collect();
        self.boost(data, params, terms, smoothing_rounds(params, data).min(PAIR_SMOOTHING), seed, check)
    }

    fn term(&self, cells: usize, cell: CellOf<'_>, shape: impl FnOnce(Vec<u32>) -> Shape) -> Term {
        let of = |rows: &Scored| rows.rows.iter().map(|row| cell(*row)).collect::<Vec<u16>>();
        let (learned, held) = (of(&self.learned), of(&self.held));
        let mut rows = vec![0; cells];
        learned.iter().for_each(|cell| rows[usize::from(*cell)] += 1);
        Term { learned, held, shape: shape(rows) }
    }

    /// Improves, in each round as often as there are terms, the term that takes away most of the loss, until the loss on the held rows
    /// falls no more, and keeps what was best. Terms that explain nothing are left alone.
    fn boost<E>(
        &mut self,
        data: &AdditiveRows,
        params: &Additive,
        terms: Vec<Term>,
        smoothing_rounds: u32,
        seed: u64,
        mut check: impl FnMut() -> Result<(), E>,
    ) -> Result<BagFit, E> {
        let scores = data.scores;
        let zero: Vec<Vec<f64>> = terms.iter().map(|term| vec![0.0; term.shape.cells() * scores]).collect();
        let mut values = zero.clone();
        let judged = !self.held.rows.is_empty();
        let mut least = if judged { self.held.loss(data) } else { f64::INFINITY };
        let (mut best, mut best_round) = (zero, 0);
        let mut curve = Vec::new();
        let mut gradients = Vec::new();
        let mut draw = SplitMix64::new(seed);
        for round in 1..=params.rounds {
            check()?;
            let random = round <= smoothing_rounds;
            // What each term would take away of the loss.
            self.learned.gradients(data, &mut gradients);
            let mut gains: Vec<f64> =
                terms.iter().map(|term| term.change(&gradients, params, random.then_some(&mut draw)).1).collect();
            for _ in 0..terms.len() {
                // The one that would take away most, the first of equals.
                let best = (1..gains.len()).fold(0, |best, at| if gains[at] > gains[best] { at } else { best });
                let (term, values) = (&terms[best], &mut values[best]);
                self.learned.gradients(data, &mut gradients);
                let (change, gain) = term.change(&gradients, params, random.then_some(&mut draw));
                gains[best] = gain;
                self.learned.add(&term.learned, &change);
                self.held.add(&term.held, &change);
                values.iter_mut().zip(&change).for_each(|(value, change)| *value += change);
            }
            let loss = if judged { self.held.loss(data) } else { f64::NAN };
            curve.push(loss);
            // Without rows to judge by, the last round is as good as any.
            if !judged || loss < least {
                (least, best_round) = (loss, round);
                best.clone_from(&values);
            }
            if judged && !random && round - best_round >= params.early_stopping {
                break;
            }
        }
        self.back_to(&terms, &values, &best);
        Ok(BagFit { values: best, curve, best_round })
    }

    /// Makes the scores those of the values `to` instead of `from`.
    fn back_to(&mut self, terms: &[Term], from: &[Vec<f64>], to: &[Vec<f64>]) {
        for ((term, from), to) in terms.iter().zip(from).zip(to) {
            let change: Vec<f64> = to.iter().zip(from).map(|(to, from)| to - from).collect();
            self.learned.add(&term.learned, &change);
            self.held.add(&term.held, &change);
        }
    }
}

impl Term {
    /// What its values should change by, by cell and score, and twice the loss that this would take away before the learning rate.
    fn change(
        &self,
        gradients: &[Vec<[f32; 2]>],
        params: &Additive,
        mut draw: Option<&mut SplitMix64>,
    ) -> (Vec<f64>, f64) {
        let (cells, scores) = (self.shape.cells(), gradients.len());
        let mut change = vec![0.0; cells * scores];
        let mut gains = 0.0;
        for (score, gradients) in gradients.iter().enumerate() {
            let sums = sums(&self.learned, gradients, cells);
            let (found, gain) = self.shape.tree(&sums, params, draw.as_deref_mut());
            gains += gain;
            for (cell, value) in found.into_iter().enumerate() {
                change[cell * scores + score] = params.learning_rate * value;
            }
        }
        (change, gains)
    }
}

impl Shape {
    fn cells(&self) -> usize {
        match self {
            Self::Feature(axis) => axis.rows.len(),
            Self::Pair(pair) => pair.cells(),
        }
    }

    fn tree(&self, sums: &[Cell], params: &Additive, draw: Option<&mut SplitMix64>) -> (Vec<f64>, f64) {
        match self {
            Self::Feature(axis) => axis.tree(sums, params.leaves, params.min_leaf, draw),
            Self::Pair(pair) => pair.tree(sums, params.min_leaf, draw),
        }
    }
}

/// Rounds with random cuts: amounts have more of them by default, as noise is larger there.
fn smoothing_rounds(params: &Additive, data: &AdditiveRows) -> u32 {
    params.smoothing_rounds.unwrap_or(if data.kind == Kind::Amount { 500 } else { 75 })
}

/// Sums of gradients by cell.
pub(super) fn sums(cells: &[u16], gradients: &[[f32; 2]], count: usize) -> Vec<Cell> {
    let mut sums = vec![[0.0; 2]; count];
    for (cell, gradient) in cells.iter().zip(gradients) {
        let sum = &mut sums[usize::from(*cell)];
        *sum = add(*sum, gradient.map(f64::from));
    }
    sums
}
