//! Constants, types and shapes.

use super::{Kernel, input, optional};
use crate::onnx::attributes::Attributes;
use crate::onnx::element;
use crate::onnx::value::{Data, Tensor, axis_of, datatype, elements, type_name};

pub(super) fn compile(name: &str, attributes: Attributes<'_>) -> Result<Option<Kernel>, String> {
    let axis = attributes.int("axis", i64::from(name == "Flatten"));
    let axes = attributes.ints("axes").to_vec();
    Ok(Some(match name {
        "Constant" => {
            let constant = constant(attributes)?;
            Box::new(move |_| Ok(vec![constant.clone()]))
        }
        "ConstantOfShape" => {
            let value = match attributes.tensor("value")? {
                Some(value) => value,
                None => Tensor::vector(Data::F32(vec![0.0])),
            };
            if value.data.len() != 1 {
                return Err("`value` is not one element".to_owned());
            }
            Box::new(move |inputs| {
                let shape = sizes(input(inputs, 0)?)?;
                let count = elements(&shape)?;
                Ok(vec![value.taken(shape, &vec![0; count])?])
            })
        }
        "Cast" => {
            let to = attributes.int("to", 0) as i32;
            let rounding = Rounding::of(attributes)?;
            Box::new(move |inputs| Ok(vec![cast(input(inputs, 0)?, to, &rounding)?]))
        }
        "BitCast" => {
            let to = attributes.int("to", 0) as i32;
            Box::new(move |inputs| {
                let tensor = input(inputs, 0)?;
                let refuse = || format!("the bits of {} as {}", type_name(tensor.element()), type_name(to));
                if element::bits(to) != element::bits(tensor.element()) {
                    return Err(refuse());
                }
                let data =
                    element::to_bytes(tensor).and_then(|bytes| element::from_bytes(&bytes, to)).ok_or_else(refuse)?;
                Ok(vec![exactly(Tensor::new(tensor.shape.clone(), data)?, to)?])
            })
        }
        "CastLike" => {
            let rounding = Rounding::of(attributes)?;
            Box::new(move |inputs| Ok(vec![cast(input(inputs, 0)?, input(inputs, 1)?.element(), &rounding)?]))
        }
        "Shape" => {
            let (start, end) = (attributes.int("start", 0), attributes.int("end", i64::MAX));
            Box::new(move |inputs| {
                let shape = &input(inputs, 0)?.shape;
                let rank = shape.len() as i64;
                let at =
                    |place: i64| if place < 0 { place.saturating_add(rank) } else { place }.clamp(0, rank) as usize;
                let sizes = shape.get(at(start)..at(end)).unwrap_or_default();
                Ok(vec![Tensor::vector(Data::Int(sizes.iter().map(|size| *size as i64).collect()))])
            })
        }
        "Size" => Box::new(|inputs| {
            let count = input(inputs, 0)?.data.len() as i64;
            Ok(vec![Tensor::new(Vec::new(), Data::Int(vec![count]))?])
        }),
        "Reshape" => {
            let keeps_zero = attributes.int("allowzero", 0) != 0;
            let fixed = attributes.ints("shape").to_vec();
            Box::new(move |inputs| {
                let wanted = match optional(inputs, 1) {
                    Some(shape) => shape.integers()?,
                    None => &fixed,
                };
                reshape(input(inputs, 0)?, wanted, keeps_zero)
            })
        }
        "Flatten" => Box::new(move |inputs| {
            let tensor = input(inputs, 0)?;
            let at = if axis == tensor.rank() as i64 { tensor.rank() } else { axis_of(axis, tensor.rank())? };
            let (rows, columns) = (tensor.shape[..at].iter().product(), tensor.shape[at..].iter().product());
            Ok(vec![Tensor::new(vec![rows, columns], tensor.data.clone())?])
        }),
        "Squeeze" => Box::new(move |inputs| {
            let tensor = input(inputs, 0)?;
            let axes = axes_of(optional(inputs, 1), &axes)?;
            let named = !axes.is_empty();
            let mut dropped = vec![axes.is_empty(); tensor.rank()];
            for axis in axes {
                dropped[axis_of(axis, tensor.rank())?] = true;
            }
            if named && (0..tensor.rank()).any(|at| dropped[at] && tensor.shape[at] != 1) {
                return Err(format!("an axis of {:?} is dropped that has not the size 1", tensor.shape));
            }
            let kept = |(at, size): (usize, &usize)| (!dropped[at] || *size != 1).then_some(*size);
            let shape = tensor.shape.iter().enumerate().filter_map(kept).collect();
            Ok(vec![Tensor::new(shape, tensor.data.clone())?])
        }),
        "Unsqueeze" => Box::new(move |inputs| {
            let tensor = input(inputs, 0)?;
            let axes = axes_of(optional(inputs, 1), &axes)?;
            let rank = tensor.rank() + axes.len();
            let mut added = vec![false; rank];
            for axis in axes {
                added[axis_of(axis, rank)?] = true;
            }
            let mut sizes = tensor.shape.iter();
            let shape = added.iter().map(|added| if *added { 1 } else { sizes.next().copied().unwrap_or(1) }).collect();
            Ok(vec![Tensor::new(shape, tensor.data.clone())?])
        }),
        "Concat" => Box::new(move |inputs| {
            let tensors: Vec<&Tensor> = (0..inputs.len()).map(|at| input(inputs, at)).collect::<Result<_, _>>()?;
            Ok(vec![Tensor::concat(&tensors, axis)?])
        }),
        _ => return Ok(None),
    }))
}

/// Axes given as an input, or else as an attribute.
pub(super) fn axes_of(given: Option<&Tensor>, attribute: &[i64]) -> Result<Vec<i64>, String> {
    given.map_or(Ok(attribute.to_vec()), |axes| axes.integers().map(<[i64]>::to_vec))
}

/// A shape given as a tensor.
pub(super) fn sizes(tensor: &Tensor) -> Result<Vec<usize>, String> {
    let size = |size: &i64| usize::try_from(*size).map_err(|_| format!("the size {size} is below 0"));
    tensor.integers()?.iter().map(size).collect()
}

fn constant(attributes: Attributes<'_>) -> Result<Tensor, String> {
    if let Some(tensor) = attributes.tensor("value")? {
        return Ok(tensor);
    }
    let scalar = |data| Tensor::new(Vec::new(), data);
    Ok(if attributes.has("value_float") {
        scalar(Data::F32(vec![attributes.float("value_float", 0.0)]))?
    } else if attributes.has("value_int") {
        scalar(Data::Int(vec![attributes.int("value_int", 0)]))?
    } else if attributes.has("value_string") {
        scalar(Data::Text(vec![attributes.text("value_string", "")?]))?
    } else if attributes.has("value_floats") {
        Tensor::vector(Data::F32(attributes.floats("value_floats").to_vec()))
    } else if attributes.has("value_ints") {
        Tensor::vector(Data::Int(attributes.ints("value_ints").to_vec()))
    } else if attributes.has("value_strings") {
        Tensor::vector(Data::Text(attributes.texts("value_strings")?))
    } else {
        return Err("a constant of this kind is not read".to_owned());
    })
}

fn reshape(tensor: &Tensor, wanted: &[i64], keeps_zero: bool) -> Result<Vec<Tensor>, String> {
    let mut shape = Vec::with_capacity(wanted.len());
    let mut open = None;
    for (at, size) in wanted.iter().enumerate() {
        shape.push(match *size {
            0 if !keeps_zero => *tensor.shape.get(at).ok_or("a size is copied that is not there")?,
            -1 if open.is_none() => {
                open = Some(at);
                1
            }
            size => usize::try_from(size).map_err(|_| format!("the size {size} in a shape"))?,
        });
    }
    if let Some(open) = open {
        let rest = elements(&shape)?;
        shape[open] = tensor.data.len().checked_div(rest).unwrap_or(0);
    }
    Ok(vec![Tensor::new(shape, tensor.data.clone())?])
}

/// How a cast treats numbers that the other type does not have.
#[derive(Default)]
pub(super) struct Rounding {
    /// What is too large becomes infinite or NaN, not the largest number.
    overflows: bool,
    /// The direction for powers of two: `up`, `down` or `nearest`.
    mode: String,
}

impl Rounding {
    fn of(attributes: Attributes<'_>) -> Result<Self, String> {
        let mode = attributes.text("round_mode", "up")?;
        if !matches!(mode.as_str(), "up" | "down" | "nearest") {
            return Err(format!("`round_mode` is `{mode}`"));
        }
        Ok(Self { overflows: attributes.int("saturate", 1) == 0, mode })
    }

    /// The number in a floating-point type of up to 32 bits.
    fn round(&self, x: f64, to: i32) -> f32 {
        match to {
            datatype::FLOAT => x as f32,
            datatype::FLOAT16 => half::f16::from_f64(x).to_f32(),
            datatype::FLOAT8E8M0 => element::round_to_power(x as f32, &self.mode, !self.overflows),
            _ => element::round(x as f32, to, !self.overflows),
        }
    }
}

/// The tensor as one of type `to`, or an error if its elements cannot be of it.
fn exactly(tensor: Tensor, to: i32) -> Result<Tensor, String> {
    let kind = tensor.data.kind();
    let made = tensor.of_element(to);
    if made.element() == to { Ok(made) } else { Err(format!("a cast of {kind} to {}", type_name(to))) }
}

/// Casts to another element type. Narrow integers are cut to their width, as a cast in C does.
pub(super) fn cast(tensor: &Tensor, to: i32, rounding: &Rounding) -> Result<Tensor, String> {
    let whole = || -> Result<Data, String> {
        Ok(Data::Int(match &tensor.data {
            Data::Int(values) => values.clone(),
            Data::Text(values) => {
                let parse = |text: &String| text.trim().parse().map_err(|_| format!("`{text}` is not a whole number"));
                values.iter().map(parse).collect::<Result<_, _>>()?
            }
            _ if to == datatype::UINT64 => tensor.floats()?.iter().map(|x| *x as u64 as i64).collect(),
            // A real number that a type of a few bits does not have becomes 0, as in ONNX's reference.
            _ => match element::range(to).filter(|_| element::bits(to).is_some_and(|bits| bits < 8)) {
                Some((least, largest)) => {
                    let inside = |x: i64| if (least..=largest).contains(&x) { x } else { 0 };
                    tensor.floats()?.iter().map(|x| inside(*x as i64)).collect()
                }
                None => tensor.floats()?.iter().map(|x| *x as i64).collect(),
            },
        }))
    };
    let real = || -> Result<Vec<f64>, String> {
        match &tensor.data {
            Data::Text(values) => {
                let parse = |text: &String| text.trim().parse().map_err(|_| format!("`{text}` is not a number"));
                values.iter().map(parse).collect()
            }
            _ => Ok(tensor.floats()?.into_owned()),
        }
    };
    let data = match to {
        datatype::DOUBLE => Data::F64(real()?),
        datatype::BOOL => Data::Bool(real()?.into_iter().map(|x| x != 0.0).collect()),
        datatype::STRING => Data::Text(match &tensor.data {
            Data::Text(values) => values.clone(),
            Data::Int(values) => values.iter().map(i64::to_string).collect(),
            Data::Bool(values) => values.iter().map(|x| u8::from(*x).to_string()).collect(),
            Data::F32(values) if tensor.is_natural() => values.iter().map(f32::to_string).collect(),
            Data::F64(values) => values.iter().map(f64::to_string).collect(),
            _ => return Err(format!("a cast of {} to texts", type_name(tensor.element()))),
        }),
        to if element::is_float(to) => Data::F32(real()?.into_iter().map(|x| rounding.round(x, to)).collect()),
        to if element::is_integer(to) => whole()?,
        other => return Err(format!("a cast to {}", type_name(other))),
    };
    exactly(Tensor::new(tensor.shape.clone(), data)?, to)
}
