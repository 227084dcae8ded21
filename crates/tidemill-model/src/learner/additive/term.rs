//! One term of an additive model.

use crate::ModelError;
use crate::trees::invalid;

/// The values of a function of one or two features, by bin.
#[derive(Debug, Clone, PartialEq)]
pub struct AdditiveTerm {
    /// The features, by number, with their bins. One or two.
    pub features: Vec<(u32, TermBins)>,
    /// By cell, then by score; the cells of the last feature side by side.
    pub values: Vec<f64>,
}

/// The bins of a feature. After those of present values comes one for missing ones.
#[derive(Debug, Clone, PartialEq)]
pub enum TermBins {
    /// Bin `i` holds the numbers above `bounds[i - 1]` and not above `bounds[i]`.
    Numeric {
        /// Ascending.
        bounds: Vec<f64>,
    },
    /// Each code has the bin that is written beside it; all others have bin 0.
    Categorical {
        /// Codes, ascending, and their bins.
        codes: Vec<(u32, u32)>,
        /// How many bins there are, bin 0 included.
        bins: u32,
    },
}

impl TermBins {
    /// How many bins there are, with the one of missing values.
    pub fn cells(&self) -> usize {
        match self {
            Self::Numeric { bounds } => bounds.len() + 2,
            Self::Categorical { bins, .. } => *bins as usize + 1,
        }
    }

    /// The bin of a value.
    #[inline]
    pub fn bin(&self, value: f64) -> usize {
        if value.is_nan() {
            return self.cells() - 1;
        }
        match self {
            Self::Numeric { bounds } => bounds.partition_point(|bound| *bound < value),
            Self::Categorical { codes, .. } => {
                let code = value as u32;
                let known = f64::from(code) == value;
                let place = codes.binary_search_by_key(&code, |(code, _)| *code);
                place.ok().filter(|_| known).map_or(0, |place| codes[place].1 as usize)
            }
        }
    }

    fn is_fine(&self) -> bool {
        match self {
            Self::Numeric { bounds } => {
                bounds.windows(2).all(|pair| pair[0] < pair[1]) && bounds.iter().all(|bound| bound.is_finite())
            }
            Self::Categorical { codes, bins } => {
                *bins > 0
                    && codes.windows(2).all(|pair| pair[0].0 < pair[1].0)
                    && codes.iter().all(|(_, bin)| bin < bins)
            }
        }
    }
}

impl AdditiveTerm {
    /// How many cells the bins make.
    pub fn cells(&self) -> usize {
        self.features.iter().map(|(_, bins)| bins.cells()).product()
    }

    /// The cell of a row whose values `value` gives by feature.
    #[inline]
    pub fn cell(&self, value: impl Fn(u32) -> f64) -> usize {
        self.features.iter().fold(0, |cell, (feature, bins)| cell * bins.cells() + bins.bin(value(*feature)))
    }

    pub(super) fn check(&self, features: usize, scores: usize) -> Result<(), ModelError> {
        let known = self.features.iter().all(|(feature, bins)| (*feature as usize) < features && bins.is_fine());
        let different = self.features.len() < 2 || self.features[0].0 != self.features[1].0;
        let fits = known && different && matches!(self.features.len(), 1 | 2);
        if !fits || self.values.len() != self.cells() * scores || self.values.iter().any(|value| !value.is_finite()) {
            return Err(invalid("a term of the additive model does not fit"));
        }
        Ok(())
    }
}
