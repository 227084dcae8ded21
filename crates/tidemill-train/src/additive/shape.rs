//! The functions as facts of the package, which the training report draws, and as terms of the model.

use serde_json::{Value, json};
use tidemill_model::{AdditiveTerm, Feature, FeatureSpec, TermBins};

use super::pairs::Coarse;
use super::rows::AdditiveRows;
use super::tidy::{Functions, single_rows};
use crate::gbdt::FeatureBins;
use crate::learner::category;

/// Functions that the package names.
const SHAPES_IN_PACKAGE: usize = 20;

/// The terms of the model.
pub(super) fn terms(functions: &Functions, data: &AdditiveRows) -> Vec<AdditiveTerm> {
    let used = &data.bins.binning.used;
    let single = functions.single.iter().zip(used).map(|(values, used)| AdditiveTerm {
        features: vec![(used.feature, bins(&used.bins))],
        values: values.clone(),
    });
    let pairs = functions.pairs.iter().map(|(pair, values)| AdditiveTerm {
        features: [&pair.first, &pair.second].map(|axis| (used[axis.used].feature, coarse_bins(axis, data))).to_vec(),
        values: values.clone(),
    });
    let is_flat = |term: &AdditiveTerm| term.values.iter().all(|value| *value == 0.0);
    single.chain(pairs).filter(|term| !is_flat(term)).collect()
}

fn bins(bins: &FeatureBins) -> TermBins {
    match bins {
        FeatureBins::Numeric { bounds } => TermBins::Numeric { bounds: bounds.clone() },
        FeatureBins::Categorical { codes, .. } => categories(codes, |bin| bin, codes.len() as u32 + 1),
    }
}

fn coarse_bins(axis: &Coarse, data: &AdditiveRows) -> TermBins {
    match &data.bins.binning.used[axis.used].bins {
        FeatureBins::Numeric { .. } => TermBins::Numeric { bounds: axis.bounds(data) },
        FeatureBins::Categorical { codes, .. } => {
            categories(codes, |bin| u32::from(axis.of[bin as usize]), axis.cells as u32 - 1)
        }
    }
}

/// Codes in their own order with the bins that `of` makes of theirs.
fn categories(codes: &[u32], of: impl Fn(u32) -> u32, bins: u32) -> TermBins {
    let mut codes: Vec<(u32, u32)> =
        codes.iter().enumerate().map(|(at, code)| (*code, of(at as u32 + 1))).filter(|(_, bin)| *bin > 0).collect();
    codes.sort_unstable();
    TermBins::Categorical { codes, bins }
}

/// Six digits: enough for a drawing.
fn short(value: f64) -> f64 {
    format!("{value:.5e}").parse().unwrap_or(value)
}

/// The functions of the features with the largest effects, and the pairs.
pub(super) fn facts(
    functions: &Functions,
    data: &AdditiveRows,
    features: &[(&Feature, &FeatureSpec)],
    effects: &(Vec<f64>, Vec<f64>),
) -> [Value; 2] {
    let used = &data.bins.binning.used;
    let name = |at: usize| features[used[at].feature as usize].1.name.as_str();
    let mut order: Vec<usize> = (0..used.len()).collect();
    order.sort_by(|a, b| effects.0[*b].total_cmp(&effects.0[*a]).then(a.cmp(b)));
    let scores = functions.intercepts.len();
    let shape = |at: usize| {
        let rows = single_rows(data, at);
        let columns: Vec<Vec<f64>> = (0..scores)
            .map(|score| functions.single[at].iter().skip(score).step_by(scores).copied().collect())
            .collect();
        let mut shape = json!({ "feature": name(at), "effect": effects.0[at] });
        match &used[at].bins {
            FeatureBins::Numeric { bounds } => shape["bounds"] = json!(bounds),
            FeatureBins::Categorical { codes, .. } => {
                let feature = features[used[at].feature as usize];
                shape["categories"] = codes.iter().map(|code| category(feature, *code)).collect();
            }
        }
        let missing = rows.len() - 1;
        let is_shown = |cell: &usize| *cell != missing || rows[missing] > 0.0;
        let cells: Vec<usize> = (0..rows.len()).filter(is_shown).collect();
        let drawn = |column: &Vec<f64>| cells.iter().map(|cell| short(column[*cell])).collect::<Vec<f64>>();
        shape["values"] = columns.iter().map(drawn).collect();
        shape["rows"] = cells.iter().map(|cell| short(rows[*cell])).collect();
        shape
    };
    let shapes = order.into_iter().filter(|at| effects.0[*at] > 0.0).take(SHAPES_IN_PACKAGE).map(shape).collect();
    let pairs = functions.pairs.iter().zip(&effects.1).map(
        |((pair, _), effect)| json!({ "features": [name(pair.first.used), name(pair.second.used)], "effect": effect }),
    );
    [shapes, pairs.collect()]
}
