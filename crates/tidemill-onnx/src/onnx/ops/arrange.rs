//! Repeats, pads, cuts, counts and reorders elements.

use super::transform::{reordered, strides};
use super::{Kernel, input, optional};
use crate::onnx::attributes::Attributes;
use crate::onnx::value::{Data, Tensor, axis_of, elements};

pub(super) fn compile(name: &str, attributes: Attributes<'_>, opset: i64) -> Result<Option<Kernel>, String> {
    let exclusive = attributes.int("exclusive", 0) != 0;
    let reverse = attributes.int("reverse", 0) != 0;
    Ok(Some(match name {
        "Tile" => Box::new(|inputs| {
            let (tensor, repeats) = (input(inputs, 0)?, super::shape::sizes(input(inputs, 1)?)?);
            if repeats.len() != tensor.rank() {
                return Err(format!("{} repeats for {} axes", repeats.len(), tensor.rank()));
            }
            let wanted: Vec<usize> =
                tensor.shape.iter().zip(&repeats).map(|(size, by)| size.saturating_mul(*by)).collect();
            elements(&wanted)?;
            let lists = tensor.shape.iter().zip(wanted).map(|(size, to)| (0..to).map(|at| Some(at % size)).collect());
            Ok(vec![picked(tensor, &lists.collect::<Vec<_>>(), 0.0)?])
        }),
        "Pad" => pad(attributes, opset)?,
        "Range" => Box::new(|inputs| range(input(inputs, 0)?, input(inputs, 1)?, input(inputs, 2)?)),
        "EyeLike" => {
            let (shift, wanted) = (attributes.int("k", 0), attributes.int("dtype", 0) as i32);
            Box::new(move |inputs| eye(input(inputs, 0)?, shift, wanted))
        }
        "Trilu" => {
            let upper = attributes.int("upper", 1) != 0;
            Box::new(move |inputs| {
                let shift = optional(inputs, 1).map_or(Ok(0.0), Tensor::number)? as i64;
                triangle(input(inputs, 0)?, shift, upper)
            })
        }
        "CumSum" => Box::new(move |inputs| running(inputs, exclusive, reverse, 0.0, |a, b| a + b)),
        "CumProd" => Box::new(move |inputs| running(inputs, exclusive, reverse, 1.0, |a, b| a * b)),
        "DepthToSpace" | "SpaceToDepth" => {
            let block = usize::try_from(attributes.int("blocksize", 0)).ok().filter(|size| *size > 0);
            let block = block.ok_or("`blocksize` is not given")?;
            let mode = attributes.text("mode", "DCR")?;
            if !matches!(mode.as_str(), "DCR" | "CRD") {
                return Err(format!("the mode `{mode}` is not run by this version"));
            }
            let to_space = name == "DepthToSpace";
            Box::new(move |inputs| blocks(input(inputs, 0)?, block, to_space, mode == "CRD"))
        }
        "CenterCropPad" => {
            let axes = attributes.ints("axes").to_vec();
            Box::new(move |inputs| center(input(inputs, 0)?, input(inputs, 1)?, &axes))
        }
        "ReverseSequence" => {
            let (time, batch) = (attributes.int("time_axis", 0), attributes.int("batch_axis", 1));
            Box::new(move |inputs| reverse_parts(input(inputs, 0)?, input(inputs, 1)?, time, batch))
        }
        "OneHot" => {
            let axis = attributes.int("axis", -1);
            Box::new(move |inputs| one_hot(input(inputs, 0)?, input(inputs, 1)?, input(inputs, 2)?, axis))
        }
        "Det" => Box::new(|inputs| determinants(input(inputs, 0)?)),
        "Einsum" => {
            let equation = attributes.text("equation", "")?;
            Box::new(move |inputs| super::sum_of_products::einsum(&equation, inputs))
        }
        _ => return Ok(None),
    }))
}

/// The elements at all combinations of places along the axes; `None` stands for `fill`.
pub(super) fn picked(tensor: &Tensor, lists: &[Vec<Option<usize>>], fill: f64) -> Result<Tensor, String> {
    let shape: Vec<usize> = lists.iter().map(Vec::len).collect();
    let count = elements(&shape)?;
    // A place after the last element stands for the fill.
    let last = tensor.data.len();
    let mut offsets = Vec::with_capacity(count);
    offsets.push(Some(0));
    for (list, stride) in lists.iter().zip(strides(&tensor.shape)) {
        let step = |offset: Option<usize>| {
            list.iter().map(move |at| offset.and_then(|offset| at.map(|at| offset + at * stride)))
        };
        offsets = offsets.into_iter().flat_map(step).collect();
    }
    let is_whole = offsets.iter().all(Option::is_some);
    let offsets: Vec<usize> = offsets.into_iter().map(|offset| offset.unwrap_or(last)).collect();
    if is_whole {
        return tensor.taken(shape, &offsets);
    }
    let mut data = tensor.data.clone();
    match &mut data {
        Data::F32(values) => values.push(fill as f32),
        Data::F64(values) => values.push(fill),
        Data::Int(values) => values.push(fill as i64),
        Data::Bool(values) => values.push(fill != 0.0),
        Data::Text(values) => values.push(String::new()),
        Data::List(_) | Data::Nothing => return Err("a sequence cannot be padded".to_owned()),
    }
    Ok(Tensor::new(shape, data.take(&offsets))?.of_element(tensor.element()))
}

fn pad(attributes: Attributes<'_>, opset: i64) -> Result<Kernel, String> {
    let mode = attributes.text("mode", "constant")?;
    if !matches!(mode.as_str(), "constant" | "reflect" | "edge" | "wrap") {
        return Err(format!("the mode `{mode}` is not run by this version"));
    }
    let fixed = if opset < 2 { attributes.ints("paddings") } else { attributes.ints("pads") }.to_vec();
    let value = f64::from(attributes.float("value", 0.0));
    Ok(Box::new(move |inputs| {
        let tensor = input(inputs, 0)?;
        let pads = optional(inputs, 1).map_or(Ok(fixed.as_slice()), Tensor::integers)?;
        let fill = optional(inputs, 2).filter(|fill| fill.data.len() == 1).map_or(Ok(value), Tensor::number)?;
        let axes: Vec<usize> = match optional(inputs, 3) {
            Some(axes) => {
                axes.integers()?.iter().map(|axis| axis_of(*axis, tensor.rank())).collect::<Result<_, _>>()?
            }
            None => (0..tensor.rank()).collect(),
        };
        if pads.len() != axes.len() * 2 {
            return Err(format!("{} pads for {} axes", pads.len(), axes.len()));
        }
        let mut lists: Vec<Vec<Option<usize>>> =
            tensor.shape.iter().map(|size| (0..*size).map(Some).collect()).collect();
        for (at, axis) in axes.iter().enumerate() {
            let (before, after) = (pads[at], pads[at + axes.len()]);
            let size = tensor.shape[*axis] as i64;
            let length = size.saturating_add(before).saturating_add(after).max(0);
            elements(&[length as usize])?;
            if size == 0 && length > 0 && mode != "constant" {
                return Err("an axis without elements cannot be padded with them".to_owned());
            }
            let place = |at: i64| -> Option<usize> {
                let at = at - before;
                let inside = match mode.as_str() {
                    "edge" => at.clamp(0, size - 1),
                    "wrap" => at.rem_euclid(size),
                    "reflect" if size == 1 => 0,
                    "reflect" => {
                        let folded = at.rem_euclid(2 * (size - 1));
                        folded.min(2 * (size - 1) - folded)
                    }
                    _ => at,
                };
                (0..size).contains(&inside).then_some(inside as usize)
            };
            lists[*axis] = (0..length).map(place).collect();
        }
        Ok(vec![picked(tensor, &lists, fill)?])
    }))
}

fn range(start: &Tensor, limit: &Tensor, step: &Tensor) -> Result<Vec<Tensor>, String> {
    let shape = |count: f64| elements(&[if count > 0.0 { count as usize } else { 0 }]);
    if let (Ok(&[first]), Ok(&[end]), Ok(&[by])) = (start.integers(), limit.integers(), step.integers()) {
        if by == 0 {
            return Err("a step of 0".to_owned());
        }
        let distance = i128::from(end) - i128::from(first);
        let count = (distance + i128::from(by) - i128::from(by.signum())) / i128::from(by);
        let count = shape(count as f64)?;
        return Ok(vec![Tensor::vector(Data::Int((0..count as i64).map(|at| first.wrapping_add(at * by)).collect()))]);
    }
    let (first, end, by) = (start.number()?, limit.number()?, step.number()?);
    let count = shape(((end - first) / by).ceil())?;
    Ok(vec![start.like(vec![count], (0..count).map(|at| first + at as f64 * by).collect())?])
}

fn eye(tensor: &Tensor, shift: i64, wanted: i32) -> Result<Vec<Tensor>, String> {
    let &[rows, columns] = &tensor.shape[..] else { return Err("a matrix is expected".to_owned()) };
    let wanted = if wanted == 0 { tensor.element() } else { wanted };
    let ones: Vec<f64> = (0..rows as i64)
        .flat_map(|row| (0..columns as i64).map(move |column| f64::from(u8::from(column - row == shift))))
        .collect();
    let made = Tensor::new(vec![rows, columns], Data::F64(ones))?;
    Ok(vec![super::shape::cast(&made, wanted, &super::shape::Rounding::default())?])
}

fn triangle(tensor: &Tensor, shift: i64, upper: bool) -> Result<Vec<Tensor>, String> {
    let [.., rows, columns] = tensor.shape[..] else { return Err("a matrix is expected".to_owned()) };
    let keeps = |at: usize| {
        let (row, column) = (at / columns.max(1) % rows.max(1), at % columns.max(1));
        let above = column as i64 - row as i64;
        if upper { above >= shift } else { above <= shift }
    };
    let mut data = tensor.data.clone();
    match &mut data {
        Data::F32(values) => values.iter_mut().enumerate().filter(|(at, _)| !keeps(*at)).for_each(|(_, x)| *x = 0.0),
        Data::F64(values) => values.iter_mut().enumerate().filter(|(at, _)| !keeps(*at)).for_each(|(_, x)| *x = 0.0),
        Data::Int(values) => values.iter_mut().enumerate().filter(|(at, _)| !keeps(*at)).for_each(|(_, x)| *x = 0),
        Data::Bool(values) => values.iter_mut().enumerate().filter(|(at, _)| !keeps(*at)).for_each(|(_, x)| *x = false),
        other => return Err(format!("a triangle of {}", other.kind())),
    }
    Ok(vec![Tensor::new(tensor.shape.clone(), data)?])
}

/// Each element combined with all before it along an axis.
fn running(
    inputs: &[Option<&Tensor>],
    exclusive: bool,
    reverse: bool,
    neutral: f64,
    combine: fn(f64, f64) -> f64,
) -> Result<Vec<Tensor>, String> {
    let axis = input(inputs, 1)?.number()? as i64;
    super::reduce::along(input(inputs, 0)?, axis, false, |row| {
        let mut total = neutral;
        let width = row.len();
        for at in 0..width {
            let at = if reverse { width - 1 - at } else { at };
            let next = combine(total, row[at]);
            row[at] = if exclusive { total } else { next };
            total = next;
        }
    })
}

/// Blocks of the plane as channels, and back.
fn blocks(tensor: &Tensor, block: usize, to_space: bool, channel_first: bool) -> Result<Vec<Tensor>, String> {
    let &[batch, channels, height, width] = &tensor.shape[..] else {
        return Err(format!("four dimensions are expected, and the shape is {:?}", tensor.shape));
    };
    let area = block.checked_mul(block).ok_or("`blocksize` is too large")?;
    if to_space {
        if !channels.is_multiple_of(area) {
            return Err(format!("{channels} channels are no multiple of {area}"));
        }
        let depth = channels / area;
        let (split, order) = if channel_first {
            (vec![batch, depth, block, block, height, width], [0, 1, 4, 2, 5, 3])
        } else {
            (vec![batch, block, block, depth, height, width], [0, 3, 4, 1, 5, 2])
        };
        let moved = reordered(&tensor.reshaped(split)?, &order)?;
        return Ok(vec![moved.reshaped(vec![batch, depth, height * block, width * block])?]);
    }
    if !height.is_multiple_of(block) || !width.is_multiple_of(block) {
        return Err(format!("a plane of {height} × {width} is not cut into blocks of {block}"));
    }
    let split = tensor.reshaped(vec![batch, channels, height / block, block, width / block, block])?;
    let order = if channel_first { [0, 1, 3, 5, 2, 4] } else { [0, 3, 5, 1, 2, 4] };
    let moved = reordered(&split, &order)?;
    Ok(vec![moved.reshaped(vec![batch, channels * area, height / block, width / block])?])
}

fn center(tensor: &Tensor, wanted: &Tensor, axes: &[i64]) -> Result<Vec<Tensor>, String> {
    let wanted = super::shape::sizes(wanted)?;
    let axes: Vec<usize> = if axes.is_empty() {
        (0..tensor.rank()).collect()
    } else {
        axes.iter().map(|axis| axis_of(*axis, tensor.rank())).collect::<Result<_, _>>()?
    };
    if axes.len() != wanted.len() {
        return Err(format!("{} sizes for {} axes", wanted.len(), axes.len()));
    }
    let mut lists: Vec<Vec<Option<usize>>> = tensor.shape.iter().map(|size| (0..*size).map(Some).collect()).collect();
    for (axis, wanted) in axes.into_iter().zip(wanted) {
        let size = tensor.shape[axis];
        elements(&[wanted])?;
        lists[axis] = if wanted <= size {
            let first = (size - wanted) / 2;
            (first..first + wanted).map(Some).collect()
        } else {
            let first = (wanted - size) / 2;
            (0..wanted).map(|at| at.checked_sub(first).filter(|at| *at < size)).collect()
        };
    }
    Ok(vec![picked(tensor, &lists, 0.0)?])
}

fn reverse_parts(tensor: &Tensor, lengths: &Tensor, time: i64, batch: i64) -> Result<Vec<Tensor>, String> {
    let (time, batch) = (axis_of(time, tensor.rank())?, axis_of(batch, tensor.rank())?);
    let lengths = super::shape::sizes(lengths)?;
    let steps = strides(&tensor.shape);
    if lengths.len() != tensor.shape[batch] || lengths.iter().any(|length| *length > tensor.shape[time]) {
        return Err(format!("lengths {lengths:?} do not fit the shape {:?}", tensor.shape));
    }
    let place = |at: usize| {
        let (moment, row) = (at / steps[time] % tensor.shape[time], at / steps[batch] % tensor.shape[batch]);
        if moment < lengths[row] { at - moment * steps[time] + (lengths[row] - 1 - moment) * steps[time] } else { at }
    };
    let offsets: Vec<usize> = (0..tensor.data.len()).map(place).collect();
    Ok(vec![tensor.taken(tensor.shape.clone(), &offsets)?])
}

/// An index that is out of range has all values off.
fn one_hot(indices: &Tensor, depth: &Tensor, values: &Tensor, axis: i64) -> Result<Vec<Tensor>, String> {
    let depth = depth.number()?;
    let count = if depth >= 0.0 { depth as usize } else { return Err(format!("a depth of {depth}")) };
    if values.data.len() != 2 {
        return Err("`values` are not off and on".to_owned());
    }
    let rank = indices.rank() + 1;
    let axis = axis_of(axis, rank)?;
    let mut shape = indices.shape.clone();
    shape.insert(axis, count);
    elements(&shape)?;
    let inner: usize = indices.shape[axis..].iter().product();
    let indices = indices.floats()?;
    let is_on = |at: usize| {
        let (outer, place, rest) = (at / inner / count, at / inner % count, at % inner);
        let index = indices[outer * inner + rest];
        let index = if index < 0.0 { index + count as f64 } else { index };
        usize::from(index == place as f64)
    };
    let total = shape.iter().product();
    let offsets: Vec<usize> = (0..total).map(is_on).collect();
    Ok(vec![values.taken(shape, &offsets)?.of_element(values.element())])
}

/// The determinant of each matrix, by elimination.
fn determinants(tensor: &Tensor) -> Result<Vec<Tensor>, String> {
    let [outer @ .., rows, columns] = &tensor.shape[..] else { return Err("a matrix is expected".to_owned()) };
    if rows != columns {
        return Err(format!("a matrix of {rows} × {columns} has no determinant"));
    }
    let size = *rows;
    let one = |matrix: &[f64]| {
        let mut matrix = matrix.to_vec();
        let mut determinant = 1.0;
        for at in 0..size {
            let best = (at..size).fold(at, |best, row| {
                if matrix[row * size + at].abs() > matrix[best * size + at].abs() { row } else { best }
            });
            if matrix[best * size + at] == 0.0 {
                return 0.0;
            }
            if best != at {
                (0..size).for_each(|column| matrix.swap(best * size + column, at * size + column));
                determinant = -determinant;
            }
            determinant *= matrix[at * size + at];
            for row in at + 1..size {
                let factor = matrix[row * size + at] / matrix[at * size + at];
                for column in at..size {
                    matrix[row * size + column] -= factor * matrix[at * size + column];
                }
            }
        }
        determinant
    };
    let values = tensor.floats()?;
    let results = values.chunks((size * size).max(1)).map(one).collect();
    Ok(vec![tensor.like(outer.to_vec(), results)?])
}
