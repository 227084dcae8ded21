//! Convolutions, in floating-point and whole numbers.

use std::ops::{AddAssign, Mul};

use super::quantise::Scale;
use super::window::{Auto, Declared, Window, auto_pad, counts, each, grid};
use super::{Kernel, input, optional};
use crate::onnx::attributes::Attributes;
use crate::onnx::value::{Data, Tensor, datatype, elements};

/// More multiplications for a batch are rejected.
const WORK_MAX: usize = 1 << 40;
/// Places of a window that are multiplied at once.
const TILE: usize = 1024;

pub(super) fn compile(name: &str, attributes: Attributes<'_>, _: i64) -> Result<Option<Kernel>, String> {
    let group =
        usize::try_from(attributes.int("group", 1)).ok().filter(|group| *group > 0).ok_or("`group` is below 1")?;
    Ok(Some(match name {
        "Conv" => {
            let declared = Declared::of(attributes)?;
            Box::new(move |inputs| {
                let (x, w) = (input(inputs, 0)?, input(inputs, 1)?);
                let bias = optional(inputs, 2);
                Ok(vec![match (&x.data, &w.data) {
                    (Data::F32(values), Data::F32(weights)) => {
                        let bias = bias.map(Tensor::floats32).transpose()?;
                        let (shape, made) = convolve((values, x), (weights, w), bias.as_deref(), &declared, group)?;
                        Tensor::new(shape, Data::F32(made))?
                    }
                    _ => {
                        let bias = bias.map(Tensor::floats).transpose()?;
                        let (values, weights) = (x.floats()?, w.floats()?);
                        let (shape, made) = convolve((&values, x), (&weights, w), bias.as_deref(), &declared, group)?;
                        x.like(shape, made)?
                    }
                }])
            })
        }
        "ConvInteger" => {
            let declared = Declared::of(attributes)?;
            Box::new(move |inputs| {
                let (x, w) = (input(inputs, 0)?, input(inputs, 1)?);
                let values = shifted(x, optional(inputs, 2))?;
                let weights = shifted(w, optional(inputs, 3))?;
                let (shape, made) = convolve((&values, x), (&weights, w), None, &declared, group)?;
                let whole = made.into_iter().map(|x| x as i64).collect();
                Ok(vec![Tensor::new(shape, Data::Int(whole))?.of_element(datatype::INT32)])
            })
        }
        "QLinearConv" => {
            let declared = Declared::of(attributes)?;
            Box::new(move |inputs| quantised(inputs, &declared, group))
        }
        "ConvTranspose" => transposed(attributes, group)?,
        "DeformConv" => deformed(attributes, group)?,
        "Col2Im" => from_columns(attributes)?,
        _ => return Ok(None),
    }))
}

/// The numbers less the zero point: one for all, or one for each slice along the first axis.
fn shifted(tensor: &Tensor, zero: Option<&Tensor>) -> Result<Vec<f64>, String> {
    let mut values = tensor.floats()?.into_owned();
    let Some(zero) = zero else { return Ok(values) };
    let zero = zero.floats()?;
    let slices = if zero.len() == 1 { 1 } else { tensor.shape.first().copied().unwrap_or(1) };
    if zero.len() != slices || slices == 0 {
        return Err(format!("{} zero points for the shape {:?}", zero.len(), tensor.shape));
    }
    let width = (values.len() / slices).max(1);
    values.chunks_mut(width).zip(zero.iter()).for_each(|(slice, zero)| slice.iter_mut().for_each(|x| *x -= zero));
    Ok(values)
}

/// The convolution of `x` with `w`, and its shape.
pub(super) fn convolve<T: Copy + Default + AddAssign + Mul<Output = T>>(
    (x, x_tensor): (&[T], &Tensor),
    (w, w_tensor): (&[T], &Tensor),
    bias: Option<&[T]>,
    declared: &Declared,
    group: usize,
) -> Result<(Vec<usize>, Vec<T>), String> {
    let ([batch, channels, sizes @ ..], [filters, depth, kernel @ ..]) = (&x_tensor.shape[..], &w_tensor.shape[..])
    else {
        return Err(format!("shapes {:?} and {:?} are not convolved", x_tensor.shape, w_tensor.shape));
    };
    let (batch, channels, filters, depth) = (*batch, *channels, *filters, *depth);
    if Some(channels) != depth.checked_mul(group) || !filters.is_multiple_of(group) || kernel.len() != sizes.len() {
        return Err(format!("weights of shape {:?} do not fit {:?} in {group} groups", w_tensor.shape, x_tensor.shape));
    }
    if bias.is_some_and(|bias| bias.len() != filters) {
        return Err(format!("the bias is not one of {filters} filters"));
    }
    let window = declared.over(sizes, kernel)?;
    if window.kernel != kernel {
        return Err(format!("the window {:?} is not that of the weights {kernel:?}", window.kernel));
    }
    let places: usize = window.places.iter().product();
    let mut shape = vec![batch, filters];
    shape.extend_from_slice(&window.places);
    let count = elements(&shape)?;
    let area: usize = kernel.iter().product();
    if count.saturating_mul(depth).saturating_mul(area) > WORK_MAX {
        return Err(format!("a convolution of shapes {:?} and {:?} is too large", x_tensor.shape, w_tensor.shape));
    }
    let mut made = vec![T::default(); count];
    let plane: usize = sizes.iter().product();
    let within = grid(kernel);
    let own = filters / group;
    let all = grid(&window.places);
    for (first, tile) in all.chunks(TILE).enumerate().map(|(at, tile)| (at * TILE, tile)) {
        // The element of the plane under each position of the window.
        let under: Vec<Vec<Option<usize>>> = within
            .iter()
            .map(|position| tile.iter().map(|place| window.at(place, position, sizes)).collect())
            .collect();
        let mut column = vec![T::default(); tile.len()];
        for row in 0..batch {
            for part in 0..group {
                for channel in 0..depth {
                    let values = &x[(row * channels + part * depth + channel) * plane..][..plane];
                    for (position, under) in under.iter().enumerate() {
                        for (cell, from) in column.iter_mut().zip(under) {
                            *cell = from.map_or_else(T::default, |from| values[from]);
                        }
                        for filter in part * own..(part + 1) * own {
                            let weight = w[(filter * depth + channel) * area + position];
                            let out = &mut made[(row * filters + filter) * places + first..][..tile.len()];
                            for (sum, cell) in out.iter_mut().zip(&column) {
                                *sum += weight * *cell;
                            }
                        }
                    }
                }
            }
        }
    }
    if let Some(bias) = bias {
        for (at, out) in made.chunks_mut(places.max(1)).enumerate() {
            out.iter_mut().for_each(|sum| *sum += bias[at % filters]);
        }
    }
    Ok((shape, made))
}

/// A convolution of quantized numbers, with a scale and a zero point for each of its tensors.
fn quantised(inputs: &[Option<&Tensor>], declared: &Declared, group: usize) -> Result<Vec<Tensor>, String> {
    let (x, w) = (input(inputs, 0)?, input(inputs, 3)?);
    let values = shifted(x, Some(input(inputs, 2)?))?;
    let weights = shifted(w, Some(input(inputs, 5)?))?;
    let bias = optional(inputs, 8).map(Tensor::floats).transpose()?;
    let (shape, sums) = convolve((&values, x), (&weights, w), bias.as_deref(), declared, group)?;
    let (x_scale, w_scale) = (input(inputs, 1)?.number()?, input(inputs, 4)?.floats()?);
    let filters = shape[1];
    if w_scale.len() != 1 && w_scale.len() != filters {
        return Err(format!("{} scales for {filters} filters", w_scale.len()));
    }
    let places: usize = shape[2..].iter().product();
    let scale = |at: usize| x_scale * w_scale[if w_scale.len() == 1 { 0 } else { at / places.max(1) % filters }];
    let real = sums.iter().enumerate().map(|(at, sum)| sum * scale(at)).collect();
    let zero = input(inputs, 7)?;
    Ok(vec![Scale { scale: input(inputs, 6)?.number()?, zero: zero.number()? }.quantise(
        shape,
        real,
        zero.element(),
    )?])
}

fn transposed(attributes: Attributes<'_>, group: usize) -> Result<Kernel, String> {
    let (strides, dilations) = (counts(attributes, "strides")?, counts(attributes, "dilations")?);
    let pads = attributes.ints("pads").to_vec();
    let wanted = counts(attributes, "output_shape")?;
    let extra = attributes.ints("output_padding").to_vec();
    let auto = auto_pad(attributes)?;
    Ok(Box::new(move |inputs| {
        let (x, w) = (input(inputs, 0)?, input(inputs, 1)?);
        let ([batch, channels, sizes @ ..], [below, depth, kernel @ ..]) = (&x.shape[..], &w.shape[..]) else {
            return Err(format!("shapes {:?} and {:?} are not convolved", x.shape, w.shape));
        };
        let (batch, channels, depth, axes) = (*batch, *channels, *depth, sizes.len());
        if channels != *below || !channels.is_multiple_of(group) || kernel.len() != axes {
            return Err(format!("weights of shape {:?} do not fit {:?}", w.shape, x.shape));
        }
        let strides = each(&strides, axes, 1, "strides")?;
        let dilations = each(&dilations, axes, 1, "dilations")?;
        let pads = each(&pads, 2 * axes, 0, "pads")?;
        let extra = each(&extra, axes, 0, "output_padding")?;
        let (mut before, mut places) = (pads[..axes].to_vec(), Vec::with_capacity(axes));
        let wanted = if wanted.len() == axes + 2 { &wanted[2..] } else { &wanted[..] };
        for axis in 0..axes {
            let reach = (kernel[axis].saturating_sub(1) * dilations[axis] + 1) as i64;
            let full = strides[axis] as i64 * (sizes[axis] as i64 - 1) + extra[axis] + reach;
            let out = match (wanted.get(axis), auto) {
                (Some(wanted), _) => *wanted as i64,
                (None, Auto::Upper | Auto::Lower) => (sizes[axis] * strides[axis]) as i64,
                (None, Auto::Valid) => full,
                (None, Auto::NotSet) => full - pads[axis] - pads[axis + axes],
            };
            if wanted.len() == axes || matches!(auto, Auto::Upper | Auto::Lower) {
                // A result that is larger than what the windows reach is filled up at its end.
                let total = (full - out).max(0);
                before[axis] = if auto == Auto::Upper { total / 2 } else { total - total / 2 };
            } else if auto == Auto::Valid {
                before[axis] = 0;
            }
            places.push(usize::try_from(out).map_err(|_| format!("an output of the size {out}"))?);
        }
        let filters = depth * group;
        let mut shape = vec![batch, filters];
        shape.extend_from_slice(&places);
        let mut made = vec![0.0; elements(&shape)?];
        let (area, plane, out_plane): (usize, usize, usize) =
            (kernel.iter().product(), sizes.iter().product(), places.iter().product());
        if x.data.len().saturating_mul(depth).saturating_mul(area) > WORK_MAX {
            return Err("the convolution is too large".to_owned());
        }
        let window = Window {
            kernel: kernel.to_vec(),
            strides,
            dilations,
            before,
            after: vec![0; axes],
            places: sizes.to_vec(),
        };
        let within = grid(kernel);
        // The element of the result that each element of the input and position of the window add to.
        let over: Vec<Vec<Option<usize>>> = grid(sizes)
            .iter()
            .map(|place| within.iter().map(|position| window.at(place, position, &places)).collect())
            .collect();
        let (values, weights) = (x.floats()?, w.floats()?);
        let own = channels / group;
        for row in 0..batch {
            for channel in 0..channels {
                for filter in 0..depth {
                    let out = &mut made[(row * filters + channel / own * depth + filter) * out_plane..][..out_plane];
                    let weights = &weights[(channel * depth + filter) * area..][..area];
                    for (value, over) in values[(row * channels + channel) * plane..][..plane].iter().zip(&over) {
                        for (to, weight) in over.iter().zip(weights) {
                            if let Some(to) = to {
                                out[*to] += value * weight;
                            }
                        }
                    }
                }
            }
        }
        if let Some(bias) = optional(inputs, 2) {
            let bias = bias.floats()?;
            if bias.len() != filters {
                return Err(format!("{} biases for {filters} filters", bias.len()));
            }
            for (at, out) in made.chunks_mut(out_plane.max(1)).enumerate() {
                out.iter_mut().for_each(|sum| *sum += bias[at % filters]);
            }
        }
        Ok(vec![x.like(shape, made)?])
    }))
}

/// A convolution over two axes whose positions are moved by a tensor of their own (and weighted by another).
fn deformed(attributes: Attributes<'_>, group: usize) -> Result<Kernel, String> {
    let declared = Declared::of(attributes)?;
    let offset_group =
        usize::try_from(attributes.int("offset_group", 1)).ok().filter(|x| *x > 0).ok_or("`offset_group`")?;
    Ok(Box::new(move |inputs| {
        let (x, w, offset) = (input(inputs, 0)?, input(inputs, 1)?, input(inputs, 2)?);
        let (&[batch, channels, height, width], &[filters, depth, kernel_h, kernel_w]) = (&x.shape[..], &w.shape[..])
        else {
            return Err("a deformed convolution is run over two axes only".to_owned());
        };
        let window = declared.over(&[height, width], &[kernel_h, kernel_w])?;
        let area = kernel_h * kernel_w;
        let places = grid(&window.places);
        let (count, within) = (places.len(), grid(&[kernel_h, kernel_w]));
        let expected = [batch, offset_group * area * 2, window.places[0], window.places[1]];
        if offset.shape != expected || channels != depth * group || !channels.is_multiple_of(offset_group) {
            return Err(format!("offsets of shape {:?} where {expected:?} is expected", offset.shape));
        }
        let (values, weights, moves) = (x.floats()?, w.floats()?, offset.floats()?);
        let mask = optional(inputs, 4).map(Tensor::floats).transpose()?;
        let bias = optional(inputs, 3).map(Tensor::floats).transpose()?;
        let mut made = vec![0.0; elements(&[batch, filters, count])?];
        let own = filters / group.min(filters).max(1);
        for row in 0..batch {
            for channel in 0..channels {
                let part = channel / (channels / offset_group);
                let plane = &values[(row * channels + channel) * height * width..][..height * width];
                for (at, place) in places.iter().enumerate() {
                    for (position, inside) in within.iter().enumerate() {
                        let line = (row * offset_group + part) * area + position;
                        let moved = |axis: usize| {
                            let still =
                                (place[axis] * window.strides[axis] + inside[axis] * window.dilations[axis]) as f64;
                            still - window.before[axis] as f64 + moves[(line * 2 + axis) * count + at]
                        };
                        let mut value = super::vision::bilinear(plane, height, width, moved(0), moved(1));
                        if let Some(mask) = &mask {
                            value *= mask.get(line * count + at).ok_or("the mask does not fit")?;
                        }
                        let group = channel / depth;
                        for filter in group * own..(group + 1) * own {
                            let weight = weights[(filter * depth + channel % depth) * area + position];
                            made[(row * filters + filter) * count + at] += weight * value;
                        }
                    }
                }
            }
        }
        if let Some(bias) = bias {
            for (at, sum) in made.iter_mut().enumerate() {
                *sum += bias.get(at / count.max(1) % filters).ok_or("the bias does not fit")?;
            }
        }
        Ok(vec![x.like(vec![batch, filters, window.places[0], window.places[1]], made)?])
    }))
}

/// Adds columns of windows up to an image.
fn from_columns(attributes: Attributes<'_>) -> Result<Kernel, String> {
    let (strides, dilations) = (counts(attributes, "strides")?, counts(attributes, "dilations")?);
    let pads = attributes.ints("pads").to_vec();
    Ok(Box::new(move |inputs| {
        let x = input(inputs, 0)?;
        let (sizes, kernel) = (super::shape::sizes(input(inputs, 1)?)?, super::shape::sizes(input(inputs, 2)?)?);
        let axes = sizes.len();
        let strides = each(&strides, axes, 1, "strides")?;
        let dilations = each(&dilations, axes, 1, "dilations")?;
        let pads = each(&pads, 2 * axes, 0, "pads")?;
        let mut places = Vec::with_capacity(axes);
        for axis in 0..axes {
            let reach = (kernel.get(axis).copied().unwrap_or(1).max(1) - 1) * dilations[axis] + 1;
            let room = sizes[axis] as i64 + pads[axis] + pads[axis + axes] - reach as i64;
            places.push(usize::try_from(room).map_err(|_| "the blocks do not fit the image")? / strides[axis] + 1);
        }
        let area: usize = kernel.iter().product();
        let &[batch, columns, blocks] = &x.shape[..] else { return Err("three axes are expected".to_owned()) };
        if kernel.len() != axes || !columns.is_multiple_of(area.max(1)) || blocks != places.iter().product::<usize>() {
            return Err(format!("blocks of shape {:?} do not make up the image {sizes:?}", x.shape));
        }
        let channels = columns / area.max(1);
        let mut shape = vec![batch, channels];
        shape.extend_from_slice(&sizes);
        let mut made = vec![0.0; elements(&shape)?];
        let plane: usize = sizes.iter().product();
        let (before, after) = (pads[..axes].to_vec(), pads[axes..].to_vec());
        let window = Window { kernel: kernel.clone(), strides, dilations, before, after, places: places.clone() };
        let values = x.floats()?;
        for (at, place) in grid(&places).iter().enumerate() {
            for (position, inside) in grid(&kernel).iter().enumerate() {
                let Some(to) = window.at(place, inside, &sizes) else { continue };
                for image in 0..batch * channels {
                    made[image * plane + to] += values[(image * area + position) * blocks + at];
                }
            }
        }
        Ok(vec![x.like(shape, made)?])
    }))
}
