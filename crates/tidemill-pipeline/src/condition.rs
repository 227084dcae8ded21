//! `if:` of a step: conditions on the properties of artifacts.

use std::fmt;

use serde_json::Value;
use tidemill_core::suggest;

use crate::report::StepReport;

/// `STEP.PROPERTY COMPARATOR VALUE`, several of them joined by `and`.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    clauses: Vec<Clause>,
}

#[derive(Debug, Clone, PartialEq)]
struct Clause {
    step: String,
    property: String,
    comparator: &'static str,
    value: Value,
}

const COMPARATORS: [&str; 6] = [">=", "<=", "!=", "==", ">", "<"];

impl Condition {
    /// Parses a condition such as `evaluate.auc > 0.9 and examples.rows >= 1000`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let clauses = text.split(" and ").map(|part| Clause::parse(part.trim())).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { clauses })
    }

    /// The steps that it is about, in the order of the text.
    pub(crate) fn steps(&self) -> impl Iterator<Item = &str> {
        self.clauses.iter().map(|clause| clause.step.as_str())
    }

    /// Why the condition does not hold; `None` if it does. `report` gives the report of a step.
    pub(crate) fn obstacle<'a>(&self, report: impl Fn(&str) -> Option<&'a StepReport>) -> Option<String> {
        self.clauses.iter().find_map(|clause| clause.obstacle(report(&clause.step)?))
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clauses: Vec<String> = self.clauses.iter().map(ToString::to_string).collect();
        f.write_str(&clauses.join(" and "))
    }
}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} {} {}", self.step, self.property, self.comparator, self.value)
    }
}

impl Clause {
    fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("`{text}`: {why}");
        let found = COMPARATORS.iter().filter_map(|sign| Some((text.find(sign)?, *sign)));
        // The first in the text; of `>=` and `>` at one place the longer, which comes first in the list.
        let (at, comparator) = found
            .min_by_key(|(at, _)| *at)
            .ok_or_else(|| wrong("a condition is STEP.PROPERTY COMPARATOR VALUE, as in `evaluate.auc > 0.9`"))?;
        let (left, right) = (text[..at].trim(), text[at + comparator.len()..].trim());
        let (step, property) =
            left.split_once('.').ok_or_else(|| wrong("write STEP.PROPERTY before the comparator"))?;
        let value = match right.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
            Some(text) => Value::from(text),
            None => serde_json::from_str::<Value>(right)
                .ok()
                .filter(|value| value.is_number() || value.is_boolean())
                .ok_or_else(|| wrong("a value is a number, `true`, `false` or a text in single quotes"))?,
        };
        if !value.is_number() && !matches!(comparator, "==" | "!=") {
            return Err(wrong("only numbers have an order"));
        }
        Ok(Self { step: step.to_owned(), property: property.to_owned(), comparator, value })
    }

    fn obstacle(&self, report: &StepReport) -> Option<String> {
        let name = format!("{}.{}", self.step, self.property);
        let outcome = report.outcome.as_ref()?;
        let found = outcome.properties.values().find_map(|properties| properties.get(&self.property));
        let Some(found) = found else {
            let known = outcome.properties.values().flat_map(|properties| properties.keys().map(String::as_str));
            let near = suggest(&self.property, known).map(|near| format!("; did you mean `{near}`?"));
            return Some(format!("`{name}` is not known{}", near.unwrap_or_default()));
        };
        let holds = match (found.as_f64(), self.value.as_f64(), self.comparator) {
            (Some(a), Some(b), ">") => a > b,
            (Some(a), Some(b), ">=") => a >= b,
            (Some(a), Some(b), "<") => a < b,
            (Some(a), Some(b), "<=") => a <= b,
            (Some(a), Some(b), "==") => a == b,
            (Some(a), Some(b), "!=") => a != b,
            (_, _, "==") => *found == self.value,
            (_, _, "!=") => *found != self.value,
            _ => false,
        };
        (!holds).then(|| format!("`{name}` is {found}, not {} {}", self.comparator, self.value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_read_and_mistakes_explained() {
        let condition = Condition::parse("evaluate.auc >= 0.9 and region.name != 'north'").unwrap();
        assert_eq!(condition.to_string(), "evaluate.auc >= 0.9 and region.name != \"north\"");
        assert_eq!(condition.steps().collect::<Vec<_>>(), ["evaluate", "region"]);
        for (text, part) in [
            ("evaluate.auc", "STEP.PROPERTY COMPARATOR VALUE"),
            ("auc > 0.9", "write STEP.PROPERTY"),
            ("evaluate.auc > high", "a value is a number"),
            ("evaluate.auc > 'a'", "only numbers"),
        ] {
            let error = Condition::parse(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
