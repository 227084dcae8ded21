//! `tidemill diff RUN RUN`: code, environment, parameters, data, steps and metrics of two runs.

use std::collections::{BTreeMap, BTreeSet};

use console::style;
use serde::Serialize;
use serde_json::Value;
use tidemill_core::Failure;
use tidemill_metadata::{ExecutionRecord, MetadataStore, Run, RunValue, ValueKind};
use tidemill_pipeline::FingerprintInputs;

use crate::cli::Global;
use crate::commands::{find_project, print};
use crate::ui::{Align, Table, number, printable};

/// One thing that differs. A side that lacks it has nothing.
#[derive(Debug, Serialize)]
struct Difference {
    what: String,
    before: Option<String>,
    after: Option<String>,
}

#[derive(Debug, Serialize)]
struct RunDiff {
    before: Run,
    after: Run,
    code: Vec<Difference>,
    environment: Vec<Difference>,
    params: Vec<Difference>,
    data: Vec<Difference>,
    metrics: Vec<Difference>,
    /// By step: what changed of what it depends on, in words.
    steps: BTreeMap<String, Vec<String>>,
}

impl RunDiff {
    fn is_same(&self) -> bool {
        let lists = [&self.code, &self.environment, &self.params, &self.data, &self.metrics];
        lists.iter().all(|list| list.is_empty()) && self.steps.is_empty()
    }
}

/// A run with everything that is compared.
struct Side {
    run: Run,
    values: Vec<RunValue>,
    executions: Vec<ExecutionRecord>,
}

impl Side {
    async fn read(metadata: &dyn MetadataStore, spec: &str) -> Result<Self, Failure> {
        let run = metadata.run(spec).await?;
        let values = metadata.run_values(&run.id).await?;
        let executions = metadata.executions(&run.id).await?;
        Ok(Self { run, values, executions })
    }

    fn values(&self, kind: ValueKind) -> BTreeMap<String, String> {
        let mine = self.values.iter().filter(|value| value.kind == kind);
        mine.map(|value| (value.key.clone(), value.text.clone())).collect()
    }

    /// Digests of everything read from outside the store, by name.
    fn data(&self) -> BTreeMap<String, String> {
        let parts = self.executions.iter().filter_map(|record| record.execution.fingerprint_parts.get("external"));
        let read = parts.filter_map(Value::as_object).flatten();
        read.map(|(name, digest)| (name.clone(), digest.as_str().unwrap_or_default().to_owned())).collect()
    }

    fn environment(&self, keys: &[&str]) -> BTreeMap<String, String> {
        let Some(environment) = &self.run.environment else { return BTreeMap::new() };
        let found = keys.iter().filter_map(|key| {
            let value = key.split('.').try_fold(environment, |value, part| value.get(part))?;
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Some(((*key).to_owned(), text))
        });
        found.collect()
    }

    fn step(&self, name: &str) -> Option<FingerprintInputs> {
        let record = self.executions.iter().rev().find(|record| record.execution.step == name)?;
        serde_json::from_value(record.execution.fingerprint_parts.clone()).ok()
    }
}

const CODE: [&str; 5] = ["git.commit", "git.branch", "git.dirty", "git.changed", "tidemill"];
const ENVIRONMENT: [&str; 6] =
    ["user", "machine.host", "machine.system", "machine.processor", "machine.cores", "machine.memory_mib"];

pub async fn diff(before: &str, after: &str, global: &Global) -> Result<u8, Failure> {
    let metadata = find_project(None, global)?.metadata().await?;
    let (a, b) = (Side::read(&*metadata, before).await?, Side::read(&*metadata, after).await?);
    let names: BTreeSet<&str> =
        a.executions.iter().chain(&b.executions).map(|record| record.execution.step.as_str()).collect();
    let mut steps = BTreeMap::new();
    for name in names {
        let changes = match (a.step(name), b.step(name)) {
            (Some(a), Some(b)) => b.changes_since(&a),
            (Some(_), None) => vec!["did not run in the second".to_owned()],
            (None, Some(_)) => vec!["did not run in the first".to_owned()],
            (None, None) => Vec::new(),
        };
        if !changes.is_empty() {
            steps.insert(name.to_owned(), changes);
        }
    }
    let metrics = |side: &Side| {
        let mut metrics = side.values(ValueKind::Metric);
        // What a run costs is never the same twice.
        metrics.retain(|key, _| !key.starts_with("cost."));
        metrics
    };
    let found = RunDiff {
        code: differences(&a.environment(&CODE), &b.environment(&CODE)),
        environment: differences(&a.environment(&ENVIRONMENT), &b.environment(&ENVIRONMENT)),
        params: differences(&a.values(ValueKind::Param), &b.values(ValueKind::Param)),
        data: differences(&a.data(), &b.data()),
        metrics: differences(&metrics(&a), &metrics(&b)),
        steps,
        before: a.run,
        after: b.run,
    };
    print(global, &found, || text(&found))?;
    Ok(u8::from(!found.is_same()))
}

fn differences(before: &BTreeMap<String, String>, after: &BTreeMap<String, String>) -> Vec<Difference> {
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed = keys.into_iter().filter(|key| before.get(*key) != after.get(*key));
    changed
        .map(|key| Difference { what: key.clone(), before: before.get(key).cloned(), after: after.get(key).cloned() })
        .collect()
}

fn text(diff: &RunDiff) -> String {
    let (before, after) = (diff.before.id.short(), diff.after.id.short());
    if diff.is_same() {
        return format!("{before} and {after} are the same in code, environment, parameters, data and metrics\n");
    }
    let mut text = String::new();
    let sections = [
        ("code", &diff.code),
        ("environment", &diff.environment),
        ("parameter", &diff.params),
        ("data", &diff.data),
        ("metric", &diff.metrics),
    ];
    for (title, list) in sections {
        if list.is_empty() {
            continue;
        }
        let align = if title == "metric" { Align::Right } else { Align::Left };
        let mut table = Table::new(&[(title, Align::Left), (before, align), (after, align), ("", Align::Right)]);
        for difference in list {
            let (a, b) = (cell(difference.before.as_ref(), title), cell(difference.after.as_ref(), title));
            table.row([difference.what.clone(), a, b, change(difference, title)]);
        }
        text.push_str(&format!("{table}\n"));
    }
    for (step, changes) in &diff.steps {
        text.push_str(&format!("{}: {}\n", style(step).bold(), changes.join("; ")));
    }
    text
}

fn cell(value: Option<&String>, title: &str) -> String {
    match value {
        None => "–".to_owned(),
        Some(text) if title == "metric" => text.parse().map_or_else(|_| text.clone(), number),
        // Digests and commits.
        Some(text) if matches!(title, "data" | "code") => text.chars().take(12).collect(),
        Some(text) => printable(text).into_owned(),
    }
}

/// By how much a metric changed.
fn change(difference: &Difference, title: &str) -> String {
    let parsed = |side: &Option<String>| side.as_ref().and_then(|text| text.parse::<f64>().ok());
    match (title, parsed(&difference.before), parsed(&difference.after)) {
        ("metric", Some(a), Some(b)) if b > a => format!("+{}", number(b - a)),
        ("metric", Some(a), Some(b)) => number(b - a),
        _ => String::new(),
    }
}
