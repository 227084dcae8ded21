//! Losses, which a graph saved for training ends with.

use super::reduce::{along, log_softmax};
use super::{Kernel, input, optional};
use crate::onnx::attributes::Attributes;
use crate::onnx::value::Tensor;

pub(super) fn compile(name: &str, attributes: Attributes<'_>, outputs: usize) -> Result<Option<Kernel>, String> {
    let takes_softmax = match name {
        "NegativeLogLikelihoodLoss" => false,
        "SoftmaxCrossEntropyLoss" => true,
        _ => return Ok(None),
    };
    let ignored = attributes.has("ignore_index").then(|| attributes.int("ignore_index", 0));
    let reduction = attributes.text("reduction", "mean")?;
    if !matches!(reduction.as_str(), "none" | "sum" | "mean") {
        return Err(format!("the reduction `{reduction}` is not run by this version"));
    }
    Ok(Some(Box::new(move |inputs| {
        let (x, target) = (input(inputs, 0)?, input(inputs, 1)?);
        let logs = if takes_softmax { along(x, 1, false, log_softmax)?.pop().ok_or("no scores")? } else { x.clone() };
        let loss = loss(&logs, target, optional(inputs, 2), ignored, &reduction)?;
        Ok(if takes_softmax && outputs > 1 { vec![loss, logs] } else { vec![loss] })
    })))
}

fn loss(
    logs: &Tensor,
    target: &Tensor,
    weights: Option<&Tensor>,
    ignored: Option<i64>,
    reduction: &str,
) -> Result<Tensor, String> {
    let [batch, classes, plane @ ..] = &logs.shape[..] else { return Err("scores without classes".to_owned()) };
    let (classes, inner) = (*classes, plane.iter().product::<usize>());
    let mut expected = vec![*batch];
    expected.extend_from_slice(plane);
    if target.shape != expected {
        return Err(format!("labels of shape {:?} do not fit {:?}", target.shape, logs.shape));
    }
    let weights = weights.map(Tensor::floats).transpose()?;
    if weights.as_ref().is_some_and(|weights| weights.len() != classes) {
        return Err(format!("weights for {classes} classes are expected"));
    }
    let values = logs.floats()?;
    let (mut losses, mut total) = (Vec::with_capacity(target.data.len()), 0.0);
    for (at, label) in target.integers()?.iter().enumerate() {
        if Some(*label) == ignored {
            losses.push(0.0);
            continue;
        }
        let class = usize::try_from(*label).ok().filter(|class| *class < classes);
        let class = class.ok_or_else(|| format!("the label {label} is not one of {classes} classes"))?;
        let weight = weights.as_ref().map_or(1.0, |weights| weights[class]);
        let place = (at / inner.max(1) * classes + class) * inner + at % inner.max(1);
        losses.push(-values[place] * weight);
        total += weight;
    }
    match reduction {
        "none" => logs.like(expected, losses),
        "sum" => logs.like(Vec::new(), vec![losses.iter().sum()]),
        _ => logs.like(Vec::new(), vec![losses.iter().sum::<f64>() / total]),
    }
}
