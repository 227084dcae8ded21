//! Reading the parameters, with every mistake at its place.

use serde_json::Value;
use tidemill_core::{Coded as _, DataType, ParamIssue, parse_params};
use tidemill_model::{Expression, Keys, LabelSpec, Node, Scalar, Stage};

use super::params::{LabelParams, TransformParams};
use super::step::{ImputeWith, Step};
use super::{FeatureConfig, TransformConfig};

pub(super) fn config(params: &Value) -> Result<TransformConfig, Vec<ParamIssue>> {
    let TransformParams { label, features } = parse_params(params)?;
    let mut issues = Vec::new();
    let label = take(label_spec(label), &mut issues);
    if features.is_empty() {
        issues.push(ParamIssue::new(["features"], "there are no features, so nothing can be learned"));
    }
    let mut configs = Vec::with_capacity(features.len());
    for (name, value) in &features {
        let feature = feature(name, value).and_then(|feature| {
            fits_some_type(&feature)?;
            label.as_ref().map_or(Ok(()), |(label, target)| leaks(&feature, label, target.as_ref()))?;
            Ok(feature)
        });
        let placed = feature.map_err(|issues| below(&["features", name.as_str()], issues));
        configs.extend(take(placed, &mut issues));
    }
    match label {
        Some((label, _)) if issues.is_empty() => Ok(TransformConfig { label, features: configs }),
        _ => Err(issues),
    }
}

fn take<T>(result: Result<T, Vec<ParamIssue>>, issues: &mut Vec<ParamIssue>) -> Option<T> {
    result.map_err(|found| issues.extend(found)).ok()
}

fn below(place: &[&str], mut issues: Vec<ParamIssue>) -> Vec<ParamIssue> {
    for issue in &mut issues {
        issue.path.splice(0..0, place.iter().map(|&key| key.to_owned()));
    }
    issues
}

/// The label and the column it is about.
fn label_spec(params: LabelParams) -> Result<(LabelSpec, Option<String>), Vec<ParamIssue>> {
    let issue = |message: &str| Err(vec![ParamIssue::new(["label"], message)]);
    let (name, expression) = match params {
        LabelParams { name, expression: None, column: Some(column) } => {
            let quoted = format!("\"{}\"", column.replace('"', "\"\""));
            (name.unwrap_or(column), quoted)
        }
        LabelParams { name: Some(name), expression: Some(expression), column: None } => (name, expression),
        LabelParams { name: None, expression: Some(_), .. } => return issue("a label by expression needs a `name`"),
        LabelParams { expression: Some(_), column: Some(_), .. } => {
            return issue("a label has either an `expression` or a `column`");
        }
        LabelParams { expression: None, column: None, .. } => {
            return issue("a label needs an `expression` or a `column`");
        }
    };
    if name.is_empty() {
        return Err(vec![ParamIssue::new(["label", "name"], "the label's name is empty")]);
    }
    match Expression::parse(&expression) {
        Ok(parsed) => Ok((LabelSpec { name, expression }, parsed.columns().into_iter().next())),
        Err(error) => {
            let mut issue = ParamIssue::new(["label", "expression"], error.to_string());
            issue.hint = error.hint();
            Err(vec![issue])
        }
    }
}

/// Reads one feature; issues are relative to it.
fn feature(name: &str, value: &Value) -> Result<FeatureConfig, Vec<ParamIssue>> {
    let Value::Object(object) = value else {
        return Ok(FeatureConfig { name: name.to_owned(), column: name.to_owned(), steps: steps(value)? });
    };
    if !object.contains_key("from") {
        return Ok(FeatureConfig { name: name.to_owned(), column: name.to_owned(), steps: steps(value)? });
    }
    let from: super::params::FromParams = parse_params(value)?;
    let steps = match &from.steps {
        None => vec![Step::Numeric],
        Some(value) => steps(value).map_err(|issues| below(&["steps"], issues))?,
    };
    Ok(FeatureConfig { name: name.to_owned(), column: from.from, steps })
}

fn steps(value: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    let Value::Array(items) = value else { return Ok(vec![Step::parse(value)?]) };
    if items.is_empty() {
        let issue = ParamIssue::new(Vec::<String>::new(), "the list of steps is empty");
        return Err(vec![issue.with_hint("write `numeric` to take the column as it is")]);
    }
    let mut issues = Vec::new();
    let mut steps = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let step = Step::parse(item).map_err(|found| below(&[index.to_string().as_str()], found));
        steps.extend(take(step, &mut issues));
    }
    if issues.is_empty() { Ok(steps) } else { Err(issues) }
}

/// Refuses a feature of what the label is about: it is unknown when serving.
fn leaks(feature: &FeatureConfig, label: &LabelSpec, target: Option<&String>) -> Result<(), Vec<ParamIssue>> {
    let name = &label.name;
    let (message, hint) = if feature.column == *name {
        (format!("the label `{name}` cannot be a feature"), "remove the feature".to_owned())
    } else if target == Some(&feature.column) {
        let column = &feature.column;
        let hint = format!(
            "remove the feature; if `{column}` is known when serving, write the label so that the column it is about comes first"
        );
        (format!("column `{column}` would leak the label: `{name}` is about it"), hint)
    } else {
        return Ok(());
    };
    Err(vec![ParamIssue::new(Vec::<String>::new(), message).with_hint(hint)])
}

/// Refuses steps that cannot follow each other, whatever the column holds.
fn fits_some_type(feature: &FeatureConfig) -> Result<(), Vec<ParamIssue>> {
    let mut first = None;
    for datatype in [DataType::Fp64, DataType::Bytes, DataType::Int64, DataType::Bool] {
        match stand_in(feature, datatype) {
            Ok(()) => return Ok(()),
            Err(reason) => first = first.or(Some(reason)),
        }
    }
    let message = format!("the steps do not fit together: {}", first.unwrap_or_default());
    Err(vec![ParamIssue::new(Vec::<String>::new(), message)])
}

/// Whether the steps fit a column of `datatype`; why not. Fitted constants are stood in for.
pub(crate) fn stand_in(feature: &FeatureConfig, datatype: DataType) -> Result<(), String> {
    let mut stage = Stage::of(datatype);
    for step in &feature.steps {
        if let Some(node) = stand_in_node(step, stage)? {
            stage = node.output(stage)?;
        }
    }
    if stage == Stage::Text {
        return Err("its column holds text; end its steps with `vocabulary` or `categorical`".to_owned());
    }
    Ok(())
}

/// The node of `step`, with any constants where they would be fitted; none for `numeric`.
fn stand_in_node(step: &Step, stage: Stage) -> Result<Option<Node>, String> {
    let keys = || if stage == Stage::Text { Keys::Strings(Vec::new()) } else { Keys::Integers(Vec::new()) };
    Ok(Some(match step {
        Step::Numeric if stage == Stage::Text => return Err("text is not numeric".to_owned()),
        Step::Numeric => return Ok(None),
        Step::Impute(ImputeWith::Mean | ImputeWith::Median) if stage == Stage::Text => {
            return Err("text has no mean and no median".to_owned());
        }
        Step::Impute(ImputeWith::Mean | ImputeWith::Median) => Node::Impute { value: Scalar::Float(0.5) },
        Step::Impute(ImputeWith::MostFrequent) => Node::Impute {
            value: match stage {
                Stage::Text => Scalar::Text(String::new()),
                Stage::Bool => Scalar::Bool(false),
                Stage::Int | Stage::Bucket(_) | Stage::Code(_) => Scalar::Int(0),
                Stage::Float => Scalar::Float(0.5),
            },
        },
        Step::Impute(ImputeWith::Constant(value)) => Node::Impute { value: value.clone() },
        Step::ZScore => Node::ZScore { mean: 0.0, std_dev: 1.0 },
        Step::MinMax { output_min, output_max } => {
            Node::MinMax { min: 0.0, max: 1.0, output_min: *output_min, output_max: *output_max }
        }
        Step::Buckets(count) => Node::Bucketize { boundaries: (1..*count).map(f64::from).collect() },
        Step::Boundaries(boundaries) => Node::Bucketize { boundaries: boundaries.clone() },
        Step::Vocabulary { oov_buckets, .. } => Node::Vocabulary { values: keys(), oov_buckets: *oov_buckets },
        Step::Categorical => {
            let is_code = matches!(stage, Stage::Bucket(_) | Stage::Bool);
            Node::Categorical { values: (!is_code).then(keys) }
        }
        Step::Log => Node::Log,
        Step::Log1p => Node::Log1p,
        Step::Clip { min, max } => Node::Clip { min: *min, max: *max },
        Step::ClipQuantiles { .. } => Node::Clip { min: Some(0.0), max: Some(1.0) },
    }))
}
