//! Resolves names to columns and checks types.

use std::fmt;
use std::ops::Range;

use arrow::datatypes::{DataType as ArrowType, Schema};
use tidemill_core::{Code, suggest};

use super::ast::{Binary, Expr, Kind};
use super::error::ExpressionError;
use super::function::Function;

/// The type of a value. `Null` is the type of `null` alone and fits everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Null,
    Bool,
    Int,
    Float,
    Text,
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Null => "null",
            Self::Bool => "true or false",
            Self::Int => "a whole number",
            Self::Float => "a number",
            Self::Text => "text",
        })
    }
}

impl Type {
    fn is_number(self) -> bool {
        matches!(self, Self::Null | Self::Int | Self::Float)
    }

    fn is_bool(self) -> bool {
        matches!(self, Self::Null | Self::Bool)
    }

    /// The common type of two values.
    fn join(self, other: Self) -> Option<Self> {
        match (self, other) {
            (a, b) if a == b => Some(a),
            (Self::Null, b) => Some(b),
            (a, Self::Null) => Some(a),
            (Self::Int, Self::Float) | (Self::Float, Self::Int) => Some(Self::Float),
            _ => None,
        }
    }
}

/// An expression whose types are checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Typed {
    pub op: Op,
    pub datatype: Type,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    Column(usize),
    Not(Box<Typed>),
    Negate(Box<Typed>),
    Binary(Binary, Box<Typed>, Box<Typed>),
    IsNull { operand: Box<Typed>, negated: bool },
    In { operand: Box<Typed>, list: Vec<Typed>, negated: bool },
    Between { operand: Box<Typed>, low: Box<Typed>, high: Box<Typed>, negated: bool },
    Case { subject: Option<Box<Typed>>, whens: Vec<(Typed, Typed)>, otherwise: Option<Box<Typed>> },
    Call(Function, Vec<Typed>),
}

/// Checks `expr` against the columns of `schema`.
pub(super) fn check(expr: &Expr, schema: &Schema, text: &str) -> Result<Typed, ExpressionError> {
    Checker { schema, text }.check(expr)
}

struct Checker<'a> {
    schema: &'a Schema,
    text: &'a str,
}

impl Checker<'_> {
    fn check(&self, expr: &Expr) -> Result<Typed, ExpressionError> {
        let (op, datatype) = match &expr.kind {
            Kind::Null => (Op::Null, Type::Null),
            Kind::Bool(value) => (Op::Bool(*value), Type::Bool),
            Kind::Int(value) => (Op::Int(*value), Type::Int),
            Kind::Float(value) => (Op::Float(*value), Type::Float),
            Kind::Text(value) => (Op::Text(value.clone()), Type::Text),
            Kind::Column(name) => self.column(name, expr.span.clone())?,
            Kind::Not(operand) => (Op::Not(Box::new(self.bool("not", operand)?)), Type::Bool),
            Kind::Negate(operand) => {
                let operand = self.number("-", operand)?;
                let datatype = operand.datatype;
                (Op::Negate(Box::new(operand)), datatype)
            }
            Kind::Binary(operator, left, right) => self.binary(*operator, left, right, &expr.span)?,
            Kind::IsNull { operand, negated } => {
                (Op::IsNull { operand: Box::new(self.check(operand)?), negated: *negated }, Type::Bool)
            }
            Kind::In { operand, list, negated } => {
                let operand = self.check(operand)?;
                let mut items = Vec::with_capacity(list.len());
                for item in list {
                    let typed = self.check(item)?;
                    self.comparable("in", operand.datatype, typed.datatype, &item.span)?;
                    items.push(typed);
                }
                (Op::In { operand: Box::new(operand), list: items, negated: *negated }, Type::Bool)
            }
            Kind::Between { operand, low, high, negated } => {
                let operand = self.check(operand)?;
                let bound = |bound: &Expr| {
                    let typed = self.check(bound)?;
                    self.comparable("between", operand.datatype, typed.datatype, &bound.span)?;
                    Ok(Box::new(typed))
                };
                let (low, high) = (bound(low)?, bound(high)?);
                (Op::Between { operand: Box::new(operand), low, high, negated: *negated }, Type::Bool)
            }
            Kind::Case { subject, whens, otherwise } => self.case(subject.as_deref(), whens, otherwise.as_deref())?,
            Kind::Call(function, arguments) => self.call(*function, arguments)?,
        };
        Ok(Typed { op, datatype })
    }

    /// The suggestion for a column that does not exist.
    fn column_suggestion(&self, name: &str) -> String {
        const SHOWN: usize = 10;
        let fields = self.schema.fields();
        let names: Vec<String> = fields.iter().take(SHOWN).map(|field| format!("`{}`", field.name())).collect();
        let more = if fields.len() > SHOWN { format!(" and {} more", fields.len() - SHOWN) } else { String::new() };
        format!("write text in single quotes, `'{name}'`; columns: {}{more}", names.join(", "))
    }

    fn column(&self, name: &str, span: Range<usize>) -> Result<(Op, Type), ExpressionError> {
        let Some((index, field)) = self.schema.column_with_name(name) else {
            let error = ExpressionError::new(format!("there is no column `{name}`"), self.text, span);
            let error = error.with_code(Code::ColumnNotFound);
            return Err(match suggest(name, self.schema.fields().iter().map(|field| field.name().as_str())) {
                Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                None => error.with_hint(self.column_suggestion(name)),
            });
        };
        let datatype = match field.data_type() {
            ArrowType::Boolean => Type::Bool,
            ArrowType::Int64 => Type::Int,
            ArrowType::Float64 => Type::Float,
            ArrowType::Utf8 => Type::Text,
            ArrowType::Null => Type::Null,
            other => {
                let message = format!("column `{name}` is of type {other}, which expressions do not know");
                return Err(ExpressionError::new(message, self.text, span).with_code(Code::ColumnType));
            }
        };
        Ok((Op::Column(index), datatype))
    }

    fn binary(
        &self,
        operator: Binary,
        left: &Expr,
        right: &Expr,
        span: &Range<usize>,
    ) -> Result<(Op, Type), ExpressionError> {
        let symbol = operator.symbol();
        let (left, right, datatype) = match operator {
            Binary::Or | Binary::And => (self.bool(symbol, left)?, self.bool(symbol, right)?, Type::Bool),
            Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide | Binary::Modulo => {
                let (left, right) = (self.number(symbol, left)?, self.number(symbol, right)?);
                let datatype = match (operator, left.datatype, right.datatype) {
                    (_, Type::Null, _) | (_, _, Type::Null) => Type::Null,
                    (Binary::Divide, ..) => Type::Float,
                    (_, Type::Int, Type::Int) => Type::Int,
                    _ => Type::Float,
                };
                (left, right, datatype)
            }
            _ => {
                let (left, right) = (self.check(left)?, self.check(right)?);
                self.comparable(symbol, left.datatype, right.datatype, span)?;
                (left, right, Type::Bool)
            }
        };
        Ok((Op::Binary(operator, Box::new(left), Box::new(right)), datatype))
    }

    fn case(
        &self,
        subject: Option<&Expr>,
        whens: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
    ) -> Result<(Op, Type), ExpressionError> {
        let subject = subject.map(|subject| self.check(subject)).transpose()?;
        let mut datatype = Type::Null;
        let mut arms = Vec::with_capacity(whens.len());
        for (when, then) in whens {
            let typed = match &subject {
                None => self.bool("case", when)?,
                Some(subject) => {
                    let typed = self.check(when)?;
                    self.comparable("case", subject.datatype, typed.datatype, &when.span)?;
                    typed
                }
            };
            arms.push((typed, self.joined("`case`", &mut datatype, then)?));
        }
        let otherwise =
            otherwise.map(|otherwise| self.joined("`case`", &mut datatype, otherwise)).transpose()?.map(Box::new);
        Ok((Op::Case { subject: subject.map(Box::new), whens: arms, otherwise }, datatype))
    }

    fn call(&self, function: Function, arguments: &[Expr]) -> Result<(Op, Type), ExpressionError> {
        let mut typed = Vec::with_capacity(arguments.len());
        let mut datatype = Type::Null;
        for argument in arguments {
            typed.push(match function {
                Function::Coalesce | Function::Least | Function::Greatest => {
                    self.joined("the function", &mut datatype, argument)?
                }
                Function::Lower | Function::Upper | Function::Length | Function::Trim => {
                    self.is(argument, "text", |found| matches!(found, Type::Null | Type::Text))?
                }
                _ => self.is(argument, "a number", Type::is_number)?,
            });
        }
        let first = typed.first().map_or(Type::Null, |argument| argument.datatype);
        let datatype = match function {
            Function::Coalesce | Function::Least | Function::Greatest => datatype,
            _ if first == Type::Null => Type::Null,
            Function::Abs | Function::Round | Function::Floor | Function::Ceil => first,
            Function::Ln | Function::Log10 | Function::Exp | Function::Sqrt => Type::Float,
            Function::Lower | Function::Upper | Function::Trim => Type::Text,
            Function::Length => Type::Int,
        };
        Ok((Op::Call(function, typed), datatype))
    }

    /// Checks `expr` and widens `datatype` to include its result.
    fn joined(&self, what: &str, datatype: &mut Type, expr: &Expr) -> Result<Typed, ExpressionError> {
        let typed = self.check(expr)?;
        let Some(joined) = datatype.join(typed.datatype) else {
            let message = format!("{what} gives {datatype} elsewhere and {} here", typed.datatype);
            return Err(self.error(message.as_str(), &expr.span));
        };
        *datatype = joined;
        Ok(typed)
    }

    fn bool(&self, what: &str, expr: &Expr) -> Result<Typed, ExpressionError> {
        let typed = self.check(expr)?;
        if typed.datatype.is_bool() {
            return Ok(typed);
        }
        Err(self.error(&format!("`{what}` needs a condition here, and this is {}", typed.datatype), &expr.span))
    }

    fn number(&self, what: &str, expr: &Expr) -> Result<Typed, ExpressionError> {
        let typed = self.check(expr)?;
        if typed.datatype.is_number() {
            return Ok(typed);
        }
        Err(self.error(&format!("`{what}` needs numbers, and this is {}", typed.datatype), &expr.span))
    }

    fn is(&self, expr: &Expr, wanted: &str, suits: impl Fn(Type) -> bool) -> Result<Typed, ExpressionError> {
        let typed = self.check(expr)?;
        if suits(typed.datatype) {
            return Ok(typed);
        }
        Err(self.error(&format!("{wanted} is expected here, and this is {}", typed.datatype), &expr.span))
    }

    fn comparable(&self, what: &str, left: Type, right: Type, span: &Range<usize>) -> Result<(), ExpressionError> {
        if left.join(right).is_some() {
            return Ok(());
        }
        Err(self.error(&format!("`{what}` cannot compare {left} with {right}"), span))
    }

    fn error(&self, message: &str, span: &Range<usize>) -> ExpressionError {
        ExpressionError::new(message, self.text, span.clone())
    }
}
