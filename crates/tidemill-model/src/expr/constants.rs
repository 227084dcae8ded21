//! Replaces names by numbers.

use super::Expression;
use super::error::ExpressionError;
use super::lexer::{Token, tokens};

impl Expression {
    /// Replaces every bare word that is one of `constants` by its number.
    ///
    /// Quoted names and functions stay. Numbers must be finite; they keep all of their digits.
    pub fn fill_in(text: &str, constants: &[(&str, f64)]) -> Result<String, ExpressionError> {
        let tokens = tokens(text)?;
        let (mut filled, mut done) = (String::with_capacity(text.len()), 0);
        for (at, (token, span)) in tokens.iter().enumerate() {
            let Token::Word(word) = token else { continue };
            let is_call = matches!(tokens.get(at + 1), Some((Token::Mark("("), _)));
            let Some((_, value)) = constants.iter().find(|(name, _)| name == word && !is_call) else { continue };
            filled.push_str(&text[done..span.start]);
            // In parentheses, because a sign binds less tightly than it looks.
            filled.push_str(&if value.is_sign_negative() { format!("({value:?})") } else { format!("{value:?}") });
            done = span.end;
        }
        filled.push_str(&text[done..]);
        Ok(filled)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_become_numbers_and_nothing_else_does() {
        let fill = |text| Expression::fill_in(text, &[("p99", 19.5), ("low", -2.0)]).unwrap();
        assert_eq!(fill("least(x, p99) - low"), "least(x, 19.5) - (-2.0)");
        assert_eq!(fill("p99x + \"p99\" + length('p99') + low(p99)"), "p99x + \"p99\" + length('p99') + low(19.5)");
        assert_eq!(Expression::parse(&fill("x / p99 * low")).unwrap().columns(), ["x"]);
        assert!(Expression::fill_in("x + 'never closed", &[]).is_err());
    }

    proptest! {
        /// Any finite number is read again as what it was.
        #[test]
        fn numbers_keep_their_digits(value in any::<f64>().prop_filter("finite", |value| value.is_finite())) {
            use arrow::array::{AsArray as _, Float64Array, RecordBatch};
            use arrow::datatypes::Float64Type;
            let batch = RecordBatch::try_from_iter([("x", std::sync::Arc::new(Float64Array::from(vec![0.0])) as _)]).unwrap();
            let text = Expression::fill_in("case when x = 0 then c end", &[("c", value)]).unwrap();
            let bound = Expression::parse(&text).unwrap().bind(batch.schema_ref()).unwrap();
            let result = bound.evaluate(&batch).unwrap();
            prop_assert_eq!(result.as_primitive::<Float64Type>().value(0).to_bits(), value.to_bits());
        }
    }
}
