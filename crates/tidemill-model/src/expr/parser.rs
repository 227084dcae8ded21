//! Parses tokens into an expression, by precedence climbing.

use std::ops::Range;

use tidemill_core::suggest;

use super::ast::{Binary, COMPARISON, Expr, Kind, NOT, SIGN};
use super::error::ExpressionError;
use super::function::Function;
use super::lexer::{Token, tokens};

/// Deeper nesting is rejected, so that no expression can exhaust the stack.
const DEPTH_MAX: usize = 200;
/// Longer text is rejected.
const BYTES_MAX: usize = 100_000;

const KEYWORDS: [&str; 15] =
    ["or", "and", "not", "is", "null", "in", "between", "case", "when", "then", "else", "end", "true", "false", "like"];

/// Parses a whole text.
pub(super) fn parse(text: &str) -> Result<Expr, ExpressionError> {
    if text.len() > BYTES_MAX {
        return Err(ExpressionError::new(format!("the expression is longer than {BYTES_MAX} bytes"), "", 0..0));
    }
    let mut parser = Parser { text, tokens: tokens(text)?, at: 0, nesting: 0 };
    let root = parser.expression(0)?;
    if *parser.peek() != Token::End {
        return Err(parser.unexpected("an operator"));
    }
    Ok(root)
}

struct Parser<'a> {
    text: &'a str,
    tokens: Vec<(Token, Range<usize>)>,
    at: usize,
    nesting: usize,
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        &self.tokens[self.at].0
    }

    fn span(&self) -> Range<usize> {
        self.tokens[self.at].1.clone()
    }

    fn advance(&mut self) -> (Token, Range<usize>) {
        let token = self.tokens[self.at].clone();
        // The last token is the end and is never consumed.
        self.at = (self.at + 1).min(self.tokens.len() - 1);
        token
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Token::Word(found) if found.eq_ignore_ascii_case(word))
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        if found {
            self.advance();
        }
        found
    }

    fn take_mark(&mut self, mark: &str) -> bool {
        let found = *self.peek() == mark_token(mark);
        if found {
            self.advance();
        }
        found
    }

    fn expect_word(&mut self, word: &str) -> Result<Range<usize>, ExpressionError> {
        let span = self.span();
        if self.take_word(word) { Ok(span) } else { Err(self.unexpected(&format!("`{word}`"))) }
    }

    fn expect_mark(&mut self, mark: &str) -> Result<Range<usize>, ExpressionError> {
        let span = self.span();
        if self.take_mark(mark) { Ok(span) } else { Err(self.unexpected(&format!("`{mark}`"))) }
    }

    fn unexpected(&self, expected: &str) -> ExpressionError {
        let message = format!("{expected} is expected, not {}", self.peek().describe());
        let error = ExpressionError::new(message, self.text, self.span());
        match self.words() {
            Some(words) => error.with_hint(format!("write a name of several words in double quotes: `\"{words}\"`")),
            None => error,
        }
    }

    /// The words around this position, if there are several without an operator between them.
    fn words(&self) -> Option<&str> {
        let is_word = |at: &usize| match self.tokens.get(*at).map(|(token, _)| token) {
            Some(Token::Word(word)) => !KEYWORDS.iter().any(|keyword| word.eq_ignore_ascii_case(keyword)),
            Some(Token::Int(_)) => true,
            _ => false,
        };
        let first = (0..self.at).rev().take_while(is_word).last()?;
        let last = (self.at..self.tokens.len()).take_while(is_word).last()?;
        matches!(self.tokens[first].0, Token::Word(_)).then(|| {
            let (start, end) = (self.tokens[first].1.start, self.tokens[last].1.end);
            self.text.get(start..end)
        })?
    }

    /// Creates a node, unless it is too deep.
    fn node(&self, kind: Kind, span: Range<usize>) -> Result<Expr, ExpressionError> {
        let expr = Expr::new(kind, span.clone());
        if expr.depth > DEPTH_MAX { Err(self.too_deep(span)) } else { Ok(expr) }
    }

    fn too_deep(&self, span: Range<usize>) -> ExpressionError {
        ExpressionError::new(format!("the expression is nested deeper than {DEPTH_MAX} levels"), self.text, span)
    }

    /// Parses an expression whose operators all bind at least as tightly as `power`.
    fn expression(&mut self, power: u8) -> Result<Expr, ExpressionError> {
        self.nesting += 1;
        if self.nesting > DEPTH_MAX {
            return Err(self.too_deep(self.span()));
        }
        let mut left = self.prefix()?;
        loop {
            left = if let Some(operator) = self.binary_operator().filter(|op| op.power() >= power) {
                self.advance();
                let right = self.expression(operator.power() + 1)?;
                let span = left.span.start..right.span.end;
                let comparison = operator.power() == COMPARISON;
                let node = self.node(Kind::Binary(operator, Box::new(left), Box::new(right)), span)?;
                if comparison && self.binary_operator().is_some_and(|next| next.power() == COMPARISON) {
                    let error = ExpressionError::new("comparisons cannot be chained", self.text, self.span());
                    return Err(error.with_hint("write `a < b and b < c`"));
                }
                node
            } else if power <= COMPARISON && self.is_word("is") {
                self.advance();
                let negated = self.take_word("not");
                let end = self.expect_word("null")?.end;
                let span = left.span.start..end;
                self.node(Kind::IsNull { operand: Box::new(left), negated }, span)?
            } else if power <= COMPARISON && self.starts_membership() {
                self.membership(left)?
            } else {
                break;
            };
        }
        self.nesting -= 1;
        Ok(left)
    }

    /// The tokens that an expression can start with.
    fn prefix(&mut self) -> Result<Expr, ExpressionError> {
        let (token, span) = (self.peek().clone(), self.span());
        match token {
            Token::Mark("-") => {
                self.advance();
                if let Token::Int(value) = *self.peek() {
                    let end = self.advance().1.end;
                    return self.node(Kind::Int(-value), span.start..end);
                }
                let operand = self.expression(SIGN)?;
                let span = span.start..operand.span.end;
                self.node(Kind::Negate(Box::new(operand)), span)
            }
            Token::Mark("+") => {
                self.advance();
                self.expression(SIGN)
            }
            Token::Mark("(") => {
                self.advance();
                let mut inner = self.expression(0)?;
                inner.span = span.start..self.expect_mark(")")?.end;
                Ok(inner)
            }
            Token::Int(value) => self.literal(Kind::Int(value)),
            Token::Float(value) => self.literal(Kind::Float(value)),
            Token::Text(text) => self.literal(Kind::Text(text)),
            Token::Quoted(name) => self.literal(Kind::Column(name)),
            Token::Word(word) => self.word(&word, span),
            Token::Mark(_) | Token::End => Err(self.unexpected("a value")),
        }
    }

    fn literal(&mut self, kind: Kind) -> Result<Expr, ExpressionError> {
        let (_, span) = self.advance();
        self.node(kind, span)
    }

    fn word(&mut self, word: &str, span: Range<usize>) -> Result<Expr, ExpressionError> {
        match word.to_ascii_lowercase().as_str() {
            "null" => self.literal(Kind::Null),
            "true" => self.literal(Kind::Bool(true)),
            "false" => self.literal(Kind::Bool(false)),
            "not" => {
                self.advance();
                let operand = self.expression(NOT)?;
                let span = span.start..operand.span.end;
                self.node(Kind::Not(Box::new(operand)), span)
            }
            "case" => self.case(span),
            lower if KEYWORDS.contains(&lower) => Err(self.unexpected("a value")),
            _ => {
                self.advance();
                if *self.peek() == mark_token("(") {
                    self.call(word, span)
                } else {
                    self.node(Kind::Column(word.to_owned()), span)
                }
            }
        }
    }

    fn call(&mut self, name: &str, span: Range<usize>) -> Result<Expr, ExpressionError> {
        let Some(function) = Function::named(name) else {
            let error = ExpressionError::new(format!("`{name}` is not a function"), self.text, span);
            return Err(match suggest(name, Function::names()) {
                Some(near) => error.with_hint(format!("did you mean `{near}`?")),
                None => error.with_hint(format!("functions: {}", Function::names().collect::<Vec<_>>().join(", "))),
            });
        };
        let (arguments, end) = self.list()?;
        let span = span.start..end;
        let count = arguments.len();
        if count != 1 && !(function.is_variadic() && count > 0) {
            let takes = if function.is_variadic() { "at least one argument" } else { "one argument" };
            return Err(ExpressionError::new(format!("`{name}` takes {takes}, not {count}"), self.text, span));
        }
        self.node(Kind::Call(function, arguments), span)
    }

    /// Parses expressions in parentheses; also returns where they end.
    fn list(&mut self) -> Result<(Vec<Expr>, usize), ExpressionError> {
        self.expect_mark("(")?;
        let mut items = Vec::new();
        if *self.peek() != mark_token(")") {
            items.push(self.expression(0)?);
            while self.take_mark(",") {
                items.push(self.expression(0)?);
            }
        }
        Ok((items, self.expect_mark(")")?.end))
    }

    fn case(&mut self, start: Range<usize>) -> Result<Expr, ExpressionError> {
        self.advance();
        let subject = if self.is_word("when") { None } else { Some(Box::new(self.expression(0)?)) };
        let mut whens = Vec::new();
        while self.take_word("when") {
            let when = self.expression(0)?;
            self.expect_word("then")?;
            whens.push((when, self.expression(0)?));
        }
        if whens.is_empty() {
            return Err(self.unexpected("`when`"));
        }
        let otherwise = if self.take_word("else") { Some(Box::new(self.expression(0)?)) } else { None };
        let end = self.expect_word("end")?.end;
        self.node(Kind::Case { subject, whens, otherwise }, start.start..end)
    }

    /// `in`, `between`, or either after `not`.
    fn starts_membership(&self) -> bool {
        let next = |word: &str| {
            let after = self.tokens.get(self.at + 1).map(|(token, _)| token);
            matches!(after, Some(Token::Word(found)) if found.eq_ignore_ascii_case(word))
        };
        self.is_word("in") || self.is_word("between") || (self.is_word("not") && (next("in") || next("between")))
    }

    fn membership(&mut self, left: Expr) -> Result<Expr, ExpressionError> {
        let negated = self.take_word("not");
        let start = left.span.start;
        if self.take_word("in") {
            let open = self.span();
            let (list, end) = self.list()?;
            if list.is_empty() {
                return Err(ExpressionError::new("`in` needs at least one value", self.text, open.start..end));
            }
            return self.node(Kind::In { operand: Box::new(left), list, negated }, start..end);
        }
        self.expect_word("between")?;
        let low = self.expression(COMPARISON + 1)?;
        self.expect_word("and")?;
        let high = self.expression(COMPARISON + 1)?;
        let span = start..high.span.end;
        let (operand, low, high) = (Box::new(left), Box::new(low), Box::new(high));
        self.node(Kind::Between { operand, low, high, negated }, span)
    }

    fn binary_operator(&self) -> Option<Binary> {
        Some(match self.peek() {
            Token::Mark("=" | "==") => Binary::Equal,
            Token::Mark("<>" | "!=") => Binary::NotEqual,
            Token::Mark("<") => Binary::Less,
            Token::Mark("<=") => Binary::LessEqual,
            Token::Mark(">") => Binary::Greater,
            Token::Mark(">=") => Binary::GreaterEqual,
            Token::Mark("+") => Binary::Add,
            Token::Mark("-") => Binary::Subtract,
            Token::Mark("*") => Binary::Multiply,
            Token::Mark("/") => Binary::Divide,
            Token::Mark("%") => Binary::Modulo,
            Token::Word(_) if self.is_word("or") => Binary::Or,
            Token::Word(_) if self.is_word("and") => Binary::And,
            _ => return None,
        })
    }
}

fn mark_token(mark: &str) -> Token {
    match mark {
        "(" => Token::Mark("("),
        ")" => Token::Mark(")"),
        _ => Token::Mark(","),
    }
}
