//! Converts one JSON value to a cell of a column.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tidemill_core::{DataType, RowShape};
use tidemill_model::{InputColumn, ModelError};

use crate::inference::request_error::RequestError;
use crate::protocol::json::{JsonError, Kind, Number, Reader};

/// The most characters of a value that messages quote.
const EXCERPT_CHARS: usize = 60;

/// The rules for writing values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::protocol) enum Dialect {
    /// As elements of tensors: each type has its own form.
    Tensor,
    /// As features of examples, which have no booleans: true and false become 1 and 0, and vice versa.
    Example,
    /// As cells of a pandas data frame, which converts integers to real numbers if one is missing. Columns that are not
    /// inputs of the model are ignored.
    DataFrame,
}

/// Why a value cannot be a cell.
#[derive(Debug)]
pub(crate) enum ValueError {
    /// The text is not JSON: the offset is that of the error.
    Syntax(JsonError),
    /// The value has the wrong type for the column; the caller adds its position.
    Value(String),
}

impl ValueError {
    /// The error of the whole request; `place` goes before the message.
    pub(crate) fn at(self, place: impl FnOnce() -> String) -> RequestError {
        match self {
            Self::Syntax(error) => error.into(),
            Self::Value(message) => RequestError::invalid(place() + &message),
        }
    }
}

impl From<JsonError> for ValueError {
    fn from(error: JsonError) -> Self {
        Self::Syntax(error)
    }
}

impl From<ModelError> for ValueError {
    fn from(error: ModelError) -> Self {
        Self::Value(error.to_string())
    }
}

/// Reads the values of a row, bare or in a list of the right length, and pushes them on `column`.
pub(in crate::protocol) fn push_value(
    reader: &mut Reader<'_>,
    column: &mut InputColumn<'_>,
    dialect: Dialect,
) -> Result<(), ValueError> {
    let width = column.width();
    if column.is_list() {
        return push_list(reader, column, dialect);
    }
    if reader.kind()? != Kind::Array {
        if width > 1 {
            return Err(ValueError::Value(format!("a list of {width} values is expected for each row")));
        }
        return push_scalar(reader, column, dialect);
    }
    let mut size = 0;
    reader.array(|reader| {
        size += 1;
        if reader.kind()? == Kind::Array {
            return Err(ValueError::Value("Encountered list at unexpected level: 1 expected < 1".to_owned()));
        }
        if size <= width {
            return push_scalar(reader, column, dialect);
        }
        reader.skip()?;
        Ok(())
    })?;
    match size {
        size if size == width => Ok(()),
        _ => Err(ValueError::Value(format!(
            "Encountered list at unexpected size: {size} at level: 0 expected size: {width}"
        ))),
    }
}

/// Reads a list of any length; null is not a list.
fn push_list(reader: &mut Reader<'_>, column: &mut InputColumn<'_>, dialect: Dialect) -> Result<(), ValueError> {
    match reader.kind()? {
        Kind::Array => {
            reader.array(|reader| {
                if reader.kind()? == Kind::Null {
                    reader.null()?;
                    return Ok(column.push_null()?);
                }
                push_scalar(reader, column, dialect)
            })?;
            column.end_list();
            Ok(())
        }
        Kind::Null if column.spec().optional => {
            reader.null()?;
            Ok(column.push_missing()?)
        }
        _ => Err(ValueError::Value("a list of values is expected for each row".to_owned())),
    }
}

fn push_scalar(reader: &mut Reader<'_>, column: &mut InputColumn<'_>, dialect: Dialect) -> Result<(), ValueError> {
    let datatype = column.spec().datatype;
    let kind = reader.kind()?;
    match (kind, datatype) {
        (Kind::Null, _) => {
            reader.null()?;
            if !column.spec().optional {
                return Err(ValueError::Value(format!("null is given, but the input is required ({datatype})")));
            }
            column.push_null()?;
        }
        (Kind::True | Kind::False, DataType::Bool) => column.push_bool(reader.boolean()?)?,
        (Kind::True | Kind::False, DataType::Int64) if dialect == Dialect::Example => {
            column.push_int(i64::from(reader.boolean()?))?;
        }
        (Kind::Number, DataType::Bool) if dialect == Dialect::Example => {
            match reader.clone().number()?.as_i64().filter(|value| matches!(value, 0 | 1)) {
                Some(value) => {
                    reader.number()?;
                    column.push_bool(value == 1)?;
                }
                None => return Err(type_error(reader, kind, datatype)),
            }
        }
        (Kind::Number, DataType::Fp64) => {
            let mut after = reader.clone();
            let number = after.number()?;
            if !number.is_exact_as_f64() {
                let text = number.text();
                return Err(ValueError::Value(format!(
                    "Cannot convert JSON value: {text} to double without loss of precision."
                )));
            }
            column.push_float(number.as_f64()?)?;
            *reader = after;
        }
        (Kind::Number, DataType::Int64) => match integer(&reader.clone().number()?, dialect) {
            Some(value) => {
                reader.number()?;
                column.push_int(value)?;
            }
            None => return Err(type_error(reader, kind, datatype)),
        },
        (Kind::String, DataType::Bytes) if column.spec().form == RowShape::Binary => {
            let message = "bytes are expected, which are written as {\"b64\": \"…\"}".to_owned();
            return Err(ValueError::Value(message));
        }
        (Kind::String, DataType::Bytes) => column.push_str(&reader.string()?)?,
        (Kind::String, DataType::Fp64) => match named_float(&reader.clone().string()?) {
            Some(value) => {
                reader.skip()?;
                column.push_float(value)?;
            }
            None => return Err(type_error(reader, kind, datatype)),
        },
        (Kind::Object, DataType::Bytes) => {
            let bytes = base64_object(reader)?;
            if column.spec().form != RowShape::Binary && std::str::from_utf8(&bytes).is_err() {
                return Err(ValueError::Value("the base64 data is not UTF-8 text".to_owned()));
            }
            column.push_bytes(&bytes)?;
        }
        _ => return Err(type_error(reader, kind, datatype)),
    }
    Ok(())
}

fn integer(number: &Number<'_>, dialect: Dialect) -> Option<i64> {
    let whole = |value: f64| (value.fract() == 0.0 && value.abs() < 9_007_199_254_740_992.0).then_some(value as i64);
    let of_frame = || number.as_f64().ok().and_then(whole).filter(|_| dialect == Dialect::DataFrame);
    number.as_i64().or_else(of_frame)
}

/// Special numbers may also come as text, from clients whose JSON cannot write the bare tokens.
fn named_float(text: &str) -> Option<f64> {
    match text {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    }
}

/// Whether the next value is an object of the form `{"b64": "…"}`, which stands for text.
pub(in crate::protocol) fn is_base64_object(reader: &Reader<'_>) -> bool {
    let mut members = 0;
    let mut is_base64 = true;
    let ended: Result<(), JsonError> = reader.clone().object(|reader, name| {
        members += 1;
        is_base64 &= name == "b64" && reader.kind()? == Kind::String;
        reader.skip().map(drop)
    });
    ended.is_ok() && is_base64 && members == 1
}

/// The bytes of an object `{"b64": "…"}`.
pub(crate) fn base64_object(reader: &mut Reader<'_>) -> Result<Vec<u8>, ValueError> {
    if !is_base64_object(reader) {
        let text = excerpt(reader.skip()?);
        return Err(ValueError::Value(format!("JSON Value: {text} not formatted correctly for base64 data")));
    }
    let mut encoded = String::new();
    reader.object(|reader, _| {
        encoded = reader.string()?.into_owned();
        Ok::<_, JsonError>(())
    })?;
    STANDARD.decode(&encoded).map_err(|_| ValueError::Value("Unable to base64 decode".to_owned()))
}

fn type_error(reader: &mut Reader<'_>, kind: Kind, expected: DataType) -> ValueError {
    let text = match reader.skip() {
        Ok(text) => excerpt(text),
        Err(error) => return error.into(),
    };
    let expected = match expected {
        DataType::Bool => "bool",
        DataType::Int64 => "int64",
        DataType::Fp64 => "double",
        DataType::Bytes => "string",
    };
    ValueError::Value(format!("JSON Value: {text} Type: {} is not of expected type: {expected}", kind.name()))
}

/// The start of a value's text, for messages.
pub(crate) fn excerpt(text: &str) -> String {
    match text.char_indices().nth(EXCERPT_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
