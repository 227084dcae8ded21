//! What a schema asks of a single value. Statistics, rows and requests are judged by the same rule.

use std::collections::HashSet;
use std::fmt;

use crate::{AnomalyType, Domain, Feature, FeatureType, Schema, TimePattern};

/// One value of a feature, as a row or a request has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FeatureValue<'a> {
    /// There is none.
    Missing,
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// Text.
    Text(&'a str),
    /// True or false.
    Bool(bool),
    /// Bytes, which are text where they are UTF-8.
    Bytes(&'a [u8]),
}

impl FeatureValue<'_> {
    /// What it is, in a word.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Text(_) => "string",
            Self::Bool(_) => "bool",
            Self::Bytes(_) => "bytes",
        }
    }
}

impl fmt::Display for FeatureValue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("nothing"),
            Self::Int(value) => write!(f, "{value}"),
            Self::Float(value) => write!(f, "{value}"),
            Self::Text(value) => f.write_str(value),
            Self::Bool(value) => write!(f, "{value}"),
            Self::Bytes(value) => f.write_str(&String::from_utf8_lossy(value)),
        }
    }
}

/// In which way a value breaks the rule of its feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Violation {
    /// Another type than the schema says.
    Type,
    /// Text that is not UTF-8.
    NotUtf8,
    /// Not among the strings listed.
    NotListed,
    /// Text that must hold a number and does not.
    NotANumber,
    /// Below the least allowed.
    TooSmall,
    /// Above the greatest allowed.
    TooBig,
    /// NaN where that is disallowed.
    Nan,
    /// Infinite where that is disallowed.
    Infinite,
    /// Neither of the two strings, or neither 0 nor 1.
    NotABool,
    /// Text that is no moment of the format.
    NotATime,
    /// More bytes than a picture may have.
    TooManyBytes,
}

/// The rule for the values of one feature.
#[derive(Debug, Clone)]
pub struct ValueRule {
    feature_type: FeatureType,
    limits: Limits,
}

/// A domain, made ready.
#[derive(Debug, Clone)]
enum Limits {
    None,
    Strings(HashSet<Box<str>>),
    Int { min: Option<i64>, max: Option<i64> },
    Float { min: Option<f64>, max: Option<f64>, disallow_nan: bool, disallow_inf: bool },
    Bool { true_value: Option<Box<str>>, false_value: Option<Box<str>> },
    Image { max_bytes: Option<u64> },
    Time { pattern: TimePattern, format: Box<str> },
}

impl ValueRule {
    /// The rule that `schema` has for `feature`. What contradicts itself (a shared domain that is not there, a format that is none) asks nothing.
    pub fn new(feature: &Feature, schema: &Schema) -> Self {
        let strings =
            |values: &Vec<String>| Limits::Strings(values.iter().map(|value| value.as_str().into()).collect());
        let limits = match &feature.domain {
            Some(Domain::Values(values)) => strings(values),
            Some(Domain::Shared(name)) => schema.domains.get(name).map_or(Limits::None, strings),
            Some(Domain::Int { min, max }) => Limits::Int { min: *min, max: *max },
            Some(Domain::Float { min, max, disallow_nan, disallow_inf }) => {
                Limits::Float { min: *min, max: *max, disallow_nan: *disallow_nan, disallow_inf: *disallow_inf }
            }
            Some(Domain::Bool { true_value, false_value }) => {
                let boxed = |value: &Option<String>| value.as_deref().map(Into::into);
                Limits::Bool { true_value: boxed(true_value), false_value: boxed(false_value) }
            }
            Some(Domain::Image { max_bytes, .. }) => Limits::Image { max_bytes: *max_bytes },
            Some(Domain::Time { format: Some(format), .. }) => {
                let format_text = format.as_str().into();
                TimePattern::new(format).map_or(Limits::None, |pattern| Limits::Time { pattern, format: format_text })
            }
            Some(Domain::Time { format: None, .. }) | None => Limits::None,
        };
        Self { feature_type: feature.feature_type, limits }
    }

    /// How `value` breaks the rule, if it does. A missing value breaks none. Allocates nothing.
    ///
    /// A whole number is a `float`, and a float without a fraction is an `int`, because requests and files do not tell 3 from 3.0.
    pub fn judge(&self, value: FeatureValue<'_>) -> Option<Violation> {
        use FeatureType as T;
        use FeatureValue as V;
        match (self.feature_type, value) {
            (_, V::Missing) | (T::Bool, V::Bool(_)) => None,
            (T::Bytes, V::Bytes(bytes)) => self.judge_bytes(bytes.len()),
            (T::Bytes, V::Text(text)) => self.judge_bytes(text.len()),
            (T::Int | T::Float, V::Int(number)) => self.judge_int(number),
            (T::Float, V::Float(number)) => self.judge_float(number),
            (T::Int, V::Float(number)) => match whole(number) {
                Some(number) => self.judge_int(number),
                None => Some(Violation::Type),
            },
            (T::String, V::Text(text)) => self.judge_text(text),
            (T::String, V::Bytes(bytes)) => match std::str::from_utf8(bytes) {
                Ok(text) => self.judge_text(text),
                Err(_) => Some(Violation::NotUtf8),
            },
            _ => Some(Violation::Type),
        }
    }

    fn judge_int(&self, number: i64) -> Option<Violation> {
        match self.limits {
            Limits::Int { min, max } => {
                outside(min.is_some_and(|min| number < min), max.is_some_and(|max| number > max))
            }
            Limits::Bool { .. } => outside(number < 0, number > 1),
            Limits::Float { .. } => self.judge_float(number as f64),
            _ => None,
        }
    }

    fn judge_float(&self, number: f64) -> Option<Violation> {
        match self.limits {
            Limits::Float { disallow_nan: true, .. } if number.is_nan() => Some(Violation::Nan),
            Limits::Float { disallow_inf: true, .. } if number.is_infinite() => Some(Violation::Infinite),
            Limits::Bool { .. } if number != 0.0 && number != 1.0 => Some(Violation::NotABool),
            _ => outside(self.too_small(number), self.too_big(number)),
        }
    }

    fn judge_bytes(&self, length: usize) -> Option<Violation> {
        match self.limits {
            Limits::Image { max_bytes: Some(most) } if length as u64 > most => Some(Violation::TooManyBytes),
            _ => None,
        }
    }

    fn judge_text(&self, text: &str) -> Option<Violation> {
        match &self.limits {
            Limits::None | Limits::Image { .. } => None,
            Limits::Strings(_) => (!self.allows_text(text)).then_some(Violation::NotListed),
            Limits::Int { .. } => match text.trim().parse() {
                Ok(number) => self.judge_int(number),
                Err(_) => Some(Violation::NotANumber),
            },
            Limits::Float { .. } => match text.trim().parse() {
                Ok(number) => self.judge_float(number),
                Err(_) => Some(Violation::NotANumber),
            },
            Limits::Bool { .. } => (!self.allows_text(text)).then_some(Violation::NotABool),
            Limits::Time { pattern, .. } => (!pattern.matches(text)).then_some(Violation::NotATime),
        }
    }

    /// The type the schema asks for.
    pub const fn feature_type(&self) -> FeatureType {
        self.feature_type
    }

    /// Whether the domain is one of numbers, so that text must hold numbers.
    pub const fn is_of_numbers(&self) -> bool {
        matches!(self.limits, Limits::Int { .. } | Limits::Float { .. })
    }

    /// Whether the domain is that of true and false.
    pub const fn is_of_bools(&self) -> bool {
        matches!(self.limits, Limits::Bool { .. })
    }

    /// Whether some text may break the rule.
    pub const fn judges_text(&self) -> bool {
        !matches!(self.limits, Limits::None | Limits::Image { .. })
    }

    /// How many strings a domain of strings lists.
    pub fn listed(&self) -> Option<usize> {
        match &self.limits {
            Limits::Strings(values) => Some(values.len()),
            Limits::Bool { true_value, false_value } => {
                Some(usize::from(true_value.is_some()) + usize::from(false_value.is_some()))
            }
            _ => None,
        }
    }

    /// Whether text is one of the strings allowed, or a moment of the format; other domains allow every text.
    pub fn allows_text(&self, text: &str) -> bool {
        match &self.limits {
            Limits::Strings(values) => values.contains(text),
            Limits::Bool { true_value, false_value } => {
                [true_value, false_value].iter().any(|v| v.as_deref() == Some(text))
            }
            Limits::Time { pattern, .. } => pattern.matches(text),
            _ => true,
        }
    }

    /// The number in a piece of text, if it is one of the kind the rule asks for.
    pub fn number_in(&self, text: &str) -> Option<f64> {
        let text = text.trim();
        if self.whole() || self.feature_type == FeatureType::Int {
            text.parse::<i64>().ok().map(|number| number as f64)
        } else {
            text.parse().ok()
        }
    }

    /// Whether numbers must be whole because the domain says so.
    pub const fn whole(&self) -> bool {
        matches!(self.limits, Limits::Int { .. })
    }

    /// The least number allowed.
    pub fn min(&self) -> Option<f64> {
        match self.limits {
            Limits::Int { min, .. } => min.map(|min| min as f64),
            Limits::Float { min, .. } => min,
            _ => None,
        }
    }

    /// The greatest number allowed.
    pub fn max(&self) -> Option<f64> {
        match self.limits {
            Limits::Int { max, .. } => max.map(|max| max as f64),
            Limits::Float { max, .. } => max,
            _ => None,
        }
    }

    /// Whether NaN is an anomaly.
    pub const fn disallows_nan(&self) -> bool {
        matches!(self.limits, Limits::Float { disallow_nan: true, .. })
    }

    /// Whether infinities are an anomaly.
    pub const fn disallows_inf(&self) -> bool {
        matches!(self.limits, Limits::Float { disallow_inf: true, .. })
    }

    /// Whether a number is below the least allowed.
    pub fn too_small(&self, number: f64) -> bool {
        self.min().is_some_and(|min| number < min)
    }

    /// Whether a number is above the greatest allowed.
    pub fn too_big(&self, number: f64) -> bool {
        self.max().is_some_and(|max| number > max)
    }

    /// The anomaly that a violation of this rule by a value of some kind is.
    pub fn anomaly_type(&self, violation: Violation, value: FeatureValue<'_>) -> AnomalyType {
        use AnomalyType as T;
        let of_bool = matches!(self.limits, Limits::Bool { .. });
        match violation {
            Violation::Type => T::UnexpectedDataType,
            Violation::NotUtf8 => T::EnumTypeInvalidUtf8,
            Violation::NotListed => T::EnumTypeUnexpectedStringValues,
            Violation::NotANumber if self.whole() => T::IntTypeNotIntString,
            Violation::NotANumber => T::FloatTypeStringNotFloat,
            Violation::TooSmall if of_bool => T::BoolTypeSmallInt,
            Violation::TooBig if of_bool => T::BoolTypeBigInt,
            Violation::TooSmall if self.whole() => T::IntTypeSmallInt,
            Violation::TooBig if self.whole() => T::IntTypeBigInt,
            Violation::TooSmall => T::FloatTypeSmallFloat,
            Violation::TooBig => T::FloatTypeBigFloat,
            Violation::Nan => T::FloatTypeHasNan,
            Violation::Infinite => T::FloatTypeHasInf,
            Violation::NotABool if matches!(value, FeatureValue::Float(_)) => T::BoolTypeUnexpectedFloat,
            Violation::NotABool => T::BoolTypeUnexpectedString,
            Violation::NotATime => T::CustomValidation,
            Violation::TooManyBytes => T::MaxImageByteSizeExceeded,
        }
    }
}

/// What the domain asks for, in few words: "`float` domain, min 0".
impl fmt::Display for ValueRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.limits {
            Limits::None | Limits::Image { max_bytes: None } => write!(f, "type `{}`", self.feature_type),
            Limits::Image { max_bytes: Some(most) } => write!(f, "`image` domain, max_bytes {most}"),
            Limits::Strings(values) => write!(f, "domain of {} values", values.len()),
            Limits::Int { min, max } => bounds(f, "int", *min, *max),
            Limits::Float { min, max, .. } => bounds(f, "float", *min, *max),
            Limits::Bool { true_value: Some(yes), false_value: Some(no) } => {
                write!(f, "`bool` domain, `{yes}` or `{no}`")
            }
            Limits::Bool { .. } => f.write_str("`bool` domain, 0 or 1"),
            Limits::Time { format, .. } => write!(f, "`time` domain, format `{format}`"),
        }
    }
}

fn bounds<T: fmt::Display>(f: &mut fmt::Formatter<'_>, kind: &str, min: Option<T>, max: Option<T>) -> fmt::Result {
    write!(f, "`{kind}` domain")?;
    if let Some(min) = min {
        write!(f, ", min {min}")?;
    }
    max.map_or(Ok(()), |max| write!(f, ", max {max}"))
}

fn outside(below: bool, above: bool) -> Option<Violation> {
    match (below, above) {
        (true, _) => Some(Violation::TooSmall),
        (_, true) => Some(Violation::TooBig),
        _ => None,
    }
}

/// A float without a fraction as a whole number, where it is one exactly.
fn whole(number: f64) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    (number.fract() == 0.0 && (-LIMIT..LIMIT).contains(&number)).then_some(number as i64)
}
