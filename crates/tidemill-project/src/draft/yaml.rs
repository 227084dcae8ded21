//! The draft as a pipeline file.

use arrow::datatypes::Schema;
use tidemill_core::{FeatureType, TaskKind, grouped};
use tidemill_data::{Decimal, Format, Header, ReadOptions};
use tidemill_transform::ColumnChoice;

use super::text::{comment, quoted, yaml};
use super::{Draft, SplitDraft, Trial};

/// A table with fewer rows gets smaller trees.
const SMALL_ROWS: u64 = 2_000;
/// Columns that a line of a comment names.
const NAMED_MAX: usize = 8;
/// Columns left out that are listed one by one.
const EXCEPT_MAX: usize = 200;

/// The format of the source and everything unusual about it, as members of a YAML mapping.
#[derive(Debug, Clone)]
pub(super) struct SourceText {
    key: &'static str,
    /// `delimiter: ";"` and so on.
    members: Vec<String>,
}

impl SourceText {
    pub(super) fn new(format: Format, read: &ReadOptions) -> Self {
        let mut members = Vec::new();
        if format == Format::Csv {
            let csv = &read.csv;
            members.extend(csv.delimiter.map(|delimiter| match delimiter {
                b'\t' => "delimiter: tab".to_owned(),
                other => format!("delimiter: {}", quoted(&char::from(other).to_string())),
            }));
            match csv.quote {
                Some(b'"') => {}
                Some(other) => members.push(format!("quote: {}", quoted(&char::from(other).to_string()))),
                None => members.push("quote: none".to_owned()),
            }
            if !csv.null_tokens.is_empty() {
                let tokens: Vec<String> = csv.null_tokens.iter().map(|token| yaml(token)).collect();
                members.push(format!("null_tokens: [{}]", tokens.join(", ")));
            }
            if csv.decimal == Decimal::Comma {
                members.push("decimal: \",\"".to_owned());
            }
            match &csv.header {
                Header::FirstLine => {}
                Header::Numbered => members.push("header: false".to_owned()),
                Header::Names(names) => {
                    let names: Vec<String> = names.iter().map(|name| yaml(name)).collect();
                    members.push(format!("header: false, columns: [{}]", names.join(", ")));
                }
            }
        }
        members.extend(read.types.as_deref().and_then(types));
        Self { key: format.key(), members }
    }

    fn yaml(&self, path: &str) -> String {
        if self.members.is_empty() {
            return format!("{{ {}: {} }}", self.key, yaml(path));
        }
        format!("{{ {}: {{ path: {}, {} }} }}", self.key, yaml(path), self.members.join(", "))
    }
}

fn types(schema: &Schema) -> Option<String> {
    let of = |field: &arrow::datatypes::Field| {
        use arrow::datatypes::DataType;
        let of = match field.data_type() {
            DataType::Int64 => FeatureType::Int,
            DataType::Float64 => FeatureType::Float,
            DataType::Boolean => FeatureType::Bool,
            DataType::Utf8 => FeatureType::String,
            _ => return None,
        };
        Some(format!("{}: {}", yaml(field.name()), of.name()))
    };
    let members: Vec<String> = schema.fields().iter().filter_map(|field| of(field)).collect();
    (!members.is_empty()).then(|| format!("types: {{ {} }}", members.join(", ")))
}

/// The whole file. Without a trial it has no thresholds, and ends with the evaluation.
pub(super) fn pipeline(draft: &Draft, source: &str, trial: Option<&Trial>) -> String {
    let leaves = if draft.rows < SMALL_ROWS { ", leaves: 7, min_data_in_leaf: 5" } else { "" };
    let learner = format!(
        "    component: Trainer    # keeps rows of `train` aside to see when to stop; `eval` is only judged on\n    learner: {{ gradient_boosting: {{ learning_rate: 0.05{leaves} }} }}\n"
    );
    with_learner(draft, source, &learner, trial, "a first model")
}

/// The same with the lines of the `Trainer`. `model`: which one the trial was of.
pub(super) fn with_learner(draft: &Draft, source: &str, learner: &str, trial: Option<&Trial>, model: &str) -> String {
    let name = yaml(&draft.name);
    let mut out = features(draft, source);
    out.push_str("  train:\n");
    out.push_str(learner);
    out.push_str(&task(draft));
    evaluate(&mut out, draft, trial, model);
    if trial.is_some() {
        out.push_str("  infra: { component: InfraValidator }       # the model is served for a moment and asked\n");
        out.push_str(&format!("  push:  {{ component: Pusher, model: {name}, alias: champion }}\n"));
    }
    out
}

/// The steps of the file up to the features.
pub(super) fn features(draft: &Draft, source: &str) -> String {
    let name = yaml(&draft.name);
    let mut out = format!(
        "version: 1\npipeline: {name}\ndescription: {}\n\nsteps:\n",
        quoted(&format!("Predicts {} from {source}", draft.label.column))
    );
    examples(&mut out, draft, source);
    // The names of groups are others in each split.
    let splits = if matches!(draft.split, SplitDraft::Group { .. }) { ", splits: [train, eval]" } else { "" };
    out.push_str(&format!(
        "  statistics: {{ component: StatisticsGen }}\n\
         \x20 schema:     {{ component: SchemaGen, file: schema.yaml{splits} }}   # inferred by the first run, then yours to edit\n\
         \x20 validate:   {{ component: ExampleValidator }}               # data that breaks the schema stops the run\n",
    ));
    transform(&mut out, draft);
    out
}

fn examples(out: &mut String, draft: &Draft, source: &str) {
    out.push_str(&format!("  examples:\n    component: ExampleGen\n    source: {}\n", draft.source.yaml(source)));
    if draft.label.missing > 0 {
        let rows = grouped(draft.label.missing);
        out.push_str(&format!("    where: {}    # {rows} rows have no label\n", quoted(&draft.label.is_there())));
    }
    let label = yaml(&draft.label.column);
    let [train, eval] = draft.parts;
    out.push_str(&format!("    splits: {{ train: {train}, eval: {eval} }}\n"));
    out.push_str(&match &draft.split {
        SplitDraft::Hash => {
            format!("    split_except: [{label}]    # a hash of all other columns decides the split of a row\n")
        }
        SplitDraft::Group { column, groups } => format!(
            "    split_by: [{}]    # rows of a group stay together: {} groups\n",
            yaml(column),
            grouped(*groups as u64)
        ),
        SplitDraft::Time { column, from, .. } if from.is_empty() => {
            format!("    split_by_time: {}    # the newest rows are in `eval`\n", yaml(column))
        }
        SplitDraft::Time { column, from, to } => format!(
            "    split_by_time: {}    # {} to {}: the newest rows are in `eval`\n",
            yaml(column),
            comment(from),
            comment(to)
        ),
    });
}

fn transform(out: &mut String, draft: &Draft) {
    out.push_str("  transform:\n    component: Transform\n");
    let guess = draft.label.guessed.as_ref().map(|why| format!("; taken since {why}")).unwrap_or_default();
    out.push_str(&format!(
        "    # {}: {}{guess}\n    label: {}\n",
        comment(&draft.label.column),
        comment(&draft.label.summary()),
        draft.label.yaml()
    ));
    out.push_str("    # `auto` makes features of these columns (`tidemill plan` shows them too):\n");
    for (how, columns) in kinds(&draft.columns) {
        let named: Vec<String> = columns.iter().take(NAMED_MAX).map(|name| comment(name)).collect();
        let more = match columns.len().saturating_sub(NAMED_MAX) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        out.push_str(&format!("    #   {how}: {}{more}\n", named.join(", ")));
    }
    for warning in &draft.warnings {
        out.push_str(&format!("    # Look at this: {}\n", comment(warning)));
    }
    let left_out: Vec<&ColumnChoice> = draft.columns.iter().filter(|choice| !choice.used).collect();
    if left_out.is_empty() {
        out.push_str("    features: auto\n");
        return;
    }
    out.push_str("    features:\n      auto:\n        except:\n");
    let names: Vec<String> = left_out.iter().map(|choice| yaml(&choice.column)).collect();
    let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).min(28);
    for (name, choice) in names.iter().zip(&left_out).take(EXCEPT_MAX) {
        out.push_str(&format!("          - {name:<width$}    # {}\n", comment(&choice.why)));
    }
}

/// The used columns by how features are made of them.
fn kinds(columns: &[ColumnChoice]) -> Vec<(String, Vec<&str>)> {
    let mut kinds: Vec<(String, Vec<&str>)> = Vec::new();
    for choice in columns.iter().filter(|choice| choice.used) {
        let how = choice.why.split([',', ':']).next().unwrap_or(&choice.why).to_owned();
        match kinds.iter_mut().find(|(known, _)| *known == how) {
            Some((_, names)) => names.push(&choice.column),
            None => kinds.push((how, vec![&choice.column])),
        }
    }
    kinds
}

/// The line of the task. Without it the `Trainer` would guess the same, and say so each time.
pub(super) fn task(draft: &Draft) -> String {
    if draft.label.task == TaskKind::MultiClass
        && draft.label.values.iter().all(|(value, _)| value.parse::<f64>().is_ok())
    {
        return "    task: multi_class    # the numbers are names of classes; for an amount write `regression`\n"
            .to_owned();
    }
    if draft.label.task == TaskKind::Regression { "    task: regression\n".to_owned() } else { String::new() }
}

fn evaluate(out: &mut String, draft: &Draft, trial: Option<&Trial>, model: &str) {
    out.push_str("  evaluate:\n    component: Evaluator\n");
    let slices: Vec<String> = draft.slices.iter().map(|name| format!(", [{}]", yaml(name))).collect();
    out.push_str(&format!("    slices: [ []{} ]\n", slices.concat()));
    if let Some(trial) = trial {
        out.push_str(&format!("    # {}\n    thresholds: {{ {} }}\n", trial.summary_of(model), trial.threshold()));
    }
}
