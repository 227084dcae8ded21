//! Paths with places for a span, a version or a date.
//!
//! | in the path | matches |
//! |---|---|
//! | `{SPAN}`, `{SPAN:4}` | the span's number: any digits, or exactly four |
//! | `{YYYY}`, `{MM}`, `{DD}` | a date, whose span is the days since 1970-01-01; all three, each once, instead of `{SPAN}` |
//! | `{VERSION}`, `{VERSION:2}` | the version of the span |
//!
//! `*`, `?` and `[a-z]` may stand beside them.

use std::path::{Path, PathBuf};

use jiff::civil::Date;

use crate::DataError;
use crate::connect::{Tree, split_url};

/// Digits of a number in a path, at most: more do not fit 64 bits.
const DIGITS_MAX: usize = 18;

/// A path with a span in it.
#[derive(Debug, Clone)]
pub(super) struct Pattern {
    /// Up to the last component with a place.
    head: Vec<Component>,
    /// The components after it.
    rest: String,
    /// Where it begins if that is not the folder of the project: `/`, `s3://bucket`.
    root: Option<PathBuf>,
    pub(super) has_dates: bool,
}

/// A path that fits the head of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) span: i64,
    pub(super) version: Option<i64>,
    /// The file, folder or glob, with the components after the last place.
    pub(super) path: PathBuf,
    /// The number of the span as it is written.
    pub(super) text: String,
}

#[derive(Debug, Clone)]
enum Component {
    Plain(String),
    Tokens(Vec<Token>),
}

#[derive(Debug, Clone)]
enum Token {
    Char(char),
    /// `*`
    Any,
    /// `?` or `[a-z]`
    One(glob::Pattern),
    Place(Place, Option<usize>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Span,
    Version,
    Year,
    Month,
    Day,
}

const PLACES: [(&str, Place, Option<usize>); 5] = [
    ("SPAN", Place::Span, None),
    ("VERSION", Place::Version, None),
    ("YYYY", Place::Year, Some(4)),
    ("MM", Place::Month, Some(2)),
    ("DD", Place::Day, Some(2)),
];

/// What stands in the places of one path.
#[derive(Debug, Clone, Default)]
struct Found {
    numbers: [Option<i64>; 5],
    span_text: String,
}

impl Pattern {
    /// Reads a path as written; `None` where there is no place in it. The error is a sentence about the path.
    pub(super) fn parse(written: &str) -> Result<Option<Self>, String> {
        if !written.contains('{') {
            return Ok(None);
        }
        let (root, inside) = match split_url(written) {
            Some((scheme, rest)) => {
                let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
                if bucket.contains('{') {
                    return Err(format!("`{written}`: a span cannot stand in the name of a bucket"));
                }
                (Some(PathBuf::from(format!("{scheme}://{bucket}"))), key)
            }
            None => (written.starts_with('/').then(|| PathBuf::from("/")), written),
        };
        let parts: Vec<&str> = inside.split('/').collect();
        let last = parts.iter().rposition(|part| part.contains('{')).unwrap_or(0);
        let head = parts[..=last]
            .iter()
            .filter(|part| !part.is_empty() && **part != ".")
            .map(|part| component(part, written))
            .collect::<Result<Vec<_>, _>>()?;
        let pattern = Self { head, rest: parts[last + 1..].join("/"), root, has_dates: written.contains("{YYYY}") };
        pattern.check(written)?;
        Ok(Some(pattern))
    }

    fn check(&self, written: &str) -> Result<(), String> {
        let tokens = || {
            self.head.iter().flat_map(|component| match component {
                Component::Tokens(tokens) => tokens.as_slice(),
                Component::Plain(_) => &[],
            })
        };
        let count =
            |wanted| tokens().filter(|token| matches!(token, Token::Place(place, _) if *place == wanted)).count();
        for (name, place, _) in PLACES {
            if count(place) > 1 {
                return Err(format!("`{written}` has `{{{name}}}` more than once"));
            }
        }
        let dates = count(Place::Year) + count(Place::Month) + count(Place::Day);
        if dates > 0 && dates < 3 {
            return Err(format!("`{written}` needs all of `{{YYYY}}`, `{{MM}}` and `{{DD}}`"));
        }
        if dates > 0 && count(Place::Span) > 0 {
            return Err(format!("`{written}` has both `{{SPAN}}` and a date; the date is the span"));
        }
        if dates == 0 && count(Place::Span) == 0 {
            return Err(format!("`{written}` has a `{{VERSION}}` but no `{{SPAN}}` or date"));
        }
        let touching = self.head.iter().any(|component| match component {
            Component::Tokens(tokens) => {
                tokens.windows(2).any(|pair| matches!(pair, [Token::Place(_, None), Token::Place(..)]))
            }
            Component::Plain(_) => false,
        });
        if touching {
            return Err(format!(
                "`{written}`: nothing tells where the first of two numbers ends; give it a width, as in `{{SPAN:4}}`"
            ));
        }
        Ok(())
    }

    /// Everything that fits, in the byte order of the paths. A date that does not exist is an error.
    pub(super) fn matches(&self, tree: &Tree<'_>, base: &Path) -> Result<Vec<Match>, DataError> {
        let base = self.root.as_deref().unwrap_or(base);
        let mut paths = vec![(base.to_owned(), Found::default())];
        for component in &self.head {
            let mut next = Vec::new();
            for (path, found) in paths {
                match component {
                    Component::Plain(name) => next.push((path.join(name), found)),
                    Component::Tokens(tokens) => {
                        // Hidden files are left out.
                        for name in tree.names_in(&path)?.into_iter().filter(|name| !name.starts_with('.')) {
                            let mut found = found.clone();
                            if fits(tokens, &name, None, &mut found) {
                                next.push((path.join(name), found));
                            }
                        }
                    }
                }
            }
            paths = next;
        }
        let mut out = paths.into_iter().map(|(path, found)| self.settle(path, found)).collect::<Result<Vec<_>, _>>()?;
        out.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(out)
    }

    fn settle(&self, path: PathBuf, found: Found) -> Result<Match, DataError> {
        let [span, version, year, month, day] = found.numbers;
        let (span, text) = if let (Some(year), Some(month), Some(day)) = (year, month, day) {
            let date = Date::new(year as i16, month as i8, day as i8).map_err(|_| {
                let message = format!("{year:04}-{month:02}-{day:02} is not a date that exists");
                DataError::malformed(&path, None, message)
            })?;
            (days_since_1970(date), date.to_string())
        } else {
            (span.unwrap_or_default(), found.span_text)
        };
        let path = if self.rest.is_empty() { path } else { path.join(&self.rest) };
        Ok(Match { span, version, path, text })
    }
}

/// The span of a date.
pub(super) fn days_since_1970(date: Date) -> i64 {
    i64::from((date - Date::constant(1970, 1, 1)).get_days())
}

fn component(part: &str, written: &str) -> Result<Component, String> {
    if part.contains("**") {
        return Err(format!("`{written}`: `**` cannot stand before a span"));
    }
    if !part.contains(['{', '*', '?', '[']) {
        return Ok(Component::Plain(part.to_owned()));
    }
    let mut tokens = Vec::new();
    let mut rest = part;
    while let Some(c) = rest.chars().next() {
        let (token, length) = match c {
            '{' => {
                let end = rest.find('}').ok_or_else(|| format!("`{written}`: a `{{` is not closed"))?;
                (place(&rest[1..end], written)?, end + 1)
            }
            '*' => (Token::Any, 1),
            '?' | '[' => {
                let end = if c == '?' { 1 } else { rest.find(']').map_or(rest.len(), |at| at + 1) };
                let one = glob::Pattern::new(&rest[..end])
                    .map_err(|error| format!("`{written}` is not a pattern for paths: {error}"))?;
                (Token::One(one), end)
            }
            c => (Token::Char(c), c.len_utf8()),
        };
        tokens.push(token);
        rest = &rest[length..];
    }
    Ok(Component::Tokens(tokens))
}

fn place(inside: &str, written: &str) -> Result<Token, String> {
    let (name, width) = inside.split_once(':').map_or((inside, None), |(name, width)| (name, Some(width)));
    let Some((_, place, fixed)) = PLACES.iter().find(|(known, ..)| *known == name) else {
        let known = "`{SPAN}`, `{VERSION}`, `{YYYY}`, `{MM}` and `{DD}`";
        return Err(format!("`{written}`: `{{{inside}}}` is not known in a path; known are {known}"));
    };
    let width = match width {
        None => *fixed,
        Some(_) if fixed.is_some() => return Err(format!("`{written}`: `{{{name}}}` takes no width")),
        Some(text) => match text.parse() {
            Ok(width) if (1..=DIGITS_MAX).contains(&width) => Some(width),
            _ => return Err(format!("`{written}`: the width of `{{{name}}}` must be from 1 to {DIGITS_MAX}")),
        },
    };
    Ok(Token::Place(*place, width))
}

/// Whether `text` fits, and what stands in the places. A number without a width is all digits there are: it neither
/// begins nor ends within a run of digits, `before` being the last character that a `*` took.
fn fits(tokens: &[Token], text: &str, before: Option<char>, found: &mut Found) -> bool {
    let Some((token, tokens)) = tokens.split_first() else { return text.is_empty() };
    match token {
        Token::Char(c) => text.strip_prefix(*c).is_some_and(|rest| fits(tokens, rest, None, found)),
        Token::One(pattern) => {
            let Some(c) = text.chars().next() else { return false };
            pattern.matches(&text[..c.len_utf8()]) && fits(tokens, &text[c.len_utf8()..], Some(c), found)
        }
        Token::Any => {
            let ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            ends.into_iter().any(|end| fits(tokens, &text[end..], text[..end].chars().next_back(), found))
        }
        Token::Place(place, width) => {
            let digits = text.bytes().take_while(u8::is_ascii_digit).count();
            let length = match width {
                Some(width) if *width <= digits => *width,
                None if (1..=DIGITS_MAX).contains(&digits) && !before.is_some_and(|c| c.is_ascii_digit()) => digits,
                _ => return false,
            };
            let (number, rest) = text.split_at(length);
            found.numbers[*place as usize] = number.parse().ok();
            if *place == Place::Span {
                number.clone_into(&mut found.span_text);
            }
            fits(tokens, rest, None, found)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::connect::{Listing, RemoteFile};

    fn found(pattern: &str, files: &[&str]) -> Result<Vec<(i64, Option<i64>)>, String> {
        let dir = tempfile::tempdir().unwrap();
        for file in files {
            std::fs::create_dir_all(dir.path().join(file)).unwrap();
        }
        let pattern = Pattern::parse(pattern)?.ok_or("no place")?;
        let matches = pattern.matches(&Tree::Disk, dir.path()).map_err(|error| error.to_string())?;
        Ok(matches.into_iter().map(|found| (found.span, found.version)).collect())
    }

    #[test]
    fn numbers_are_read_from_paths() {
        assert_eq!(found("span-{SPAN}", &["span-9", "span-10", "span-x", "span-"]).unwrap(), [(10, None), (9, None)]);
        assert_eq!(found("s{SPAN:3}.csv", &["s007.csv", "s7.csv", "s0071.csv"]).unwrap(), [(7, None)]);
        assert_eq!(
            found("a/{SPAN}/v{VERSION}/x.csv", &["a/2/v1", "a/2/v03", "b/2/v4"]).unwrap(),
            [(2, Some(3)), (2, Some(1))]
        );
        assert_eq!(found("*{SPAN}", &["day12"]).unwrap(), [(12, None)]);
        assert_eq!(found("{SPAN:2}{VERSION}", &["1234"]).unwrap(), [(12, Some(34))]);
        assert_eq!(found("[ab]?-{SPAN}.*", &["ax-1.csv", "cx-2.csv"]).unwrap(), [(1, None)]);
        assert_eq!(found("none/{SPAN}", &[]).unwrap(), []);
    }

    #[test]
    fn a_store_has_paths_as_a_disk_has() {
        let file = |url: &str| RemoteFile { path: url.into(), size: 1, tag: String::new(), e_tag: None };
        let urls =
            ["s3://b/span-9/v1/a.csv", "s3://b/span-10/v2/a.csv", "s3://b/span-10/.x", "s3://c/span-11/v3/a.csv"];
        let listing = Listing::new(urls.map(file).to_vec());
        let pattern = Pattern::parse("s3://b/span-{SPAN}/v{VERSION}/*.csv").unwrap().unwrap();
        let found = pattern.matches(&Tree::Listing(&listing), Path::new("project")).unwrap();
        let shown: Vec<_> = found.iter().map(|one| (one.span, one.version, one.path.display().to_string())).collect();
        assert_eq!(
            shown,
            [(10, Some(2), "s3://b/span-10/v2/*.csv".to_owned()), (9, Some(1), "s3://b/span-9/v1/*.csv".to_owned())]
        );
    }

    #[test]
    fn dates_are_days() {
        assert_eq!(found("{YYYY}/{MM}/{DD}", &["2024/02/29", "1970/01/01"]).unwrap(), [(0, None), (19_782, None)]);
        assert_eq!(found("t-{YYYY}{MM}{DD}.csv", &["t-19691231.csv"]).unwrap(), [(-1, None)]);
        let error = found("{YYYY}/{MM}/{DD}", &["2023/02/29"]).unwrap_err();
        assert!(error.ends_with("2023/02/29`: 2023-02-29 is not a date that exists"), "{error}");
    }

    #[test]
    fn patterns_that_cannot_work_are_explained() {
        for (pattern, message) in [
            ("{SPAN}/{SPAN}", "has `{SPAN}` more than once"),
            ("{SPAN}-{YYYY}{MM}{DD}", "has both `{SPAN}` and a date"),
            ("{YYYY}-{MM}", "needs all of `{YYYY}`, `{MM}` and `{DD}`"),
            ("v{VERSION}", "has a `{VERSION}` but no `{SPAN}` or date"),
            ("{span}", "`{span}` is not known in a path"),
            ("{SPAN", "a `{` is not closed"),
            ("{SPAN:0}", "the width of `{SPAN}` must be from 1 to 18"),
            ("{SPAN:x}", "the width of `{SPAN}` must be from 1 to 18"),
            ("{YYYY:4}{MM}{DD}", "`{YYYY}` takes no width"),
            ("{SPAN}{VERSION}", "nothing tells where the first of two numbers ends"),
            ("**/{SPAN}", "`**` cannot stand before a span"),
            ("[/{SPAN}", "is not a pattern for paths"),
            ("s3://b{SPAN}/x", "a span cannot stand in the name of a bucket"),
        ] {
            let error = Pattern::parse(pattern).unwrap_err();
            assert!(error.contains(message), "{pattern}: {error}");
        }
        assert!(Pattern::parse("data/*.csv").unwrap().is_none());
    }

    proptest! {
        #[test]
        fn any_number_is_found(span in 0i64..1_000_000_000, version in 0i64..1_000, width in 10usize..15) {
            let name = format!("s{span:0width$}-v{version}");
            let pattern = format!("s{{SPAN:{width}}}-v{{VERSION}}");
            prop_assert_eq!(found(&pattern, &[&name]).unwrap(), [(span, Some(version))]);
        }

        #[test]
        fn any_text_is_a_pattern_or_refused(text in r"[a{}\[\]*?:/0-9SPANVERIOYMD]{0,20}") {
            if let Ok(Some(pattern)) = Pattern::parse(&text) {
                let dir = tempfile::tempdir().unwrap();
                if !text.starts_with('/') {
                    let _ = pattern.matches(&Tree::Disk, dir.path());
                }
            }
        }
    }
}
