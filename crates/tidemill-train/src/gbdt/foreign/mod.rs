//! Gradient boosting by the parameter names, defaults and meanings of other libraries.
//!
//! A block such as `lightgbm:` is read name by name from a table of its library: what it sets here, that it has no effect
//! here, or why it cannot be done. What is fitted is [`GradientBoosting`].

mod lightgbm;
mod reading;
#[cfg(test)]
mod tests;
mod xgboost;

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};
use tidemill_core::{Code, ComponentError, ParamIssue, Task, TaskKind, suggest};

pub use lightgbm::LIGHTGBM;
pub use xgboost::XGBOOST;

use super::GradientBoosting;
use super::learner::Extras;
use crate::learner::{Estimator, FittedLearner, Learner, MoreInput, TrainingData};
use reading::{Reading, listed};

/// What a name of a library means here.
#[derive(Debug, Clone, Copy)]
enum Meaning {
    /// It sets something.
    Sets(fn(&mut Asked, &Value) -> Result<(), String>),
    /// It is accepted, and changes nothing for this reason.
    NoEffect(&'static str),
    /// It cannot be done for this reason, unless it has the value that changes nothing.
    Refused(&'static str, fn(&Value) -> bool),
}

/// A parameter of a library: its names, the first of which is the main one, and its meaning.
type Parameter = (&'static [&'static str], Meaning);

/// What a block asks for.
#[derive(Debug, Clone)]
struct Asked {
    params: GradientBoosting,
    /// The task that the objective is for.
    tasks: Option<&'static [TaskKind]>,
    extras: Extras,
    warnings: Vec<String>,
}

/// A library whose parameters are read: gradient boosting by its names.
#[derive(Debug)]
pub struct Library {
    /// The name in a pipeline file.
    name: &'static str,
    /// The name in messages.
    title: &'static str,
    parameters: &'static [Parameter],
    defaults: fn() -> GradientBoosting,
    /// What is worth searching.
    space: fn() -> Value,
    /// What follows from several parameters together.
    finish: fn(&mut Asked, &Reading<'_>) -> Vec<ParamIssue>,
}

impl Learner for Library {
    fn name(&self) -> &'static str {
        self.name
    }

    fn params_schema(&self, _generator: &mut SchemaGenerator) -> Schema {
        self.schema()
    }

    fn space(&self) -> Option<Value> {
        Some((self.space)())
    }

    fn configure(&self, params: &Value) -> Result<Box<dyn Estimator>, Vec<ParamIssue>> {
        Ok(Box::new(self.read(params)?))
    }
}

impl Library {
    /// Reads a block. Every issue is at the name that the user wrote.
    fn read(&self, block: &Value) -> Result<Foreign, Vec<ParamIssue>> {
        let Value::Object(entries) = block else {
            let message = format!("`{}` is a mapping of parameters of {}", self.name, self.title);
            return Err(vec![ParamIssue::new(Vec::<String>::new(), message)]);
        };
        let mut asked =
            Asked { params: (self.defaults)(), tasks: None, extras: Extras::default(), warnings: Vec::new() };
        let mut issues = Vec::new();
        let mut reading = Reading::default();
        let mut ignored: Vec<String> = Vec::new();
        for (name, value) in entries {
            let Some((names, meaning)) = self.parameters.iter().find(|(names, _)| names.contains(&name.as_str()))
            else {
                issues.push(self.unknown(name));
                continue;
            };
            if let Some(other) = reading.add(names[0], name, value) {
                let message = format!("`{name}` and `{other}` are the same parameter of {}", self.title);
                issues.push(ParamIssue::new([name.as_str()], message).with_hint("keep one of them"));
                continue;
            }
            match meaning {
                Meaning::Sets(set) => {
                    if let Err(reason) = set(&mut asked, value) {
                        issues.push(ParamIssue::new([name.as_str()], format!("`{name}` {reason}")));
                    }
                }
                Meaning::NoEffect(why) => ignored.push(format!("`{name}` ({why})")),
                Meaning::Refused(why, is_harmless) if !is_harmless(value) => {
                    issues.push(ParamIssue::new([name.as_str()], format!("`{name}` cannot be done here: {why}")));
                }
                Meaning::Refused(..) => {}
            }
        }
        issues.extend((self.finish)(&mut asked, &reading));
        if issues.is_empty() {
            // Ranges are checked by the names that were written, where they were.
            issues.extend(asked.params.check().into_iter().map(|issue| reading.renamed(issue, self.parameters)));
        }
        if !issues.is_empty() {
            return Err(issues);
        }
        if !ignored.is_empty() {
            asked.warnings.push(format!("parameters of {} without effect here: {}", self.title, listed(&ignored)));
        }
        Ok(Foreign { library: self.name, block: block.clone(), asked })
    }

    fn unknown(&self, name: &str) -> ParamIssue {
        let names = self.parameters.iter().flat_map(|(names, _)| names.iter().copied());
        let issue = ParamIssue::new([name], format!("`{name}` is no parameter of {} that is known here", self.title));
        match suggest(name, names) {
            Some(near) => issue.with_hint(format!("did you mean `{near}`?")),
            None => {
                issue.with_hint("`docs/training.md` lists the parameters; `gradient_boosting` has names of its own")
            }
        }
    }

    fn schema(&self) -> Schema {
        let names = self.parameters.iter().flat_map(|(names, _)| names.iter());
        let properties: serde_json::Map<String, Value> = names.map(|name| ((*name).to_owned(), json!(true))).collect();
        json_schema!({
            "description": format!("Gradient boosting by the names, defaults and meanings of {}.", self.title),
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
        })
    }
}

/// Boosting as a block of another library asks for it.
struct Foreign {
    /// The name of its library's block.
    library: &'static str,
    block: Value,
    asked: Asked,
}

impl Estimator for Foreign {
    fn tasks(&self) -> &'static [TaskKind] {
        self.asked.tasks.unwrap_or_else(|| self.asked.params.tasks())
    }

    fn takes(&self, input: MoreInput) -> bool {
        self.asked.params.takes(input)
    }

    fn refined(&self, task: Task) -> Task {
        self.asked.params.refined(task)
    }

    fn params(&self) -> Value {
        // What was written, and what became of it.
        json!({ "written": self.block, "gradient_boosting": self.asked.params.params() })
    }

    fn needs_validation(&self) -> bool {
        self.asked.params.needs_validation()
    }

    fn fit(&self, data: &TrainingData<'_>) -> Result<FittedLearner, ComponentError> {
        let kind = data.task.kind();
        if let Some(tasks) = self.asked.tasks.filter(|tasks| !tasks.contains(&kind)) {
            let names: Vec<String> = tasks.iter().map(|task| format!("`{task}`")).collect();
            let message = format!(
                "the objective of `{}` learns {}, and the label is learned as `{kind}`",
                self.library,
                listed(&names)
            );
            return Err(ComponentError::new(Code::Params, message).with_hint("leave `objective` out, or set `task`"));
        }
        let mut fitted = self.asked.params.fit_with(data, self.asked.extras)?;
        fitted.warnings.splice(0..0, self.asked.warnings.iter().cloned());
        Ok(fitted)
    }
}
