//! Names and values as YAML and as expressions have them.

/// Words that mean something else where a name stands alone.
const EXPRESSION_WORDS: [&str; 14] =
    ["and", "or", "not", "in", "is", "null", "true", "false", "between", "case", "when", "then", "else", "end"];
/// Further words that SQL reserves.
const SQL_WORDS: [&str; 30] = [
    "all", "as", "by", "cast", "column", "default", "desc", "distinct", "exists", "from", "group", "having",
    "interval", "join", "like", "limit", "offset", "on", "order", "select", "set", "table", "to", "union", "using",
    "values", "where", "with", "user", "date",
];

fn is_plain(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !EXPRESSION_WORDS.contains(&name.to_lowercase().as_str())
}

/// A column in an expression.
pub(super) fn column(name: &str) -> String {
    if is_plain(name) { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// A column in SQL.
pub(super) fn sql_column(name: &str) -> String {
    let plain = is_plain(name) && !SQL_WORDS.contains(&name.to_lowercase().as_str());
    if plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// A text in an expression.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A text in YAML: as it is where that is plain, otherwise in quotes.
pub(crate) fn yaml(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_./-".contains(c);
    let is_word = text.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '.' || c == '/')
        && text.chars().all(plain)
        && !["true", "false", "null", "yes", "no", "on", "off", "y", "n", ".", ".nan", ".inf"]
            .contains(&text.to_lowercase().as_str());
    if is_word { text.to_owned() } else { quoted(text) }
}

/// A text in YAML in quotes.
pub(super) fn quoted(text: &str) -> String {
    // A string of JSON is one of YAML.
    serde_json::Value::from(text).to_string()
}

/// A text in a comment: on one line.
pub(crate) fn comment(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_where_they_must_be() {
        assert_eq!(column("fare"), "fare");
        assert_eq!(column("mean area"), "\"mean area\"");
        assert_eq!(column("a\"b"), "\"a\"\"b\"");
        assert_eq!((column("case"), column("order")), ("\"case\"".to_owned(), "order".to_owned()));
        assert_eq!(sql_column("order"), "\"order\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(
            (yaml("data/a.csv"), yaml("no"), yaml("a: b"), yaml("3")),
            ("data/a.csv".to_owned(), "\"no\"".to_owned(), "\"a: b\"".to_owned(), "\"3\"".to_owned())
        );
    }
}
