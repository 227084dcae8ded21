//! Row expressions as nodes of ONNX, with SQL's nulls.
//!
//! A null number is NaN; whole numbers, texts and booleans have a second tensor that says where they are null. Errors
//! name what has no operator: the order of texts, their length, and case changes of a text that is itself the result.

mod arithmetic;
mod calls;

use arrow::datatypes::{Field, Schema};
use tidemill_core::{DataType, TensorSpec};

use super::builder::{Builder, Name};
use super::pattern::TextForm;
use super::source::{Raw, as_number};
use crate::onnx::value::datatype;
use tidemill_model::arrow_type;
use tidemill_model::expr::{Binary, Expression, Op, Type, Typed};

/// Values of rows; the value of a null row is arbitrary.
#[derive(Debug, Clone)]
enum Value {
    Null,
    Bool {
        value: Name,
        null: Option<Name>,
    },
    Int {
        value: Name,
        null: Option<Name>,
    },
    /// NaN for null.
    Float(Name),
    Text(Text),
}

#[derive(Debug, Clone)]
struct Text {
    value: Name,
    /// The pending text steps.
    form: TextForm,
    null: Option<Name>,
    /// The text, if it is the same for all rows.
    constant: Option<String>,
}

/// The values of an expression over `inputs`, one per row.
pub(super) fn values(graph: &mut Builder, text: &str, inputs: &[TensorSpec]) -> Result<Raw, String> {
    let refuse = |reason: String| format!("the expression `{text}`: {reason}");
    let field = |input: &TensorSpec| Field::new(&input.name, arrow_type(input.datatype), true);
    let schema = Schema::new(inputs.iter().map(field).collect::<Vec<_>>());
    let bound = Expression::parse(text).and_then(|parsed| parsed.bind(&schema)).map_err(|error| error.to_string())?;
    let value = Writer { graph, inputs }.write(bound.root()).map_err(refuse)?;
    let rows = inputs.first().ok_or_else(|| refuse("there is no column to take the number of rows from".to_owned()))?;
    let rows = graph.of("Shape", &rows.name);
    let mut spread = |value: &str| graph.both("Expand", value, &rows);
    Ok(match value {
        Value::Float(value) => Raw::Number(spread(&value)),
        Value::Text(text) => {
            let text = Writer { graph, inputs }.visible(text);
            Raw::Text { name: graph.both("Expand", &text.value, &rows), form: text.form }
        }
        value => {
            let is_whole = matches!(value, Value::Int { .. });
            let numbers = Writer { graph, inputs }.floats(value);
            let numbers = graph.both("Expand", &numbers, &rows);
            if is_whole { Raw::Int(numbers) } else { Raw::Number(numbers) }
        }
    })
}

struct Writer<'a> {
    graph: &'a mut Builder,
    inputs: &'a [TensorSpec],
}

impl Writer<'_> {
    fn write(&mut self, typed: &Typed) -> Result<Value, String> {
        Ok(match &typed.op {
            Op::Null => Value::Null,
            Op::Bool(value) => Value::Bool { value: self.graph.truth(*value), null: None },
            Op::Int(value) => Value::Int { value: self.graph.whole(*value), null: None },
            Op::Float(value) => Value::Float(self.graph.number(*value)),
            Op::Text(text) => self.constant(text),
            Op::Column(at) => self.column(*at)?,
            Op::Not(operand) => {
                let (value, null) = self.bools(operand)?;
                Value::Bool { value: self.graph.of("Not", &value), null }
            }
            Op::Negate(operand) => match self.write(operand)? {
                Value::Int { value, null } => {
                    let lowest = self.graph.whole(i64::MIN);
                    let beyond = self.graph.both("Equal", &value, &lowest);
                    Value::Int { value: self.graph.of("Neg", &value), null: self.either(null, Some(beyond)) }
                }
                other => {
                    let numbers = self.floats(other);
                    Value::Float(self.graph.of("Neg", &numbers)).of_type(typed.datatype)
                }
            },
            Op::Binary(Binary::And, left, right) => self.and(left, right)?,
            Op::Binary(Binary::Or, left, right) => self.or(left, right)?,
            Op::Binary(operator, left, right) => {
                let (left, right) = (self.write(left)?, self.write(right)?);
                match operator {
                    Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide | Binary::Modulo => {
                        self.arithmetic(*operator, typed.datatype, left, right)
                    }
                    _ => self.compare(*operator, &left, &right)?,
                }
            }
            Op::IsNull { operand, negated } => {
                let value = self.write(operand)?;
                let null = self.null(&value);
                let null = null.unwrap_or_else(|| self.graph.truth(false));
                Value::Bool { value: if *negated { self.graph.of("Not", &null) } else { null }, null: None }
            }
            Op::In { operand, list, negated } => {
                let operand = self.write(operand)?;
                let mut found = (self.graph.truth(false), None);
                for item in list {
                    let item = self.write(item)?;
                    let equal = self.compare(Binary::Equal, &operand, &item)?;
                    found = self.any(found, parts(equal));
                }
                self.negate_if(*negated, found)
            }
            Op::Between { operand, low, high, negated } => {
                let operand = self.write(operand)?;
                let (low, high) = (self.write(low)?, self.write(high)?);
                let above = self.compare(Binary::GreaterEqual, &operand, &low)?;
                let below = self.compare(Binary::LessEqual, &operand, &high)?;
                let inside = self.all(parts(above), parts(below));
                self.negate_if(*negated, inside)
            }
            Op::Case { subject, whens, otherwise } => {
                let subject = subject.as_deref().map(|subject| self.write(subject)).transpose()?;
                let mut result = match otherwise {
                    Some(otherwise) => self.write(otherwise)?,
                    None => Value::Null,
                };
                result = self.cast(result, typed.datatype);
                for (when, then) in whens.iter().rev() {
                    let chosen = match &subject {
                        Some(subject) => {
                            let when = self.write(when)?;
                            parts(self.compare(Binary::Equal, subject, &when)?)
                        }
                        None => self.bools(when)?,
                    };
                    let chosen = self.holds(chosen);
                    let then = self.write(then)?;
                    let then = self.cast(then, typed.datatype);
                    result = self.select(&chosen, then, result)?;
                }
                result
            }
            Op::Call(function, arguments) => {
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    values.push(self.write(argument)?);
                }
                self.call(*function, typed.datatype, values)?
            }
        })
    }

    fn column(&mut self, at: usize) -> Result<Value, String> {
        let input = self.inputs.get(at).ok_or("a column is not among the inputs")?;
        if input.datatype == DataType::Bytes {
            let none = self.graph.text("");
            let null = Some(self.graph.both("Equal", &input.name, &none));
            return Ok(Value::Text(Text {
                value: input.name.clone(),
                form: TextForm::default(),
                null,
                constant: None,
            }));
        }
        if input.datatype == DataType::Fp64 {
            return Ok(Value::Float(input.name.clone()));
        }
        if !input.optional {
            let value = input.name.clone();
            let is_whole = input.datatype == DataType::Int64;
            return Ok(if is_whole { Value::Int { value, null: None } } else { Value::Bool { value, null: None } });
        }
        let number = as_number(self.graph, input);
        let null = Some(self.graph.of("IsNaN", &number));
        Ok(if input.datatype == DataType::Int64 {
            Value::Int { value: self.whole_of(&number), null }
        } else {
            Value::Bool { value: self.graph.with("Greater", &number, 0.5), null }
        })
    }

    fn constant(&mut self, text: &str) -> Value {
        let value = self.graph.text(text);
        Value::Text(Text { value, form: TextForm::default(), null: None, constant: Some(text.to_owned()) })
    }

    /// Numbers that are whole, as whole numbers; 0 for null.
    fn whole_of(&mut self, number: &str) -> Name {
        let (null, zero) = (self.graph.of("IsNaN", number), self.graph.number(0.0));
        let filled = self.graph.choose(&null, &zero, number);
        self.graph.cast(&filled, datatype::INT64)
    }

    /// Where values are null; `None` if nowhere.
    fn null(&mut self, value: &Value) -> Option<Name> {
        match value {
            Value::Null => Some(self.graph.truth(true)),
            Value::Bool { null, .. } | Value::Int { null, .. } => null.clone(),
            Value::Float(value) => Some(self.graph.of("IsNaN", value)),
            Value::Text(text) => text.null.clone(),
        }
    }

    fn bools(&mut self, typed: &Typed) -> Result<(Name, Option<Name>), String> {
        Ok(match self.write(typed)? {
            Value::Bool { value, null } => (value, null),
            _ => (self.graph.truth(false), Some(self.graph.truth(true))),
        })
    }

    /// Numbers with NaN for null.
    fn floats(&mut self, value: Value) -> Name {
        let (number, null) = match value {
            Value::Float(value) => return value,
            Value::Int { value, null } | Value::Bool { value, null } => {
                (self.graph.cast(&value, datatype::DOUBLE), null)
            }
            Value::Null | Value::Text(_) => return self.graph.number(f64::NAN),
        };
        self.without(null, &number)
    }

    /// A number, NaN if `null` says so.
    fn without(&mut self, null: Option<Name>, number: &str) -> Name {
        let Some(null) = null else { return number.to_owned() };
        let none = self.graph.number(f64::NAN);
        self.graph.choose(&null, &none, number)
    }

    /// A text, empty for null.
    fn visible(&mut self, text: Text) -> Text {
        let Some(null) = &text.null else { return text };
        let none = self.graph.text("");
        Text { value: self.graph.choose(null, &none, &text.value), ..text }
    }

    /// Converts the values to another type.
    fn cast(&mut self, value: Value, to: Type) -> Value {
        match (to, value) {
            (Type::Float, value) => Value::Float(self.floats(value)),
            (Type::Bool, Value::Null) => {
                Value::Bool { value: self.graph.truth(false), null: Some(self.graph.truth(true)) }
            }
            (Type::Int, Value::Null) => Value::Int { value: self.graph.whole(0), null: Some(self.graph.truth(true)) },
            (Type::Text, Value::Null) => {
                let null = Some(self.graph.truth(true));
                Value::Text(Text { value: self.graph.text(""), form: TextForm::default(), null, constant: None })
            }
            (_, value) => value,
        }
    }

    fn either(&mut self, a: Option<Name>, b: Option<Name>) -> Option<Name> {
        match (a, b) {
            (Some(a), Some(b)) => Some(self.graph.both("Or", &a, &b)),
            (a, b) => a.or(b),
        }
    }

    /// Where a condition is true: not where it is null.
    fn holds(&mut self, (value, null): (Name, Option<Name>)) -> Name {
        let Some(null) = null else { return value };
        let known = self.graph.of("Not", &null);
        self.graph.both("And", &value, &known)
    }

    fn and(&mut self, left: &Typed, right: &Typed) -> Result<Value, String> {
        let (left, right) = (self.bools(left)?, self.bools(right)?);
        let (value, null) = self.all(left, right);
        Ok(Value::Bool { value, null })
    }

    fn or(&mut self, left: &Typed, right: &Typed) -> Result<Value, String> {
        let (left, right) = (self.bools(left)?, self.bools(right)?);
        let (value, null) = self.any(left, right);
        Ok(Value::Bool { value, null })
    }

    /// Three-valued `or`: true if either is, else null if either is.
    fn any(&mut self, left: (Name, Option<Name>), right: (Name, Option<Name>)) -> (Name, Option<Name>) {
        let null = self.either(left.1.clone(), right.1.clone());
        let (left, right) = (self.holds(left), self.holds(right));
        let value = self.graph.both("Or", &left, &right);
        let null = null.map(|null| {
            let open = self.graph.of("Not", &value);
            self.graph.both("And", &null, &open)
        });
        (value, null)
    }

    /// Three-valued `and`: false if either is, else null if either is.
    fn all(&mut self, left: (Name, Option<Name>), right: (Name, Option<Name>)) -> (Name, Option<Name>) {
        let left = (self.graph.of("Not", &left.0), left.1);
        let right = (self.graph.of("Not", &right.0), right.1);
        let (value, null) = self.any(left, right);
        (self.graph.of("Not", &value), null)
    }

    fn negate_if(&mut self, negated: bool, (value, null): (Name, Option<Name>)) -> Value {
        Value::Bool { value: if negated { self.graph.of("Not", &value) } else { value }, null }
    }

    fn compare(&mut self, operator: Binary, left: &Value, right: &Value) -> Result<Value, String> {
        let operation = match operator {
            Binary::Less => "Less",
            Binary::LessEqual => "LessOrEqual",
            Binary::Greater => "Greater",
            Binary::GreaterEqual => "GreaterOrEqual",
            _ => "Equal",
        };
        let (a, b) = (self.null(left), self.null(right));
        let null = self.either(a, b);
        let value = match (left, right) {
            (Value::Null, _) | (_, Value::Null) => self.graph.truth(false),
            (Value::Text(a), Value::Text(b)) => {
                if operation != "Equal" {
                    return Err(format!("ONNX has no order of texts for `{}`", operator.symbol()));
                }
                self.equal_texts(a, b)?
            }
            (Value::Int { value: a, .. }, Value::Int { value: b, .. }) => self.graph.both(operation, a, b),
            (a, b) => {
                let (a, b) = (self.floats(a.clone()), self.floats(b.clone()));
                self.graph.both(operation, &a, &b)
            }
        };
        Ok(self.negate_if(operator == Binary::NotEqual, (value, null)))
    }

    fn equal_texts(&mut self, a: &Text, b: &Text) -> Result<Name, String> {
        let plain = TextForm::default();
        match (&a.constant, &b.constant) {
            _ if a.form == plain && b.form == plain => Ok(self.graph.both("Equal", &a.value, &b.value)),
            (None, Some(key)) => Ok(match a.form.pattern(key)? {
                Some(pattern) => self.graph.matches(&a.value, pattern),
                None => self.graph.truth(false),
            }),
            (Some(_), None) => self.equal_texts(b, a),
            _ => Err("ONNX compares a text in other letters with a constant only".to_owned()),
        }
    }

    /// `then` where `chosen` is true, `otherwise` elsewhere; both are of one type.
    fn select(&mut self, chosen: &str, then: Value, otherwise: Value) -> Result<Value, String> {
        Ok(match (then, otherwise) {
            (Value::Float(a), Value::Float(b)) => Value::Float(self.graph.choose(chosen, &a, &b)),
            (Value::Int { value: a, null: x }, Value::Int { value: b, null: y }) => {
                Value::Int { value: self.graph.choose(chosen, &a, &b), null: self.select_null(chosen, x, y) }
            }
            (Value::Bool { value: a, null: x }, Value::Bool { value: b, null: y }) => {
                Value::Bool { value: self.select_bools(chosen, &a, &b), null: self.select_null(chosen, x, y) }
            }
            (Value::Text(a), Value::Text(b)) => {
                let is_plain = a.form == TextForm::default() && b.form == TextForm::default();
                if !is_plain && (a.form != b.form || a.constant.is_some() || b.constant.is_some()) {
                    return Err("texts in other letters cannot stand beside others in ONNX".to_owned());
                }
                let null = self.select_null(chosen, a.null, b.null);
                Value::Text(Text {
                    value: self.graph.choose(chosen, &a.value, &b.value),
                    form: a.form,
                    null,
                    constant: None,
                })
            }
            (_, otherwise) => otherwise,
        })
    }

    fn select_bools(&mut self, chosen: &str, a: &str, b: &str) -> Name {
        let other = self.graph.of("Not", chosen);
        let (yes, no) = (self.graph.both("And", chosen, a), self.graph.both("And", &other, b));
        self.graph.both("Or", &yes, &no)
    }

    fn select_null(&mut self, chosen: &str, a: Option<Name>, b: Option<Name>) -> Option<Name> {
        if a.is_none() && b.is_none() {
            return None;
        }
        let (a, b) = (a.unwrap_or_else(|| self.graph.truth(false)), b.unwrap_or_else(|| self.graph.truth(false)));
        Some(self.select_bools(chosen, &a, &b))
    }
}

impl Value {
    fn of_type(self, datatype: Type) -> Self {
        if datatype == Type::Null { Self::Null } else { self }
    }
}

/// The parts of a condition.
fn parts(value: Value) -> (Name, Option<Name>) {
    match value {
        Value::Bool { value, null } => (value, null),
        Value::Null | Value::Int { .. } | Value::Float(_) | Value::Text(_) => (String::new(), None),
    }
}
