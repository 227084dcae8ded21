//! What the trees of a round and of those before it count.

use super::choices::Combination;

/// What a round changes in what the rounds before it count.
#[derive(Debug)]
pub(super) struct Changes {
    /// What the trees of the new round count.
    pub(super) new: f64,
    /// By what trees of earlier rounds are multiplied, where they are.
    pub(super) earlier: Vec<(usize, f64)>,
    /// By what all earlier trees are multiplied.
    pub(super) all: f64,
}

impl Changes {
    pub(super) fn apply(&self, factors: &mut Vec<f64>) {
        factors.iter_mut().for_each(|factor| *factor *= self.all);
        for (round, by) in &self.earlier {
            factors[*round] *= by;
        }
        factors.push(self.new);
    }
}

/// What the trees count after a round that left out `dropped`.
pub(super) fn changes(combination: Combination, factors: &[f64], dropped: &[usize]) -> Changes {
    match combination {
        Combination::Gbdt => Changes { new: 1.0, earlier: Vec::new(), all: 1.0 },
        Combination::Dart => {
            // The new tree learned what the dropped ones did: together they count as much as those did alone.
            let count = dropped.len() as f64;
            let earlier = dropped.iter().map(|round| (*round, count / (count + 1.0))).collect();
            Changes { new: 1.0 / (count + 1.0), earlier, all: 1.0 }
        }
        Combination::RandomForest => {
            let count = factors.len() as f64;
            Changes { new: 1.0 / (count + 1.0), earlier: Vec::new(), all: count / (count + 1.0) }
        }
    }
}
