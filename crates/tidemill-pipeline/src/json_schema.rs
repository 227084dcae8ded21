//! JSON Schema of the pipeline file, for editors.

use serde_json::{Map, Value, json};
use tidemill_core::Component;
use tidemill_schedule::ScheduleParams;

use crate::components::Components;

/// The JSON Schema of `pipeline.yaml` with these components, made from the types that read it.
pub fn pipeline_schema(components: &Components) -> Value {
    let mut definitions = Map::new();
    let mut steps: Vec<Value> =
        components.iter().map(|component| step_schema(&**component, &mut definitions)).collect();
    steps.iter_mut().chain(definitions.values_mut()).for_each(allow_references);
    let schedule = schedule_schema(&mut definitions);
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tidemill pipeline",
        "type": "object",
        "required": ["version", "pipeline", "steps"],
        "additionalProperties": false,
        "properties": {
            "version": { "const": 1, "description": "Format of this file." },
            "pipeline": { "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$", "description": "Name of the pipeline: the namespace of its runs and baselines." },
            "description": { "type": "string", "description": "What the pipeline is for." },
            "params": { "type": "object", "description": "Values that steps refer to as ${params.NAME} and `tidemill run --param NAME=VALUE` overrides." },
            "steps": { "type": "object", "minProperties": 1, "description": "Steps by name, in reading order.", "additionalProperties": { "oneOf": steps } },
            "schedules": { "type": "object", "description": "What starts runs, by name: time, new data, artifacts, aliases, requests. `tidemill up` runs them.", "additionalProperties": schedule },
        },
        "$defs": definitions,
    })
}

fn schedule_schema(definitions: &mut Map<String, Value>) -> Value {
    let mut schema = schemars::schema_for!(ScheduleParams).to_value();
    prefix_references(&mut schema, "schedule");
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("$schema");
        if let Some(Value::Object(defs)) = schema.remove("$defs") {
            definitions.extend(defs.into_iter().map(|(name, definition)| (format!("schedule.{name}"), definition)));
        }
    }
    schema
}

fn step_schema(component: &dyn Component, definitions: &mut Map<String, Value>) -> Value {
    let spec = component.spec();
    let mut schema = component.params_schema().to_value();
    // Two components may each have a type of the same name.
    prefix_references(&mut schema, &spec.name);
    let Value::Object(mut schema) = schema else { return Value::Bool(true) };
    if let Some(Value::Object(defs)) = schema.remove("$defs") {
        definitions.extend(defs.into_iter().map(|(name, definition)| (format!("{}.{name}", spec.name), definition)));
    }
    schema.remove("$schema");
    schema.insert("title".into(), spec.name.to_string().into());
    schema.insert("description".into(), spec.about.to_string().into());
    schema.insert("type".into(), "object".into());
    let inputs: Map<String, Value> = spec
        .inputs
        .iter()
        .map(|input| {
            (
                input.key.to_string(),
                json!({ "type": "string", "description": format!("{} from STEP or STEP.OUTPUT", input.artifact_type) }),
            )
        })
        .collect();
    let properties = schema.entry("properties").or_insert_with(|| json!({}));
    if let Value::Object(properties) = properties {
        properties.insert("component".into(), json!({ "const": spec.name }));
        properties
            .insert("retries".into(), json!({ "type": "integer", "minimum": 0, "maximum": 100, "description": "How often the step is tried again after an error of its surroundings (network, disk, a busy store)." }));
        properties.insert("optional".into(), json!({ "type": "boolean", "description": "A failure of the step does not fail the run; steps that depend on it do not run." }));
        properties.insert("cleanup".into(), json!({ "type": "boolean", "description": "The step runs after all others have ended, however they ended." }));
        properties.insert("if".into(), json!({ "type": "string", "description": "The step runs only if this holds: `evaluate.auc > 0.9 and examples.rows >= 1000`." }));
        properties
            .insert("inputs".into(), json!({ "type": "object", "additionalProperties": false, "properties": inputs }));
    }
    let required = schema.entry("required").or_insert_with(|| json!([]));
    if let Value::Array(required) = required {
        required.push("component".into());
    }
    Value::Object(schema)
}

/// Makes every reference to a definition lead to the one of `component`.
fn prefix_references(schema: &mut Value, component: &str) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(target) if key == "$ref" => {
                        if let Some(name) = target.strip_prefix("#/$defs/") {
                            *target = format!("#/$defs/{component}.{name}");
                        }
                    }
                    other => prefix_references(other, component),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| prefix_references(item, component)),
        _ => {}
    }
}

/// Allows a reference such as `${params.rounds}` wherever a number or a boolean may be: it is text in YAML, and editors
/// would mark it as an error otherwise.
fn allow_references(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                match value {
                    Value::Object(properties) if key == "properties" => {
                        properties.values_mut().for_each(allow_reference);
                    }
                    Value::Object(_) if key == "items" || key == "additionalProperties" => allow_reference(value),
                    _ => {}
                }
                allow_references(value);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(allow_references),
        _ => {}
    }
}

fn allow_reference(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else { return };
    let names =
        |value: &Value, name: &str| *value == name || value.as_array().is_some_and(|all| all.contains(&json!(name)));
    let is_scalar = |value: &Value| ["integer", "number", "boolean"].iter().any(|name| names(value, name));
    if !map.get("type").is_some_and(|value| is_scalar(value) && !names(value, "string")) {
        return;
    }
    let mut outer = Map::new();
    for key in ["title", "description", "default"] {
        outer.extend(map.remove(key).map(|value| (key.to_owned(), value)));
    }
    let plain = Value::Object(std::mem::take(map));
    let reference = json!({ "type": "string", "pattern": r"^\$\{(params|env)\..+\}$" });
    outer.insert("anyOf".into(), json!([plain, reference]));
    *map = outer;
}
