//! From the many types of Arrow to those that a column of examples can have.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, ListArray, StringArray, new_null_array,
};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{CastOptions, cast, cast_with_options, filter, is_not_null};
use arrow::datatypes::{
    DataType, FieldRef, Float64Type, TimeUnit, TimestampMicrosecondType, TimestampMillisecondType,
    TimestampNanosecondType, TimestampSecondType,
};

use super::value::{Decimal, is_null_word, parse_bool, parse_float, whole_number};
use crate::column_type::{element_type, list_of};

/// The type that a column of type `from` is read as; `None` where there is none.
///
/// * whole numbers, decimals without decimal places and durations (in their own unit) → `Int64`; other numbers and
///   decimals → `Float64`; `Boolean` as it is
/// * text in any encoding → `Utf8`; bytes → `Binary`, to be made `Utf8` where all of them are text
/// * dates, times and timestamps → `Utf8` in ISO 8601 (`2024-02-29`, `2024-02-29T12:00:00`, with `Z` where the
///   column has a time zone: the moment in UTC)
/// * lists of any kind → lists of what their values are read as; lists of lists are none
/// * a column of nothing but nulls → `Null`, to be decided by other files
pub(super) fn target(from: &DataType) -> Option<DataType> {
    use DataType::{
        Binary, BinaryView, Boolean, Date32, Date64, Decimal32, Decimal64, Decimal128, Decimal256, Dictionary,
        Duration, FixedSizeBinary, FixedSizeList, Float16, Float32, Float64, Int8, Int16, Int32, Int64, LargeBinary,
        LargeList, LargeUtf8, List, Null, Time32, Time64, Timestamp, UInt8, UInt16, UInt32, UInt64, Utf8, Utf8View,
    };
    match from {
        Null => Some(Null),
        Boolean => Some(Boolean),
        Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64 | Duration(_) => Some(Int64),
        Decimal32(_, scale) | Decimal64(_, scale) | Decimal128(_, scale) | Decimal256(_, scale) if *scale <= 0 => {
            Some(Int64)
        }
        Float16 | Float32 | Float64 | Decimal32(..) | Decimal64(..) | Decimal128(..) | Decimal256(..) => Some(Float64),
        Utf8 | LargeUtf8 | Utf8View | Date32 | Date64 | Time32(_) | Time64(_) | Timestamp(..) => Some(Utf8),
        Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => Some(Binary),
        Dictionary(_, value) => target(value),
        List(field) | LargeList(field) | FixedSizeList(field, _) => match target(field.data_type())? {
            List(_) => None,
            element => Some(list_of(element)),
        },
        _ => None,
    }
}

/// What must be looked up in the values of a column before its type is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Bytes: are they text?
    Bytes,
    /// Whole numbers of a type with more room than 64 bits with a sign: do they fit?
    Whole,
    /// Decimals of more digits than a float holds: do they lose any?
    Decimal,
}

impl Doubt {
    /// The doubt about a column of this type, alone or in lists.
    pub(super) fn of(from: &DataType) -> Option<Self> {
        use DataType::{
            Binary, BinaryView, Decimal32, Decimal64, Decimal128, Decimal256, Dictionary, FixedSizeBinary,
            FixedSizeList, LargeBinary, LargeList, List, UInt64,
        };
        match from {
            Binary | LargeBinary | BinaryView | FixedSizeBinary(_) => Some(Self::Bytes),
            UInt64 => Some(Self::Whole),
            Decimal32(_, scale) | Decimal64(_, scale) | Decimal128(_, scale) | Decimal256(_, scale) if *scale <= 0 => {
                Some(Self::Whole)
            }
            Decimal64(digits, _) | Decimal128(digits, _) | Decimal256(digits, _) if *digits > FLOAT_DIGITS => {
                Some(Self::Decimal)
            }
            Dictionary(_, value) => Self::of(value),
            List(field) | LargeList(field) | FixedSizeList(field, _) => Self::of(field.data_type()),
            _ => None,
        }
    }

    /// Whether the values of the column, as they are in the file, are as one hopes: text, or as exact as in the file.
    pub(super) fn is_unfounded(self, array: &ArrayRef) -> bool {
        let hoped = match (self, target(array.data_type())) {
            (Self::Bytes, Some(DataType::List(_))) => list_of(DataType::Utf8),
            (Self::Bytes, _) => DataType::Utf8,
            (Self::Whole | Self::Decimal, Some(target)) => target,
            (_, None) => return false,
        };
        match (self, convert(array, &hoped)) {
            (_, Err(_)) => false,
            (Self::Bytes | Self::Whole, Ok(_)) => true,
            (Self::Decimal, Ok(floats)) => {
                let is_list = matches!(hoped, DataType::List(_));
                let text = if is_list { list_of(DataType::Utf8) } else { DataType::Utf8 };
                convert(array, &text).is_ok_and(|texts| {
                    let values = |array: &ArrayRef| {
                        if is_list { array.as_list::<i32>().values().clone() } else { array.clone() }
                    };
                    is_same(&values(&floats), &values(&texts))
                })
            }
        }
    }
}

/// Digits that a float gives back as they were.
const FLOAT_DIGITS: u8 = 15;

/// Whether floats print as the decimals that they were read from.
fn is_same(floats: &ArrayRef, texts: &ArrayRef) -> bool {
    let mut pairs = floats.as_primitive::<Float64Type>().iter().zip(texts.as_string::<i32>());
    pairs.all(|pair| match pair {
        (Some(float), Some(text)) => float.to_string() == text.trim_end_matches('0').trim_end_matches('.'),
        _ => true,
    })
}

/// The column as its [`target`] type and then as `to`. The error says what does not fit, to follow "column `x`".
///
/// Numbers of more room than 64 bits become text digit by digit, if text is asked for.
pub(super) fn convert(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, String> {
    let as_text = *element_type(to).unwrap_or(to) == DataType::Utf8;
    let array = natural(array, as_text)?;
    as_type(&array, to)
}

fn natural(array: &ArrayRef, as_text: bool) -> Result<ArrayRef, String> {
    use DataType::{Decimal32, Decimal64, Decimal128, Decimal256};
    let from = array.data_type();
    let target = target(from).ok_or_else(|| format!("has type {from}, which is not read"))?;
    match from {
        from if *from == target => Ok(array.clone()),
        DataType::Dictionary(_, value) => natural(&cast(array, value).map_err(|error| error.to_string())?, as_text),
        DataType::List(_) => list_values(array.as_list(), |values| natural(values, as_text)),
        DataType::LargeList(field) | DataType::FixedSizeList(field, _) => {
            natural(&strict_cast(array, &DataType::List(field.clone()))?, as_text)
        }
        DataType::UInt64 | Decimal32(..) | Decimal64(..) | Decimal128(..) | Decimal256(..) if as_text => {
            strict_cast(array, &DataType::Utf8)
        }
        // Through text the float is the nearest one; dividing by a power of ten would round twice.
        Decimal64(digits, _) | Decimal128(digits, _) | Decimal256(digits, _)
            if *digits > FLOAT_DIGITS && target == DataType::Float64 =>
        {
            as_type(&strict_cast(array, &DataType::Utf8)?, &target)
        }
        DataType::Timestamp(unit, Some(_)) => {
            let utc = |array: &ArrayRef| -> ArrayRef {
                match unit {
                    TimeUnit::Second => {
                        Arc::new(array.as_primitive::<TimestampSecondType>().clone().with_timezone("+00:00"))
                    }
                    TimeUnit::Millisecond => {
                        Arc::new(array.as_primitive::<TimestampMillisecondType>().clone().with_timezone("+00:00"))
                    }
                    TimeUnit::Microsecond => {
                        Arc::new(array.as_primitive::<TimestampMicrosecondType>().clone().with_timezone("+00:00"))
                    }
                    TimeUnit::Nanosecond => {
                        Arc::new(array.as_primitive::<TimestampNanosecondType>().clone().with_timezone("+00:00"))
                    }
                }
            };
            strict_cast(&utc(array), &target)
        }
        _ => strict_cast(array, &target),
    }
}

/// A cast that fails where a value does not fit, instead of making it null.
fn strict_cast(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, String> {
    let options = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(array, to, &options).map_err(|error| {
        let from = array.data_type();
        format!("of type {from} holds a value that cannot be read as {to}: {error}")
    })
}

/// The same lists of other values.
fn list_values(lists: &ListArray, convert: impl Fn(&ArrayRef) -> Result<ArrayRef, String>) -> Result<ArrayRef, String> {
    let values = convert(lists.values())?;
    let DataType::List(field) = list_of(values.data_type().clone()) else { return Ok(values) };
    list_array(field, lists.offsets().clone(), values, lists.nulls().cloned())
}

fn list_array(
    field: FieldRef,
    offsets: OffsetBuffer<i32>,
    values: ArrayRef,
    nulls: Option<arrow::buffer::NullBuffer>,
) -> Result<ArrayRef, String> {
    let lists = ListArray::try_new(field, offsets, values, nulls).map_err(|error| error.to_string())?;
    Ok(Arc::new(lists))
}

/// Lists of one value each, missing where the value is.
fn lists_of_one(array: &ArrayRef) -> Result<ArrayRef, String> {
    let DataType::List(field) = list_of(array.data_type().clone()) else { return Ok(array.clone()) };
    let offsets = OffsetBuffer::from_lengths((0..array.len()).map(|row| usize::from(array.is_valid(row))));
    let values = is_not_null(array).and_then(|there| filter(array, &there)).map_err(|error| error.to_string())?;
    list_array(field, offsets, values, array.nulls().cloned())
}

/// Bytes as the text that they must be.
fn text(array: &ArrayRef) -> Result<ArrayRef, String> {
    match StringArray::try_from_binary(array.as_binary::<i32>().clone()) {
        Ok(text) => Ok(Arc::new(text)),
        Err(_) => Err("holds bytes that are not UTF-8 text".to_owned()),
    }
}

/// One of the column types (or nulls) as another, where no value loses its meaning.
fn as_type(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, String> {
    match (array.data_type(), to) {
        (from, to) if from == to => Ok(array.clone()),
        (DataType::Null, to) => Ok(new_null_array(to, array.len())),
        (DataType::List(_), DataType::List(element)) => {
            list_values(array.as_list(), |values| as_type(values, element.data_type()))
        }
        (DataType::List(_), to) => Err(format!("is a list, which cannot be read as {to}")),
        (_, DataType::List(element)) => lists_of_one(&as_type(array, element.data_type())?),
        (DataType::Binary, to) => as_type(&text(array)?, to),
        (DataType::Int64, DataType::Float64) | (_, DataType::Utf8) | (DataType::Utf8, DataType::Binary) => {
            strict_cast(array, to)
        }
        (DataType::Float64, DataType::Int64) => {
            let values = array.as_primitive::<Float64Type>();
            let whole: Result<Int64Array, f64> =
                values.iter().map(|value| value.map(|v| whole_number(v).ok_or(v)).transpose()).collect();
            whole.map(|a| Arc::new(a) as ArrayRef).map_err(|v| format!("holds {v}, which is not a whole number"))
        }
        (DataType::Utf8, DataType::Int64) => {
            parsed::<_, Int64Array>(array, |text| Decimal::Point.parse_whole(text), "a whole number of 64 bits")
                .map(|a| Arc::new(a) as ArrayRef)
        }
        (DataType::Utf8, DataType::Float64) => {
            parsed::<_, Float64Array>(array, parse_float, "a number").map(|a| Arc::new(a) as ArrayRef)
        }
        (DataType::Utf8, DataType::Boolean) => {
            parsed::<_, BooleanArray>(array, parse_bool, "`true` or `false`").map(|a| Arc::new(a) as ArrayRef)
        }
        (from, to) => Err(format!("has type {from}, which cannot be read as {to}")),
    }
}

fn parsed<T, A: FromIterator<Option<T>>>(
    array: &ArrayRef,
    parse: impl Fn(&str) -> Option<T>,
    kind: &str,
) -> Result<A, String> {
    array
        .as_string::<i32>()
        .iter()
        .map(|text| match text {
            None | Some("") => Ok(None),
            Some(text) => match parse(text) {
                Some(value) => Ok(Some(value)),
                None if is_null_word(text) => Ok(None),
                None => {
                    let shown: String = text.chars().take(40).collect();
                    Err(format!("holds `{shown}`, which is not {kind}"))
                }
            },
        })
        .collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow::array::{
        BinaryArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Int8Array, LargeStringArray,
        NullArray, StringViewArray, Time32SecondArray, TimestampMillisecondArray, UInt64Array,
    };
    use arrow::datatypes::Int32Type;

    use super::*;

    fn to_natural(array: impl Array + 'static) -> ArrayRef {
        natural(&(Arc::new(array) as ArrayRef), false).unwrap()
    }

    fn texts(array: &ArrayRef) -> Vec<Option<&str>> {
        array.as_string::<i32>().iter().collect()
    }

    #[test]
    fn every_plain_type_becomes_one_of_few() {
        assert_eq!(to_natural(Int8Array::from(vec![Some(-1), None])).as_ref(), &Int64Array::from(vec![Some(-1), None]));
        assert_eq!(to_natural(Float32Array::from(vec![0.5])).as_ref(), &Float64Array::from(vec![0.5]));
        let decimal = Decimal128Array::from(vec![1234]).with_precision_and_scale(10, 2).unwrap();
        assert_eq!(to_natural(decimal).as_ref(), &Float64Array::from(vec![12.34]));
        assert_eq!(texts(&to_natural(LargeStringArray::from(vec!["a"]))), [Some("a")]);
        assert_eq!(texts(&to_natural(StringViewArray::from(vec!["a long text that is not inlined"]))).len(), 1);
        let dictionary: DictionaryArray<Int32Type> = vec![Some("x"), None, Some("x")].into_iter().collect();
        assert_eq!(texts(&to_natural(dictionary)), [Some("x"), None, Some("x")]);
        let bytes = to_natural(BinaryArray::from(vec![b"\xc3\xa9".as_slice()]));
        assert_eq!(texts(&as_type(&bytes, &DataType::Utf8).unwrap()), [Some("é")]);
        assert_eq!(to_natural(NullArray::new(2)).data_type(), &DataType::Null);
    }

    #[test]
    fn decimals_keep_their_digits_or_say_that_they_do_not() {
        let decimals = |values: Vec<i128>, digits, scale| -> ArrayRef {
            Arc::new(Decimal128Array::from(values).with_precision_and_scale(digits, scale).unwrap())
        };
        let ids = decimals(vec![9_007_199_254_740_993, 9_007_199_254_740_992], 20, 0);
        assert_eq!(target(ids.data_type()), Some(DataType::Int64));
        let expected = Int64Array::from(vec![9_007_199_254_740_993, 9_007_199_254_740_992]);
        assert_eq!(convert(&ids, &DataType::Int64).unwrap().as_ref(), &expected);
        assert!(Doubt::of(ids.data_type()) == Some(Doubt::Whole) && Doubt::Whole.is_unfounded(&ids));
        let long = decimals(vec![99_999_999_999_999_999_999], 20, 0);
        assert!(!Doubt::Whole.is_unfounded(&long));
        assert_eq!(texts(&convert(&long, &DataType::Utf8).unwrap()), [Some("99999999999999999999")]);

        let prices = decimals(vec![12_340_000_000, -5_000_000_000, 0], 38, 9);
        assert!(Doubt::of(prices.data_type()) == Some(Doubt::Decimal) && Doubt::Decimal.is_unfounded(&prices));
        let thirds = decimals(vec![333_333_333_333_333_333], 38, 18);
        assert!(!Doubt::Decimal.is_unfounded(&thirds));
        assert_eq!(texts(&convert(&thirds, &DataType::Utf8).unwrap()), [Some("0.333333333333333333")]);
        assert_eq!(convert(&thirds, &DataType::Float64).unwrap().as_ref(), &Float64Array::from(vec![1.0 / 3.0]));
        assert_eq!(Doubt::of(&DataType::Decimal128(10, 2)), None);
    }

    #[test]
    fn moments_become_iso_8601() {
        assert_eq!(texts(&to_natural(Date32Array::from(vec![19_782]))), [Some("2024-02-29")]);
        assert_eq!(texts(&to_natural(Time32SecondArray::from(vec![3_661]))), [Some("01:01:01")]);
        let moment = TimestampMillisecondArray::from(vec![1_709_208_000_500]);
        assert_eq!(texts(&to_natural(moment.clone())), [Some("2024-02-29T12:00:00.500")]);
        assert_eq!(texts(&to_natural(moment.with_timezone("America/Chicago"))), [Some("2024-02-29T12:00:00.500Z")]);
    }

    #[test]
    fn values_that_do_not_fit_are_refused() {
        let too_big: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX]));
        assert!(natural(&too_big, false).unwrap_err().contains("18446744073709551615"));
        assert_eq!(texts(&convert(&too_big, &DataType::Utf8).unwrap()), [Some("18446744073709551615")]);
        assert!(!Doubt::Whole.is_unfounded(&too_big));
        let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![b"\xff".as_slice()]));
        assert_eq!(as_type(&bytes, &DataType::Utf8).unwrap_err(), "holds bytes that are not UTF-8 text");
        let half: ArrayRef = Arc::new(Float64Array::from(vec![1.0, 2.5]));
        assert_eq!(as_type(&half, &DataType::Int64).unwrap_err(), "holds 2.5, which is not a whole number");
        let text: ArrayRef = Arc::new(StringArray::from(vec![Some("7"), Some(""), None]));
        assert_eq!(as_type(&text, &DataType::Int64).unwrap().as_ref(), &Int64Array::from(vec![Some(7), None, None]));
        assert!(as_type(&text, &DataType::Boolean).unwrap_err().contains("`7`"));
        let flag: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
        assert!(as_type(&flag, &DataType::Int64).is_err());
    }
}
