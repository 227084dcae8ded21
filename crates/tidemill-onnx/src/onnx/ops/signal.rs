//! Signals: Fourier transforms, windows and mel filters.

use std::f64::consts::PI;

use super::{Kernel, input, optional};
use crate::onnx::attributes::Attributes;
use crate::onnx::value::{Data, Tensor, axis_of, elements};

/// More multiplications are rejected.
const WORK_MAX: usize = 1 << 36;

pub(super) fn compile(name: &str, attributes: Attributes<'_>) -> Result<Option<Kernel>, String> {
    let one_sided = attributes.int("onesided", i64::from(name == "STFT")) != 0;
    Ok(Some(match name {
        "DFT" => {
            let inverse = attributes.int("inverse", 0) != 0;
            let fixed = attributes.has("axis").then(|| attributes.int("axis", 1));
            Box::new(move |inputs| {
                let x = input(inputs, 0)?;
                // Until version 19 the axis was an attribute, 1 if not given; since, it is an input, the last but one.
                let axis = match optional(inputs, 2) {
                    Some(axis) => axis.number()? as i64,
                    None => fixed.unwrap_or(if x.rank() > 2 || fixed.is_some() { -2 } else { 0 }),
                };
                let length = optional(inputs, 1).map(Tensor::number).transpose()?.map(|x| x.max(0.0) as usize);
                Ok(vec![transform(x, axis_of(axis, x.rank())?, length, inverse, one_sided)?])
            })
        }
        "STFT" => Box::new(move |inputs| short_time(inputs, one_sided)),
        "HannWindow" | "HammingWindow" | "BlackmanWindow" => {
            let element = attributes.int("output_datatype", 1) as i32;
            let periodic = attributes.int("periodic", 1) != 0;
            let weights: [f64; 3] = match name {
                "HannWindow" => [0.5, 0.5, 0.0],
                "HammingWindow" => [25.0 / 46.0, 21.0 / 46.0, 0.0],
                _ => [0.42, 0.5, 0.08],
            };
            Box::new(move |inputs| {
                let size = input(inputs, 0)?.number()?.max(0.0) as usize;
                elements(&[size])?;
                let period = if periodic { size as f64 } else { size as f64 - 1.0 };
                let one = |at: usize| {
                    let angle = 2.0 * PI * at as f64 / period;
                    weights[0] - weights[1] * angle.cos() + weights[2] * (2.0 * angle).cos()
                };
                let made = Tensor::vector(Data::F64((0..size).map(one).collect()));
                Ok(vec![super::shape::cast(&made, element, &super::shape::Rounding::default())?])
            })
        }
        "MelWeightMatrix" => {
            let element = attributes.int("output_datatype", 1) as i32;
            Box::new(move |inputs| mel(inputs, element))
        }
        _ => return Ok(None),
    }))
}

/// The discrete Fourier transform of `line` (real and imaginary parts), of `length` elements, by its definition.
fn dft(line: &[(f64, f64)], length: usize, inverse: bool) -> Vec<(f64, f64)> {
    let sign = if inverse { 1.0 } else { -1.0 };
    let turn: Vec<(f64, f64)> = (0..length)
        .map(|at| {
            let angle = sign * 2.0 * PI * at as f64 / length as f64;
            (angle.cos(), angle.sin())
        })
        .collect();
    let one = |k: usize| {
        let mut sum = (0.0, 0.0);
        for (n, (re, im)) in line.iter().enumerate() {
            let (cos, sin) = turn[k * n % length];
            sum.0 += re * cos - im * sin;
            sum.1 += re * sin + im * cos;
        }
        if inverse { (sum.0 / length as f64, sum.1 / length as f64) } else { sum }
    };
    (0..length).map(one).collect()
}

fn transform(x: &Tensor, axis: usize, length: Option<usize>, inverse: bool, one_sided: bool) -> Result<Tensor, String> {
    let parts = *x.shape.last().ok_or("a signal without axes")?;
    if axis + 1 >= x.rank() || !matches!(parts, 1 | 2) {
        return Err(format!("a signal of shape {:?} along axis {axis}", x.shape));
    }
    let size = x.shape[axis];
    let length = length.unwrap_or(if inverse && one_sided { 2 * size.saturating_sub(1) } else { size });
    let outer: usize = x.shape[..axis].iter().product();
    let inner: usize = x.shape[axis + 1..x.rank() - 1].iter().product();
    let real_result = inverse && one_sided;
    let kept = if one_sided && !inverse { length / 2 + 1 } else { length };
    let mut shape = x.shape.clone();
    shape[axis] = kept;
    let width = if real_result { 1 } else { 2 };
    shape[x.rank() - 1] = width;
    let count = elements(&shape)?;
    if count.saturating_mul(length) > WORK_MAX || length == 0 {
        return Err(format!("a transform of the length {length}"));
    }
    let values = x.floats()?;
    let mut made = vec![0.0; count];
    for block in 0..outer {
        for place in 0..inner {
            let at = |n: usize| ((block * size + n) * inner + place) * parts;
            let mut line: Vec<(f64, f64)> = (0..size.min(length))
                .map(|n| (values[at(n)], if parts == 2 { values[at(n) + 1] } else { 0.0 }))
                .collect();
            if real_result {
                // The other half is the mirror of the first.
                line.resize(length / 2 + 1, (0.0, 0.0));
                line[0].1 = 0.0;
                if length.is_multiple_of(2) {
                    line[length / 2].1 = 0.0;
                }
                let mirror: Vec<(f64, f64)> =
                    (length / 2 + 1..length).map(|n| (line[length - n].0, -line[length - n].1)).collect();
                line.extend(mirror);
            }
            for (k, (re, im)) in dft(&line, length, inverse).into_iter().take(kept).enumerate() {
                let to = ((block * kept + k) * inner + place) * width;
                made[to] = re;
                if width == 2 {
                    made[to + 1] = im;
                }
            }
        }
    }
    x.like(shape, made)
}

fn short_time(inputs: &[Option<&Tensor>], one_sided: bool) -> Result<Vec<Tensor>, String> {
    let x = input(inputs, 0)?;
    let &[batch, length, parts] = &x.shape[..] else { return Err("a signal of three axes is expected".to_owned()) };
    let step = input(inputs, 1)?.number()? as usize;
    let window = optional(inputs, 2).map(Tensor::floats).transpose()?;
    let frame = match optional(inputs, 3) {
        Some(frame) => frame.number()? as usize,
        None => window.as_ref().map_or(length, |window| window.len()),
    };
    let own = window.as_ref().map_or(frame, |window| window.len());
    if step == 0 || frame == 0 || own == 0 || own > frame || frame > length || !matches!(parts, 1 | 2) {
        return Err(format!("frames of {frame} every {step} of {length}"));
    }
    let frames = 1 + (length - frame) / step;
    let kept = if one_sided { frame / 2 + 1 } else { frame };
    let shape = vec![batch, frames, kept, 2];
    if elements(&shape)?.saturating_mul(frame) > WORK_MAX {
        return Err("the frames are too many".to_owned());
    }
    let values = x.floats()?;
    let mut made = Vec::with_capacity(batch * frames * kept * 2);
    for row in 0..batch {
        for at in 0..frames {
            let weight = |n: usize| window.as_ref().map_or(1.0, |window| window[n]);
            let place = |n: usize| (row * length + at * step + n) * parts;
            let line: Vec<(f64, f64)> = (0..own)
                .map(|n| {
                    let im = if parts == 2 { values[place(n) + 1] } else { 0.0 };
                    (values[place(n)] * weight(n), im * weight(n))
                })
                .collect();
            made.extend(dft(&line, frame, false).into_iter().take(kept).flat_map(|(re, im)| [re, im]));
        }
    }
    Ok(vec![x.like(shape, made)?])
}

fn mel(inputs: &[Option<&Tensor>], element: i32) -> Result<Vec<Tensor>, String> {
    let number = |at: usize| input(inputs, at)?.number();
    let (bins, length, rate, low, high) = (number(0)? as usize, number(1)?, number(2)?, number(3)?, number(4)?);
    let rows = (length / 2.0).floor() as usize + 1;
    let count = elements(&[rows, bins])?;
    let of_hertz = |hertz: f64| 2595.0 * (hertz / 700.0).ln_1p() / 10.0_f64.ln();
    let step = (of_hertz(high) - of_hertz(low)) / (bins + 2) as f64;
    let edge = |at: usize| -> Result<usize, String> {
        let hertz = 700.0 * ((at as f64 * step + of_hertz(low)) / 2595.0 * 10.0_f64.ln()).exp_m1();
        let bin = ((length + 1.0) * hertz / rate).floor();
        if bin >= 0.0 && (bin as usize) < rows {
            Ok(bin as usize)
        } else {
            Err(format!("the frequency {hertz} is out of range"))
        }
    };
    let mut made = vec![0.0; count];
    for bin in 0..bins {
        let (left, center, right) = (edge(bin)?, edge(bin + 1)?, edge(bin + 2)?);
        if center == left {
            made[center * bins + bin] = 1.0;
        } else {
            for at in left..=center {
                made[at * bins + bin] = (at - left) as f64 / (center - left) as f64;
            }
        }
        for at in center..right {
            made[at * bins + bin] = (right - at) as f64 / (right - center) as f64;
        }
    }
    let made = Tensor::new(vec![rows, bins], Data::F64(made))?;
    Ok(vec![super::shape::cast(&made, element, &super::shape::Rounding::default())?])
}
