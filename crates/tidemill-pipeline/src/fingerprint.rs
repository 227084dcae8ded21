//! Decides whether a step has to run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tidemill_core::{Digest, ExternalInput};
use tidemill_metadata::SecretKey;

use crate::pipeline::Step;

/// Everything that determines a step's outputs. Equal fingerprints mean equal outputs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FingerprintInputs {
    /// The pipeline's name: components may write it into their outputs.
    pub pipeline: String,
    /// The component's name.
    pub component: String,
    /// Its version: the code.
    pub component_version: u32,
    /// Parameters as recorded.
    pub params: Value,
    /// Digests of the input artifacts, by input key; `None` for an input without an artifact.
    pub inputs: BTreeMap<String, Option<Digest>>,
    /// Digests of everything read besides artifacts, by name: files, environment variables (`${env.X}`).
    pub external: BTreeMap<String, Digest>,
}

impl FingerprintInputs {
    /// Collects the inputs of a step's fingerprint.
    pub fn new(
        pipeline: &str,
        step: &Step,
        inputs: BTreeMap<String, Option<Digest>>,
        external: Vec<ExternalInput>,
        secrets: &SecretKey,
    ) -> Self {
        // A value from the environment may be a secret, and a short one could be guessed from its digest.
        let environment = step.environment.iter().map(|(name, digest)| (name.clone(), secrets.digest(digest)));
        Self {
            pipeline: pipeline.to_owned(),
            component: step.spec.name.to_string(),
            component_version: step.spec.version,
            params: step.recorded.clone(),
            inputs,
            external: external.into_iter().map(|input| (input.name, input.digest)).chain(environment).collect(),
        }
    }

    /// The digest of all inputs.
    ///
    /// The order of keys counts inside parameters: features are fitted in the order of the file.
    pub fn fingerprint(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"tidemill fingerprint v1\n");
        let text = serde_json::to_vec(self).expect("fingerprint_inputs are plain data with string keys");
        hasher.update(&text);
        Digest::from_bytes(hasher.finalize().as_bytes())
    }

    /// The differences from an earlier execution, in words that name the parameter, input or file.
    pub fn changes_since(&self, earlier: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        if self.component != earlier.component {
            changes.push(format!("component is `{}`, was `{}`", self.component, earlier.component));
        } else if self.component_version != earlier.component_version {
            changes.push(format!("`{}` itself has changed", self.component));
        }
        diff_params("", &earlier.params, &self.params, &mut changes);
        let keys = |map: &BTreeMap<String, Option<Digest>>| map.keys().cloned().collect::<Vec<_>>();
        for key in keys(&self.inputs) {
            if self.inputs.get(&key) != earlier.inputs.get(&key) {
                changes.push(format!("input `{key}` has changed"));
            }
        }
        for (name, digest) in &self.external {
            match earlier.external.get(name) {
                None => changes.push(format!("`{name}` is new")),
                Some(before) if before != digest => changes.push(format!("`{name}` has changed")),
                Some(_) => {}
            }
        }
        changes.extend(
            earlier.external.keys().filter(|n| !self.external.contains_key(*n)).map(|n| format!("`{n}` is gone")),
        );
        changes
    }
}

fn diff_params(path: &str, before: &Value, after: &Value, changes: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            let at = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
            let unchanged = changes.len();
            for (key, value) in new {
                match old.get(key) {
                    Some(earlier) => diff_params(&at(key), earlier, value, changes),
                    None => changes.push(format!("parameter `{}` is new", at(key))),
                }
            }
            changes.extend(
                old.keys().filter(|key| !new.contains_key(*key)).map(|key| format!("parameter `{}` is gone", at(key))),
            );
            if changes.len() == unchanged && !old.keys().eq(new.keys()) {
                changes.push(format!("the order of `{path}` has changed"));
            }
        }
        _ if before == after => {}
        _ => changes.push(format!("parameter `{path}` is {}, was {}", brief(after), brief(before))),
    }
}

fn brief(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > 60 { format!("{}…", text.chars().take(59).collect::<String>()) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fingerprint_inputs(params: Value) -> FingerprintInputs {
        FingerprintInputs {
            pipeline: "toy".into(),
            component: "Trainer".into(),
            component_version: 1,
            params,
            inputs: [("model".to_owned(), Some(Digest::from_bytes(&[1; 32])))].into(),
            external: BTreeMap::new(),
        }
    }

    #[test]
    fn a_changed_parameter_is_named_with_both_values() {
        let before = fingerprint_inputs(json!({ "learner": { "gradient_boosting": { "learning_rate": 0.1 } } }));
        let after = fingerprint_inputs(json!({ "learner": { "gradient_boosting": { "learning_rate": 0.05 } } }));
        assert_ne!(before.fingerprint(), after.fingerprint());
        assert_eq!(
            after.changes_since(&before),
            ["parameter `learner.gradient_boosting.learning_rate` is 0.05, was 0.1"]
        );
    }

    #[test]
    fn inputs_files_and_order_are_named() {
        let before = fingerprint_inputs(json!({ "features": { "a": 1, "b": 2 }, "gone": true }));
        let mut after = fingerprint_inputs(json!({ "features": { "b": 2, "a": 1 }, "new": 1 }));
        after.inputs.insert("model".into(), None);
        after.external.insert("data.csv".into(), Digest::from_bytes(&[2; 32]));
        assert_eq!(
            after.changes_since(&before),
            [
                "the order of `features` has changed",
                "parameter `new` is new",
                "parameter `gone` is gone",
                "input `model` has changed",
                "`data.csv` is new"
            ]
        );
        assert_eq!(before.changes_since(&before), Vec::<String>::new());
    }
}
