//! Detects changes of what the steps of a pipeline read from outside the store.

use std::collections::{BTreeMap, BTreeSet};

use crate::inputs::external_inputs;
use crate::pipeline::Pipeline;

/// The state of everything that the steps read from outside the store, at one moment.
///
/// A source that cannot be read is part of the state: its error replaces its digest, so its return is a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedInputs {
    /// By step: what it reads and its digest, or why it could not be read.
    steps: BTreeMap<String, BTreeMap<String, String>>,
    /// Steps that write where they read: a run itself changes their sources.
    written_back: BTreeSet<String>,
}

impl WatchedInputs {
    /// Scans everything the steps of `pipeline` read. Files are read to their end.
    pub async fn scan(pipeline: &Pipeline) -> Self {
        let mut steps = BTreeMap::new();
        for step in &pipeline.steps {
            let seen = match external_inputs(pipeline, step).await {
                Ok(inputs) => {
                    inputs.into_iter().map(|input| (format!("`{}`", input.name), input.digest.to_string())).collect()
                }
                Err(error) => BTreeMap::from([(error.to_string(), String::new())]),
            };
            steps.insert(step.name.clone(), seen);
        }
        let written_back = pipeline.steps.iter().filter(|step| step.spec.writes_back);
        Self { steps, written_back: written_back.map(|step| step.name.clone()).collect() }
    }

    /// The state that a run which began with `self` has processed, given the state `after` it: what arrived while it
    /// ran is a change, what the run itself wrote is not.
    #[must_use]
    pub fn acknowledge(mut self, after: &Self) -> Self {
        for step in &self.written_back {
            if let Some(seen) = after.steps.get(step) {
                self.steps.insert(step.clone(), seen.clone());
            }
        }
        self
    }

    /// The state in one text, to keep and to compare; `None` if something cannot be read. What the steps themselves write
    /// is left out.
    pub fn digest(&self) -> Option<String> {
        let mut hasher = blake3::Hasher::new();
        for (step, seen) in self.steps.iter().filter(|(step, _)| !self.written_back.contains(*step)) {
            for (name, digest) in seen {
                if digest.is_empty() {
                    return None;
                }
                hasher.update(format!("{step}\n{name}\n{digest}\n").as_bytes());
            }
        }
        Some(hasher.finalize().to_hex().to_string())
    }

    /// The names of everything new, changed or gone in `now`.
    pub fn changes_since(&self, now: &Self) -> Vec<String> {
        let nothing = BTreeMap::new();
        let names: BTreeSet<&String> = self.steps.keys().chain(now.steps.keys()).collect();
        let mut news = BTreeSet::new();
        for step in names {
            let (before, after) = (self.steps.get(step).unwrap_or(&nothing), now.steps.get(step).unwrap_or(&nothing));
            let changed = before.keys().chain(after.keys()).filter(|name| before.get(*name) != after.get(*name));
            news.extend(changed.cloned());
        }
        news.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(read: &[(&str, &str, &str)]) -> WatchedInputs {
        let mut steps: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        for (step, name, digest) in read {
            steps.entry((*step).to_owned()).or_default().insert((*name).to_owned(), (*digest).to_owned());
        }
        WatchedInputs { steps, written_back: BTreeSet::from(["schema".to_owned()]) }
    }

    #[test]
    fn what_changed_is_named_once() {
        let before =
            sources(&[("examples", "`a.csv`", "1"), ("extra", "`a.csv`", "1"), ("schema", "`schema.yaml`", "")]);
        let after =
            sources(&[("examples", "`b.csv`", "1"), ("extra", "`a.csv`", "2"), ("schema", "`schema.yaml`", "")]);
        assert_eq!(before.changes_since(&after), ["`a.csv`", "`b.csv`"]);
        assert!(before.changes_since(&before).is_empty());
    }

    #[test]
    fn what_a_run_wrote_is_no_news_and_what_came_meanwhile_is() {
        let before = sources(&[("examples", "`a.csv`", "1"), ("schema", "`schema.yaml`", "")]);
        let after = sources(&[("examples", "`a.csv`", "2"), ("schema", "`schema.yaml`", "3")]);
        assert_eq!(before.acknowledge(&after).changes_since(&after), ["`a.csv`"]);
    }
}
