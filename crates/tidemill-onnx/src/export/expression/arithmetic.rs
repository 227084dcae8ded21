//! Arithmetic expressions.

use super::{Value, Writer};
use crate::export::builder::{Name, int};
use tidemill_model::expr::{Binary, Type};

impl Writer<'_> {
    /// Arithmetic of two numbers; whole numbers stay whole.
    pub(super) fn arithmetic(&mut self, operator: Binary, datatype: Type, left: Value, right: Value) -> Value {
        let (left, right) = match (datatype, left, right) {
            (Type::Null, ..) => return Value::Null,
            (Type::Int, Value::Int { value: a, null: x }, Value::Int { value: b, null: y }) => {
                let null = self.either(x, y);
                return self.whole_arithmetic(operator, &a, &b, null);
            }
            (_, left, right) => (self.floats(left), self.floats(right)),
        };
        Value::Float(match operator {
            Binary::Add => self.graph.both("Add", &left, &right),
            Binary::Subtract => self.graph.both("Sub", &left, &right),
            Binary::Multiply => self.graph.both("Mul", &left, &right),
            Binary::Divide => {
                let (zero, none) = (self.graph.with("Equal", &right, 0.0), self.graph.number(f64::NAN));
                let quotient = self.graph.both("Div", &left, &right);
                self.graph.choose(&zero, &none, &quotient)
            }
            _ => self.graph.op("Mod", &[&left, &right], vec![int("fmod", 1)]),
        })
    }

    /// Arithmetic of whole numbers, null beyond 64 bits.
    fn whole_arithmetic(&mut self, operator: Binary, a: &str, b: &str, null: Option<Name>) -> Value {
        let zero = self.graph.whole(0);
        let (value, beyond) = match operator {
            // The sum is below `a` exactly if `b` is negative, unless it overflowed.
            Binary::Add | Binary::Subtract => {
                let (operation, side) = if operator == Binary::Add { ("Add", "Less") } else { ("Sub", "Greater") };
                let value = self.graph.both(operation, a, b);
                let (moved, negative) = (self.graph.both(side, &value, a), self.graph.both("Less", b, &zero));
                let beyond = self.graph.both("Xor", &moved, &negative);
                (value, beyond)
            }
            // The product divided again is `a`, unless it overflowed; division by 0 is excluded, and by −1 only the
            // lowest number cannot be divided.
            Binary::Multiply => {
                let product = self.graph.both("Mul", a, b);
                let (divisor, none, turns) = self.divisor(b);
                let again = self.graph.both("Div", &product, &divisor);
                let same = self.graph.both("Equal", &again, a);
                let (lost, plain) = (self.graph.of("Not", &same), self.graph.both("Or", &none, &turns));
                let plain = self.graph.of("Not", &plain);
                let round = self.graph.both("And", &lost, &plain);
                let lowest = self.graph.whole(i64::MIN);
                let lowest = self.graph.both("Equal", a, &lowest);
                let turned = self.graph.both("And", &lowest, &turns);
                (product, self.graph.both("Or", &round, &turned))
            }
            _ => {
                // The remainder by −1 is 0 too.
                let (divisor, none, _) = self.divisor(b);
                (self.graph.op("Mod", &[a, &divisor], vec![int("fmod", 1)]), none)
            }
        };
        Value::Int { value, null: self.either(null, Some(beyond)) }
    }

    /// `b` with 1 in place of 0 and −1, because dividing by these can end a process; and where it is 0, and −1.
    fn divisor(&mut self, b: &str) -> (Name, Name, Name) {
        let [zero, one, minus] = [0, 1, -1].map(|value| self.graph.whole(value));
        let (none, turns) = (self.graph.both("Equal", b, &zero), self.graph.both("Equal", b, &minus));
        let either = self.graph.both("Or", &none, &turns);
        (self.graph.choose(&either, &one, b), none, turns)
    }
}
