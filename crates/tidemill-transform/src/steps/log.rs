//! `log` and `log1p`: natural logarithms.

use tidemill_model::Mapper;

use super::fixed::{fixed, plain};
use crate::step::StepEntry;

pub(super) const LOG: StepEntry = plain("log", "Natural logarithm.", |_| fixed(Mapper::Log));
pub(super) const LOG1P: StepEntry = plain("log1p", "Natural logarithm of 1 + x.", |_| fixed(Mapper::Log1p));
