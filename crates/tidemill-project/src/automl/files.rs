//! The two pipeline files: of the search, and of what it found.

use std::time::Duration;

use serde_json::{Map, Value};
use tidemill_core::grouped;

use super::{Automl, Board, TRIAL_SHARE, learners};
use crate::draft::Trial;
use crate::draft::text::{comment, yaml};

/// The pipeline file of the search.
pub const SEARCH_FILE: &str = "search.yaml";
/// The pipeline file of the winner.
pub const PIPELINE_FILE: &str = tidemill_pipeline::FILE_NAME;
/// What a search file begins with, before the request.
const HEAD: &str = "# A search of `tidemill automl`; the same command goes on with it.\n# request: ";

impl Automl<'_> {
    /// The pipeline file of the search; without a time for it, that of the steps before it.
    pub fn search_file(&self, time: Option<Option<Duration>>) -> String {
        let mut out = format!("{HEAD}{}\n{}", self.request, self.draft.features(&self.source));
        let Some(time) = time else { return out };
        let draft = self.draft;
        let columns = draft.columns.iter().filter(|choice| choice.used).count();
        let names = learners(draft.task(), draft.rows, columns, self.choices.explain_only);
        out.push_str("  tune:\n    component: Tuner    # `eval` has no part in the search\n");
        out.push_str(&format!("    learner: [{}]\n    metric: {}\n", names.join(", "), self.metric));
        let mut budget = Vec::new();
        budget.extend(self.choices.trials.map(|trials| format!("trials: {trials}")));
        if let Some(time) = time {
            let of_trial = (time.as_secs_f64() * TRIAL_SHARE).ceil().max(1.0);
            budget.push(format!("time: {}s, trial_time: {of_trial}s", time.as_secs()));
        }
        out.push_str(&format!("    budget: {{ {} }}\n", budget.join(", ")));
        if let Some((folds, repeats)) = self.folds() {
            out.push_str(&format!(
                "    folds: {folds}    # {} rows are few: each is judged once\n",
                grouped(draft.rows)
            ));
            if repeats > 1 {
                out.push_str(&format!("    repeats: {repeats}\n"));
            }
        }
        if !self.choices.explain_only {
            out.push_str("    ensemble: true\n");
        }
        if let Some(most) = self.choices.latency_ms_max {
            out.push_str(&format!("    latency_p99_ms: {most}\n"));
        }
        if self.choices.parallel > 1 {
            out.push_str(&format!("    parallel: {}\n", self.choices.parallel));
        }
        out.push_str(&format!("    seed: {}\n", self.choices.seed));
        out.push_str(&self.draft.task_line());
        out
    }

    /// Whether a search file is of the same request.
    pub fn is_of_this(&self, search_file: &str) -> bool {
        let request = search_file.strip_prefix(HEAD).and_then(|rest| rest.lines().next());
        request == Some(self.request.as_str())
    }

    /// Whether a search file has the search itself, and not only the steps before it.
    pub fn has_search(search_file: &str) -> bool {
        search_file.contains("\n  tune:\n")
    }

    /// The pipeline file of the winner. Without a judgement it has no thresholds, and ends with the evaluation.
    pub fn pipeline_file(&self, board: &Board, trial: Option<&Trial>) -> String {
        let mut learner = "    component: Trainer    # never reads `eval`\n".to_owned();
        for line in board.about_winner() {
            learner.push_str(&format!("    # {}\n", comment(&line)));
        }
        learner.push_str(&learner_text(&board.winner));
        if has_network(&board.winner) {
            learner.push_str("    validation: 0.1    # networks choose their best epoch on these rows\n");
        }
        self.draft.pipeline_with(&self.source, &learner, trial)
    }
}

/// Whether a learner is a network, or has one among its members.
fn has_network(learner: &Map<String, Value>) -> bool {
    let members = learner.values().filter_map(|params| params.get("members")).filter_map(Value::as_array).flatten();
    let names = members.filter_map(|member| member["learner"].as_object()).flat_map(Map::keys);
    learner.keys().chain(names).any(|name| name == "mlp")
}

/// A learner with its parameters, a line for each.
fn learner_text(learner: &Map<String, Value>) -> String {
    let mut out = "    learner:\n".to_owned();
    for (name, params) in learner {
        let members = params.get("members").and_then(Value::as_array).filter(|_| name == "ensemble");
        if let Some(members) = members {
            out.push_str("      ensemble:\n        members:\n");
            for member in members {
                let weight = inline(&member["weight"]);
                out.push_str(&format!("          - {{ weight: {weight}, learner: {} }}\n", inline(&member["learner"])));
            }
            continue;
        }
        let params = params.as_object().filter(|params| !params.is_empty());
        match params {
            None => out.push_str(&format!("      {}: {{}}\n", yaml(name))),
            Some(params) => {
                out.push_str(&format!("      {}:\n", yaml(name)));
                for (name, value) in params {
                    out.push_str(&format!("        {}: {}\n", yaml(name), inline(value)));
                }
            }
        }
    }
    out
}

/// A value on one line.
fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => yaml(text),
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(entries) if entries.is_empty() => "{}".to_owned(),
        Value::Object(entries) => {
            let of = |(name, value): (&String, &Value)| format!("{}: {}", yaml(name), inline(value));
            format!("{{ {} }}", entries.iter().map(of).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(learner: &Value) -> String {
        learner_text(learner.as_object().unwrap())
    }

    #[test]
    fn learners_are_written_a_parameter_a_line() {
        assert_eq!(
            text(&json!({ "mlp": { "hidden": [64, 64], "learning_rate": 0.04 } })),
            "    learner:\n      mlp:\n        hidden: [64, 64]\n        learning_rate: 0.04\n"
        );
        let members = json!([
            { "learner": { "linear": { "penalty": "l2" } }, "weight": 2 },
            { "learner": { "neighbors": {} }, "weight": 1 },
        ]);
        assert_eq!(
            text(&json!({ "ensemble": { "members": members } })),
            "    learner:\n      ensemble:\n        members:\n          - { weight: 2, learner: { linear: { penalty: l2 } } }\n          - { weight: 1, learner: { neighbors: {} } }\n"
        );
    }
}
