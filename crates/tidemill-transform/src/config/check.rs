//! Reading the parameters, with every mistake at its place.

use serde_json::Value;
use tidemill_core::{ParamIssue, parse_params};
use tidemill_model::LabelSpec;

use super::constants::Constants;
use super::feature::{feature, fits_some_type};
use super::forecast::Forecast;
use super::history;
use super::label;
use super::params::TransformParams;
use super::selection::{self, OpenEntry};
use super::sets::{self, FeatureSets, SetInUse};
use super::{FeatureConfig, TransformConfig};
use crate::issues::{below, take};

pub(super) fn config(params: &Value, sets: &dyn FeatureSets) -> Result<TransformConfig, Vec<ParamIssue>> {
    let TransformParams { label, used, features, history, forecast, rank } = parse_params(params)?;
    let mut issues = history::check(history.as_ref());
    let label = take(label::read(&label), &mut issues);
    let label_horizon = label.as_ref().and_then(|label| label.horizon.as_deref());
    let forecast = forecast.map(|forecast| forecast.read(label_horizon, history.as_ref()));
    let forecast = forecast.and_then(|forecast| take(forecast, &mut issues));
    let history = history.or_else(|| forecast.as_ref().map(Forecast::history));
    let horizon = label.as_ref().and_then(|label| take(history::horizon(label.horizon.as_ref()), &mut issues));
    let horizon = forecast.as_ref().map_or(horizon.unwrap_or(0), |forecast| forecast.horizon);
    let label = label.and_then(|label| take(label::label_spec(label), &mut issues));
    let label = label.map(|(label, targets)| (label.with_horizon(horizon), targets));
    let features =
        take(selection::by_name(features.as_ref()).map_err(|issues| below(&["features"], issues)), &mut issues);
    let (features, is_readable) = (features.clone().unwrap_or_default(), features.is_some());
    if is_readable && features.is_empty() && used.is_none() {
        issues.push(ParamIssue::new(["features"], "there are no features, so nothing can be learned"));
    }
    let sets = take(sets::in_use(used.as_ref(), sets), &mut issues).unwrap_or_default();
    let read = |name: &str, value: &Value| {
        let feature = feature(name, value, history.as_ref())?;
        let steps = value.get("steps").filter(|_| value.get("history").is_some());
        let feature = history::keep_horizon(feature, horizon, &["steps"], steps.is_some_and(Value::is_array))?;
        fits_some_type(&feature)?;
        label.as_ref().map_or(Ok(()), |(label, targets)| leaks(&feature, label, targets))?;
        forecast.as_ref().map_or(Ok(()), |forecast| forecast.check(&feature))?;
        Ok(feature)
    };
    let mut configs = Vec::with_capacity(features.len());
    for set in &sets {
        for (name, value) in &set.features {
            let placed = |found: Vec<ParamIssue>| found.into_iter().map(|issue| set.placed(name, issue)).collect();
            configs.extend(take(read(name, value).map_err(placed), &mut issues));
        }
    }
    let mut open = Vec::new();
    for (name, value) in &features {
        let found = selection::open(name, value).map_err(|issues| below(&["features", name.as_str()], issues));
        match take(found, &mut issues) {
            Some(None) => {}
            Some(Some(kind)) => {
                issues.extend(forecast.as_ref().map(|forecast| forecast.check_open(name)));
                open.push(OpenEntry { at: configs.len(), kind });
                continue;
            }
            None => continue,
        }
        let feature = sets::own(name, &sets).and_then(|()| read(name, value));
        configs.extend(take(feature.map_err(|issues| below(&["features", name.as_str()], issues)), &mut issues));
    }
    match label {
        Some((label, _)) if issues.is_empty() => Ok(TransformConfig { label, features: configs, rank, sets, open }),
        _ => Err(issues),
    }
}

/// The feature sets that a step uses, whatever else it says.
pub(super) fn sets_of(params: &Value, sets: &dyn FeatureSets) -> Result<Vec<SetInUse>, Vec<ParamIssue>> {
    sets::in_use(params.get("use").filter(|used| !used.is_null()), sets)
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
