//! The nearest row for which a model says something else.
//!
//! Values are taken from other rows, so that a counterfactual is made of values that occur. Fewer changes come before smaller ones;
//! the change of a number is then brought as near to the row as the prediction allows.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};
use tidemill_model::{Model, ModelError};

/// Inputs that are changed together at most.
const CHANGES_MAX: usize = 3;
/// Partial changes that are kept while more are added.
const BEAM: usize = 12;
/// Values that are tried of each input.
const VALUES_MAX: usize = 24;
/// Halvings of the distance of a number.
const HALVINGS: usize = 24;

/// What the prediction is to become.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// The number at this place is above a bound.
    Above(usize, f64),
    /// The number at this place is at most a bound.
    AtMost(usize, f64),
    /// The class at this place is the most probable one.
    Class(usize),
}

impl Goal {
    /// How far the numbers of a prediction are from the goal; 0 or less is there.
    fn distance(self, numbers: &[f64]) -> f64 {
        match self {
            // Above is not at: the bound itself is not there.
            Self::Above(at, bound) => {
                if numbers[at] > bound {
                    0.0
                } else {
                    bound - numbers[at] + f64::MIN_POSITIVE
                }
            }
            Self::AtMost(at, bound) => numbers[at] - bound,
            Self::Class(at) => {
                let others = numbers.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, number)| *number);
                let best = others.fold(f64::NEG_INFINITY, f64::max);
                if numbers[at] > best { 0.0 } else { best - numbers[at] + f64::MIN_POSITIVE }
            }
        }
    }

    fn is_met(self, numbers: &[f64]) -> bool {
        self.distance(numbers) <= 0.0
    }
}

/// A change of one input.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The input.
    pub column: String,
    /// Its value in the row.
    pub from: Value,
    /// Its value in the counterfactual.
    pub to: Value,
}

/// A row near another one, with another prediction.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Counterfactual {
    /// What is other.
    pub changes: Vec<Change>,
    /// The prediction: one number, or those of classes.
    pub prediction: Vec<f64>,
}

struct Partial {
    changes: BTreeMap<String, Value>,
    cost: f64,
    distance: f64,
    numbers: Vec<f64>,
}

/// Searches for the nearest row that meets the goal, with values of `others`. `None`: no change of up to three inputs to values
/// of the other rows does.
pub fn nearest_counterfactual(
    model: &Model,
    row: &Map<String, Value>,
    others: &[Map<String, Value>],
    goal: Goal,
) -> Result<Option<Counterfactual>, ModelError> {
    let choices = choices(model, row, others);
    let mut beam = vec![Partial { changes: BTreeMap::new(), cost: 0.0, distance: f64::INFINITY, numbers: Vec::new() }];
    for _ in 0..CHANGES_MAX {
        let mut tried: Vec<(BTreeMap<String, Value>, f64)> = Vec::new();
        for partial in &beam {
            for (column, values) in choices.iter().filter(|(column, _)| !partial.changes.contains_key(*column)) {
                for (value, cost) in values {
                    let mut changes = partial.changes.clone();
                    changes.insert(column.clone(), value.clone());
                    if !tried.iter().rev().take(BEAM * VALUES_MAX).any(|(known, _)| *known == changes) {
                        tried.push((changes, partial.cost + cost));
                    }
                }
            }
        }
        if tried.is_empty() {
            return Ok(None);
        }
        let rows: Vec<Value> = tried.iter().map(|(changes, _)| Value::Object(changed(row, changes))).collect();
        let numbers = numbers_of(model, &rows)?;
        let mut found: Vec<Partial> = tried
            .into_iter()
            .zip(numbers)
            .map(|((changes, cost), numbers)| Partial { changes, cost, distance: goal.distance(&numbers), numbers })
            .collect();
        found.sort_by(|a, b| {
            let there = |partial: &Partial| partial.distance > 0.0;
            there(a).cmp(&there(b)).then_with(|| {
                if there(a) {
                    a.distance.total_cmp(&b.distance).then(a.cost.total_cmp(&b.cost))
                } else {
                    a.cost.total_cmp(&b.cost)
                }
            })
        });
        if found.first().is_some_and(|best| best.distance <= 0.0) {
            let best = found.swap_remove(0);
            return nearer(model, row, best, goal).map(Some);
        }
        found.truncate(BEAM);
        beam = found;
    }
    Ok(None)
}

/// The values that each input of the model may take, and what they cost: a number its distance in the range of the others, any
/// other value 1.
fn choices(
    model: &Model,
    row: &Map<String, Value>,
    others: &[Map<String, Value>],
) -> BTreeMap<String, Vec<(Value, f64)>> {
    let of_input = |name: &String| -> Vec<(Value, f64)> {
        let own = row.get(name).unwrap_or(&Value::Null);
        let mut values: Vec<&Value> =
            others.iter().filter_map(|other| other.get(name)).filter(|v| !v.is_null()).collect();
        let number = |value: &Value| value.as_f64();
        if values.iter().all(|value| number(value).is_some()) {
            values.sort_by(|a, b| number(a).unwrap_or(0.0).total_cmp(&number(b).unwrap_or(0.0)));
            values.dedup();
            let (Some(low), Some(high)) =
                (values.first().and_then(|v| number(v)), values.last().and_then(|v| number(v)))
            else {
                return Vec::new();
            };
            let range = if high > low { high - low } else { 1.0 };
            let last = values.len() - 1;
            let steps = VALUES_MAX.min(values.len());
            let mut chosen: Vec<&Value> = (0..steps).map(|at| values[at * last / (steps - 1).max(1)]).collect();
            chosen.dedup();
            let cost = |value: &Value| {
                let apart = number(own).zip(number(value)).map_or(1.0, |(own, value)| (own - value).abs() / range);
                (value.clone(), 1.0 + apart.min(1.0))
            };
            return chosen.into_iter().filter(|value| *value != own).map(cost).collect();
        }
        let mut counts: BTreeMap<String, (usize, &Value)> = BTreeMap::new();
        for value in values {
            counts.entry(value.to_string()).or_insert((0, value)).0 += 1;
        }
        let mut frequent: Vec<(usize, &Value)> = counts.into_values().collect();
        frequent.sort_by_key(|(rows, _)| std::cmp::Reverse(*rows));
        let other = frequent.into_iter().filter(|(_, value)| *value != own).take(VALUES_MAX);
        other.map(|(_, value)| (value.clone(), 2.0)).collect()
    };
    let inputs = model.graph().inputs().iter().map(|input| input.name.clone());
    inputs.map(|name| (name.clone(), of_input(&name))).filter(|(_, values)| !values.is_empty()).collect()
}

fn changed(row: &Map<String, Value>, changes: &BTreeMap<String, Value>) -> Map<String, Value> {
    let mut row = row.clone();
    row.extend(changes.iter().map(|(column, value)| (column.clone(), value.clone())));
    row
}

/// The numbers that are predicted for each row.
fn numbers_of(model: &Model, rows: &[Value]) -> Result<Vec<Vec<f64>>, ModelError> {
    let columns = model.predict_columns(&model.batch_from_rows(rows)?)?;
    Ok((0..rows.len()).map(|row| columns.iter().map(|column| column[row]).collect()).collect())
}

/// Brings each changed number as near to the row as the goal allows.
fn nearer(model: &Model, row: &Map<String, Value>, found: Partial, goal: Goal) -> Result<Counterfactual, ModelError> {
    let Partial { mut changes, mut numbers, .. } = found;
    let columns: Vec<String> = changes.keys().cloned().collect();
    for column in columns {
        let (Some(from), Some(to)) = (row.get(&column).and_then(Value::as_f64), changes[&column].as_f64()) else {
            continue;
        };
        let is_whole = changes[&column].is_i64() || changes[&column].is_u64();
        let (mut near, mut far) = (from, to);
        for _ in 0..HALVINGS {
            let middle = if is_whole { f64::midpoint(near, far).round() } else { f64::midpoint(near, far) };
            if middle == near || middle == far {
                break;
            }
            let value = if is_whole { Value::from(middle as i64) } else { Value::from(middle) };
            let mut tried = changes.clone();
            tried.insert(column.clone(), value);
            let predicted = numbers_of(model, &[Value::Object(changed(row, &tried))])?.remove(0);
            if goal.is_met(&predicted) {
                (far, changes, numbers) = (middle, tried, predicted);
            } else {
                near = middle;
            }
        }
    }
    let change = |(column, to): (String, Value)| {
        let from = row.get(&column).cloned().unwrap_or(Value::Null);
        Change { column, from, to }
    };
    Ok(Counterfactual { changes: changes.into_iter().map(change).collect(), prediction: numbers })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_met_on_its_side_of_the_bound() {
        assert!(Goal::Above(0, 0.5).is_met(&[0.6]) && !Goal::Above(0, 0.5).is_met(&[0.5]));
        assert!(Goal::AtMost(0, 0.5).is_met(&[0.5]) && !Goal::AtMost(0, 0.5).is_met(&[0.51]));
        assert!(Goal::Class(1).is_met(&[0.2, 0.5, 0.3]) && !Goal::Class(1).is_met(&[0.4, 0.4, 0.2]));
    }
}
