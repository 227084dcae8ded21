//! Splits a filter into words.

use super::SearchError;

/// A word of a filter.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A name or keyword, or a quoted key: `metrics`, `` `a b` ``, `"a b"`.
    Name(String),
    /// A name in back-ticks or double quotes: never a keyword.
    Quoted(String),
    /// A text in single quotes.
    Text(String),
    /// A number, as written.
    Number(String),
    /// `.`, `,`, `(`, `)` or a comparator.
    Sign(&'static str),
}

const SIGNS: [&str; 10] = [">=", "<=", "!=", "=", "<", ">", ".", ",", "(", ")"];

/// The words of `text`, each with the byte it starts at.
pub(super) fn tokens(text: &str) -> Result<Vec<(usize, Token)>, SearchError> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let (token, length) = match c {
            '\'' | '"' | '`' => {
                let end = rest[1..]
                    .find(c)
                    .ok_or_else(|| SearchError::new(format!("the quote at `{}` is not closed", shortened(rest))))?;
                let inner = rest[1..=end].to_owned();
                (if c == '\'' { Token::Text(inner) } else { Token::Quoted(inner) }, end + 2)
            }
            c if c.is_ascii_digit()
                || (c == '-' && rest[1..].starts_with(|next: char| next.is_ascii_digit() || next == '.')) =>
            {
                let is_part = |(place, c): (usize, char)| {
                    let exponent = place > 0 && matches!(rest.as_bytes()[place - 1], b'e' | b'E');
                    c.is_ascii_digit()
                        || c == '.'
                        || c == 'e'
                        || c == 'E'
                        || (matches!(c, '-' | '+') && (place == 0 || exponent))
                };
                let length = rest.char_indices().find(|next| !is_part(*next)).map_or(rest.len(), |(place, _)| place);
                (Token::Number(rest[..length].to_owned()), length)
            }
            c if c.is_alphabetic() || c == '_' => {
                let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | ':');
                let length = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
                (Token::Name(rest[..length].to_owned()), length)
            }
            _ => match SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => (Token::Sign(sign), sign.len()),
                None => return Err(SearchError::new(format!("`{}` cannot be read", shortened(rest)))),
            },
        };
        found.push((at, token));
        at += length;
    }
    Ok(found)
}

pub(super) fn shortened(text: &str) -> String {
    let text = text.trim();
    if text.chars().count() > 40 {
        format!("{}…", text.chars().take(39).collect::<String>())
    } else {
        text.to_owned()
    }
}
