//! Pooling: one number of each window.

use super::window::{Declared, grid};
use super::{Kernel, input, optional};
use crate::onnx::attributes::Attributes;
use crate::onnx::value::{Data, Tensor, datatype, elements};

#[derive(Clone, Copy, PartialEq)]
enum Pool {
    Max,
    Average { counts_padding: bool },
    Power(f64),
}

pub(super) fn compile(
    name: &str,
    attributes: Attributes<'_>,
    _: i64,
    outputs: usize,
) -> Result<Option<Kernel>, String> {
    let power = attributes.int("p", 2) as f64;
    Ok(Some(match name {
        "MaxPool" => {
            let declared = Declared::of(attributes)?;
            let by_column = attributes.int("storage_order", 0) != 0;
            Box::new(move |inputs| pool(input(inputs, 0)?, &declared, Pool::Max, outputs > 1, by_column))
        }
        "AveragePool" => {
            let declared = Declared::of(attributes)?;
            let kind = Pool::Average { counts_padding: attributes.int("count_include_pad", 0) != 0 };
            Box::new(move |inputs| pool(input(inputs, 0)?, &declared, kind, false, false))
        }
        "LpPool" => {
            let declared = Declared::of(attributes)?;
            Box::new(move |inputs| pool(input(inputs, 0)?, &declared, Pool::Power(power), false, false))
        }
        "GlobalMaxPool" => Box::new(|inputs| global(input(inputs, 0)?, Pool::Max)),
        "GlobalAveragePool" => Box::new(|inputs| global(input(inputs, 0)?, Pool::Average { counts_padding: false })),
        "GlobalLpPool" => Box::new(move |inputs| global(input(inputs, 0)?, Pool::Power(power))),
        "MaxUnpool" => {
            let declared = Declared::of(attributes)?;
            let (strides, pads) = (attributes.ints("strides").to_vec(), attributes.ints("pads").to_vec());
            Box::new(move |inputs| unpool(inputs, &declared.kernel, &strides, &pads))
        }
        _ => return Ok(None),
    }))
}

fn pool(
    x: &Tensor,
    declared: &Declared,
    kind: Pool,
    with_places: bool,
    by_column: bool,
) -> Result<Vec<Tensor>, String> {
    let [batch, channels, sizes @ ..] = &x.shape[..] else {
        return Err(format!("the shape {:?} has no window", x.shape));
    };
    let window = declared.over(sizes, &[])?;
    let mut shape = vec![*batch, *channels];
    shape.extend_from_slice(&window.places);
    let count = elements(&shape)?;
    let within = grid(&window.kernel);
    if count.saturating_mul(within.len()) > 1 << 36 {
        return Err("the windows are too many".to_owned());
    }
    let plane: usize = sizes.iter().product();
    let places = grid(&window.places);
    let values = x.floats()?;
    let (mut made, mut found) = (vec![0.0; count], vec![0_i64; if with_places { count } else { 0 }]);
    for (at, place) in places.iter().enumerate() {
        let inside: Vec<usize> = within.iter().filter_map(|position| window.at(place, position, sizes)).collect();
        // Padding counts, but not what a rounded-up last window has beyond it.
        let covered = within.iter().filter(|position| {
            (0..sizes.len()).all(|axis| {
                let at = (place[axis] * window.strides[axis] + position[axis] * window.dilations[axis]) as i64;
                at < sizes[axis] as i64 + window.before[axis] + window.after[axis]
            })
        });
        let divisor = match kind {
            Pool::Average { counts_padding: true } => covered.count(),
            _ => inside.len(),
        };
        for image in 0..batch * channels {
            let own = &values[image * plane..][..plane];
            made[image * places.len() + at] = match kind {
                Pool::Average { .. } => inside.iter().map(|from| own[*from]).sum::<f64>() / divisor.max(1) as f64,
                Pool::Power(power) => {
                    inside.iter().map(|from| own[*from].abs().powf(power)).sum::<f64>().powf(1.0 / power)
                }
                Pool::Max => {
                    let best = inside.iter().copied().reduce(|best, from| {
                        if own[from] > own[best] || (own[from].is_nan() && !own[best].is_nan()) { from } else { best }
                    });
                    if with_places && let Some(best) = best {
                        let place = if by_column { transposed_place(best, sizes) } else { best };
                        found[image * places.len() + at] = (image * plane + place) as i64;
                    }
                    best.map_or(f64::NEG_INFINITY, |best| own[best])
                }
            };
        }
    }
    let mut results = vec![x.like(shape.clone(), made)?];
    if with_places {
        results.push(Tensor::new(shape, Data::Int(found))?.of_element(datatype::INT64));
    }
    Ok(results)
}

/// The number of a place of a plane, counted with the first axis fastest.
fn transposed_place(at: usize, sizes: &[usize]) -> usize {
    let (mut rest, mut places) = (at, Vec::with_capacity(sizes.len()));
    for size in sizes.iter().rev() {
        places.push(rest % size);
        rest /= size;
    }
    places.reverse();
    let (mut step, mut sum) = (1, 0);
    for (place, size) in places.iter().zip(sizes) {
        sum += place * step;
        step *= size;
    }
    sum
}

fn global(x: &Tensor, kind: Pool) -> Result<Vec<Tensor>, String> {
    let [batch, channels, sizes @ ..] = &x.shape[..] else {
        return Err(format!("the shape {:?} has no plane", x.shape));
    };
    let plane: usize = sizes.iter().product();
    let values = x.floats()?;
    let one = |own: &[f64]| match kind {
        Pool::Max => {
            own.iter().copied().fold(f64::NEG_INFINITY, |best, x| if x > best || x.is_nan() { x } else { best })
        }
        Pool::Average { .. } => own.iter().sum::<f64>() / plane as f64,
        Pool::Power(power) => own.iter().map(|x| x.abs().powf(power)).sum::<f64>().powf(1.0 / power),
    };
    let made = values.chunks(plane.max(1)).map(one).collect();
    let mut shape = vec![*batch, *channels];
    shape.extend(sizes.iter().map(|_| 1));
    Ok(vec![x.like(shape, made)?])
}

fn unpool(inputs: &[Option<&Tensor>], kernel: &[usize], strides: &[i64], pads: &[i64]) -> Result<Vec<Tensor>, String> {
    let (x, places) = (input(inputs, 0)?, input(inputs, 1)?);
    let [batch, channels, sizes @ ..] = &x.shape[..] else {
        return Err(format!("the shape {:?} has no window", x.shape));
    };
    let axes = sizes.len();
    let strides = super::window::each(strides, axes, 1, "strides")?;
    let pads = super::window::each(pads, 2 * axes, 0, "pads")?;
    if kernel.len() != axes || x.shape != places.shape {
        return Err(format!("places of shape {:?} do not fit {:?}", places.shape, x.shape));
    }
    let plain: Vec<i64> = (0..axes)
        .map(|axis| (sizes[axis] as i64 - 1) * strides[axis] + kernel[axis] as i64 - pads[axis] - pads[axis + axes])
        .collect();
    let mut own = vec![*batch, *channels];
    own.extend(plain.iter().map(|size| (*size).max(0) as usize));
    let shape = optional(inputs, 2).map_or(Ok(own.clone()), super::shape::sizes)?;
    let count = elements(&shape)?;
    let (own_plane, plane): (usize, usize) =
        (own[2..].iter().product(), shape.get(2..).unwrap_or(&[]).iter().product());
    let mut made = vec![0.0; count];
    let own_steps = super::transform::strides(&own);
    let steps = super::transform::strides(&shape);
    if shape.len() != own.len() || own_plane == 0 || plane == 0 {
        return Err(format!("an output of shape {shape:?}"));
    }
    for (value, place) in x.floats()?.iter().zip(places.integers()?) {
        // Places count in the output without extra room.
        let place = usize::try_from(*place).map_err(|_| "a place is below 0")?;
        let to: usize = (0..own.len()).map(|axis| place / own_steps[axis] % own[axis].max(1) * steps[axis]).sum();
        *made.get_mut(to).ok_or("a place is outside of the output")? = *value;
    }
    Ok(vec![x.like(shape, made)?])
}
