//! The parameters of an ensemble.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::ParamIssue;

use crate::learner::{Estimator, configure, parse_learner};

/// Members at most: more make a model slow and hardly better.
const MEMBERS_MAX: usize = 25;
/// Learners whose models cannot be members: another program's, and ensembles.
const REFUSED: [&str; 2] = ["command", "ensemble"];

/// Several learners whose probabilities, or amounts, are averaged.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ensemble {
    /// The learners, up to 25. `tidemill automl` and a `Tuner` choose them by what they add to each other.
    pub members: Vec<Member>,
}

/// A learner of an ensemble.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The learner by name, with its parameters: `{ linear: { alpha: 10 } }`.
    #[schemars(schema_with = "learner_schema")]
    pub learner: Value,
    /// What its prediction counts beside the others'.
    #[serde(default = "one")]
    pub weight: f64,
}

const fn one() -> f64 {
    1.0
}

/// The learners are described where a step names one.
fn learner_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "A learner by name, with its parameters, as a `Trainer` has it.",
        "type": ["string", "object"],
    })
}

/// A member that is ready to be fitted.
pub(super) struct ReadyMember {
    pub(super) name: &'static str,
    pub(super) weight: f64,
    pub(super) estimator: Box<dyn Estimator>,
}

/// Reads and checks the parameters; every issue points at its member.
pub(super) fn parse(params: &Value) -> Result<Vec<ReadyMember>, Vec<ParamIssue>> {
    let parsed: Ensemble = parse_learner(params, &[], Ensemble::check)?;
    let (mut ready, mut issues) = (Vec::new(), Vec::new());
    for (at, member) in parsed.members.iter().enumerate() {
        let place = ["members".to_owned(), at.to_string()];
        match configure(&member.learner) {
            Ok((name, _)) if REFUSED.contains(&name) => {
                let message = format!("a member of an ensemble cannot be the learner `{name}`");
                issues.push(ParamIssue::new([place.as_slice(), &["learner".to_owned()]].concat(), message));
            }
            Ok((name, estimator)) => ready.push(ReadyMember { name, weight: member.weight, estimator }),
            Err(of_member) => issues.extend(of_member.into_iter().map(|mut issue| {
                issue.path.splice(0..0, place.clone());
                issue
            })),
        }
    }
    if issues.is_empty() { Ok(ready) } else { Err(issues) }
}

impl Ensemble {
    /// What is wrong with the values.
    fn check(&self) -> Vec<ParamIssue> {
        let mut issues = Vec::new();
        if self.members.is_empty() || self.members.len() > MEMBERS_MAX {
            let message = format!("an ensemble has from 1 to {MEMBERS_MAX} members, not {}", self.members.len());
            issues.push(ParamIssue::new(["members"], message));
        }
        for (at, member) in self.members.iter().enumerate() {
            if !(member.weight > 0.0 && member.weight.is_finite()) {
                let place = ["members".to_owned(), at.to_string(), "weight".to_owned()];
                issues.push(ParamIssue::new(place, "`weight` must be above 0"));
            }
        }
        issues
    }
}
