//! Where a training stands between two epochs: everything that the next epochs depend on.

use super::adam::Moments;
use super::net::Net;
use super::tables::Tables;

/// The state after so many epochs.
#[derive(Debug, Clone)]
pub(super) struct State {
    pub(super) net: Net,
    /// The moments of each tensor of `net.dense`.
    pub(super) moments: Vec<Moments>,
    pub(super) tables: Tables,
    /// Epochs that are done.
    pub(super) epochs: u32,
    /// Steps that are done.
    pub(super) steps: u64,
    pub(super) best: Option<Best>,
    /// The loss on the validation rows after each epoch.
    pub(super) validation_curve: Vec<f64>,
    /// The mean loss of the training rows during each epoch.
    pub(super) train_curve: Vec<f64>,
}

/// The epoch with the least loss on the validation rows.
#[derive(Debug, Clone)]
pub(super) struct Best {
    pub(super) epoch: u32,
    pub(super) loss: f64,
    pub(super) net: Net,
}

impl State {
    /// Before the first epoch.
    pub(super) fn new(net: Net) -> Self {
        Self {
            moments: net.dense.iter().map(|tensor| Moments::new(tensor.len())).collect(),
            tables: Tables::new(&net),
            net,
            epochs: 0,
            steps: 0,
            best: None,
            validation_curve: Vec::new(),
            train_curve: Vec::new(),
        }
    }

    /// The epoch whose weights are best so far, 0 where none is.
    pub(super) fn best_epoch(&self) -> u32 {
        self.best.as_ref().map_or(0, |best| best.epoch)
    }

    /// All numbers that are learned or kept beside them, in an order of their own; the best weights are not among them.
    pub(super) fn numbers(&mut self) -> Vec<&mut [f32]> {
        let mut numbers = self.net.numbers();
        numbers.extend(self.moments.iter_mut().flat_map(Moments::numbers));
        numbers.extend(self.tables.numbers());
        numbers
    }
}
