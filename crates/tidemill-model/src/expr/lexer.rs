//! Splits text into tokens.

use std::ops::Range;

use super::error::ExpressionError;

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A bare word: a keyword, a function or a column.
    Word(String),
    /// A column in double quotes.
    Quoted(String),
    Text(String),
    Int(i64),
    Float(f64),
    /// An operator or a mark.
    Mark(&'static str),
    End,
}

impl Token {
    /// The token in words, for a message.
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Word(word) => format!("`{word}`"),
            Self::Quoted(name) => format!("`\"{name}\"`"),
            Self::Text(text) => format!("`'{text}'`"),
            Self::Int(value) => format!("`{value}`"),
            Self::Float(value) => format!("`{value}`"),
            Self::Mark(mark) => format!("`{mark}`"),
            Self::End => "the end of the expression".to_owned(),
        }
    }
}

/// Longer marks first, so that `<=` is not read as `<`.
const MARKS: [&str; 16] = ["<>", "!=", "<=", ">=", "==", "=", "<", ">", "+", "-", "*", "/", "%", "(", ")", ","];

/// All tokens with their positions, [`Token::End`] last.
pub(super) fn tokens(text: &str) -> Result<Vec<(Token, Range<usize>)>, ExpressionError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(next) = text[at..].chars().next() {
        let start = at;
        if next.is_whitespace() {
            at += next.len_utf8();
            continue;
        }
        let token = if next == '\'' || next == '"' {
            let (content, length) = quoted(text, start, next)?;
            at += length;
            if next == '"' { Token::Quoted(content) } else { Token::Text(content) }
        } else if next.is_ascii_digit()
            || (next == '.' && text[at + 1..].starts_with(|after: char| after.is_ascii_digit()))
        {
            let length = number_length(&text[at..]);
            at += length;
            number(text, start..at)?
        } else if next.is_alphabetic() || next == '_' {
            let rest = &text[at..];
            at += rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            Token::Word(text[start..at].to_owned())
        } else if let Some(mark) = MARKS.into_iter().find(|mark| text[at..].starts_with(mark)) {
            at += mark.len();
            Token::Mark(mark)
        } else {
            let span = start..start + next.len_utf8();
            return Err(ExpressionError::new(format!("`{next}` has no meaning here"), text, span));
        };
        tokens.push((token, start..at));
    }
    tokens.push((Token::End, text.len()..text.len()));
    Ok(tokens)
}

/// The content of a quoted text that starts at `start`, and its length in bytes including the quotes.
fn quoted(text: &str, start: usize, quote: char) -> Result<(String, usize), ExpressionError> {
    let mut content = String::new();
    let mut chars = text[start + 1..].char_indices().peekable();
    while let Some((offset, c)) = chars.next() {
        if c != quote {
            content.push(c);
        } else if chars.next_if(|(_, next)| *next == quote).is_some() {
            content.push(quote);
        } else {
            return Ok((content, offset + 2));
        }
    }
    Err(ExpressionError::new("the quote is never closed", text, start..text.len()))
}

fn number_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let mut at = digits(0);
    if bytes.get(at) == Some(&b'.') {
        at += 1 + digits(at + 1);
    }
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        let exponent = digits((at + 1 + sign).min(bytes.len()));
        if exponent > 0 {
            at += 1 + sign + exponent;
        }
    }
    // A letter that follows at once belongs to the number and makes it wrong: `12abc`.
    at + text[at..].find(|c: char| !c.is_alphanumeric() && c != '_' && c != '.').unwrap_or(text.len() - at)
}

fn number(text: &str, span: Range<usize>) -> Result<Token, ExpressionError> {
    let digits = &text[span.clone()];
    if let Ok(whole) = digits.parse::<i64>() {
        return Ok(Token::Int(whole));
    }
    // `inf` and `nan` cannot get here: a number starts with a digit or a point.
    match digits.parse::<f64>() {
        Ok(real) if real.is_finite() => Ok(Token::Float(real)),
        _ => Err(ExpressionError::new(format!("`{digits}` is not a number"), text, span)),
    }
}
