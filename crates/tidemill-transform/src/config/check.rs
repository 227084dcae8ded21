//! Reading the parameters, with every mistake at its place.

use serde_json::Value;
use tidemill_core::{Coded as _, ParamIssue, parse_params, suggest};
use tidemill_model::{Expression, ExpressionError, LabelSpec, Source, Stage};

use super::constants::Constants;
use super::history::{self, HistoryFeatureParams, HistoryParams};
use super::params::{CrossParams, ExpressionParams, FromParams, LabelParams, TargetParams, TransformParams};
use super::params_more::ColumnsParams;
use super::sets::{self, FeatureSets, SetInUse};
use super::stand_in::try_steps;
use super::step::Step;
use super::{FeatureConfig, TransformConfig};

/// The covariance of more columns is not taken.
const COLUMNS_MAX: usize = 256;

pub(super) fn config(params: &Value, sets: &dyn FeatureSets) -> Result<TransformConfig, Vec<ParamIssue>> {
    let TransformParams { label, used, features, history, rank } = parse_params(params)?;
    let mut issues = history::check(history.as_ref());
    let horizon = take(history::horizon(label.horizon.as_ref()), &mut issues).unwrap_or(0);
    let label = take(label_spec(label), &mut issues).map(|(label, targets)| (label.with_horizon(horizon), targets));
    if features.is_empty() && used.is_none() {
        issues.push(ParamIssue::new(["features"], "there are no features, so nothing can be learned"));
    }
    let sets = take(sets::in_use(used.as_ref(), sets), &mut issues).unwrap_or_default();
    let read = |name: &str, value: &Value| {
        let feature = feature(name, value, history.as_ref())?;
        let steps = value.get("steps").filter(|_| value.get("history").is_some());
        let feature = history::keep_horizon(feature, horizon, &["steps"], steps.is_some_and(Value::is_array))?;
        fits_some_type(&feature)?;
        label.as_ref().map_or(Ok(()), |(label, targets)| leaks(&feature, label, targets))?;
        Ok(feature)
    };
    let mut configs = Vec::with_capacity(features.len());
    for set in &sets {
        for (name, value) in &set.features {
            let placed = |found: Vec<ParamIssue>| found.into_iter().map(|issue| set.placed(name, issue)).collect();
            configs.extend(take(read(name, value).map_err(placed), &mut issues));
        }
    }
    for (name, value) in &features {
        let feature = sets::own(name, &sets).and_then(|()| read(name, value));
        configs.extend(take(feature.map_err(|issues| below(&["features", name.as_str()], issues)), &mut issues));
    }
    match label {
        Some((label, _)) if issues.is_empty() => Ok(TransformConfig { label, features: configs, rank, sets }),
        _ => Err(issues),
    }
}

/// The feature sets that a step uses, whatever else it says.
pub(super) fn sets_of(params: &Value, sets: &dyn FeatureSets) -> Result<Vec<SetInUse>, Vec<ParamIssue>> {
    sets::in_use(params.get("use").filter(|used| !used.is_null()), sets)
}

pub(super) fn take<T>(result: Result<T, Vec<ParamIssue>>, issues: &mut Vec<ParamIssue>) -> Option<T> {
    result.map_err(|found| issues.extend(found)).ok()
}

pub(super) fn below(place: &[&str], mut issues: Vec<ParamIssue>) -> Vec<ParamIssue> {
    for issue in &mut issues {
        issue.path.splice(0..0, place.iter().map(|&key| key.to_owned()));
    }
    issues
}

/// The label and the columns it is about.
fn label_spec(params: LabelParams) -> Result<(LabelSpec, Vec<String>), Vec<ParamIssue>> {
    let issue = |message: &str| Err(vec![ParamIssue::new(["label"], message)]);
    let (name, expression) = match (params.name, params.expression, params.column) {
        (name, None, Some(column)) => {
            let quoted = format!("\"{}\"", column.replace('"', "\"\""));
            (name.unwrap_or(column), quoted)
        }
        (Some(name), Some(expression), None) => (name, expression),
        (None, Some(_), _) => return issue("a label by expression needs a `name`"),
        (_, Some(_), Some(_)) => return issue("a label has either an `expression` or a `column`"),
        (_, None, None) => return issue("a label needs an `expression` or a `column`"),
    };
    if name.is_empty() {
        return Err(vec![ParamIssue::new(["label", "name"], "the label's name is empty")]);
    }
    let columns = match Expression::parse(&expression) {
        Ok(parsed) => parsed.columns(),
        Err(error) => return Err(vec![expression_issue(&["label", "expression"], &error)]),
    };
    let label = LabelSpec::new(name, expression);
    let target = match params.target {
        None => return Ok((label, columns.into_iter().take(1).collect())),
        Some(TargetParams::One(column)) => vec![column],
        Some(TargetParams::Several(columns)) => columns,
    };
    if target.is_empty() {
        let issue = ParamIssue::new(["label", "target"], "the list of columns is empty");
        return Err(vec![issue.with_hint("without `target`, the label is about the first column of its expression")]);
    }
    let unused = target.iter().filter(|column| !columns.contains(column)).map(|column| {
        let message = format!("the label does not use column `{column}`, so it is not about it");
        let issue = ParamIssue::new(["label", "target"], message);
        match suggest(column, columns.iter().map(String::as_str)) {
            Some(near) => issue.with_hint(format!("did you mean `{near}`?")),
            None => issue,
        }
    });
    let unused: Vec<ParamIssue> = unused.collect();
    if unused.is_empty() { Ok((label.with_target(target.clone()), target)) } else { Err(unused) }
}

pub(super) fn expression_issue(path: &[&str], error: &ExpressionError) -> ParamIssue {
    let mut issue = ParamIssue::new(path.iter().copied(), error.to_string());
    issue.hint = error.hint();
    issue
}

/// Reads one feature; issues are relative to it.
pub(super) fn feature(
    name: &str,
    value: &Value,
    history: Option<&HistoryParams>,
) -> Result<FeatureConfig, Vec<ParamIssue>> {
    let has = |key: &str| value.as_object().is_some_and(|object| object.contains_key(key));
    let below_steps = |value: &Value| steps(value).map_err(|issues| below(&["steps"], issues));
    let or_numeric = |value: Option<&Value>| value.map_or_else(|| Ok(vec![Step::Numeric]), below_steps);
    let mut constants = None;
    let (source, steps) = if has("from") {
        let FromParams { from, steps } = parse_params(value)?;
        (Source::Column(from), or_numeric(steps.as_ref())?)
    } else if has("expression") {
        let ExpressionParams { expression: written, constants: named, steps } = parse_params(value)?;
        let mut expression = written;
        if let Some(named) = &named {
            let (filled, read) = Constants::read(&expression, named)?;
            (expression, constants) = (filled, Some(read));
        }
        let checked = Expression::parse(&expression).map_err(|error| vec![expression_issue(&["expression"], &error)]);
        if checked?.columns().is_empty() {
            return Err(vec![ParamIssue::new(
                ["expression"],
                "the expression uses no column, so it is always the same",
            )]);
        }
        (Source::Expression(expression), or_numeric(steps.as_ref())?)
    } else if has("cross") {
        let CrossParams { cross, steps } = parse_params(value)?;
        let Some(steps) = steps else {
            let issue = ParamIssue::new(Vec::<String>::new(), "a cross needs `steps`, for its values are text");
            return Err(vec![issue.with_hint("for example `steps: { hash_buckets: 1000 }`")]);
        };
        let source = Source::Cross(cross);
        if source.columns().len() < 2 {
            return Err(vec![ParamIssue::new(["cross"], "a cross needs at least two columns")]);
        }
        (source, below_steps(&steps)?)
    } else if has("columns") {
        let ColumnsParams { columns, steps } = parse_params(value)?;
        let source = Source::Columns(columns.clone());
        if columns.len() < 2 || source.columns().len() < columns.len() {
            return Err(vec![ParamIssue::new(["columns"], "at least two columns stand here, each once")]);
        }
        if columns.len() > COLUMNS_MAX {
            let message = format!("{} columns are too many; {COLUMNS_MAX} are the most", columns.len());
            return Err(vec![ParamIssue::new(["columns"], message)]);
        }
        let Some(steps) = steps else {
            let issue = ParamIssue::new(Vec::<String>::new(), "columns side by side need `steps`");
            return Err(vec![issue.with_hint("for example `steps: { pca: 2 }`")]);
        };
        (source, below_steps(&steps)?)
    } else if has("history") {
        let HistoryFeatureParams { history: column, steps } = parse_params(value)?;
        let source = history::source(&column, history)?;
        let Some(steps) = steps else {
            let issue = ParamIssue::new(Vec::<String>::new(), "a history needs `steps`, for it is many values");
            return Err(vec![issue.with_hint("for example `steps: { lag: 2w }`")]);
        };
        (source, below_steps(&steps)?)
    } else {
        (Source::Column(name.to_owned()), steps(value)?)
    };
    Ok(FeatureConfig { name: name.to_owned(), source, constants, steps })
}

fn steps(value: &Value) -> Result<Vec<Step>, Vec<ParamIssue>> {
    let Value::Array(items) = value else { return Step::parse(value) };
    if items.is_empty() {
        let issue = ParamIssue::new(Vec::<String>::new(), "the list of steps is empty");
        return Err(vec![issue.with_hint("write `numeric` to take the column as it is")]);
    }
    let mut issues = Vec::new();
    let mut steps = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let step = Step::parse(item).map_err(|found| below(&[index.to_string().as_str()], found));
        steps.extend(take(step, &mut issues).unwrap_or_default());
    }
    if issues.is_empty() { Ok(steps) } else { Err(issues) }
}

/// Refuses a feature of what the label is about: it is unknown when serving.
fn leaks(feature: &FeatureConfig, label: &LabelSpec, targets: &[String]) -> Result<(), Vec<ParamIssue>> {
    let name = &label.name;
    let constants = feature.constants.iter().flat_map(Constants::columns).cloned();
    for column in feature.columns().into_iter().chain(constants) {
        let (message, hint) = if column == *name {
            (format!("the label `{name}` cannot be a feature"), "remove the feature".to_owned())
        } else if targets.contains(&column) {
            let message = format!("column `{column}` would leak the label: `{name}` is about it");
            let hint = format!(
                "remove the feature; if `{column}` is known when serving, name the column that is not as the label's `target`"
            );
            (message, hint)
        } else {
            continue;
        };
        return Err(vec![ParamIssue::new(Vec::<String>::new(), message).with_hint(hint)]);
    }
    Ok(())
}

/// Refuses steps that cannot follow each other, whatever the values are.
pub(super) fn fits_some_type(feature: &FeatureConfig) -> Result<(), Vec<ParamIssue>> {
    let stages: &[Stage] = match &feature.source {
        Source::Cross(_) => &[Stage::Text],
        Source::Columns(columns) => &[Stage::Vector(columns.len() as u32)],
        Source::History(_) => &[Stage::History],
        _ => &[Stage::Float, Stage::Text, Stage::Int, Stage::Bool, Stage::Binary],
    };
    // Of the reasons that of the type which most of the steps fit.
    let mut furthest: Option<(usize, String)> = None;
    for stage in stages {
        match try_steps(feature, *stage) {
            Ok(()) => return Ok(()),
            Err((done, reason)) => {
                if furthest.as_ref().is_none_or(|(best, _)| done > *best) {
                    furthest = Some((done, reason));
                }
            }
        }
    }
    let message = format!("the steps do not fit together: {}", furthest.map(|(_, reason)| reason).unwrap_or_default());
    Err(vec![ParamIssue::new(Vec::<String>::new(), message)])
}
