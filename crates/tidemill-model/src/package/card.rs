//! `CARD.md`: a model card for people.

use std::fmt::Write as _;

use serde_json::Value;

use crate::{FeatureKind, PackageParts, Task};

/// A model card in Markdown: predictions and features, training, quality, limits.
pub fn model_card(parts: &PackageParts) -> String {
    let mut card = format!("# {}\n\n", parts.name);
    let (predicts, is_true) = match &parts.task {
        Task::Binary => ("the probability that".to_owned(), "is true "),
        Task::MultiClass { .. } => ("the class of".to_owned(), ""),
        Task::MultiLabel { .. } => ("the labels of".to_owned(), ""),
        Task::Regression => ("the value of".to_owned(), ""),
        Task::Quantiles { .. } => ("quantiles of".to_owned(), ""),
        Task::Ranking { group } => (format!("the order, within each `{group}`, of"), ""),
    };
    let label = &parts.label;
    let _ = writeln!(
        card,
        "Predicts {predicts} `{}` {}(`{}`). Made by the pipeline `{}`.\n\nowner: not stated",
        label.name, is_true, label.expression, parts.pipeline,
    );
    if !parts.task.names().is_empty() {
        let names: Vec<String> = parts.task.names().iter().map(|name| format!("`{}`", escape(name))).collect();
        let what = match &parts.task {
            Task::MultiLabel { .. } => "labels",
            Task::Quantiles { .. } => "levels",
            _ => "classes",
        };
        let _ = writeln!(card, "\n{} {what}: {}.", names.len(), names.join(", "));
    }
    data(&mut card, &parts.training);
    features(&mut card, parts);
    let learner = &parts.learner;
    let _ = writeln!(card, "\n## Learner\n\n`{}` on {} features.", learner.kind(), learner.feature_count());
    list(&mut card, &parts.learner_params);
    if let Some(metrics) = parts.training.get("metrics") {
        card.push_str("\n## Metrics\n");
        table(&mut card, "metric", metrics);
    }
    limits(&mut card, parts);
    card
}

fn data(card: &mut String, training: &Value) {
    card.push_str("\n## Data\n");
    for (key, title) in [("rows", "Rows"), ("label_mean", "Mean of the label")] {
        if let Some(Value::Object(splits)) = training.get(key) {
            let splits: Vec<String> = splits.iter().map(|(split, value)| format!("{split} {}", text(value))).collect();
            let _ = writeln!(card, "\n{title}: {}.", splits.join(", "));
        }
    }
    if let Value::Object(facts) = training {
        let rest: serde_json::Map<String, Value> = facts
            .iter()
            .filter(|(key, _)| !matches!(key.as_str(), "rows" | "label_mean" | "metrics"))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        list(card, &Value::Object(rest));
    }
}

fn features(card: &mut String, parts: &PackageParts) {
    card.push_str(
        "\n## Features\n\n| feature | from | type | may be missing | steps | kind |\n|---|---|---|---|---|---|\n",
    );
    let graph = &parts.graph;
    for (definition, given) in graph.definitions().iter().zip(graph.outputs()) {
        let columns = definition.columns();
        let inputs: Vec<_> = graph.inputs().iter().filter(|input| columns.contains(&input.name)).collect();
        let mut types: Vec<&str> = inputs.iter().map(|input| input.datatype.oip_name()).collect();
        types.dedup();
        let steps: Vec<String> = definition.mappers.iter().map(ToString::to_string).collect();
        let kind = match given {
            [spec] => match spec.kind {
                FeatureKind::Numeric => "numeric".to_owned(),
                FeatureKind::Categorical { cardinality } => format!("{cardinality} categories"),
            },
            several => format!("{} columns", several.len()),
        };
        let _ = writeln!(
            card,
            "| {} | {} | {} | {} | {} | {kind} |",
            escape(&definition.name),
            escape(&definition.source.to_string()),
            types.join(", "),
            if inputs.iter().any(|input| input.optional) { "yes" } else { "no" },
            if steps.is_empty() { "as it is".to_owned() } else { escape(&steps.join(", ")) },
        );
    }
    for set in graph.feature_sets() {
        let names: Vec<String> = set.features.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(card, "\nFrom the feature set `{set}`: {}.", names.join(", "));
    }
}

fn limits(card: &mut String, parts: &PackageParts) {
    card.push_str("\n## Limits\n\n");
    card.push_str("* The model knows the data it was trained on; watch its inputs for drift.\n");
    for column in shared_columns(parts) {
        let _ = writeln!(
            card,
            "* `{column}` is a feature and part of the label's expression: it must be known when a prediction is asked for."
        );
    }
    card.push_str("* A category not seen in training is treated as the steps above say: an out-of-vocabulary bucket or a missing value.\n");
    if let Some(threshold) = parts.decision_threshold {
        let _ = writeln!(card, "* A row is called positive if its probability is above {threshold}.");
    } else if parts.task == Task::Binary {
        card.push_str("* A probability is no decision: choose a threshold for the cost of each kind of error.\n");
    }
}

/// Columns that are both features and part of the label's expression.
fn shared_columns(parts: &PackageParts) -> Vec<String> {
    let mut columns = parts.label.parse().map(|expression| expression.columns()).unwrap_or_default();
    columns.retain(|column| parts.graph.inputs().iter().any(|input| input.name == *column));
    columns
}

/// `{ "train": { "auc": 0.9 } }` as a table with a column for each split.
fn table(card: &mut String, corner: &str, columns: &Value) {
    let Value::Object(columns) = columns else { return list(card, columns) };
    if !columns.values().all(Value::is_object) {
        return list(card, &Value::Object(columns.clone()));
    }
    let names: Vec<&str> = columns.keys().map(String::as_str).collect();
    let _ = writeln!(card, "\n| {corner} | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len()));
    let mut rows: Vec<&String> = Vec::new();
    for key in columns.values().filter_map(Value::as_object).flat_map(serde_json::Map::keys) {
        if !rows.contains(&key) {
            rows.push(key);
        }
    }
    for row in rows {
        let cells: Vec<String> =
            columns.values().map(|column| column.get(row).map_or_else(String::new, text)).collect();
        let _ = writeln!(card, "| {} | {} |", escape(row), cells.join(" | "));
    }
}

fn list(card: &mut String, value: &Value) {
    if let Value::Object(entries) = value {
        if !entries.is_empty() {
            card.push('\n');
        }
        for (key, value) in entries {
            let _ = writeln!(card, "* {key}: {}", text(value));
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Text for a cell of a table.
fn escape(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
