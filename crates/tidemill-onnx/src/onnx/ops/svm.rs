//! Support vector machines, computed as in libsvm.

use super::linear::{PostTransform, class_labels, largest, outputs};
use super::{Kernel, input};
use crate::onnx::attributes::Attributes;
use crate::onnx::value::{Data, Tensor};

#[derive(Clone, Copy)]
enum Similarity {
    Linear,
    Poly,
    Rbf,
    Sigmoid,
}

/// Support vectors and the kernel that compares rows with them.
struct Supports {
    similarity: Similarity,
    gamma: f64,
    coef0: f64,
    degree: f64,
    vectors: Vec<f64>,
    count: usize,
}

impl Supports {
    fn new(attributes: Attributes<'_>, count: usize) -> Result<Self, String> {
        let similarity = match attributes.text("kernel_type", "LINEAR")?.as_str() {
            "LINEAR" => Similarity::Linear,
            "POLY" => Similarity::Poly,
            "RBF" => Similarity::Rbf,
            "SIGMOID" => Similarity::Sigmoid,
            other => return Err(format!("the kernel `{other}` is not known")),
        };
        let parameter = |at: usize| f64::from(attributes.floats("kernel_params").get(at).copied().unwrap_or(0.0));
        let vectors: Vec<f64> = attributes.floats("support_vectors").iter().map(|x| f64::from(*x)).collect();
        if count > 0 && !vectors.len().is_multiple_of(count) {
            return Err(format!("{} numbers are no {count} support vectors", vectors.len()));
        }
        Ok(Self { similarity, gamma: parameter(0), coef0: parameter(1), degree: parameter(2), vectors, count })
    }

    fn compare(&self, row: &[f64], vector: &[f64]) -> f64 {
        let dot = || row.iter().zip(vector).map(|(a, b)| a * b).sum::<f64>();
        match self.similarity {
            Similarity::Linear => dot(),
            Similarity::Poly => (self.gamma * dot() + self.coef0).powf(self.degree),
            Similarity::Sigmoid => (self.gamma * dot() + self.coef0).tanh(),
            Similarity::Rbf => {
                let distance: f64 = row.iter().zip(vector).map(|(a, b)| (a - b) * (a - b)).sum();
                (-self.gamma * distance).exp()
            }
        }
    }

    /// The similarity of `row` to each support vector.
    fn all(&self, row: &[f64]) -> Result<Vec<f64>, String> {
        if self.count * row.len() != self.vectors.len() {
            return Err(format!("{} features, and the support vectors have another number", row.len()));
        }
        Ok(self.vectors.chunks(row.len().max(1)).map(|vector| self.compare(row, vector)).collect())
    }
}

pub(super) fn compile(name: &str, attributes: Attributes<'_>) -> Result<Kernel, String> {
    let weights: Vec<f64> = attributes.floats("coefficients").iter().map(|x| f64::from(*x)).collect();
    let rho: Vec<f64> = attributes.floats("rho").iter().map(|x| f64::from(*x)).collect();
    let post = PostTransform::of(&attributes.text("post_transform", "NONE")?)?;
    if post != PostTransform::None {
        return Err("a support vector machine with transformed scores is not run by this version".to_owned());
    }
    if name == "SVMClassifier" {
        return classifier(attributes, weights, rho);
    }
    let count = usize::try_from(attributes.int("n_supports", 0)).map_err(|_| "the number of supports")?;
    let supports = Supports::new(attributes, count)?;
    let one_class = attributes.int("one_class", 0) != 0;
    let shift = rho.first().copied().unwrap_or(0.0);
    if count > 0 && weights.len() != count {
        return Err(format!("{} coefficients for {count} support vectors", weights.len()));
    }
    Ok(Box::new(move |inputs| {
        let tensor = input(inputs, 0)?;
        let (rows, features) = tensor.matrix()?;
        let values = tensor.floats()?;
        let mut results = Vec::with_capacity(rows);
        for row in values.chunks(features.max(1)) {
            let sum = if count == 0 {
                supports.compare(row, &weights)
            } else {
                supports.all(row)?.iter().zip(&weights).map(|(near, weight)| near * weight).sum()
            };
            let score = sum + shift;
            let side = if score > 0.0 { 1.0 } else { -1.0 };
            results.push((if one_class { side } else { score }) as f32);
        }
        Ok(vec![Tensor::new(vec![rows, 1], Data::F32(results))?])
    }))
}

/// Pairwise comparisons of classes.
fn classifier(attributes: Attributes<'_>, weights: Vec<f64>, rho: Vec<f64>) -> Result<Kernel, String> {
    let labels = class_labels(attributes)?;
    let sizes: Vec<usize> = attributes.ints("vectors_per_class").iter().map(|size| (*size).max(0) as usize).collect();
    let classes = sizes.len();
    let count = sizes.iter().try_fold(0_usize, |sum, size| sum.checked_add(*size)).ok_or("too many vectors")?;
    let pairs = classes * classes.saturating_sub(1) / 2;
    if classes < 2 || labels.len() != classes {
        return Err("a linear machine without support vectors is not run by this version".to_owned());
    }
    let supports = Supports::new(attributes, count)?;
    let floats = |name: &str| -> Vec<f64> { attributes.floats(name).iter().map(|x| f64::from(*x)).collect() };
    let (prob_a, prob_b) = (floats("prob_a"), floats("prob_b"));
    let fits = rho.len() == pairs && Some(weights.len()) == count.checked_mul(classes - 1);
    if !fits || prob_a.len() != prob_b.len() || !(prob_a.is_empty() || prob_a.len() == pairs) {
        return Err(format!("the coefficients do not fit {classes} classes and {count} support vectors"));
    }
    let starts: Vec<usize> = sizes.iter().scan(0, |at, size| Some(std::mem::replace(at, *at + size))).collect();
    Ok(Box::new(move |inputs| {
        let tensor = input(inputs, 0)?;
        let (rows, features) = tensor.matrix()?;
        let values = tensor.floats()?;
        let mut picks = Vec::with_capacity(rows);
        let mut all = Vec::new();
        for row in values.chunks(features.max(1)) {
            let near = supports.all(row)?;
            let part = |class: usize, line: usize| -> f64 {
                let range = starts[class]..starts[class] + sizes[class];
                range.map(|at| near[at] * weights[line * count + at]).sum()
            };
            let mut decisions = Vec::with_capacity(pairs);
            let mut votes = vec![0_u32; classes];
            for i in 0..classes {
                for j in i + 1..classes {
                    let decision = part(i, j - 1) + part(j, i) + rho[decisions.len()];
                    votes[if decision > 0.0 { i } else { j }] += 1;
                    decisions.push(decision);
                }
            }
            // By votes, even where probabilities disagree.
            let votes: Vec<f64> = votes.into_iter().map(f64::from).collect();
            picks.push(largest(&votes));
            if prob_a.is_empty() {
                if classes == 2 {
                    all.extend([decisions[0], -decisions[0]]);
                } else {
                    all.extend(decisions);
                }
            } else {
                all.extend(class_probabilities(&decisions, &prob_a, &prob_b, classes));
            }
        }
        outputs(&labels, &picks, all)
    }))
}

#[expect(clippy::needless_range_loop, reason = "indices are those of the formula")]
/// Probabilities of classes from those of pairs (Wu, Lin and Weng 2004, as in libsvm).
fn class_probabilities(decisions: &[f64], a: &[f64], b: &[f64], classes: usize) -> Vec<f64> {
    let mut pair = vec![vec![0.0; classes]; classes];
    let mut at = 0;
    for i in 0..classes {
        for j in i + 1..classes {
            let value = decisions[at] * a[at] + b[at];
            let probability = (1.0 / (1.0 + value.exp())).clamp(1e-7, 1.0 - 1e-7);
            (pair[i][j], pair[j][i]) = (probability, 1.0 - probability);
            at += 1;
        }
    }
    // Two classes go through the same steps, as in ONNX Runtime and scikit-learn's libsvm.
    let mut q = vec![vec![0.0; classes]; classes];
    for t in 0..classes {
        for j in 0..classes {
            if j != t {
                q[t][t] += pair[j][t] * pair[j][t];
                q[t][j] = -pair[j][t] * pair[t][j];
            }
        }
    }
    let mut p = vec![1.0 / classes as f64; classes];
    for _ in 0..classes.max(100) {
        let mut qp: Vec<f64> = q.iter().map(|row| row.iter().zip(&p).map(|(q, p)| q * p).sum()).collect();
        let mut pqp: f64 = qp.iter().zip(&p).map(|(qp, p)| qp * p).sum();
        if qp.iter().all(|value| (value - pqp).abs() < 0.005 / classes as f64) {
            break;
        }
        for t in 0..classes {
            let step = (pqp - qp[t]) / q[t][t];
            p[t] += step;
            pqp = (pqp + step * (step * q[t][t] + 2.0 * qp[t])) / (1.0 + step) / (1.0 + step);
            for j in 0..classes {
                qp[j] = (qp[j] + step * q[t][j]) / (1.0 + step);
                p[j] /= 1.0 + step;
            }
        }
    }
    p
}
