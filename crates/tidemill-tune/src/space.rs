//! What is searched: parameters, the values they may take, and when they matter.

mod parse;

use std::collections::BTreeMap;

use serde_json::Value;

pub use parse::space_schema;

/// Values by parameter; nested parameters are named with a dot.
pub type Params = BTreeMap<String, Value>;

/// The parameters of a search.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Space {
    /// Parents come before their children.
    dimensions: Vec<Dimension>,
    /// Parameters with one value.
    fixed: Params,
}

/// A parameter that is searched.
#[derive(Debug, Clone, PartialEq)]
pub struct Dimension {
    /// Its name.
    pub name: String,
    /// The values it may take.
    pub domain: Domain,
    /// When it matters; always where there is none.
    pub when: Vec<Condition>,
}

/// Another parameter must have one of these values.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// The place of the other parameter among the dimensions.
    pub parent: usize,
    /// The indexes of its values.
    pub values: Vec<usize>,
}

/// The values that a parameter may take.
#[derive(Debug, Clone, PartialEq)]
pub enum Domain {
    /// Numbers.
    Float {
        /// The least.
        low: f64,
        /// The largest.
        high: f64,
        /// Only multiples of this from `low` on.
        step: Option<f64>,
        /// Factors matter, not differences.
        log: bool,
    },
    /// Whole numbers.
    Int {
        /// The least.
        low: i64,
        /// The largest.
        high: i64,
        /// Only multiples of this from `low` on.
        step: i64,
        /// Factors matter, not differences.
        log: bool,
    },
    /// One of these, in no order.
    Choice(Vec<Value>),
}

/// A place in a space: for each dimension the number, or the index of the choice; none where it does not matter.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Point(pub Vec<Option<f64>>);

impl Point {
    /// Which dimensions matter here.
    pub(crate) fn active(&self) -> Vec<bool> {
        self.0.iter().map(Option::is_some).collect()
    }
}

impl Domain {
    /// The value at the share `u` of the domain, `u` in `[0, 1)`: all values, or factors, are equally likely.
    pub fn at(&self, u: f64) -> f64 {
        let (low, high) = self.bounds();
        match self {
            Self::Choice(values) => ((u * values.len() as f64) as usize).min(values.len() - 1) as f64,
            _ => self.value(low + u * (high - low)),
        }
    }

    /// Where numbers are searched: the bounds, as logarithms if factors matter; whole numbers and steps reach half a step
    /// beyond their ends, so that each has an equal share.
    pub(crate) fn bounds(&self) -> (f64, f64) {
        let (low, high, half) = match self {
            Self::Float { low, high, step, .. } => (*low, *high, step.unwrap_or(0.0) / 2.0),
            Self::Int { low, high, step, .. } => (*low as f64, *high as f64, *step as f64 / 2.0),
            Self::Choice(values) => return (0.0, values.len() as f64),
        };
        (self.search(low - half), self.search(high + half))
    }

    /// The number that stands for `value` in a search.
    pub(crate) fn search(&self, value: f64) -> f64 {
        match self {
            Self::Float { log: true, .. } | Self::Int { log: true, .. } => value.ln(),
            _ => value,
        }
    }

    /// The step between values, where there is one.
    pub(crate) fn step(&self) -> Option<f64> {
        match self {
            Self::Float { step, .. } => *step,
            Self::Int { step, .. } => Some(*step as f64),
            Self::Choice(_) => None,
        }
    }

    /// The value of the domain that is nearest to a number of a search.
    pub(crate) fn value(&self, search: f64) -> f64 {
        let plain = match self {
            Self::Float { log: true, .. } | Self::Int { log: true, .. } => search.exp(),
            _ => search,
        };
        let on_step = |low: f64, high: f64, step: f64| {
            let last = ((high - low) / step + 1e-9).floor();
            low + ((plain - low) / step).round().clamp(0.0, last) * step
        };
        match self {
            Self::Float { low, high, step: None, .. } => significant(plain).clamp(*low, *high),
            Self::Float { low, high, step: Some(step), .. } => on_step(*low, *high, *step),
            Self::Int { low, high, step, .. } => on_step(*low as f64, *high as f64, *step as f64),
            Self::Choice(values) => plain.clamp(0.0, values.len() as f64 - 1.0).floor(),
        }
    }

    /// How many values there are, where they can be counted.
    pub fn len(&self) -> Option<u64> {
        match self {
            Self::Float { low, high, .. } if low == high => Some(1),
            Self::Float { step: None, .. } => None,
            Self::Float { low, high, step: Some(step), .. } => Some(((high - low) / step + 1e-9).floor() as u64 + 1),
            Self::Int { low, high, step, .. } => Some((high.abs_diff(*low)) / step.unsigned_abs().max(1) + 1),
            Self::Choice(values) => Some(values.len() as u64),
        }
    }

    /// Whether there is no value: never, but asked for beside [`Domain::len`].
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// The value with this number, as a parameter.
    pub fn param(&self, number: f64) -> Value {
        match self {
            Self::Float { .. } => serde_json::json!(number),
            Self::Int { .. } => serde_json::json!(number as i64),
            Self::Choice(values) => values[number as usize].clone(),
        }
    }

    /// The number of a parameter's value; `None` for one that is not of the domain.
    pub fn number(&self, value: &Value) -> Option<f64> {
        match self {
            Self::Choice(values) => values.iter().position(|known| same(known, value)).map(|at| at as f64),
            Self::Float { low, high, .. } => value.as_f64().filter(|number| (*low..=*high).contains(number)),
            Self::Int { low, high, .. } => {
                value.as_i64().filter(|number| (*low..=*high).contains(number)).map(|number| number as f64)
            }
        }
    }
}

/// A number with six digits: as many as anybody wants to read, and more than matter.
fn significant(number: f64) -> f64 {
    format!("{number:.5e}").parse().unwrap_or(number)
}

/// Whether two values are the same, however numbers are written.
fn same(a: &Value, b: &Value) -> bool {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a == b,
        _ => a == b,
    }
}

impl Space {
    /// Reads a space: a mapping from the names of parameters to what they may be. See [`space_schema`].
    pub fn parse(value: &Value) -> Result<Self, Vec<tidemill_core::ParamIssue>> {
        parse::space(value)
    }

    /// The parameters that are searched.
    pub fn dimensions(&self) -> &[Dimension] {
        &self.dimensions
    }

    /// Parameters with one value.
    pub fn fixed(&self) -> &Params {
        &self.fixed
    }

    /// How many different trials there are, where they can be counted and are not too many to.
    pub fn size(&self) -> Option<u64> {
        // Children multiply only where their parent has the right value, so this walks over the choices of parents.
        let is_parent = |at: usize| self.dimensions.iter().any(|other| other.when.iter().any(|when| when.parent == at));
        let parents: Vec<usize> = (0..self.dimensions.len()).filter(|at| is_parent(*at)).collect();
        let mut point = Point(vec![None; self.dimensions.len()]);
        self.count(&parents, 0, &mut point)
    }

    fn count(&self, parents: &[usize], next: usize, point: &mut Point) -> Option<u64> {
        let Some(&parent) = parents.get(next) else {
            let free = |(at, _): &(usize, &Dimension)| !parents.contains(at) && self.is_active(*at, point);
            return self.dimensions.iter().enumerate().filter(free).try_fold(1_u64, |product, (_, dimension)| {
                product.checked_mul(dimension.domain.len()?).filter(|size| *size < 1 << 40)
            });
        };
        if !self.is_active(parent, point) {
            point.0[parent] = None;
            return self.count(parents, next + 1, point);
        }
        let values = self.dimensions[parent].domain.len()?;
        let mut sum = 0_u64;
        for value in 0..values {
            point.0[parent] = Some(value as f64);
            sum = sum.checked_add(self.count(parents, next + 1, point)?)?;
        }
        Some(sum)
    }

    /// Whether the dimension `at` matters at `point`, in which its parents are set.
    pub fn is_active(&self, at: usize, point: &Point) -> bool {
        self.dimensions[at]
            .when
            .iter()
            .all(|when| point.0[when.parent].is_some_and(|value| when.values.contains(&(value as usize))))
    }

    /// The point whose values `choose` gives by the names and domains of the parameters that matter.
    pub fn at(&self, mut choose: impl FnMut(&str, &Domain) -> f64) -> Point {
        self.build(|at, domain| choose(&self.dimensions[at].name, domain))
    }

    /// The point whose values `choose` gives, dimension after dimension, where they matter.
    pub(crate) fn build(&self, mut choose: impl FnMut(usize, &Domain) -> f64) -> Point {
        let mut point = Point(vec![None; self.dimensions.len()]);
        for (at, dimension) in self.dimensions.iter().enumerate() {
            if self.is_active(at, &point) {
                point.0[at] = Some(choose(at, &dimension.domain));
            }
        }
        point
    }

    /// The parameters at `point`.
    pub fn params(&self, point: &Point) -> Params {
        let mut params = self.fixed.clone();
        for (dimension, value) in self.dimensions.iter().zip(&point.0) {
            if let Some(value) = value {
                params.insert(dimension.name.clone(), dimension.domain.param(*value));
            }
        }
        params
    }

    /// The point of `params`; `None` if one that matters is missing or out of its range.
    pub fn point(&self, params: &Params) -> Option<Point> {
        let mut point = Point(vec![None; self.dimensions.len()]);
        for (at, dimension) in self.dimensions.iter().enumerate() {
            if self.is_active(at, &point) {
                point.0[at] = Some(dimension.domain.number(params.get(&dimension.name)?)?);
            }
        }
        Some(point)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    pub(crate) fn boosting() -> Space {
        Space::parse(&json!({
            "learning_rate": { "float": [0.005, 0.1], "log": true },
            "leaves": { "int": [2, 200], "log": true },
            "boosting": ["gbdt", "dart"],
            "drop_rate": { "float": [0.05, 0.3], "when": { "boosting": "dart" } },
            "rounds": 300,
        }))
        .unwrap()
    }

    #[test]
    fn a_child_matters_only_beside_its_parent() {
        let space = boosting();
        let point = space.build(|_, domain| domain.at(0.0));
        assert_eq!(
            json!(space.params(&point)),
            json!({ "learning_rate": 0.005, "leaves": 2, "boosting": "gbdt", "rounds": 300 })
        );
        let params = space.params(&space.build(|_, domain| domain.at(0.999)));
        assert_eq!(params["boosting"], "dart");
        assert!(params.contains_key("drop_rate"));
        assert_eq!(space.point(&params).map(|point| space.params(&point)), Some(params));
        let mut wrong = space.params(&point);
        wrong.insert("leaves".into(), json!(1000));
        assert_eq!(space.point(&wrong), None);
    }

    #[test]
    fn every_value_of_a_domain_has_an_equal_share() {
        let domain = Domain::Int { low: 3, high: 12, step: 3, log: false };
        let mut counts = BTreeMap::new();
        for i in 0..4000 {
            *counts.entry(domain.at(f64::from(i) / 4000.0) as i64).or_insert(0) += 1;
        }
        assert_eq!(counts, [(3, 1000), (6, 1000), (9, 1000), (12, 1000)].into());
        let steps = Domain::Float { low: 0.1, high: 0.5, step: Some(0.1), log: false };
        assert_eq!(steps.len(), Some(5));
        assert!((steps.at(0.999) - 0.5).abs() < 1e-12);
        let log = Domain::Float { low: 1e-4, high: 1.0, step: None, log: true };
        assert!((log.at(0.5) - 1e-2).abs() < 1e-12);
    }

    #[test]
    fn trials_are_counted_where_they_can_be() {
        assert_eq!(boosting().size(), None);
        let space = Space::parse(&json!({
            "penalty": ["l1", "l2", "none"],
            "alpha": { "choice": [0.1, 1, 10], "when": { "penalty": ["l1", "l2"] } },
            "solver": { "choice": ["a", "b"], "when": { "penalty": "none" } },
        }))
        .unwrap();
        assert_eq!(space.size(), Some(3 + 3 + 2));
        assert_eq!(Space::parse(&json!({ "rounds": 10 })).unwrap().size(), Some(1));
    }
}
