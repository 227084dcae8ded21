//! What steps expect of the steps they read from, as far as the file alone tells.

use std::collections::BTreeSet;

use tidemill_core::{Diagnostic, Expectation, ParamIssue, Promise, Wanted};

use crate::pipeline::{Origin, Step};
use crate::source_map::located;
use crate::yaml::Node;

/// Compares expectations with what the nearest steps above promise. Where none promises anything, nothing is known, and
/// only [`Wanted::Anything`] is unmet.
pub(crate) fn check(steps: &[Step], root: &Node, diagnostics: &mut Vec<Diagnostic>) {
    let Some(nodes) = root.get("steps") else { return };
    for (index, step) in steps.iter().enumerate() {
        for expectation in step.component.expectations(&step.params) {
            let issue = match promised(index, steps, expectation.topic) {
                Some((_, promise)) if expectation.wanted.is_met_by(&promise.values) => continue,
                Some((maker, promise)) => issue(expectation, &steps[maker].name, &promise),
                None if expectation.wanted == Wanted::Anything => {
                    ParamIssue { path: expectation.path, message: expectation.otherwise, hint: expectation.hint }
                }
                None => continue,
            };
            let Some((key, node)) = nodes.entries().iter().find(|(key, _)| key.name == step.name) else { continue };
            diagnostics.push(located(issue, node, root.get("params"), &key.span));
        }
    }
}

/// The nearest promise about a topic among the steps that `step` is made from, with the step that gives it.
fn promised(step: usize, steps: &[Step], topic: &str) -> Option<(usize, Promise)> {
    let mut seen = BTreeSet::new();
    let mut level = vec![step];
    while !level.is_empty() {
        let mut above = Vec::new();
        for binding in level.iter().flat_map(|step| &steps[*step].bindings) {
            if let Origin::Step { step, .. } = binding.from
                && seen.insert(step)
            {
                above.push(step);
            }
        }
        for step in &above {
            let promises = steps[*step].component.promises(&steps[*step].params);
            if let Some(promise) = promises.into_iter().find(|promise| promise.topic == topic) {
                return Some((*step, promise));
            }
        }
        level = above;
    }
    None
}

fn issue(expectation: Expectation, maker: &str, promise: &Promise) -> ParamIssue {
    let values: Vec<String> = promise.values.iter().map(|value| format!("`{value}`")).collect();
    let message = format!("{}: {} of step `{maker}` is {}", expectation.otherwise, promise.about, values.join(", "));
    ParamIssue { path: expectation.path, message, hint: expectation.hint }
}
