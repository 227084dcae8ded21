//! Reads `schedules:` of the pipeline file.

use tidemill_core::Diagnostic;
use tidemill_schedule::{Schedule, Trigger, parse_schedule};

use crate::pipeline::Step;
use crate::source_map::located;
use crate::yaml::{Node, NodeKind};

/// Why a schedule would be started by its own runs, if it would.
fn circle(schedule: &Schedule, pipeline: Option<&str>, steps: &[Step]) -> Option<String> {
    let name = &schedule.name;
    match &schedule.trigger {
        Trigger::Artifact(trigger) if pipeline == Some(&trigger.pipeline) => {
            Some(format!("schedule `{name}` starts itself: its own runs write the artifact that it waits for"))
        }
        Trigger::Alias { model, alias } => {
            let moves = |step: &&Step| step.params["model"] == **model && step.params["alias"] == **alias;
            let step = steps.iter().find(moves)?;
            Some(format!("schedule `{name}` starts itself: step `{}` moves `{model}@{alias}`", step.name))
        }
        _ => None,
    }
}

/// The schedules in the order of the file. References in them are resolved when they are used: a schedule is checked
/// without the environment that it runs in.
pub(crate) fn read(
    root: &Node,
    (pipeline, steps): (Option<&str>, &[Step]),
    params: &serde_json::Map<String, serde_json::Value>,
    is_name: impl Fn(&str) -> bool,
    diagnostics: &mut Vec<Diagnostic>,
) -> Vec<Schedule> {
    let Some(node) = root.get("schedules") else { return Vec::new() };
    if !matches!(node.kind, NodeKind::Map(_)) {
        let message = format!("`schedules` is a mapping of schedules by name, this is {}", node.describe());
        diagnostics.push(Diagnostic::new(node.span.clone(), message));
        return Vec::new();
    }
    let mut schedules = Vec::new();
    for (key, node) in node.entries() {
        if !is_name(&key.name) {
            let message = format!("`{}` cannot name a schedule: use 1 to 63 letters, digits, `-` and `_`", key.name);
            diagnostics.push(Diagnostic::new(key.span.clone(), message));
        }
        match parse_schedule(&key.name, &node.to_value()) {
            Ok(schedule) => {
                if let Some(circle) = circle(&schedule, pipeline, steps) {
                    diagnostics.push(
                        Diagnostic::new(key.span.clone(), circle)
                            .with_hint(Some("let another pipeline, time or `new_data` start it")),
                    );
                }
                for name in schedule.params.keys().filter(|name| !params.contains_key(*name)) {
                    let span = node.key_span_at(&["params".to_owned(), name.clone()]).unwrap_or(key.span.clone());
                    let message = format!("the file has no parameter `{name}` to override");
                    diagnostics
                        .push(Diagnostic::new(span, message).with_hint(Some("define its default under `params:`")));
                }
                schedules.push(schedule);
            }
            Err(issues) => {
                diagnostics.extend(issues.into_iter().map(|issue| located(issue, node, None, &key.span)));
            }
        }
    }
    schedules
}
