//! What a run records for search: its parameters, the numbers that its steps found, and where it ran.

use serde_json::Value;
use tidemill_core::ArtifactType;
use tidemill_metadata::{RunValue, ValueKind};

use crate::pipeline::Pipeline;
use crate::report::RunReport;

/// The values of a run: parameters of the pipeline, numbers among the properties of what its steps wrote, its cost, and the
/// code it ran.
///
/// Metrics of an evaluation have their own names (`auc`), unless several steps evaluate; others follow the name of their
/// step (`examples.rows`).
pub(crate) fn of_run(pipeline: &Pipeline, report: &RunReport, environment: Option<&Value>) -> Vec<RunValue> {
    let mut values: Vec<RunValue> = Vec::new();
    values.extend(pipeline.params.iter().map(|(name, value)| RunValue::text(ValueKind::Param, name, text_of(value))));
    let evaluation = |step: &str| {
        let step = pipeline.steps.iter().find(|known| known.name == step)?;
        step.spec.outputs.iter().find(|output| output.artifact_type == ArtifactType::Evaluation)
    };
    let evaluates =
        report.steps.iter().filter(|step| step.outcome.is_some() && evaluation(&step.step).is_some()).count();
    for step in &report.steps {
        let Some(outcome) = &step.outcome else { continue };
        let own_names = evaluation(&step.step).filter(|_| evaluates == 1).map(|output| output.key.to_string());
        for (output, properties) in &outcome.properties {
            for (name, number) in properties.iter().filter_map(|(name, value)| Some((name, value.as_f64()?))) {
                let key =
                    if own_names.as_ref() == Some(output) { name.clone() } else { format!("{}.{name}", step.step) };
                if values.iter().all(|known| known.kind != ValueKind::Metric || known.key != key) {
                    values.push(RunValue::metric(key, number, 0));
                }
            }
        }
    }
    values.push(RunValue::metric("cost.seconds", report.seconds, 0));
    if let Some(cost) = &report.cost {
        values.push(RunValue::metric("cost.cpu_seconds", cost.cpu_seconds, 0));
        values.push(RunValue::metric("cost.memory_peak_mib", cost.memory_peak_bytes as f64 / f64::from(1 << 20), 0));
    }
    for key in ["commit", "branch", "dirty"] {
        let found = environment.and_then(|environment| environment.get("git")?.get(key));
        values.extend(found.map(|value| RunValue::text(ValueKind::Tag, format!("git.{key}"), text_of(value))));
    }
    values
}

/// A value as text: texts without quotes.
fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
