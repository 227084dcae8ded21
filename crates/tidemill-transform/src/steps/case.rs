//! `lower`, `upper` and `strip`.

use tidemill_model::Mapper;

use super::fixed::{fixed, plain};
use crate::step::StepEntry;

pub(super) const LOWER: StepEntry = plain("lower", "Lower case.", |_| fixed(Mapper::Lower));
pub(super) const UPPER: StepEntry = plain("upper", "Upper case.", |_| fixed(Mapper::Upper));
pub(super) const STRIP: StepEntry = plain("strip", "No white space at either end.", |_| fixed(Mapper::Strip));
