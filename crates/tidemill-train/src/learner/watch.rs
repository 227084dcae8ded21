//! Who hears how a model does while it is fitted.

use tidemill_core::ComponentError;

/// Hears the metric on the validation rows, round by round.
pub trait Watch: Sync {
    /// Takes `metric` after `round` rounds, or epochs. An error ends the training: a search has seen enough of it.
    fn report(&self, metric: &str, round: u64, value: f64) -> Result<(), ComponentError>;

    /// Whether the training should end with the rounds that it has: its time is over. Not every learner asks.
    fn is_over(&self) -> bool {
        false
    }
}

/// Nobody.
#[derive(Debug, Clone, Copy)]
pub struct Unwatched;

impl Watch for Unwatched {
    fn report(&self, _metric: &str, _round: u64, _value: f64) -> Result<(), ComponentError> {
        Ok(())
    }
}
