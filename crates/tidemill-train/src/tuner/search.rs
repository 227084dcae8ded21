//! What is searched: the learners, their fixed parameters, and the space of all together.

use serde_json::{Map, Value, json};
use tidemill_core::{ParamIssue, TaskKind};
use tidemill_tune::{Params, Space};

use super::hyperparameters::Hyperparameters;
use crate::learner::{LEARNERS, StartPoint};
use crate::trainer::{ChosenLearner, TrainerParams};

/// The parameter that says which learner, where there are several.
pub(super) const LEARNER: &str = "learner";

/// The learners of a search with what is searched of each.
#[derive(Debug, Clone)]
pub(super) struct Search {
    pub(super) space: Space,
    /// The same as it would be written in a file.
    pub(super) written: Value,
    learners: Vec<Candidate>,
}

/// A learner of a search.
#[derive(Debug, Clone)]
struct Candidate {
    name: &'static str,
    /// Parameters that are not searched.
    fixed: Map<String, Value>,
    /// Whether what is searched is what is known to be worth it.
    is_usual: bool,
}

impl Search {
    /// `learner`: one, or a list. `space`: what is written, if anything.
    pub(super) fn new(
        learner: &Value,
        space: Option<&Value>,
        trainer: &TrainerParams,
    ) -> Result<Self, Vec<ParamIssue>> {
        let choices: Vec<&Value> = match learner {
            Value::Null => {
                let issue = ParamIssue::new([LEARNER], "a search has at least one learner");
                return Err(vec![issue.with_hint("write `learner: gradient_boosting`")]);
            }
            Value::Array(several) => several.iter().collect(),
            one => vec![one],
        };
        let (mut learners, mut whole, mut issues) = (Vec::<Candidate>::new(), Map::new(), Vec::new());
        for (at, choice) in choices.iter().enumerate() {
            let within = |mut issue: ParamIssue| {
                if learner.is_array() && issue.path.first().is_some_and(|first| first == LEARNER) {
                    issue.path.insert(1, at.to_string());
                }
                issue
            };
            let candidate = match trainer.choose(choice) {
                Ok(ChosenLearner { name, .. }) => {
                    let is_usual = written_space(name, space, choices.len() > 1).is_none();
                    Candidate { name, fixed: fixed(choice), is_usual }
                }
                Err(found) => {
                    issues.extend(found.into_iter().map(within));
                    continue;
                }
            };
            if learners.iter().any(|other| other.name == candidate.name) {
                issues.push(within(ParamIssue::new([LEARNER], format!("`{}` is there twice", candidate.name))));
                continue;
            }
            match own_space(&candidate, space, choices.len() > 1) {
                Ok(own) => whole.insert(candidate.name.to_owned(), own),
                Err(issue) => {
                    issues.push(issue);
                    continue;
                }
            };
            learners.push(candidate);
        }
        if !issues.is_empty() {
            return Err(issues);
        }
        let written = Value::Object(whole);
        let space =
            Space::parse(&joined(&written, learners.len() > 1)).map_err(|issues| placed(issues, learners.len() > 1))?;
        if space.dimensions().is_empty() {
            let issue = ParamIssue::new(["space"], "nothing is searched");
            return Err(vec![
                issue.with_hint("name a parameter with its range: `space: { leaves: { int: [8, 128], log: true } }`"),
            ]);
        }
        let search = Self { space, written, learners };
        search.check(trainer)?;
        Ok(search)
    }

    /// The names of the learners.
    pub(super) fn learners(&self) -> Vec<&'static str> {
        self.learners.iter().map(|learner| learner.name).collect()
    }

    /// Points to begin with, the cheapest of all learners first. `all`: also of learners whose space is
    /// written, as far as it has them.
    pub(super) fn starts(&self, task: TaskKind, all: bool) -> Vec<Params> {
        let several = self.learners.len() > 1;
        let of_learner = |candidate: &Candidate| -> Vec<(u32, Params)> {
            let learner = LEARNERS.iter().find(|learner| learner.name() == candidate.name);
            let starts = learner.filter(|_| all || candidate.is_usual).map(|learner| learner.starts(task));
            let params = |StartPoint { cost, params }| {
                let own = params.as_object().cloned().unwrap_or_default().into_iter();
                let named = |name: String| if several { format!("{}.{name}", candidate.name) } else { name };
                let mut params: Params = own.map(|(name, value)| (named(name), value)).collect();
                // Parameters with one value are part of a point as well.
                for dimension in self.space.dimensions().iter().filter(|dimension| dimension.domain.len() == Some(1)) {
                    let name = dimension.name.strip_prefix(candidate.name);
                    if several && name.is_some_and(|rest| rest.starts_with('.')) {
                        params.insert(dimension.name.clone(), dimension.domain.param(dimension.domain.at(0.0)));
                    }
                }
                params.extend(several.then(|| (LEARNER.to_owned(), json!(candidate.name))));
                (cost, params)
            };
            starts.into_iter().flatten().map(params).collect()
        };
        let mut points: Vec<(u32, Params)> = self.learners.iter().flat_map(of_learner).collect();
        points.retain(|(_, params)| self.space.point(&self.whole(params)).is_some());
        points.sort_by_key(|(cost, _)| *cost);
        points.into_iter().map(|(_, params)| params).collect()
    }

    /// The parameters with those that have one value.
    fn whole(&self, params: &Params) -> Params {
        params.iter().chain(self.space.fixed()).map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Whether the best of several learners is searched.
    pub(super) fn has_several(&self) -> bool {
        self.learners.len() > 1
    }

    /// Every learner, with the parameters in the middle of what is searched.
    pub(super) fn chosen(&self, trainer: &TrainerParams) -> Result<Vec<ChosenLearner>, Vec<ParamIssue>> {
        let choose = |candidate| trainer.choose(&Value::Object(self.learner(&self.example(candidate, 0.5))));
        self.learners.iter().map(choose).collect()
    }

    /// The parameters of one learner at a share of what is searched.
    fn example(&self, candidate: &Candidate, share: f64) -> Params {
        let several = self.learners.len() > 1;
        self.space.params(&self.space.at(|name, domain| match domain.number(&json!(candidate.name)) {
            Some(index) if several && name == LEARNER => index,
            _ => domain.at(share),
        }))
    }

    /// The learner that `params` name, with all its parameters.
    pub(super) fn learner(&self, params: &Params) -> Map<String, Value> {
        let several = self.learners.len() > 1;
        let named = params.get(LEARNER).and_then(Value::as_str).filter(|_| several);
        let Some(candidate) = self.learners.iter().find(|learner| named.is_none_or(|named| named == learner.name))
        else {
            return Map::new();
        };
        let mut own = candidate.fixed.clone();
        let prefix = if several { format!("{}.", candidate.name) } else { String::new() };
        set_all(&mut own, &prefix, params);
        Map::from_iter([(candidate.name.to_owned(), Value::Object(own))])
    }

    /// Every learner must accept what may be proposed to it: the ends of all ranges and every choice.
    fn check(&self, trainer: &TrainerParams) -> Result<(), Vec<ParamIssue>> {
        let several = self.learners.len() > 1;
        let mut issues: Vec<ParamIssue> = Vec::new();
        for share in [0.0, 0.5, 1.0 - f64::EPSILON] {
            for candidate in &self.learners {
                let params = self.example(candidate, share);
                let Err(found) = trainer.choose(&Value::Object(self.learner(&params))) else { continue };
                for issue in found {
                    // What is wrong with a value that was proposed stands in the space.
                    let path: Vec<String> = match issue.path.as_slice() {
                        [first, name, rest @ ..] if first == LEARNER && name == candidate.name => {
                            let own = several.then(|| name.clone());
                            ["space".to_owned()].into_iter().chain(own).chain(rest.iter().cloned()).collect()
                        }
                        path => path.to_vec(),
                    };
                    if !issues.iter().any(|known| known.path == path) {
                        issues.push(ParamIssue { path, ..issue });
                    }
                }
            }
        }
        if issues.is_empty() { Ok(()) } else { Err(issues) }
    }
}

/// The learner of a trial of a search of several learners, with the parameters that were proposed.
pub fn learner_of(params: &Params) -> Map<String, Value> {
    let Some(learner) = params.get(LEARNER).and_then(Value::as_str) else { return Map::new() };
    let mut own = Map::new();
    set_all(&mut own, &format!("{learner}."), params);
    Map::from_iter([(learner.to_owned(), Value::Object(own))])
}

/// What a search has searched, by the names that parameters have in its trials; `None` for an artifact of another version, whose
/// space cannot be read.
pub fn search_space(found: &Hyperparameters) -> Option<Space> {
    let several = found.space.as_object().is_some_and(|spaces| spaces.len() > 1);
    Space::parse(&joined(&found.space, several)).ok()
}

/// Sets all parameters whose names begin with `prefix`.
fn set_all(into: &mut Map<String, Value>, prefix: &str, params: &Params) {
    for (name, value) in params.iter().filter_map(|(name, value)| Some((name.strip_prefix(prefix)?, value))) {
        set(into, name, value);
    }
}

/// Sets a parameter, whose name may have dots.
fn set(into: &mut Map<String, Value>, name: &str, value: &Value) {
    match name.split_once('.') {
        None => {
            into.insert(name.to_owned(), value.clone());
        }
        Some((outer, inner)) => {
            let outer = into.entry(outer).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(outer) = outer {
                set(outer, inner, value);
            }
        }
    }
}

/// The parameters that are written beside a learner's name.
fn fixed(choice: &Value) -> Map<String, Value> {
    let params = choice.as_object().and_then(|entries| entries.values().next());
    params.and_then(Value::as_object).cloned().unwrap_or_default()
}

/// What is searched of one learner: what is written, or else what is known to be worth it; but nothing that is fixed.
fn own_space(candidate: &Candidate, written: Option<&Value>, several: bool) -> Result<Value, ParamIssue> {
    if let Some(space) = written_space(candidate.name, written, several) {
        let twice = space.as_object().and_then(|space| space.keys().find(|name| candidate.fixed.contains_key(*name)));
        if let Some(twice) = twice {
            let issue = ParamIssue::new(["space", twice], format!("`{twice}` is searched, and `learner` fixes it"));
            return Err(issue.with_hint("write it in one place"));
        }
        return Ok(space.clone());
    }
    let learner = LEARNERS.iter().find(|learner| learner.name() == candidate.name);
    let Some(Value::Object(mut space)) = learner.and_then(|learner| learner.space()) else {
        let place = if several { vec!["space", candidate.name] } else { vec!["space"] };
        let issue = ParamIssue::new(place, format!("nothing is known to be worth searching of `{}`", candidate.name));
        return Err(issue.with_hint("name what is: `space: { PARAMETER: { float: [LOW, HIGH] } }`"));
    };
    space.retain(|name, _| !candidate.fixed.contains_key(name));
    Ok(Value::Object(space))
}

/// What is written of a learner's space.
fn written_space<'a>(learner: &str, written: Option<&'a Value>, several: bool) -> Option<&'a Value> {
    match written {
        Some(Value::Object(spaces)) if several => spaces.get(learner),
        Some(space) if !several => Some(space),
        _ => None,
    }
}

/// The space of all learners: their own where there is one, and else with their names before their parameters.
fn joined(spaces: &Value, several: bool) -> Value {
    let Some(spaces) = spaces.as_object() else { return Value::Null };
    if !several {
        return spaces.values().next().cloned().unwrap_or_default();
    }
    let mut joined = Map::new();
    joined.insert(LEARNER.to_owned(), spaces.keys().cloned().collect());
    for (learner, space) in spaces {
        for (name, range) in space.as_object().into_iter().flatten() {
            let mut range = match range {
                Value::Array(choices) => json!({ "choice": choices }),
                Value::Object(_) => range.clone(),
                // A fixed value of one learner is a choice without an alternative.
                value => json!({ "choice": [value] }),
            };
            if let Value::Object(range) = &mut range {
                let mut when = Map::from_iter([(LEARNER.to_owned(), json!(learner))]);
                for (parent, value) in range.get("when").and_then(Value::as_object).into_iter().flatten() {
                    when.insert(format!("{learner}.{parent}"), value.clone());
                }
                range.insert("when".to_owned(), Value::Object(when));
            }
            joined.insert(format!("{learner}.{name}"), range);
        }
    }
    Value::Object(joined)
}

/// Issues of the joined space, at their places in the file.
fn placed(issues: Vec<ParamIssue>, several: bool) -> Vec<ParamIssue> {
    let place = |mut issue: ParamIssue| {
        if several && let Some((learner, name)) = issue.path.first().and_then(|first| first.split_once('.')) {
            let (learner, name) = (learner.to_owned(), name.to_owned());
            issue.path.splice(0..1, [learner, name]);
        }
        issue.path.insert(0, "space".to_owned());
        issue
    };
    issues.into_iter().map(place).collect()
}
