//! Row expressions: a small typed language with SQL's syntax and null semantics.
//!
//! * **Literals** `1`, `0.2`, `1e3`, `'text'` (a quote inside is doubled), `true`, `false`, `null`.
//! * **Columns** bare (`trip_miles`) or quoted (`"trip miles"`); case matters. Keywords and functions in any case.
//! * **Operators**, loosest first: `or` · `and` · `not` · `=` `<>` `!=` `<` `<=` `>` `>=`, `is [not] null`,
//!   `[not] in (…)`, `[not] between … and …` · `+` `-` · `*` `/` `%` · unary `-`.
//! * `case when … then … [else …] end`, `case x when … then … [else …] end`.
//! * **Functions** `abs`, `coalesce`, `least`, `greatest` (both skip nulls), `ln` and `log` (natural), `log10`, `exp`,
//!   `sqrt`, `round` (half away from zero), `floor`, `ceil`, `lower`, `upper`, `trim` (no white space at either end), `length` (characters).
//!
//! **Types** are true and false, whole numbers, real numbers and text. Whole numbers turn into real ones where the two
//! meet; nothing else converts. `/` is always real division: `1 / 2` is `0.5`. `%` has the sign of the dividend.
//!
//! **Null** is a missing value, and a NaN is one too. Any operation on null is null, but `is null`, `coalesce`,
//! `least`, `greatest`, `case`, and `and`, `or`, `in` where the other side decides (three-valued logic).
//!
//! **Evaluation never fails**: where a result does not exist it is null. That is division by zero, a logarithm of a
//! number that is not positive, the root of a negative number, a whole number beyond 64 bits.

#[allow(missing_docs, reason = "the parts of a syntax tree say themselves what they are")]
mod ast;
mod bound;
#[allow(missing_docs, reason = "the parts of a syntax tree say themselves what they are")]
mod check;
mod constants;
mod error;
mod eval;
#[allow(missing_docs, reason = "the functions of SQL are named as in SQL")]
mod function;
mod lexer;
mod parser;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use arrow::datatypes::Schema;

pub use bound::BoundExpression;
pub use error::ExpressionError;

pub use ast::Binary;
pub use check::{Op, Type, Typed};
pub use function::Function;

use ast::Expr;

/// A parsed expression.
#[derive(Debug, Clone)]
pub struct Expression {
    text: Arc<str>,
    root: Arc<Expr>,
}

impl Expression {
    /// Parses `text`; an error includes the position.
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        let root = parser::parse(text)?;
        Ok(Self { text: Arc::from(text), root: Arc::new(root) })
    }

    /// The text it was parsed from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The columns it uses, each once, in the order of first use.
    pub fn columns(&self) -> Vec<String> {
        let mut columns = Vec::new();
        self.root.visit(&mut |expr| {
            if let ast::Kind::Column(name) = &expr.kind
                && !columns.contains(name)
            {
                columns.push(name.clone());
            }
        });
        columns
    }

    /// Whether it is true or false whatever the types of its columns are: a comparison, or several of them.
    pub fn is_condition(&self) -> bool {
        use ast::{Binary, Kind};
        match &self.root.kind {
            Kind::Not(_) | Kind::IsNull { .. } | Kind::In { .. } | Kind::Between { .. } | Kind::Bool(_) => true,
            Kind::Binary(operator, ..) => {
                !matches!(operator, Binary::Add | Binary::Subtract | Binary::Multiply | Binary::Divide | Binary::Modulo)
            }
            _ => false,
        }
    }

    /// Resolves the columns in `schema` and checks the types.
    pub fn bind(&self, schema: &Schema) -> Result<BoundExpression, ExpressionError> {
        check::check(&self.root, schema, &self.text).map(|root| BoundExpression::new(root, Arc::clone(&self.text)))
    }
}
