//! Numbers as small codes with a scale and a zero point, and products of them.

use super::transform::strides;
use super::{Kernel, input, optional};
use crate::onnx::attributes::Attributes;
use crate::onnx::element;
use crate::onnx::value::{Data, Tensor, axis_of, datatype, type_name};

/// One scale and zero point for a whole tensor.
pub(super) struct Scale {
    pub(super) scale: f64,
    pub(super) zero: f64,
}

impl Scale {
    /// The codes of real numbers, cut to the range of `element`.
    pub(super) fn quantise(&self, shape: Vec<usize>, real: Vec<f64>, element: i32) -> Result<Tensor, String> {
        let (least, largest) = element::range(element).ok_or_else(|| format!("codes of {}", type_name(element)))?;
        let code = |x: f64| ((x / self.scale).round_ties_even() + self.zero).clamp(least as f64, largest as f64) as i64;
        Ok(Tensor::new(shape, Data::Int(real.into_iter().map(code).collect()))?.of_element(element))
    }
}

pub(super) fn compile(name: &str, attributes: Attributes<'_>) -> Result<Option<Kernel>, String> {
    let axis = attributes.int("axis", 1);
    let block = usize::try_from(attributes.int("block_size", 0)).map_err(|_| "`block_size` is below 0")?;
    let wanted = attributes.int("output_dtype", 0) as i32;
    Ok(Some(match name {
        "QuantizeLinear" => {
            let saturates = attributes.int("saturate", 1) != 0;
            let precision = attributes.int("precision", 0) as i32;
            Box::new(move |inputs| {
                let (x, scale, zero) = (input(inputs, 0)?, input(inputs, 1)?, optional(inputs, 2));
                let element = zero.map_or(if wanted == 0 { datatype::UINT8 } else { wanted }, Tensor::element);
                let places = Places::of(x, scale, axis, block)?;
                let (values, scales) = (x.floats()?, scale.floats()?);
                let zeros = zero.map(Tensor::floats).transpose()?;
                if zeros.as_ref().is_some_and(|zeros| zeros.len() != scales.len()) {
                    return Err("scales and zero points differ in number".to_owned());
                }
                // The quotient is one of the type of the numbers.
                let kind = if precision == 0 { x.element() } else { precision };
                let quotient = |at: usize| {
                    let ratio = values[at] / scales[places.of_element(at)];
                    if kind == datatype::DOUBLE { ratio } else { f64::from(element::round(ratio as f32, kind, false)) }
                };
                let zero_at = |at: usize| zeros.as_ref().map_or(0.0, |zeros| zeros[places.of_element(at)]);
                if let Some((least, largest)) = element::range(element) {
                    let code = |at: usize| {
                        let code = quotient(at).round_ties_even() + zero_at(at);
                        code.clamp(least as f64, largest as f64) as i64
                    };
                    let codes = (0..values.len()).map(code).collect();
                    return Ok(vec![Tensor::new(x.shape.clone(), Data::Int(codes))?.of_element(element)]);
                }
                if !element::is_float(element) {
                    return Err(format!("codes of {}", type_name(element)));
                }
                let code = |at: usize| element::round((quotient(at) + zero_at(at)) as f32, element, saturates);
                let codes = (0..values.len()).map(code).collect();
                Ok(vec![Tensor::new(x.shape.clone(), Data::F32(codes))?.of_element(element)])
            })
        }
        "DequantizeLinear" => Box::new(move |inputs| {
            let (x, scale) = (input(inputs, 0)?, input(inputs, 1)?);
            let places = Places::of(x, scale, axis, block)?;
            let (values, scales) = (x.floats()?, scale.floats()?);
            let zeros = optional(inputs, 2).map(Tensor::floats).transpose()?;
            if zeros.as_ref().is_some_and(|zeros| zeros.len() != scales.len()) {
                return Err("scales and zero points differ in number".to_owned());
            }
            let real = |at: usize| {
                let place = places.of_element(at);
                (values[at] - zeros.as_ref().map_or(0.0, |zeros| zeros[place])) * scales[place]
            };
            let element = if wanted == 0 { scale.element() } else { wanted };
            let made = scale.like(x.shape.clone(), (0..values.len()).map(real).collect())?;
            Ok(vec![made.of_element(element)])
        }),
        "DynamicQuantizeLinear" => Box::new(|inputs| {
            let x = input(inputs, 0)?;
            let values = x.floats32()?;
            let largest = values.iter().copied().fold(0.0_f32, f32::max);
            let least = values.iter().copied().fold(0.0_f32, f32::min);
            let scale = if largest == least { 1.0 } else { largest - least } / 255.0;
            let zero = (-least / scale).clamp(0.0, 255.0).round_ties_even();
            let code = |x: &f32| ((x / scale).round_ties_even() + zero).clamp(0.0, 255.0) as i64;
            let codes = Tensor::new(x.shape.clone(), Data::Int(values.iter().map(code).collect()))?;
            Ok(vec![
                codes.of_element(datatype::UINT8),
                Tensor::scalar(Data::F32(vec![scale])),
                Tensor::scalar(Data::Int(vec![zero as i64])).of_element(datatype::UINT8),
            ])
        }),
        "MatMulInteger" => Box::new(|inputs| {
            let a = centred(input(inputs, 0)?, optional(inputs, 2), true)?;
            let b = centred(input(inputs, 1)?, optional(inputs, 3), false)?;
            Ok(vec![super::matrix::product(&a, &b, 1.0)?.of_element(datatype::INT32)])
        }),
        "QLinearMatMul" => Box::new(|inputs| {
            let a = centred(input(inputs, 0)?, optional(inputs, 2), true)?;
            let b = centred(input(inputs, 3)?, optional(inputs, 5), false)?;
            let product = super::matrix::product(&a, &b, 1.0)?;
            let (a_scale, b_scale) = (input(inputs, 1)?.floats()?, input(inputs, 4)?.floats()?);
            let columns = product.shape.last().copied().unwrap_or(1).max(1);
            let rows = product.shape.iter().rev().nth(1).copied().unwrap_or(1).max(1);
            if !(a_scale.len() == 1 || a_scale.len() == rows) || !(b_scale.len() == 1 || b_scale.len() == columns) {
                return Err("the scales do not fit the matrices".to_owned());
            }
            let scale =
                |at: usize| a_scale[at / columns % rows % a_scale.len()] * b_scale[at % columns % b_scale.len()];
            let real = product.floats()?.iter().enumerate().map(|(at, x)| x * scale(at)).collect();
            let zero = input(inputs, 7)?;
            let code = Scale { scale: input(inputs, 6)?.number()?, zero: zero.number()? };
            Ok(vec![code.quantise(product.shape.clone(), real, zero.element())?])
        }),
        _ => return Ok(None),
    }))
}

/// The codes less the zero point: one for all, one for each row (of the left matrix) or each column (of the right one).
fn centred(tensor: &Tensor, zero: Option<&Tensor>, by_row: bool) -> Result<Tensor, String> {
    let mut codes = tensor.integers()?.to_vec();
    if let Some(zero) = zero {
        let zeros = zero.integers()?;
        let columns = tensor.shape.last().copied().unwrap_or(1).max(1);
        let rows = tensor.shape.iter().rev().nth(1).copied().unwrap_or(1).max(1);
        let size = if by_row { rows } else { columns };
        if zeros.len() != 1 && zeros.len() != size {
            return Err(format!("{} zero points where 1 or {size} are expected", zeros.len()));
        }
        for (at, code) in codes.iter_mut().enumerate() {
            let place = if by_row { at / columns % rows } else { at % columns };
            *code -= zeros[if zeros.len() == 1 { 0 } else { place }];
        }
    }
    Ok(Tensor::new(tensor.shape.clone(), Data::Int(codes))?.of_element(datatype::INT64))
}

/// Which scale belongs to an element.
enum Places {
    One,
    /// One for each slice along an axis: the step and the size of the axis.
    Axis(usize, usize),
    /// One for each block along an axis.
    Block {
        shape: Vec<usize>,
        steps: Vec<usize>,
        own: Vec<usize>,
        axis: usize,
        block: usize,
    },
}

impl Places {
    fn of(x: &Tensor, scale: &Tensor, axis: i64, block: usize) -> Result<Self, String> {
        if scale.data.len() == 1 && (scale.rank() == 0 || block == 0) {
            return Ok(Self::One);
        }
        let axis = axis_of(axis, x.rank())?;
        let refuse = || format!("scales of shape {:?} do not fit {:?}", scale.shape, x.shape);
        let steps = strides(&x.shape);
        if block == 0 {
            return if scale.shape == [x.shape[axis]] {
                Ok(Self::Axis(steps[axis], x.shape[axis]))
            } else {
                Err(refuse())
            };
        }
        let fits = |at: usize| {
            let size = if at == axis { x.shape[at].div_ceil(block) } else { x.shape[at] };
            scale.shape.get(at) == Some(&size)
        };
        if scale.rank() != x.rank() || !(0..x.rank()).all(fits) {
            return Err(refuse());
        }
        Ok(Self::Block { shape: x.shape.clone(), steps, own: strides(&scale.shape), axis, block })
    }

    fn of_element(&self, at: usize) -> usize {
        match self {
            Self::One => 0,
            Self::Axis(step, size) => at / step % size,
            Self::Block { shape, steps, own, axis, block } => (0..shape.len())
                .map(|of| {
                    let place = at / steps[of] % shape[of];
                    (if of == *axis { place / block } else { place }) * own[of]
                })
                .sum(),
        }
    }
}
