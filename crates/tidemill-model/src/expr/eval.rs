//! Evaluates expressions over batches, one column at a time.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, NullArray, RecordBatch, StringArray,
};
use arrow::datatypes::{DataType as ArrowType, Float64Type, Int64Type};

use super::ast::Binary;
use super::check::{Op, Type, Typed};
use super::function::Function;

/// A column of values; `None` is null. No float is NaN.
#[derive(Debug, Clone)]
pub(super) enum Values<'a> {
    Null(usize),
    Bool(Vec<Option<bool>>),
    Int(Vec<Option<i64>>),
    Float(Vec<Option<f64>>),
    Text(Vec<Option<Cow<'a, str>>>),
}

/// A batch, and the mapping from the columns of an expression to its columns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) batch: &'a RecordBatch,
    /// By column of the bound schema: the column of the batch. `None`: the same position.
    pub(super) columns: Option<&'a [usize]>,
}

impl<'a> Rows<'a> {
    fn column(self, index: usize) -> Option<&'a ArrayRef> {
        let index = match self.columns {
            Some(columns) => *columns.get(index)?,
            None => index,
        };
        self.batch.columns().get(index)
    }
}

/// The values of `typed` for every row; `None` if the batch does not have the bound schema.
pub(super) fn evaluate<'a>(typed: &'a Typed, batch: Rows<'a>) -> Option<Values<'a>> {
    let rows = batch.batch.num_rows();
    Some(match &typed.op {
        Op::Null => Values::Null(rows),
        Op::Bool(value) => Values::Bool(vec![Some(*value); rows]),
        Op::Int(value) => Values::Int(vec![Some(*value); rows]),
        Op::Float(value) => Values::Float(vec![Some(*value); rows]),
        Op::Text(value) => Values::Text(vec![Some(Cow::Borrowed(value)); rows]),
        Op::Column(index) => column(batch.column(*index)?, typed.datatype)?,
        Op::Not(operand) => {
            Values::Bool(evaluate(operand, batch)?.bools().into_iter().map(|v| v.map(|v| !v)).collect())
        }
        Op::Negate(operand) => match evaluate(operand, batch)? {
            Values::Int(values) => Values::Int(each(values, i64::checked_neg)),
            other => Values::Float(each(other.floats(), |v| Some(-v))).or_null(typed.datatype),
        },
        Op::Binary(operator, left, right) => {
            binary(*operator, typed.datatype, evaluate(left, batch)?, evaluate(right, batch)?)
        }
        Op::IsNull { operand, negated } => {
            let nulls = evaluate(operand, batch)?.nulls();
            Values::Bool(nulls.into_iter().map(|null| Some(null != *negated)).collect())
        }
        Op::In { operand, list, negated } => {
            let operand = evaluate(operand, batch)?;
            let mut found = vec![Some(false); rows];
            for item in list {
                let equal = compare(&operand, &evaluate(item, batch)?, |o| o == Ordering::Equal);
                found = zip(found, equal, or);
            }
            Values::Bool(negate_if(*negated, found))
        }
        Op::Between { operand, low, high, negated } => {
            let operand = evaluate(operand, batch)?;
            let above = compare(&operand, &evaluate(low, batch)?, Ordering::is_ge);
            let below = compare(&operand, &evaluate(high, batch)?, Ordering::is_le);
            Values::Bool(negate_if(*negated, zip(above, below, and)))
        }
        Op::Case { subject, whens, otherwise } => {
            let subject = match subject {
                Some(subject) => Some(evaluate(subject, batch)?),
                None => None,
            };
            let mut result = match otherwise {
                Some(otherwise) => evaluate(otherwise, batch)?,
                None => Values::Null(rows),
            }
            .cast(typed.datatype);
            for (when, then) in whens.iter().rev() {
                let when = evaluate(when, batch)?;
                let chosen = match &subject {
                    Some(subject) => compare(subject, &when, |o| o == Ordering::Equal),
                    None => when.bools(),
                };
                result = select(&chosen, evaluate(then, batch)?.cast(typed.datatype), result);
            }
            result
        }
        Op::Call(function, arguments) => {
            let mut values = Vec::with_capacity(arguments.len());
            for argument in arguments {
                values.push(evaluate(argument, batch)?);
            }
            call(*function, typed.datatype, values, rows)
        }
    })
}

/// Whole numbers are valid as numbers, and a column of nulls as anything, as when a graph is bound.
fn column(array: &ArrayRef, datatype: Type) -> Option<Values<'_>> {
    Some(match (array.data_type(), datatype) {
        (ArrowType::Null, datatype) => Values::Null(array.len()).cast(datatype),
        (ArrowType::Int64, Type::Float) => {
            Values::Float(array.as_primitive::<Int64Type>().iter().map(|v| v.map(|v| v as f64)).collect())
        }
        (ArrowType::Boolean, Type::Bool) => Values::Bool(array.as_boolean().iter().collect()),
        (ArrowType::Int64, Type::Int) => Values::Int(array.as_primitive::<Int64Type>().iter().collect()),
        (ArrowType::Float64, Type::Float) => {
            Values::Float(array.as_primitive::<Float64Type>().iter().map(|v| v.and_then(number)).collect())
        }
        (ArrowType::Utf8, Type::Text) => {
            Values::Text(array.as_string::<i32>().iter().map(|v| v.map(Cow::Borrowed)).collect())
        }
        _ => return None,
    })
}

fn binary<'a>(operator: Binary, datatype: Type, left: Values<'a>, right: Values<'a>) -> Values<'a> {
    match operator {
        Binary::Or => Values::Bool(zip(left.bools(), right.bools(), or)),
        Binary::And => Values::Bool(zip(left.bools(), right.bools(), and)),
        Binary::Equal => Values::Bool(compare(&left, &right, |o| o == Ordering::Equal)),
        Binary::NotEqual => Values::Bool(compare(&left, &right, |o| o != Ordering::Equal)),
        Binary::Less => Values::Bool(compare(&left, &right, Ordering::is_lt)),
        Binary::LessEqual => Values::Bool(compare(&left, &right, Ordering::is_le)),
        Binary::Greater => Values::Bool(compare(&left, &right, Ordering::is_gt)),
        Binary::GreaterEqual => Values::Bool(compare(&left, &right, Ordering::is_ge)),
        Binary::Add => arithmetic(datatype, left, right, i64::checked_add, |a, b| a + b),
        Binary::Subtract => arithmetic(datatype, left, right, i64::checked_sub, |a, b| a - b),
        Binary::Multiply => arithmetic(datatype, left, right, i64::checked_mul, |a, b| a * b),
        Binary::Divide => {
            arithmetic(datatype, left, right, |_, _| None, |a, b| if b == 0.0 { f64::NAN } else { a / b })
        }
        // The remainder of the smallest whole number by −1 overflows in the processor, but is 0.
        Binary::Modulo => {
            arithmetic(datatype, left, right, |a, b| if b == 0 { None } else { Some(a.wrapping_rem(b)) }, |a, b| a % b)
        }
    }
}

fn arithmetic<'a>(
    datatype: Type,
    left: Values<'a>,
    right: Values<'a>,
    whole: impl Fn(i64, i64) -> Option<i64>,
    real: impl Fn(f64, f64) -> f64,
) -> Values<'a> {
    match (datatype, left, right) {
        (Type::Null, left, _) => Values::Null(left.len()),
        (Type::Int, Values::Int(left), Values::Int(right)) => {
            Values::Int(zip(left, right, |a, b| a.zip(b).and_then(|(a, b)| whole(a, b))))
        }
        (_, left, right) => {
            Values::Float(zip(left.floats(), right.floats(), |a, b| a.zip(b).and_then(|(a, b)| number(real(a, b)))))
        }
    }
}

/// Compares row by row; null if either side is.
fn compare(left: &Values<'_>, right: &Values<'_>, holds: impl Fn(Ordering) -> bool) -> Vec<Option<bool>> {
    fn rows<T>(
        left: &[Option<T>],
        right: &[Option<T>],
        order: impl Fn(&T, &T) -> Option<Ordering>,
        holds: impl Fn(Ordering) -> bool,
    ) -> Vec<Option<bool>> {
        let row = |(a, b): (&Option<T>, &Option<T>)| order(a.as_ref()?, b.as_ref()?).map(&holds);
        left.iter().zip(right).map(row).collect()
    }
    match (left, right) {
        (Values::Null(rows), _) | (_, Values::Null(rows)) => vec![None; *rows],
        (Values::Bool(a), Values::Bool(b)) => rows(a, b, |a, b| Some(a.cmp(b)), holds),
        (Values::Int(a), Values::Int(b)) => rows(a, b, |a, b| Some(a.cmp(b)), holds),
        (Values::Text(a), Values::Text(b)) => rows(a, b, |a, b| Some(a.cmp(b)), holds),
        (a, b) => rows(&a.clone().floats(), &b.clone().floats(), f64::partial_cmp, holds),
    }
}

fn call<'a>(function: Function, datatype: Type, values: Vec<Values<'a>>, rows: usize) -> Values<'a> {
    if function.is_variadic() {
        let keep = |result: Values<'a>, next: Values<'a>| {
            let nulls = result.nulls().into_iter();
            let take: Vec<Option<bool>> = if function == Function::Coalesce {
                nulls.map(Some).collect()
            } else {
                // A null on one side yields the other side.
                let holds = if function == Function::Least { Ordering::is_lt } else { Ordering::is_gt };
                let better = compare(&next, &result, holds).into_iter();
                better.zip(nulls).map(|(better, null)| Some(null || better == Some(true))).collect()
            };
            select(&take, next, result)
        };
        let cast = values.into_iter().map(|values| values.cast(datatype));
        return cast.reduce(keep).unwrap_or(Values::Null(rows));
    }
    let Some(argument) = values.into_iter().next() else { return Values::Null(rows) };
    if datatype == Type::Null {
        return Values::Null(rows);
    }
    match (function, argument) {
        (Function::Abs, Values::Int(values)) => Values::Int(each(values, i64::checked_abs)),
        (Function::Round | Function::Floor | Function::Ceil, Values::Int(values)) => Values::Int(values),
        (Function::Lower, Values::Text(values)) => Values::Text(each(values, |v| Some(Cow::Owned(v.to_lowercase())))),
        (Function::Upper, Values::Text(values)) => Values::Text(each(values, |v| Some(Cow::Owned(v.to_uppercase())))),
        (Function::Trim, Values::Text(values)) => Values::Text(each(values, |v| Some(Cow::Owned(v.trim().to_owned())))),
        (Function::Length, Values::Text(values)) => Values::Int(each(values, |v| Some(v.chars().count() as i64))),
        (_, argument) => {
            let real: fn(f64) -> f64 = match function {
                Function::Abs => f64::abs,
                // ln 0 would be −∞; the result is null, like that of a negative number.
                Function::Ln => |x| if x > 0.0 { x.ln() } else { f64::NAN },
                Function::Log10 => |x| if x > 0.0 { x.log10() } else { f64::NAN },
                Function::Exp => f64::exp,
                Function::Sqrt => f64::sqrt,
                Function::Round => f64::round,
                Function::Floor => f64::floor,
                Function::Ceil => f64::ceil,
                _ => |_| f64::NAN,
            };
            Values::Float(each(argument.floats(), |v| number(real(v))))
        }
    }
}

/// `then` where `chosen` is true, `otherwise` elsewhere; both are of one type.
fn select<'a>(chosen: &[Option<bool>], then: Values<'a>, otherwise: Values<'a>) -> Values<'a> {
    fn pick<T>(chosen: &[Option<bool>], then: Vec<T>, otherwise: Vec<T>) -> Vec<T> {
        let pair = then.into_iter().zip(otherwise);
        chosen.iter().zip(pair).map(|(c, (then, otherwise))| if *c == Some(true) { then } else { otherwise }).collect()
    }
    match (then, otherwise) {
        (Values::Bool(a), Values::Bool(b)) => Values::Bool(pick(chosen, a, b)),
        (Values::Int(a), Values::Int(b)) => Values::Int(pick(chosen, a, b)),
        (Values::Float(a), Values::Float(b)) => Values::Float(pick(chosen, a, b)),
        (Values::Text(a), Values::Text(b)) => Values::Text(pick(chosen, a, b)),
        (_, otherwise) => otherwise,
    }
}

/// A NaN is a missing value.
fn number(value: f64) -> Option<f64> {
    (!value.is_nan()).then_some(value)
}

fn or(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        (Some(false), Some(false)) => Some(false),
        _ => None,
    }
}

fn and(a: Option<bool>, b: Option<bool>) -> Option<bool> {
    match (a, b) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

fn negate_if(negated: bool, values: Vec<Option<bool>>) -> Vec<Option<bool>> {
    if negated { values.into_iter().map(|v| v.map(|v| !v)).collect() } else { values }
}

fn each<T, U>(values: Vec<Option<T>>, step: impl Fn(T) -> Option<U>) -> Vec<Option<U>> {
    values.into_iter().map(|value| value.and_then(&step)).collect()
}

fn zip<A, B, C>(left: Vec<A>, right: Vec<B>, step: impl Fn(A, B) -> C) -> Vec<C> {
    left.into_iter().zip(right).map(|(a, b)| step(a, b)).collect()
}

impl Values<'_> {
    fn len(&self) -> usize {
        match self {
            Self::Null(rows) => *rows,
            Self::Bool(values) => values.len(),
            Self::Int(values) => values.len(),
            Self::Float(values) => values.len(),
            Self::Text(values) => values.len(),
        }
    }

    fn nulls(&self) -> Vec<bool> {
        match self {
            Self::Null(rows) => vec![true; *rows],
            Self::Bool(values) => values.iter().map(Option::is_none).collect(),
            Self::Int(values) => values.iter().map(Option::is_none).collect(),
            Self::Float(values) => values.iter().map(Option::is_none).collect(),
            Self::Text(values) => values.iter().map(Option::is_none).collect(),
        }
    }

    fn bools(self) -> Vec<Option<bool>> {
        match self {
            Self::Bool(values) => values,
            other => vec![None; other.len()],
        }
    }

    fn floats(self) -> Vec<Option<f64>> {
        match self {
            Self::Float(values) => values,
            Self::Int(values) => values.into_iter().map(|v| v.map(|v| v as f64)).collect(),
            other => vec![None; other.len()],
        }
    }

    /// Converts the values to another type; `Type::Null` keeps them as they are.
    fn cast(self, datatype: Type) -> Self {
        let rows = self.len();
        match (datatype, self) {
            (Type::Float, values) => Self::Float(values.floats()),
            (Type::Bool, Self::Null(_)) => Self::Bool(vec![None; rows]),
            (Type::Int, Self::Null(_)) => Self::Int(vec![None; rows]),
            (Type::Text, Self::Null(_)) => Self::Text(vec![None; rows]),
            (_, values) => values,
        }
    }

    fn or_null(self, datatype: Type) -> Self {
        if datatype == Type::Null { Self::Null(self.len()) } else { self }
    }

    pub(super) fn into_array(self) -> ArrayRef {
        match self {
            Self::Null(rows) => Arc::new(NullArray::new(rows)),
            Self::Bool(values) => Arc::new(BooleanArray::from(values)),
            Self::Int(values) => Arc::new(Int64Array::from(values)),
            Self::Float(values) => Arc::new(Float64Array::from(values)),
            Self::Text(values) => Arc::new(values.into_iter().collect::<StringArray>()),
        }
    }
}
