//! `gaussian`, also called `scale_to_gaussian`: a standard normal variable.

use tidemill_model::{Mapper, steps};

use super::Step;
use super::fixed::plain;
use super::per_key::{NumberStep, fit_numbers};
use crate::analyze::fit_tukey;
use crate::analyzer::Summary;
use crate::step::StepEntry;

const ABOUT: &str = "A standard normal variable, by Tukey's hh-distribution.";

pub(super) const GAUSSIAN: StepEntry = plain("gaussian", ABOUT, |_| Ok(vec![Step::Gaussian]));
pub(super) const SCALE_TO_GAUSSIAN: StepEntry = plain("scale_to_gaussian", ABOUT, |_| Ok(vec![Step::Gaussian]));

/// See [`Step::Gaussian`].
pub(super) struct Gaussian;

impl NumberStep for Gaussian {
    fn summary(&self) -> Summary {
        Summary::quantiles()
    }

    fn mapper(&self, summary: Summary) -> Option<(Mapper, bool)> {
        let Summary::Quantiles(quantiles) = summary else { return None };
        let fitted = fit_tukey(&quantiles.finish().sample())?;
        let (location, scale) = (fitted.location, fitted.scale);
        let mapper = steps::Gaussian { location, scale, h_left: fitted.h_left, h_right: fitted.h_right };
        Some((mapper.into(), scale == 0.0))
    }

    fn empty(&self) -> Mapper {
        steps::Gaussian { location: 0.0, scale: 0.0, h_left: 0.0, h_right: 0.0 }.into()
    }
}

fit_numbers!(Gaussian);
