//! Linear models, and the final scores of every classifier.

use super::{Kernel, input};
use crate::foreign::{logistic, softmax};
use crate::onnx::attributes::Attributes;
use crate::onnx::value::{Data, Tensor};

/// The final transformation of scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PostTransform {
    None,
    Logistic,
    Softmax,
    SoftmaxZero,
}

impl PostTransform {
    pub(super) fn of(name: &str) -> Result<Self, String> {
        Ok(match name {
            "NONE" | "" => Self::None,
            "LOGISTIC" => Self::Logistic,
            "SOFTMAX" => Self::Softmax,
            "SOFTMAX_ZERO" => Self::SoftmaxZero,
            _ => return Err(format!("the transform `{name}` of scores is not run by this version")),
        })
    }

    /// Applies it to the scores of one row.
    pub(super) fn apply(self, row: &mut [f64]) {
        match self {
            Self::None => {}
            Self::Logistic => {
                for x in row {
                    *x = logistic(*x);
                }
            }
            Self::Softmax => softmax(row),
            Self::SoftmaxZero => {
                // Classes without any score keep none.
                let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let raised = |x: f64| if x.abs() > 1e-7 { (x - largest).exp() } else { x * (-largest).exp() };
                for x in row.iter_mut() {
                    *x = raised(*x);
                }
                let sum: f64 = row.iter().sum();
                if sum != 0.0 {
                    for x in row {
                        *x /= sum;
                    }
                }
            }
        }
    }
}

/// The names of classes: numbers or texts.
pub(super) fn class_labels(attributes: Attributes<'_>) -> Result<Data, String> {
    let texts = attributes.texts("classlabels_strings")?;
    if !texts.is_empty() {
        return Ok(Data::Text(texts));
    }
    let ints = if attributes.has("classlabels_ints") { "classlabels_ints" } else { "classlabels_int64s" };
    Ok(Data::Int(attributes.ints(ints).to_vec()))
}

/// The labels and scores of rows, a classifier's two outputs.
pub(super) fn outputs(labels: &Data, picks: &[usize], scores: Vec<f64>) -> Result<Vec<Tensor>, String> {
    if picks.iter().any(|pick| *pick >= labels.len()) {
        return Err(format!("a class is picked that none of the {} labels names", labels.len()));
    }
    let columns = if picks.is_empty() { labels.len() } else { scores.len() / picks.len() };
    let scores = scores.into_iter().map(|x| x as f32).collect();
    Ok(vec![Tensor::vector(labels.take(picks)), Tensor::new(vec![picks.len(), columns], Data::F32(scores))?])
}

/// The first of the largest.
pub(super) fn largest(row: &[f64]) -> usize {
    (1..row.len()).fold(0, |best, at| if row[at] > row[best] { at } else { best })
}

pub(super) fn compile(name: &str, attributes: Attributes<'_>) -> Result<Kernel, String> {
    let weights: Vec<f64> = attributes.floats("coefficients").iter().map(|x| f64::from(*x)).collect();
    let shifts: Vec<f64> = attributes.floats("intercepts").iter().map(|x| f64::from(*x)).collect();
    let post = PostTransform::of(&attributes.text("post_transform", "NONE")?)?;
    if name == "LinearRegressor" {
        let targets = usize::try_from(attributes.int("targets", 1)).ok().filter(|count| *count > 0 && *count < 1 << 20);
        let targets = targets.ok_or("the number of targets")?;
        let shifts = if shifts.is_empty() { vec![0.0; targets] } else { shifts };
        return Ok(Box::new(move |inputs| {
            let (rows, mut scores) = scores(input(inputs, 0)?, &weights, &shifts, targets)?;
            scores.chunks_mut(targets).for_each(|row| post.apply(row));
            let scores = scores.into_iter().map(|x| x as f32).collect();
            Ok(vec![Tensor::new(vec![rows, targets], Data::F32(scores))?])
        }));
    }
    let labels = class_labels(attributes)?;
    let classes = shifts.len().max(1);
    let shifts = if shifts.is_empty() { vec![0.0] } else { shifts };
    let adds_second = classes == 1 && labels.len() == 2;
    Ok(Box::new(move |inputs| {
        let (rows, scores) = scores(input(inputs, 0)?, &weights, &shifts, classes)?;
        let mut picks = Vec::with_capacity(rows);
        let mut all = Vec::with_capacity(scores.len() * 2);
        for row in scores.chunks(classes) {
            let mut row = row.to_vec();
            if adds_second {
                picks.push(usize::from(row[0] > 0.0));
                post.apply(&mut row);
                all.extend([1.0 - row[0], row[0]]);
            } else {
                picks.push(largest(&row));
                post.apply(&mut row);
                all.extend(row);
            }
        }
        outputs(&labels, &picks, all)
    }))
}

/// The products of each row with each column of weights.
fn scores(tensor: &Tensor, weights: &[f64], shifts: &[f64], count: usize) -> Result<(usize, Vec<f64>), String> {
    let (rows, features) = tensor.matrix()?;
    if weights.len() != count * features || shifts.len() != count {
        return Err(format!("{} weights for {features} features and {count} scores", weights.len()));
    }
    let values = tensor.floats()?;
    let mut scores = Vec::with_capacity(rows * count);
    for row in values.chunks(features.max(1)) {
        for (weights, shift) in weights.chunks(features.max(1)).zip(shifts) {
            scores.push(row.iter().zip(weights).map(|(x, weight)| x * weight).sum::<f64>() + shift);
        }
    }
    Ok((rows, scores))
}
