//! From rows to models: the rules of an endpoint.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use hyper::HeaderMap;
use hyper::header::HeaderName;
use tidemill_core::SplitMix64;
use tidemill_model::BoundExpression;

use super::condition::{HeaderCondition, Window};
use super::rows::push_cell;
use super::split::Split;
use crate::inference::request_error::RequestError;

/// The rules of an endpoint.
#[derive(Debug)]
pub(super) struct Route {
    pub(super) rules: Vec<Rule>,
    /// Draws for splits without a unit.
    pub(super) draws: Arc<AtomicU64>,
}

/// A rule: conditions, and where rows go if all hold.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) when: Option<BoundExpression>,
    pub(super) headers: Vec<HeaderCondition>,
    pub(super) time: Option<Window>,
    pub(super) to: Destination,
}

/// Where the rows of a rule go.
#[derive(Debug)]
pub(super) enum Destination {
    Node(usize),
    Split {
        split: Split,
        by: Unit,
    },
    /// Nowhere: the model is switched off. The next rule decides.
    Off,
}

/// What a split goes by.
#[derive(Debug)]
pub(super) enum Unit {
    /// An input, by its position.
    Input(usize),
    /// A header of the request.
    Header(HeaderName),
    /// Nothing: each request is drawn by itself.
    Request,
}

/// The models that answer a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Chosen {
    /// One for all rows.
    One(usize),
    /// One for each row.
    Each(Vec<usize>),
}

impl Route {
    /// The model for each row.
    pub(super) fn choose(&self, batch: &RecordBatch, headers: &HeaderMap) -> Result<Chosen, RequestError> {
        let rows = batch.num_rows();
        let mut chosen: Vec<Option<usize>> = vec![None; rows.max(1)];
        let mut open = chosen.len();
        let mut now = None;
        for rule in &self.rules {
            let holds = rule.headers.iter().all(|header| header.holds(headers))
                && rule.time.as_ref().is_none_or(|time| time.holds(*now.get_or_insert_with(SystemTime::now)));
            if !holds {
                continue;
            }
            let matches = rule.when.as_ref().map(|when| evaluated(when, batch)).transpose()?;
            let place = rule.to.of_rows(batch, headers, &self.draws);
            for (row, chosen) in chosen.iter_mut().enumerate().filter(|(_, chosen)| chosen.is_none()) {
                let matched = matches.as_ref().is_none_or(|matches| {
                    let matches = matches.as_boolean_opt();
                    row < rows && matches.is_some_and(|matches| matches.is_valid(row) && matches.value(row))
                });
                if matched && let Some(node) = place.of(row) {
                    *chosen = Some(node);
                    open -= 1;
                }
            }
            if open == 0 {
                break;
            }
        }
        let each: Option<Vec<usize>> = chosen.into_iter().collect();
        let off =
            || RequestError::new(hyper::StatusCode::SERVICE_UNAVAILABLE, "the model of these rows is switched off");
        let each = each.ok_or_else(off)?;
        Ok(match each.first() {
            Some(first) if each.iter().all(|node| node == first) => Chosen::One(*first),
            _ => Chosen::Each(each),
        })
    }
}

fn evaluated(when: &BoundExpression, batch: &RecordBatch) -> Result<ArrayRef, RequestError> {
    when.evaluate(batch).map_err(|error| RequestError::internal(error.to_string()))
}

/// The destinations of rows.
enum Places {
    Same(Option<usize>),
    Each(Vec<Option<usize>>),
}

impl Places {
    fn of(&self, row: usize) -> Option<usize> {
        match self {
            Self::Same(node) => *node,
            Self::Each(nodes) => nodes.get(row).copied().flatten(),
        }
    }
}

impl Destination {
    fn of_rows(&self, batch: &RecordBatch, headers: &HeaderMap, draws: &AtomicU64) -> Places {
        match self {
            Self::Node(node) => Places::Same(Some(*node)),
            Self::Off => Places::Same(None),
            Self::Split { split, by: Unit::Request } => {
                Places::Same(split.of_number(SplitMix64::nth(draws.fetch_add(1, Ordering::Relaxed))))
            }
            Self::Split { split, by: Unit::Header(name) } => Places::Same(match headers.get(name) {
                Some(unit) => split.of_unit(unit.as_bytes()),
                None => split.without_unit(),
            }),
            Self::Split { split, by: Unit::Input(at) } => {
                let Some(column) = batch.columns().get(*at) else { return Places::Same(split.without_unit()) };
                let mut bytes = Vec::with_capacity(32);
                let node = |row| {
                    bytes.clear();
                    push_cell(&mut bytes, column, row);
                    // A missing value is one byte.
                    if bytes.len() > 1 { split.of_unit(&bytes) } else { split.without_unit() }
                };
                if batch.num_rows() == 0 {
                    return Places::Same(split.without_unit());
                }
                Places::Each((0..batch.num_rows()).map(node).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};
    use tidemill_model::Expression;

    use super::*;

    fn batch(hours: Vec<i64>, riders: Vec<Option<&str>>) -> RecordBatch {
        let columns: [(&str, ArrayRef); 2] =
            [("hour", Arc::new(Int64Array::from(hours))), ("rider", Arc::new(StringArray::from(riders)))];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    fn rule(when: Option<&str>, to: Destination) -> Rule {
        let schema = batch(vec![0], vec![None]).schema();
        let when = when.map(|when| Expression::parse(when).unwrap().bind(&schema).unwrap());
        Rule { when, headers: Vec::new(), time: None, to }
    }

    fn split(by: Unit) -> Destination {
        Destination::Split { split: Split::new("s", [("a", 1, 60.0), ("b", 2, 40.0)]), by }
    }

    #[test]
    fn each_row_goes_where_the_first_rule_that_holds_sends_it() {
        let rules = vec![rule(Some("hour >= 22"), Destination::Node(0)), rule(None, split(Unit::Input(1)))];
        let route = Route { rules, draws: Arc::default() };
        let batch = batch(vec![23, 10, 10, 10], vec![Some("x"), Some("x"), Some("x"), None]);
        let Ok(Chosen::Each(chosen)) = route.choose(&batch, &HeaderMap::new()) else { panic!("rows differ") };
        assert_eq!(chosen[0], 0);
        assert_eq!(chosen[1], chosen[2]);
        // A row without a unit goes to the heaviest arm.
        assert_eq!(chosen[3], 1);
        let night = batch.slice(0, 1);
        assert_eq!(route.choose(&night, &HeaderMap::new()).unwrap(), Chosen::One(0));
    }

    #[test]
    fn a_rule_whose_model_is_off_is_passed_over() {
        let rules = vec![rule(Some("hour >= 22"), Destination::Off), rule(None, Destination::Node(3))];
        let route = Route { rules, draws: Arc::default() };
        assert_eq!(route.choose(&batch(vec![23], vec![None]), &HeaderMap::new()).unwrap(), Chosen::One(3));
        let route = Route { rules: vec![rule(None, Destination::Off)], draws: Arc::default() };
        let error = route.choose(&batch(vec![23], vec![None]), &HeaderMap::new()).unwrap_err();
        assert_eq!(error.status, hyper::StatusCode::SERVICE_UNAVAILABLE);
    }

    #[test]
    fn requests_without_a_unit_are_drawn_one_by_one() {
        let route = Route { rules: vec![rule(None, split(Unit::Request))], draws: Arc::default() };
        let batch = batch(vec![1], vec![None]);
        let to_a = (0..10_000).filter(|_| route.choose(&batch, &HeaderMap::new()).unwrap() == Chosen::One(1)).count();
        assert!((5800..6200).contains(&to_a), "{to_a}");
        let by_header = Route {
            rules: vec![rule(None, split(Unit::Header(HeaderName::from_static("x-user"))))],
            draws: Arc::default(),
        };
        let headers = HeaderMap::from_iter([(HeaderName::from_static("x-user"), "u1".parse().unwrap())]);
        let first = by_header.choose(&batch, &headers).unwrap();
        assert!((0..100).all(|_| by_header.choose(&batch, &headers).unwrap() == first));
    }
}
