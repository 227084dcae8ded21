//! Normalizations over axes, groups and channels.

use super::{Kernel, input, optional};
use crate::onnx::attributes::Attributes;
use crate::onnx::value::{Data, Tensor, axis_of};

pub(super) fn compile(
    name: &str,
    attributes: Attributes<'_>,
    opset: i64,
    outputs: usize,
) -> Result<Option<Kernel>, String> {
    let epsilon = f64::from(attributes.float("epsilon", 1e-5));
    Ok(Some(match name {
        "LayerNormalization" | "RMSNormalization" => {
            let axis = attributes.int("axis", -1);
            let centers = name == "LayerNormalization";
            Box::new(move |inputs| layer(inputs, axis, epsilon, centers, outputs))
        }
        "InstanceNormalization" => Box::new(move |inputs| {
            let x = input(inputs, 0)?;
            let channels = *x.shape.get(1).ok_or("a tensor without channels")?;
            grouped(x, channels, (input(inputs, 1)?, input(inputs, 2)?), epsilon, false)
        }),
        "GroupNormalization" => {
            let groups =
                usize::try_from(attributes.int("num_groups", 0)).ok().filter(|x| *x > 0).ok_or("`num_groups`")?;
            // Until version 20, scale and shift were those of the groups.
            Box::new(move |inputs| {
                grouped(input(inputs, 0)?, groups, (input(inputs, 1)?, input(inputs, 2)?), epsilon, opset < 21)
            })
        }
        "LpNormalization" => {
            let (axis, power) = (attributes.int("axis", -1), attributes.int("p", 2));
            if !matches!(power, 1 | 2) {
                return Err(format!("`p` is {power}"));
            }
            Box::new(move |inputs| {
                super::reduce::along(input(inputs, 0)?, axis, false, |row| {
                    let size = match power {
                        1 => row.iter().map(|x| x.abs()).sum::<f64>(),
                        _ => row.iter().map(|x| x * x).sum::<f64>().sqrt(),
                    };
                    row.iter_mut().for_each(|x| *x = if size == 0.0 { 0.0 } else { *x / size });
                })
            })
        }
        "MeanVarianceNormalization" => {
            let axes = if attributes.has("axes") { attributes.ints("axes").to_vec() } else { vec![0, 2, 3] };
            Box::new(move |inputs| standardised(input(inputs, 0)?, &axes))
        }
        "LRN" => {
            let (alpha, beta) = (f64::from(attributes.float("alpha", 1e-4)), f64::from(attributes.float("beta", 0.75)));
            let bias = f64::from(attributes.float("bias", 1.0));
            let size =
                usize::try_from(attributes.int("size", 0)).ok().filter(|x| *x > 0).ok_or("`size` is not given")?;
            Box::new(move |inputs| {
                let x = input(inputs, 0)?;
                let [batch, channels, plane @ ..] = &x.shape[..] else {
                    return Err("a tensor without channels".to_owned());
                };
                let (plane, channels) = (plane.iter().product::<usize>(), *channels);
                let values = x.floats()?;
                let mut made = Vec::with_capacity(values.len());
                for row in 0..*batch {
                    for channel in 0..channels {
                        let near = channel.saturating_sub((size - 1) / 2)..(channel + size / 2 + 1).min(channels);
                        for at in 0..plane {
                            let of = |channel: usize| values[(row * channels + channel) * plane + at];
                            let sum: f64 = near.clone().map(|channel| of(channel).powi(2)).sum();
                            made.push(of(channel) / (bias + alpha / size as f64 * sum).powf(beta));
                        }
                    }
                }
                Ok(vec![x.like(x.shape.clone(), made)?])
            })
        }
        _ => return Ok(None),
    }))
}

fn layer(
    inputs: &[Option<&Tensor>],
    axis: i64,
    epsilon: f64,
    centers: bool,
    outputs: usize,
) -> Result<Vec<Tensor>, String> {
    let x = input(inputs, 0)?;
    let axis = axis_of(axis, x.rank())?;
    let width: usize = x.shape[axis..].iter().product();
    let mut values = x.floats()?.into_owned();
    let (mut means, mut inverses) = (Vec::new(), Vec::new());
    for row in values.chunks_mut(width.max(1)) {
        let mean = if centers { row.iter().sum::<f64>() / width as f64 } else { 0.0 };
        let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
        let inverse = 1.0 / (variance + epsilon).sqrt();
        row.iter_mut().for_each(|x| *x = (*x - mean) * inverse);
        means.push(mean);
        inverses.push(inverse);
    }
    let mut made = Tensor::new(x.shape.clone(), Data::F64(values))?;
    for (at, is_scale) in [(1, true), (2, false)] {
        let Some(parameter) = optional(inputs, at) else { continue };
        let shape = super::broadcast::joint_shape(&made.shape, &parameter.shape)?;
        let (left, right) = (made.floats()?.into_owned(), parameter.floats()?);
        let combine = |x: &f64, y: &f64| if is_scale { x * y } else { x + y };
        let combined = super::broadcast::pairs((&left, &made.shape), (&right, &parameter.shape), &shape, combine);
        made = Tensor::new(shape, Data::F64(combined))?;
    }
    let Data::F64(values) = made.data else { return Err("a normalization of no numbers".to_owned()) };
    let mut results = vec![x.like(made.shape, values)?];
    if outputs > 1 {
        let shape: Vec<usize> =
            x.shape.iter().enumerate().map(|(at, size)| if at < axis { *size } else { 1 }).collect();
        for values in [means, inverses] {
            let values = values.into_iter().map(|x| x as f32).collect();
            results
                .push(Tensor::new(shape.clone(), Data::F32(values))?.of_element(crate::onnx::value::datatype::FLOAT));
        }
    }
    results.truncate(outputs.max(1));
    Ok(results)
}

/// Normalizes the elements of each group of channels of each row.
fn grouped(
    x: &Tensor,
    groups: usize,
    (scale, shift): (&Tensor, &Tensor),
    epsilon: f64,
    by_group: bool,
) -> Result<Vec<Tensor>, String> {
    let [_, channels, plane @ ..] = &x.shape[..] else { return Err("a tensor without channels".to_owned()) };
    let (plane, channels) = (plane.iter().product::<usize>(), *channels);
    let (scale, shift) = (scale.floats()?, shift.floats()?);
    let parameters = if by_group && scale.len() != channels { groups } else { channels };
    if groups == 0 || !channels.is_multiple_of(groups) || scale.len() != parameters || shift.len() != parameters {
        return Err(format!("{} scales for {channels} channels in {groups} groups", scale.len()));
    }
    let own = channels / groups;
    let mut values = x.floats()?.into_owned();
    for (at, group) in values.chunks_mut((own * plane).max(1)).enumerate() {
        let count = group.len() as f64;
        let mean = group.iter().sum::<f64>() / count;
        let variance = group.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        for (place, x) in group.iter_mut().enumerate() {
            let channel = at % groups * own + place / plane.max(1);
            let parameter = if parameters == channels { channel } else { at % groups };
            *x = (*x - mean) / (variance + epsilon).sqrt() * scale[parameter] + shift[parameter];
        }
    }
    Ok(vec![x.like(x.shape.clone(), values)?])
}

/// Less their mean and by their deviation over the axes.
fn standardised(x: &Tensor, axes: &[i64]) -> Result<Vec<Tensor>, String> {
    let mut folded = vec![false; x.rank()];
    for axis in axes {
        folded[axis_of(*axis, x.rank())?] = true;
    }
    let steps = super::transform::strides(&x.shape);
    let group = |at: usize| {
        let kept = (0..x.rank()).filter(|axis| !folded[*axis]);
        kept.fold(0, |group, axis| group * x.shape[axis] + at / steps[axis] % x.shape[axis])
    };
    let groups: usize = (0..x.rank()).filter(|axis| !folded[*axis]).map(|axis| x.shape[axis]).product();
    let values = x.floats()?;
    let count = (values.len() / groups.max(1)).max(1) as f64;
    let (mut means, mut squares) = (vec![0.0; groups], vec![0.0; groups]);
    for (at, x) in values.iter().enumerate() {
        means[group(at)] += x / count;
        squares[group(at)] += x * x / count;
    }
    let one = |(at, x): (usize, &f64)| {
        let mean = means[group(at)];
        (x - mean) / ((squares[group(at)] - mean * mean).max(0.0).sqrt() + 1e-9)
    };
    Ok(vec![x.like(x.shape.clone(), values.iter().enumerate().map(one).collect())?])
}
