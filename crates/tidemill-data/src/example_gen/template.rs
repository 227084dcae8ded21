//! Queries with places for a span.
//!
//! | in the query | stands for |
//! |---|---|
//! | `{SPAN}` | the number of the span; for a date the days since 1970-01-01 |
//! | `{DATE}` | the date of the span |
//! | `{START}`, `{END}` | the first and the last number of several spans |
//! | `{START_DATE}`, `{END_DATE}` | their dates |
//!
//! A value is bound, never written into the text.

use jiff::civil::Date;

use crate::connect::QueryValue;

const PLACES: [(&str, Place); 6] = [
    ("SPAN", Place::Span),
    ("DATE", Place::Date),
    ("START", Place::Start),
    ("END", Place::End),
    ("START_DATE", Place::StartDate),
    ("END_DATE", Place::EndDate),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Span,
    Date,
    Start,
    End,
    StartDate,
    EndDate,
}

/// A query as written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    /// Text around the places: one piece more than there are places.
    pieces: Vec<String>,
    places: Vec<Place>,
}

/// Where the text of a query is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Plain,
    /// Between two of this character.
    Quotes(char),
    Line,
    Block,
}

impl Template {
    /// Finds the places. The error is a sentence about the query.
    ///
    /// Braces inside of quotes and comments are text, unless they hold the name of a place: it would not be bound.
    pub(super) fn parse(query: &str) -> Result<Self, String> {
        let (mut pieces, mut places) = (vec![String::new()], Vec::new());
        let mut inside = Inside::Plain;
        let mut rest = query;
        while let Some(c) = rest.chars().next() {
            let mut length = c.len_utf8();
            let place = known(rest);
            match (inside, c) {
                (Inside::Plain, '{') => {
                    let Some((place, bytes)) = place else {
                        let shown: String = rest.chars().take(20).collect();
                        return Err(format!("`{shown}`: a place in a query is one of {}", all_places()));
                    };
                    places.push(place);
                    pieces.push(String::new());
                    rest = &rest[bytes..];
                    continue;
                }
                (Inside::Quotes(_), '{') if place.is_some() => {
                    let shown: String = rest.chars().take_while(|c| *c != '}').chain(['}']).collect();
                    return Err(format!("`{shown}` stands in quotes: take them away, it is bound as a value"));
                }
                (Inside::Plain, '\'' | '"' | '`') => inside = Inside::Quotes(c),
                // A doubled quote ends and begins again, which is the same.
                (Inside::Quotes(quote), c) if c == quote => inside = Inside::Plain,
                (Inside::Plain, '-') if rest.starts_with("--") => inside = Inside::Line,
                (Inside::Plain, '/') if rest.starts_with("/*") => inside = Inside::Block,
                (Inside::Line, '\n') => inside = Inside::Plain,
                (Inside::Block, '*') if rest.starts_with("*/") => {
                    inside = Inside::Plain;
                    length = 2;
                }
                _ => {}
            }
            if let Some(piece) = pieces.last_mut() {
                piece.push_str(&rest[..length]);
            }
            rest = &rest[length..];
        }
        if pieces.iter().all(|piece| piece.trim().is_empty()) {
            return Err("the query is empty".to_owned());
        }
        Ok(Self { pieces, places })
    }

    /// Whether anything depends on a span.
    pub(super) fn has_span(&self) -> bool {
        !self.places.is_empty()
    }

    /// Whether the span is a date.
    pub(super) fn has_dates(&self) -> bool {
        self.places.iter().any(|place| matches!(place, Place::Date | Place::StartDate | Place::EndDate))
    }

    /// The pieces with a value for each place, for the spans from `start` to `end`.
    pub(super) fn filled(&self, start: i64, end: i64) -> Result<(Vec<String>, Vec<QueryValue>), String> {
        let value = |place: &Place| match place {
            Place::Span | Place::Date if start != end => Err(format!(
                "the query has a place for one span and there are several, from {start} to {end}: \
                 write `BETWEEN {{START}} AND {{END}}`, or with dates `{{START_DATE}}` and `{{END_DATE}}`"
            )),
            Place::Span | Place::Start => Ok(QueryValue::Int(start)),
            Place::End => Ok(QueryValue::Int(end)),
            Place::Date | Place::StartDate => date_of(start).map(|date| QueryValue::Date(date.to_string())),
            Place::EndDate => date_of(end).map(|date| QueryValue::Date(date.to_string())),
        };
        let values = self.places.iter().map(value).collect::<Result<Vec<_>, _>>()?;
        Ok((self.pieces.clone(), values))
    }
}

/// The date of a span: so many days since 1970-01-01.
pub(super) fn date_of(span: i64) -> Result<Date, String> {
    let days = jiff::Span::new().try_days(span).map_err(|_| format!("span {span} is no date"))?;
    Date::constant(1970, 1, 1).checked_add(days).map_err(|_| format!("span {span} is no date"))
}

/// The place that a text begins with, and its length.
fn known(text: &str) -> Option<(Place, usize)> {
    let inside = text.strip_prefix('{')?;
    let (name, _) = inside.split_once('}')?;
    PLACES.iter().find(|(known, _)| *known == name).map(|(_, place)| (*place, name.len() + 2))
}

fn all_places() -> String {
    PLACES.map(|(name, _)| format!("`{{{name}}}`")).join(", ")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn values_are_bound_where_places_are() {
        let template =
            Template::parse("SELECT '{a}' FROM t -- {x}\nWHERE day = {DATE} AND n < {SPAN} /* {y} */").unwrap();
        assert!(template.has_span() && template.has_dates());
        let (pieces, values) = template.filled(19_782, 19_782).unwrap();
        assert_eq!(pieces, ["SELECT '{a}' FROM t -- {x}\nWHERE day = ", " AND n < ", " /* {y} */"]);
        assert_eq!(values, [QueryValue::Date("2024-02-29".to_owned()), QueryValue::Int(19_782)]);
        assert!(template.filled(1, 2).unwrap_err().contains("BETWEEN {START} AND {END}"));
        let window = Template::parse("SELECT * FROM t WHERE n BETWEEN {START} AND {END}").unwrap();
        assert_eq!(window.filled(1, 2).unwrap().1, [QueryValue::Int(1), QueryValue::Int(2)]);
        assert!(!window.has_dates() && !Template::parse("SELECT 1").unwrap().has_span());
    }

    #[test]
    fn queries_that_cannot_work_are_explained() {
        for (query, message) in [
            ("SELECT * FROM t WHERE day = '{DATE}'", "`{DATE}` stands in quotes"),
            ("SELECT {DAY}", "a place in a query is one of `{SPAN}`, `{DATE}`"),
            (" ", "the query is empty"),
        ] {
            let error = Template::parse(query).unwrap_err();
            assert!(error.contains(message), "{query}: {error}");
        }
        assert!(date_of(i64::MAX).is_err() && date_of(-719_529).is_ok() && date_of(10_000_000).is_err());
    }

    proptest! {
        #[test]
        fn no_text_is_lost(query in r#"[a-z '"{}\-/*\n\PC]{0,40}"#) {
            if let Ok(template) = Template::parse(&query) {
                prop_assert_eq!(template.pieces.len(), template.places.len() + 1);
                if !template.has_span() {
                    prop_assert_eq!(template.pieces.concat(), query);
                }
            }
        }
    }
}
