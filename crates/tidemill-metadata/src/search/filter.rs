//! Parses filters and applies them to runs.

use super::lexer::{Token, shortened, tokens};
use super::{FoundRun, SearchError, ValueKind};
use crate::millis;

/// What a clause is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entity {
    /// A value of the run.
    Value(ValueKind),
    /// An attribute: `run_id`, `pipeline`, `status`, `start_time`, `end_time`, `user`.
    Attribute,
}

/// How a clause compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is named as it is written")]
pub enum Comparator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
    ILike,
    In,
    NotIn,
    IsNull,
    IsNotNull,
}

/// What a clause compares with.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
    /// The texts of `IN (…)`.
    Texts(Vec<String>),
    /// Nothing, after `IS NULL`.
    Nothing,
}

/// `[ENTITY.]KEY COMPARATOR LITERAL`
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "plain data")]
pub struct Clause {
    pub entity: Entity,
    pub key: String,
    pub comparator: Comparator,
    pub literal: Literal,
}

/// A parsed filter: all clauses must hold.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RunSearch {
    /// The clauses.
    pub clauses: Vec<Clause>,
}

/// Attributes and their other names.
const ATTRIBUTES: [(&str, &[&str]); 6] = [
    ("run_id", &["run_uuid", "id"]),
    ("pipeline", &["experiment", "experiment_name"]),
    ("status", &["state"]),
    ("start_time", &["created", "started_at"]),
    ("end_time", &["finished_at"]),
    ("user", &["user_id"]),
];

const TIMES: [&str; 2] = ["start_time", "end_time"];

impl RunSearch {
    /// Parses a filter. An empty text admits every run.
    pub fn parse(text: &str) -> Result<Self, SearchError> {
        let tokens = tokens(text)?;
        let mut clauses = Vec::new();
        let mut rest = &tokens[..];
        while !rest.is_empty() {
            // A clause reaches to the next AND.
            let end = rest.iter().position(|(_, token)| is_keyword(token, "and")).unwrap_or(rest.len());
            let (mine, after) = rest.split_at(end);
            let from = mine.first().map_or(text.len(), |(at, _)| *at);
            let to = after.first().map_or(text.len(), |(at, _)| *at);
            let written = shortened(&text[from.min(to)..to]);
            if mine.is_empty() {
                return Err(SearchError::new("there is nothing before or after an `AND`"));
            }
            clauses.push(clause(mine, &written)?);
            rest = after.get(1..).unwrap_or_default();
            if rest.is_empty() && !after.is_empty() {
                return Err(SearchError::new("there is nothing after the last `AND`"));
            }
        }
        Ok(Self { clauses })
    }

    /// Whether a run fulfils every clause.
    pub fn admits(&self, found: &FoundRun) -> bool {
        self.clauses.iter().all(|clause| clause.admits(found))
    }
}

fn is_keyword(token: &Token, keyword: &str) -> bool {
    matches!(token, Token::Name(name) if name.eq_ignore_ascii_case(keyword))
}

fn clause(tokens: &[(usize, Token)], written: &str) -> Result<Clause, SearchError> {
    let wrong = |why: &str| SearchError::new(format!("`{written}`: {why}"));
    if let Some((_, Token::Sign("("))) = tokens.first() {
        return Err(wrong("parentheses are not supported").with_hint("write clauses joined by AND"));
    }
    if tokens.iter().any(|(_, token)| is_keyword(token, "or")) {
        return Err(wrong("OR is not supported").with_hint("search twice, or use IN ('a', 'b')"));
    }
    let mut at = 0;
    let name = |at: &mut usize| match tokens.get(*at) {
        Some((_, Token::Name(name) | Token::Quoted(name))) => {
            *at += 1;
            Some(name.clone())
        }
        _ => None,
    };
    let first = name(&mut at).ok_or_else(|| wrong("a clause starts with a key such as `metrics.auc`"))?;
    let mut parts = vec![first];
    while let Some((_, Token::Sign("."))) = tokens.get(at) {
        at += 1;
        // A key may have dots and digits of its own: `metrics.p99.ms`.
        match tokens.get(at) {
            Some((_, Token::Number(number))) => {
                parts.push(number.clone());
                at += 1;
            }
            _ => parts.push(name(&mut at).ok_or_else(|| wrong("a key follows the dot"))?),
        }
    }
    let (entity, key) = entity_and_key(&parts).map_err(|why| wrong(&why))?;
    let word = |at: usize, word: &str| tokens.get(at).is_some_and(|(_, token)| is_keyword(token, word));
    let (comparator, length) = match tokens.get(at).map(|(_, token)| token) {
        Some(Token::Sign("=")) => (Comparator::Equal, 1),
        Some(Token::Sign("!=")) => (Comparator::NotEqual, 1),
        Some(Token::Sign("<")) => (Comparator::Less, 1),
        Some(Token::Sign("<=")) => (Comparator::LessOrEqual, 1),
        Some(Token::Sign(">")) => (Comparator::Greater, 1),
        Some(Token::Sign(">=")) => (Comparator::GreaterOrEqual, 1),
        _ if word(at, "like") => (Comparator::Like, 1),
        _ if word(at, "ilike") => (Comparator::ILike, 1),
        _ if word(at, "in") => (Comparator::In, 1),
        _ if word(at, "not") && word(at + 1, "in") => (Comparator::NotIn, 2),
        _ if word(at, "is") && word(at + 1, "not") && word(at + 2, "null") => (Comparator::IsNotNull, 3),
        _ if word(at, "is") && word(at + 1, "null") => (Comparator::IsNull, 2),
        _ => {
            return Err(wrong("a comparator follows the key")
                .with_hint("comparators: = != < <= > >= LIKE ILIKE IN NOT IN IS NULL IS NOT NULL; quote keys with blanks in back-ticks"));
        }
    };
    let literal = literal(comparator, &tokens[at + length..]).map_err(|why| wrong(&why))?;
    check(&entity, &key, comparator, &literal).map_err(|why| wrong(&why))?;
    Ok(Clause { entity, key, comparator, literal })
}

fn entity_and_key(parts: &[String]) -> Result<(Entity, String), String> {
    let (entity, rest) = match parts {
        [_] => (Entity::Attribute, parts),
        [entity, rest @ ..] => {
            let entity = match entity.to_ascii_lowercase().as_str() {
                "metric" | "metrics" => Entity::Value(ValueKind::Metric),
                "param" | "params" | "parameter" | "parameters" => Entity::Value(ValueKind::Param),
                "tag" | "tags" => Entity::Value(ValueKind::Tag),
                "attribute" | "attributes" | "attr" | "run" => Entity::Attribute,
                other => return Err(format!("`{other}` is not known; write metrics, params, tags or attributes")),
            };
            (entity, rest)
        }
        [] => return Err("a key is missing".to_owned()),
    };
    let key = rest.join(".");
    if entity != Entity::Attribute {
        return Ok((entity, key));
    }
    let known = ATTRIBUTES.iter().find(|(name, others)| *name == key || others.contains(&key.as_str()));
    match known {
        Some((name, _)) => Ok((entity, (*name).to_owned())),
        None => {
            let names: Vec<&str> = ATTRIBUTES.iter().map(|(name, _)| *name).collect();
            Err(format!("there is no attribute `{key}`; attributes: {}", names.join(", ")))
        }
    }
}

fn literal(comparator: Comparator, tokens: &[(usize, Token)]) -> Result<Literal, String> {
    let tokens: Vec<&Token> = tokens.iter().map(|(_, token)| token).collect();
    match (comparator, &tokens[..]) {
        (Comparator::IsNull | Comparator::IsNotNull, []) => Ok(Literal::Nothing),
        (Comparator::In | Comparator::NotIn, [Token::Sign("("), items @ .., Token::Sign(")")]) => {
            let mut texts = Vec::new();
            for (place, item) in items.iter().enumerate() {
                match (place % 2, item) {
                    (0, Token::Text(text) | Token::Quoted(text)) => texts.push(text.clone()),
                    (1, Token::Sign(",")) => {}
                    _ => return Err("a list is written ('a', 'b')".to_owned()),
                }
            }
            if texts.is_empty() || items.len() % 2 == 0 {
                return Err("a list is written ('a', 'b'), with at least one text".to_owned());
            }
            Ok(Literal::Texts(texts))
        }
        (Comparator::In | Comparator::NotIn, _) => Err("a list is written ('a', 'b')".to_owned()),
        (_, [Token::Text(text) | Token::Quoted(text)]) => Ok(Literal::Text(text.clone())),
        (_, [Token::Number(number)]) => {
            number.parse().map(Literal::Number).map_err(|_| format!("`{number}` is not a number"))
        }
        (_, []) => Err("there is nothing to compare with".to_owned()),
        (_, [Token::Name(name)]) => Err(format!("texts are quoted: '{name}'")),
        _ => Err("one value follows a comparator".to_owned()),
    }
}

/// Comparators and literals that do not fit the entity.
fn check(entity: &Entity, key: &str, comparator: Comparator, literal: &Literal) -> Result<(), String> {
    use Comparator as C;
    let orders = matches!(comparator, C::Less | C::LessOrEqual | C::Greater | C::GreaterOrEqual);
    let equals = matches!(comparator, C::Equal | C::NotEqual);
    let is_time = *entity == Entity::Attribute && TIMES.contains(&key);
    match entity {
        Entity::Value(ValueKind::Metric) if !(orders || equals) => {
            Err("a metric is compared with = != < <= > >=".to_owned())
        }
        Entity::Value(ValueKind::Metric) if !matches!(literal, Literal::Number(_)) => {
            Err("a metric is compared with a number, without quotes".to_owned())
        }
        Entity::Value(ValueKind::Metric) => Ok(()),
        _ if is_time && !(orders || equals) => Err("a time is compared with = != < <= > >=".to_owned()),
        _ if is_time => time_of(literal).map(|_| ()),
        _ if orders => Err("a text is compared with = != LIKE ILIKE IN NOT IN".to_owned()),
        _ if matches!(literal, Literal::Number(_)) => Err("a text is quoted: write '300'".to_owned()),
        _ => Ok(()),
    }
}

/// The time that a literal means: milliseconds since 1970, as in MLflow, or a date or time as text.
pub(crate) fn time_of(literal: &Literal) -> Result<String, String> {
    let time = match literal {
        Literal::Number(millis) => {
            jiff::Timestamp::from_millisecond(*millis as i64).map_err(|error| error.to_string())?
        }
        Literal::Text(text) => match (text.parse::<jiff::Timestamp>(), text.parse::<jiff::civil::Date>()) {
            (Ok(time), _) => time,
            (_, Ok(date)) => {
                let start = date.to_zoned(jiff::tz::TimeZone::UTC).map_err(|error| error.to_string())?;
                start.timestamp()
            }
            _ => return Err(format!("`{text}` is not a time; write '2026-01-31' or milliseconds since 1970")),
        },
        _ => return Err("a time is '2026-01-31' or milliseconds since 1970".to_owned()),
    };
    Ok(millis::text(time))
}

impl Clause {
    /// Whether a run fulfils the clause. `!=` and `NOT IN` hold for a value that is absent, as in MLflow.
    pub fn admits(&self, found: &FoundRun) -> bool {
        match &self.entity {
            Entity::Value(kind) => match (found.value(*kind, &self.key), &self.literal) {
                (None, _) => matches!(self.comparator, Comparator::NotEqual | Comparator::NotIn | Comparator::IsNull),
                (Some(value), Literal::Number(number)) => {
                    value.number().is_some_and(|found| self.compare_numbers(found, *number))
                }
                (Some(value), _) => self.compare_texts(Some(&value.text)),
            },
            Entity::Attribute => {
                let run = &found.run;
                let user = run.environment.as_ref().and_then(|environment| environment.get("user")?.as_str());
                let text = match self.key.as_str() {
                    "run_id" => Some(run.id.to_string()),
                    "pipeline" => Some(run.pipeline.clone()),
                    "status" => Some(run.state.name().to_owned()),
                    "start_time" => Some(millis::text(run.started_at)),
                    "end_time" => run.finished_at.map(millis::text),
                    _ => user.map(str::to_owned),
                };
                if TIMES.contains(&self.key.as_str()) {
                    let (Some(text), Ok(time)) = (text, time_of(&self.literal)) else { return false };
                    return ordering_holds(self.comparator, text.cmp(&time));
                }
                self.compare_texts(text.as_deref())
            }
        }
    }

    fn compare_numbers(&self, found: f64, number: f64) -> bool {
        match found.partial_cmp(&number) {
            Some(ordering) => ordering_holds(self.comparator, ordering),
            None => self.comparator == Comparator::NotEqual,
        }
    }

    fn compare_texts(&self, found: Option<&str>) -> bool {
        let Some(found) = found else {
            return matches!(self.comparator, Comparator::NotEqual | Comparator::NotIn | Comparator::IsNull);
        };
        match (&self.literal, self.comparator) {
            (Literal::Text(text), Comparator::Like) => like(text, found),
            (Literal::Text(text), Comparator::ILike) => like(&text.to_lowercase(), &found.to_lowercase()),
            (Literal::Text(text), comparator) => ordering_holds(comparator, found.cmp(text)),
            (Literal::Texts(texts), comparator) => {
                (comparator == Comparator::In) == texts.iter().any(|text| text == found)
            }
            (Literal::Nothing, comparator) => comparator == Comparator::IsNotNull,
            (Literal::Number(_), _) => false,
        }
    }
}

fn ordering_holds(comparator: Comparator, ordering: std::cmp::Ordering) -> bool {
    match comparator {
        Comparator::Equal => ordering.is_eq(),
        Comparator::NotEqual => ordering.is_ne(),
        Comparator::Less => ordering.is_lt(),
        Comparator::LessOrEqual => ordering.is_le(),
        Comparator::Greater => ordering.is_gt(),
        Comparator::GreaterOrEqual => ordering.is_ge(),
        _ => false,
    }
}

/// SQL's LIKE: `%` is any text, `_` any character.
fn like(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    // Greedy with one place to go back to: linear for one `%`, and never exponential.
    let (mut p, mut t, mut back) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some('%') => {
                back = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == '_' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match back {
                Some((after, start)) => {
                    p = after;
                    t = start + 1;
                    back = Some((after, start + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '%')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn error(text: &str) -> String {
        let error = RunSearch::parse(text).unwrap_err();
        format!("{} | {}", error.message, error.hint.unwrap_or_default())
    }

    #[test]
    fn filters_of_mlflow_are_read() {
        let parsed = RunSearch::parse(
            "metrics.auc >= 0.8 AND params.\"learning rate\" = '0.1' and tag.`mlflow.user` != 'ann' AND \
             attributes.status IN ('COMPLETE', 'REJECTED') and run_id like '0%' AND tags.note IS NOT NULL AND metrics.`p 99` < -1.5e-3",
        )
        .unwrap();
        let keys: Vec<&str> = parsed.clauses.iter().map(|clause| clause.key.as_str()).collect();
        assert_eq!(keys, ["auc", "learning rate", "mlflow.user", "status", "run_id", "note", "p 99"]);
        assert_eq!(parsed.clauses[0].literal, Literal::Number(0.8));
        assert_eq!(parsed.clauses[6].literal, Literal::Number(-0.0015));
        assert_eq!(parsed.clauses[4].comparator, Comparator::Like);
        assert!(RunSearch::parse("  ").unwrap().clauses.is_empty());
        assert!(RunSearch::parse("start_time > '2026-01-31' and created < 1800000000000").is_ok());
    }

    #[test]
    fn mistakes_quote_their_clause() {
        assert!(error("metrics.auc > 'high'").contains("`metrics.auc > 'high'`: a metric is compared with a number"));
        assert!(error("metrics.auc > 0.8 OR metrics.f1 > 0.5").contains("OR is not supported"));
        assert!(error("params.rounds = 300").contains("write '300'"));
        assert!(error("params.rounds > '300'").contains("a text is compared with"));
        assert!(error("owner = 'ann'").contains("there is no attribute `owner`"));
        assert!(error("metrics.auc >").contains("nothing to compare with"));
        assert!(error("metrics.auc 0.8").contains("a comparator follows"));
        assert!(error("metrics.learning rate > 1").contains("back-ticks"));
        assert!(error("status = COMPLETE").contains("texts are quoted: 'COMPLETE'"));
        assert!(error("status in ()").contains("at least one"));
        assert!(error("metrics.auc > 1 and").contains("nothing after"));
        assert!(error("tags.a = 'x").contains("not closed"));
        assert!(error("start_time > 'soon'").contains("not a time"));
    }

    proptest! {
        /// Any text is a filter or an error, and never a panic.
        #[test]
        fn any_text_is_read_or_refused(text in "([a-z.]{1,4}|[<>=!]{1,2}|'[^']{0,3}'?|[0-9.e-]{1,4}| and | in |[(),`\"é ])*") {
            let _ = RunSearch::parse(&text);
        }

        /// LIKE agrees with a regular expression.
        #[test]
        fn like_is_that_of_sql(pattern in "[ab%_]{0,6}", text in "[ab]{0,6}") {
            fn slow(pattern: &[char], text: &[char]) -> bool {
                match pattern.split_first() {
                    None => text.is_empty(),
                    Some(('%', rest)) => (0..=text.len()).any(|cut| slow(rest, &text[cut..])),
                    Some((c, rest)) => text.split_first().is_some_and(|(first, after)| (*c == '_' || c == first) && slow(rest, after)),
                }
            }
            let (p, t): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
            prop_assert_eq!(like(&pattern, &text), slow(&p, &t));
        }
    }
}
