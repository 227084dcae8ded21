//! Preprocessing of numeric columns.

use super::{Kernel, input};
use crate::onnx::attributes::Attributes;
use crate::onnx::value::{Data, Tensor, elements};

pub(super) fn compile(name: &str, attributes: Attributes<'_>) -> Result<Option<Kernel>, String> {
    Ok(Some(match name {
        "Scaler" => {
            let (offsets, scales) = (attributes.floats("offset").to_vec(), attributes.floats("scale").to_vec());
            Box::new(move |inputs| {
                let tensor = input(inputs, 0)?;
                let columns = tensor.shape.last().copied().unwrap_or(1);
                let (offset, scale) = (per_column(&offsets, columns)?, per_column(&scales, columns)?);
                let values = tensor.floats32()?;
                let scaled = values.iter().enumerate().map(|(at, x)| (x - offset(at)) * scale(at)).collect();
                Ok(vec![Tensor::new(tensor.shape.clone(), Data::F32(scaled))?])
            })
        }
        "Imputer" => imputer(attributes),
        "Normalizer" => {
            let norm = attributes.text("norm", "MAX")?;
            if !matches!(norm.as_str(), "MAX" | "L1" | "L2") {
                return Err(format!("the norm `{norm}` is not known"));
            }
            Box::new(move |inputs| {
                let tensor = input(inputs, 0)?;
                let (_, columns) = tensor.matrix()?;
                let mut values = tensor.floats()?.into_owned();
                for row in values.chunks_mut(columns.max(1)) {
                    let size = match norm.as_str() {
                        "L1" => row.iter().map(|x| x.abs()).sum(),
                        "L2" => row.iter().map(|x| x * x).sum::<f64>().sqrt(),
                        _ => row.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                    };
                    if size != 0.0 {
                        for x in row {
                            *x /= size;
                        }
                    }
                }
                let values = values.into_iter().map(|x| x as f32).collect();
                Ok(vec![Tensor::new(tensor.shape.clone(), Data::F32(values))?])
            })
        }
        "Binarizer" => {
            let threshold = f64::from(attributes.float("threshold", 0.0));
            Box::new(move |inputs| {
                let tensor = input(inputs, 0)?;
                let over = tensor.floats()?.iter().map(|x| f32::from(u8::from(*x > threshold))).collect();
                Ok(vec![Tensor::new(tensor.shape.clone(), Data::F32(over))?])
            })
        }
        "ArrayFeatureExtractor" => Box::new(|inputs| {
            let (tensor, picks) = (input(inputs, 0)?, input(inputs, 1)?.integers()?);
            let columns = tensor.shape.last().copied().unwrap_or(1);
            let rows = tensor.data.len().checked_div(columns).unwrap_or(0);
            let mut offsets = Vec::with_capacity(elements(&[rows, picks.len()])?);
            for row in 0..rows {
                for pick in picks {
                    let place = usize::try_from(*pick).ok().filter(|place| *place < columns);
                    offsets.push(row * columns + place.ok_or_else(|| format!("column {pick} of {columns}"))?);
                }
            }
            let mut shape = tensor.shape.clone();
            if shape.len() > 1 {
                shape.pop();
                shape.push(picks.len());
            } else {
                // One row of values is a matrix of one row.
                shape = vec![1, picks.len()];
            }
            Ok(vec![Tensor::new(shape, tensor.data.take(&offsets))?])
        }),
        "FeatureVectorizer" => Box::new(|inputs| {
            let mut parts = Vec::with_capacity(inputs.len());
            for at in 0..inputs.len() {
                let tensor = input(inputs, at)?;
                let rows = tensor.shape.first().copied().unwrap_or(1);
                let columns = tensor.data.len().checked_div(rows).unwrap_or(1);
                parts.push(Tensor::new(vec![rows, columns], Data::F32(tensor.floats32()?.into_owned()))?);
            }
            Ok(vec![Tensor::concat(&parts.iter().collect::<Vec<_>>(), 1)?])
        }),
        _ => return Ok(None),
    }))
}

/// A parameter for each column, or one for all.
fn per_column(values: &[f32], columns: usize) -> Result<impl Fn(usize) -> f32 + '_, String> {
    if values.len() != 1 && values.len() != columns {
        return Err(format!("{} parameters for {columns} columns", values.len()));
    }
    Ok(move |at: usize| values[if values.len() == 1 { 0 } else { at % values.len() }])
}

fn imputer(attributes: Attributes<'_>) -> Kernel {
    let whole = attributes.ints("imputed_value_int64s").to_vec();
    if !whole.is_empty() {
        let replaced = attributes.int("replaced_value_int64", 0);
        return Box::new(move |inputs| {
            let tensor = input(inputs, 0)?;
            let columns = tensor.shape.last().copied().unwrap_or(1);
            if whole.len() != 1 && whole.len() != columns {
                return Err(format!("{} values for {columns} columns", whole.len()));
            }
            let fill = |(at, x): (usize, &i64)| if *x == replaced { whole[at % whole.len()] } else { *x };
            let filled = tensor.integers()?.iter().enumerate().map(fill).collect();
            Ok(vec![Tensor::new(tensor.shape.clone(), Data::Int(filled))?])
        });
    }
    let values = attributes.floats("imputed_value_floats").to_vec();
    let replaced = attributes.float("replaced_value_float", 0.0);
    Box::new(move |inputs| {
        let tensor = input(inputs, 0)?;
        let columns = tensor.shape.last().copied().unwrap_or(1);
        let value = per_column(&values, columns)?;
        let is_replaced = |x: f32| x == replaced || (x.is_nan() && replaced.is_nan());
        let data = match &tensor.data {
            Data::F64(cells) => {
                let fill = |(at, x): (usize, &f64)| if is_replaced(*x as f32) { f64::from(value(at)) } else { *x };
                Data::F64(cells.iter().enumerate().map(fill).collect())
            }
            _ => {
                let fill = |(at, x): (usize, &f32)| if is_replaced(*x) { value(at) } else { *x };
                Data::F32(tensor.floats32()?.iter().enumerate().map(fill).collect())
            }
        };
        Ok(vec![Tensor::new(tensor.shape.clone(), data)?])
    })
}
