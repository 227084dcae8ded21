//! Function calls.

use super::{Text, Value, Writer, parts};
use crate::export::builder::Name;
use crate::export::pattern::Case;
use tidemill_model::expr::{Binary, Function, Type};

impl Writer<'_> {
    /// A function of values.
    pub(super) fn call(&mut self, function: Function, datatype: Type, values: Vec<Value>) -> Result<Value, String> {
        if function.is_variadic() {
            let mut result: Option<Value> = None;
            for next in values {
                let next = self.cast(next, datatype);
                result = Some(match result {
                    None => next,
                    Some(result) => self.better(function, result, next)?,
                });
            }
            return Ok(result.unwrap_or(Value::Null));
        }
        let Some(argument) = values.into_iter().next().filter(|_| datatype != Type::Null) else {
            return Ok(Value::Null);
        };
        Ok(match (function, argument) {
            (Function::Abs, Value::Int { value, null }) => {
                let lowest = self.graph.whole(i64::MIN);
                let beyond = self.graph.both("Equal", &value, &lowest);
                Value::Int { value: self.graph.of("Abs", &value), null: self.either(null, Some(beyond)) }
            }
            (Function::Round | Function::Floor | Function::Ceil, value @ Value::Int { .. }) => value,
            (Function::Lower | Function::Upper | Function::Trim, Value::Text(text)) => {
                let form = match function {
                    Function::Lower => text.form.cased(Case::Lower)?,
                    Function::Upper => text.form.cased(Case::Upper)?,
                    _ => text.form.stripped(),
                };
                match &text.constant {
                    Some(known) => self.constant(&form.of(known)),
                    None => Value::Text(Text { form, ..text }),
                }
            }
            (Function::Length, _) => return Err("ONNX has no operator for the length of a text".to_owned()),
            (_, argument) => {
                let x = self.floats(argument);
                Value::Float(self.real(function, &x))
            }
        })
    }

    /// Which of two values `coalesce`, `least` and `greatest` keep.
    fn better(&mut self, function: Function, result: Value, next: Value) -> Result<Value, String> {
        let Some(null) = self.null(&result) else {
            return match function {
                Function::Coalesce => Ok(result),
                _ => self.nearer(function, None, result, next),
            };
        };
        match function {
            Function::Coalesce => self.select(&null, next, result),
            _ => self.nearer(function, Some(null), result, next),
        }
    }

    fn nearer(&mut self, function: Function, null: Option<Name>, result: Value, next: Value) -> Result<Value, String> {
        let order = if function == Function::Least { Binary::Less } else { Binary::Greater };
        let better = self.compare(order, &next, &result)?;
        let mut take = self.holds(parts(better));
        if let Some(null) = null {
            take = self.graph.both("Or", &null, &take);
        }
        self.select(&take, next, result)
    }

    fn real(&mut self, function: Function, x: &str) -> Name {
        let none = self.graph.number(f64::NAN);
        match function {
            Function::Abs => self.graph.of("Abs", x),
            Function::Exp => self.graph.of("Exp", x),
            Function::Floor => self.graph.of("Floor", x),
            Function::Ceil => self.graph.of("Ceil", x),
            Function::Sqrt => {
                let (inside, root) = (self.graph.with("GreaterOrEqual", x, 0.0), self.graph.of("Sqrt", x));
                self.graph.choose(&inside, &root, &none)
            }
            Function::Round => {
                // Half away from zero, where the operator rounds half to even.
                let (size, sign) = (self.graph.of("Abs", x), self.graph.of("Sign", x));
                let whole = self.graph.of("Floor", &size);
                let rest = self.graph.both("Sub", &size, &whole);
                let (raised, up) = (self.graph.with("Add", &whole, 1.0), self.graph.with("GreaterOrEqual", &rest, 0.5));
                let rounded = self.graph.choose(&up, &raised, &whole);
                let signed = self.graph.both("Mul", &rounded, &sign);
                // Infinity minus itself is not a number.
                let endless = self.graph.of("IsInf", x);
                self.graph.choose(&endless, x, &signed)
            }
            _ => {
                let (inside, mut log) = (self.graph.with("Greater", x, 0.0), self.graph.of("Log", x));
                if function == Function::Log10 {
                    log = self.graph.with("Div", &log, std::f64::consts::LN_10);
                }
                self.graph.choose(&inside, &log, &none)
            }
        }
    }
}
