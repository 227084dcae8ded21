//! Runs the program of a custom component: the contract `tidemill.component/1`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use tidemill_core::{Code, ComponentError, Outcome, Properties, StepContext, Verdict, suggest};
use tidemill_train::{PYTHON_MODULE, Program};

use super::declaration::Declaration;

/// What a program may write into its result file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct JobResult {
    /// `pass`, or why it rejects.
    #[serde(default)]
    reject: Vec<String>,
    #[serde(default)]
    headline: String,
    #[serde(default)]
    properties: BTreeMap<String, Properties>,
    #[serde(default)]
    warnings: Vec<String>,
}

pub(super) fn run(
    name: &str,
    declaration: &Declaration,
    params: &Map<String, Value>,
    context: &StepContext<'_>,
) -> Result<Outcome, ComponentError> {
    let failed = |doing: &str, error: std::io::Error| ComponentError {
        source: Some(Box::new(error)),
        ..ComponentError::new(Code::Io, doing.to_owned())
    };
    let scratch = tempfile::Builder::new()
        .prefix("tidemill-component-")
        .tempdir()
        .map_err(|error| failed("cannot make a folder for the component", error))?;
    let (job, events, result) =
        (scratch.path().join("job.json"), scratch.path().join("events.jsonl"), scratch.path().join("result.json"));
    let python = scratch.path().join("python");
    let written = std::fs::create_dir_all(python.join("tidemill"))
        .and_then(|()| std::fs::write(python.join("tidemill/__init__.py"), PYTHON_MODULE))
        .and_then(|()| std::fs::write(&job, format!("{:#}\n", job_of(params, context, &result))));
    written.map_err(|error| failed("cannot write the job of the component", error))?;
    let mut environment = environment(params, context, &python);
    environment.push(("TIDEMILL_JOB".to_owned(), job.display().to_string()));
    environment.push(("TIDEMILL_EVENTS".to_owned(), events.display().to_string()));
    environment.extend(declaration.env.clone());
    let program = Program {
        what: "component",
        run: &declaration.run,
        folder: context.project_dir,
        environment: &environment,
        timeout_secs: declaration.timeout_secs,
        memory_mib: declaration.memory_mib,
        grace_secs: declaration.grace_secs,
        events: &events,
        result: &result,
        progress: context.progress,
        cancel: context.cancel,
    };
    let report = program.run_to_end()?;
    let mut result = read(name, &result)?;
    check(name, declaration, &result, context)?;
    result.warnings.splice(0..0, report.warnings);
    Ok(Outcome {
        properties: result.properties,
        verdict: if result.reject.is_empty() { Verdict::Pass } else { Verdict::Fail(result.reject) },
        headline: result.headline,
        warnings: result.warnings,
        ..Outcome::default()
    })
}

fn job_of(params: &Map<String, Value>, context: &StepContext<'_>, result: &Path) -> Value {
    let inputs: Map<String, Value> = context
        .inputs
        .iter()
        .map(|(key, input)| {
            let input = json!({
                "type": input.artifact_type,
                "digest": input.digest,
                "path": input.path,
                "properties": input.properties,
            });
            (key.clone(), input)
        })
        .collect();
    json!({
        "format": "tidemill.component/1",
        "params": params,
        "inputs": inputs,
        "outputs": context.outputs,
        "result": result,
        "threads": context.threads,
        "run": context.run,
    })
}

/// The job as variables, for programs that read no JSON: `TIDEMILL_INPUT_EXAMPLES`, `TIDEMILL_OUTPUT_PRICES`,
/// `TIDEMILL_PARAM_ROUNDS`.
fn environment(params: &Map<String, Value>, context: &StepContext<'_>, python: &Path) -> Vec<(String, String)> {
    let variable = |kind: &str, key: &str| format!("TIDEMILL_{kind}_{}", key.to_uppercase());
    let mut variables = vec![("TIDEMILL_THREADS".to_owned(), context.threads.to_string())];
    for (key, input) in context.inputs {
        variables.push((variable("INPUT", key), input.path.display().to_string()));
    }
    for (key, folder) in context.outputs {
        variables.push((variable("OUTPUT", key), folder.display().to_string()));
    }
    for (key, value) in params {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        variables.push((variable("PARAM", key), text));
    }
    let mut path = python.display().to_string();
    if let Ok(others) = std::env::var("PYTHONPATH") {
        path = format!("{path}:{others}");
    }
    // The same work gives the same bytes.
    variables.extend(
        [("PYTHONPATH", path), ("PYTHONUNBUFFERED", "1".into()), ("PYTHONHASHSEED", "0".into())]
            .map(|(name, value)| (name.to_owned(), value)),
    );
    variables
}

fn read(name: &str, path: &Path) -> Result<JobResult, ComponentError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(JobResult::default()),
        Err(error) => {
            return Err(ComponentError::new(Code::Io, format!("cannot read the result of `{name}`: {error}")));
        }
    };
    serde_json::from_slice(&bytes).map_err(|error| {
        ComponentError::new(Code::JobResult, format!("the result of component `{name}` is not valid: {error}"))
            .with_hint("keys: `headline`, `properties` by output, `reject`, `warnings`")
    })
}

/// Rejects outputs that are empty, and properties of outputs that are not declared.
fn check(
    name: &str,
    declaration: &Declaration,
    result: &JobResult,
    context: &StepContext<'_>,
) -> Result<(), ComponentError> {
    let known = || declaration.outputs.keys().map(String::as_str);
    if let Some(key) = result.properties.keys().find(|key| !declaration.outputs.contains_key(*key)) {
        let message = format!("component `{name}` gives properties of `{key}`, which is not declared");
        let hint = suggest(key, known()).map_or_else(
            || format!("outputs: {}", known().collect::<Vec<_>>().join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        return Err(ComponentError::new(Code::JobResult, message).with_hint(hint));
    }
    for (key, folder) in context.outputs {
        let is_empty = std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
        if is_empty {
            let message = format!("component `{name}` wrote nothing to its output `{key}`");
            let hint = format!(
                "write files into the folder of `outputs.{key}` in the job, or $TIDEMILL_OUTPUT_{}",
                key.to_uppercase()
            );
            return Err(ComponentError::new(Code::JobResult, message).with_hint(hint));
        }
    }
    Ok(())
}
