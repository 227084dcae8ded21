//! Converts values to codes, texts and one-hot columns.

use std::collections::HashMap;

use super::{Kernel, input};
use crate::onnx::attributes::Attributes;
use crate::onnx::value::{Data, Tensor};

/// A value as a key. Equal numbers are equal keys, and NaN equals NaN.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    Text(String),
    Int(i64),
    Real(u64),
}

pub(super) fn compile(name: &str, attributes: Attributes<'_>) -> Result<Option<Kernel>, String> {
    Ok(Some(match name {
        "LabelEncoder" => label_encoder(attributes)?,
        "CategoryMapper" => {
            let (texts, numbers) = (attributes.texts("cats_strings")?, attributes.ints("cats_int64s").to_vec());
            let default_text = attributes.text("default_string", "_Unused")?;
            let default_number = attributes.int("default_int64", -1);
            two_way(texts, numbers, default_text, default_number)
        }
        "OneHotEncoder" => one_hot(attributes)?,
        // A map from class to probability is the row of probabilities; the classes are the columns' names.
        "ZipMap" => Box::new(|inputs| Ok(vec![input(inputs, 0)?.clone()])),
        _ => return Ok(None),
    }))
}

fn real(value: f64) -> Key {
    Key::Real(if value.is_nan() { f64::NAN.to_bits() } else { (value + 0.0).to_bits() })
}

pub(super) fn keys(data: &Data) -> Vec<Key> {
    match data {
        Data::Text(values) => values.iter().map(|text| Key::Text(text.clone())).collect(),
        Data::Int(values) => values.iter().map(|value| Key::Int(*value)).collect(),
        Data::Bool(values) => values.iter().map(|value| Key::Int(i64::from(*value))).collect(),
        Data::F32(values) => values.iter().map(|value| real(f64::from(*value))).collect(),
        Data::F64(values) => values.iter().map(|value| real(*value)).collect(),
        Data::List(_) | Data::Nothing => Vec::new(),
    }
}

/// One column of a mapping, in any of the forms that versions write.
fn column(attributes: Attributes<'_>, prefix: &str) -> Result<Option<Data>, String> {
    if let Some(tensor) = attributes.tensor(&format!("{prefix}_tensor"))? {
        return Ok(Some(tensor.data));
    }
    let (texts, ints, floats) = (format!("{prefix}_strings"), format!("{prefix}_int64s"), format!("{prefix}_floats"));
    Ok(if attributes.has(&texts) {
        Some(Data::Text(attributes.texts(&texts)?))
    } else if attributes.has(&ints) {
        Some(Data::Int(attributes.ints(&ints).to_vec()))
    } else if attributes.has(&floats) {
        Some(Data::F32(attributes.floats(&floats).to_vec()))
    } else {
        None
    })
}

fn label_encoder(attributes: Attributes<'_>) -> Result<Kernel, String> {
    if attributes.has("classes_strings") {
        let texts = attributes.texts("classes_strings")?;
        let numbers = (0..texts.len() as i64).collect();
        let default_text = attributes.text("default_string", "_Unused")?;
        return Ok(two_way(texts, numbers, default_text, attributes.int("default_int64", -1)));
    }
    let (Some(from), Some(to)) = (column(attributes, "keys")?, column(attributes, "values")?) else {
        return Err("a LabelEncoder without keys and values".to_owned());
    };
    if from.len() != to.len() {
        return Err(format!("{} keys and {} values", from.len(), to.len()));
    }
    let default = match (attributes.tensor("default_tensor")?, &to) {
        (Some(tensor), _) => tensor.data,
        (None, Data::Text(_)) => Data::Text(vec![attributes.text("default_string", "_Unused")?]),
        (None, Data::Int(_)) => Data::Int(vec![attributes.int("default_int64", -1)]),
        (None, Data::F64(_)) => Data::F64(vec![f64::from(attributes.float("default_float", -0.0))]),
        (None, _) => Data::F32(vec![attributes.float("default_float", -0.0)]),
    };
    if default.len() != 1 || default.kind() != to.kind() {
        return Err("the default is not one value of the values' type".to_owned());
    }
    // The default is the last of the values.
    let values = Tensor::concat(&[&Tensor::vector(to), &Tensor::vector(default)], 0)?.data;
    let last = values.len() - 1;
    let mut places = HashMap::new();
    for (at, key) in keys(&from).into_iter().enumerate() {
        places.entry(key).or_insert(at);
    }
    let kind = from.kind();
    let element = attributes.tensor("values_tensor")?.map(|tensor| tensor.element());
    Ok(Box::new(move |inputs| {
        let tensor = input(inputs, 0)?;
        if tensor.data.kind() != kind {
            return Err(format!("the keys are {kind}, and the values {}", tensor.data.kind()));
        }
        let found: Vec<usize> = keys(&tensor.data).iter().map(|key| places.get(key).copied().unwrap_or(last)).collect();
        let made = Tensor::new(tensor.shape.clone(), values.take(&found))?;
        Ok(vec![match element {
            Some(element) => made.of_element(element),
            None => made,
        }])
    }))
}

/// Converts texts to numbers and numbers to texts, by the type of the input.
fn two_way(texts: Vec<String>, numbers: Vec<i64>, default_text: String, default_number: i64) -> Kernel {
    let by_text: HashMap<String, i64> = texts.iter().cloned().zip(numbers.iter().copied()).collect();
    let by_number: HashMap<i64, String> = numbers.into_iter().zip(texts).collect();
    Box::new(move |inputs| {
        let tensor = input(inputs, 0)?;
        let data = match &tensor.data {
            Data::Text(values) => {
                Data::Int(values.iter().map(|text| by_text.get(text).copied().unwrap_or(default_number)).collect())
            }
            Data::Int(values) => {
                Data::Text(values.iter().map(|value| by_number.get(value).unwrap_or(&default_text).clone()).collect())
            }
            other => return Err(format!("{} has no category", other.kind())),
        };
        Ok(vec![Tensor::new(tensor.shape.clone(), data)?])
    })
}

fn one_hot(attributes: Attributes<'_>) -> Result<Kernel, String> {
    let texts = attributes.texts("cats_strings")?;
    let is_text = !texts.is_empty();
    let categories = if is_text { Data::Text(texts) } else { Data::Int(attributes.ints("cats_int64s").to_vec()) };
    let count = categories.len();
    let places: HashMap<Key, usize> = keys(&categories).into_iter().enumerate().map(|(at, key)| (key, at)).collect();
    let unknown_is_zero = attributes.int("zeros", 1) != 0;
    Ok(Box::new(move |inputs| {
        let tensor = input(inputs, 0)?;
        let values = match &tensor.data {
            Data::Text(_) | Data::Int(_) => keys(&tensor.data),
            _ => tensor.floats()?.iter().map(|x| Key::Int(*x as i64)).collect(),
        };
        crate::onnx::value::elements(&[values.len(), count])?;
        let mut hot = vec![0.0_f32; values.len() * count];
        for (at, key) in values.iter().enumerate() {
            match places.get(key) {
                Some(place) => hot[at * count + place] = 1.0,
                None if unknown_is_zero => {}
                None => return Err("a category is unknown, and the model has no default for it".to_owned()),
            }
        }
        let mut shape = tensor.shape.clone();
        shape.push(count);
        Ok(vec![Tensor::new(shape, Data::F32(hot))?])
    }))
}
