//! From `EvalConfig` to parameters.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tidemill_core::{Task, TaskKind};
use tidemill_proto::analysis::{
    CrossSlicingSpec, EvalConfig, MetricDirection, MetricThreshold, MetricsSpec, SlicingSpec, aggregation_options,
    confidence_interval_options, metric_threshold,
};

use super::classes::{default_name, metrics_of_class};
use super::{ConvertedEvalConfig, Problem};
use crate::component::{AskedMetric, ConfidenceIntervals};
use crate::gate::{CrossSliceThreshold, SliceSelector, SliceThreshold, Threshold, WrittenThreshold};
use crate::metrics::Metric;
use crate::slices::{SliceKey, SliceSpec, SliceTerm, SliceValue};
use crate::{EvaluatorParams, IntervalOptions};

/// What is collected while specifications are read.
struct Converter<'a> {
    task: &'a Task,
    params: EvaluatorParams,
    notes: Vec<String>,
}

/// The parameters that say the same as the configuration, for a model of `task`.
pub(super) fn convert(config: &EvalConfig, task: &Task) -> Result<ConvertedEvalConfig, Problem> {
    let mut converter = Converter { task, params: EvaluatorParams::default(), notes: Vec::new() };
    converter.params.confidence_intervals = ConfidenceIntervals::none();
    converter.params.slices = config.slicing_specs.iter().map(spec_of).collect::<Result<_, _>>()?;
    for cross in &config.cross_slicing_specs {
        let (against, slices) = cross_of(cross)?;
        converter.params.slices.extend(std::iter::once(against).chain(slices).map(|selector| selector.spec()));
    }
    for spec in &config.metrics_specs {
        converter.metrics(spec)?;
    }
    converter.options(config);
    let mut candidates = config.model_specs.iter().filter(|model| !model.is_baseline);
    let (candidate, baseline) = (candidates.next(), config.model_specs.iter().find(|model| model.is_baseline));
    if candidates.next().is_some() {
        return Err(Problem::new("`model_specs` has several models that are not the baseline")
            .with_hint("one model is judged at a time: leave the others out"));
    }
    let key = |text: &String| (!text.is_empty()).then(|| text.clone());
    converter.params.weight = candidate.and_then(|model| key(&model.example_weight_key));
    Ok(ConvertedEvalConfig {
        label: candidate.and_then(|model| key(&model.label_key)),
        prediction: candidate.and_then(|model| key(&model.prediction_key)),
        baseline: baseline.and_then(|model| key(&model.prediction_key)),
        params: converter.params,
        notes: converter.notes,
    })
}

/// A family of slices.
fn spec_of(spec: &SlicingSpec) -> Result<SliceSpec, Problem> {
    if !spec.slice_keys_sql.is_empty() {
        return Err(Problem::new("`slice_keys_sql` is not read")
            .with_hint("make the slice a column of the examples, and name it in `feature_keys`"));
    }
    let values = spec.feature_values.iter().map(|(key, value)| (key.clone(), vec![SliceValue::Text(value.clone())]));
    let columns = spec.feature_keys.iter().chain(spec.feature_values.keys()).cloned().collect();
    Ok(SliceSpec { columns, values: values.collect() })
}

/// Which slices a threshold is for.
fn selector_of(spec: &SlicingSpec) -> Result<SliceSelector, Problem> {
    let family = spec_of(spec)?;
    Ok(if spec.feature_keys.is_empty() {
        let term = |(column, value): (&String, &String)| SliceTerm {
            column: column.clone(),
            value: SliceValue::Text(value.clone()),
        };
        SliceSelector::One(SliceKey::new(spec.feature_values.iter().map(term)))
    } else if spec.feature_values.is_empty() {
        SliceSelector::Each(family.columns)
    } else {
        SliceSelector::Family(family)
    })
}

/// The slices that a cross comparison is against, and those that are compared.
fn cross_of(cross: &CrossSlicingSpec) -> Result<(SliceSelector, Vec<SliceSelector>), Problem> {
    let against = selector_of(&cross.baseline_spec.clone().unwrap_or_default())?;
    Ok((against, cross.slicing_specs.iter().map(selector_of).collect::<Result<_, _>>()?))
}

/// The bounds of a threshold.
fn threshold_of(threshold: &MetricThreshold) -> Result<Threshold, Problem> {
    let mut bounds = Threshold::default();
    if let Some(metric_threshold::ValidateAbsolute::ValueThreshold(value)) = &threshold.validate_absolute {
        (bounds.at_least, bounds.at_most) = (value.lower_bound, value.upper_bound);
    }
    if let Some(metric_threshold::ValidateRelative::ChangeThreshold(change)) = &threshold.validate_relative {
        match MetricDirection::try_from(change.direction) {
            Ok(MetricDirection::HigherIsBetter) => {
                (bounds.change_at_least, bounds.relative_change_at_least) = (change.absolute, change.relative);
            }
            Ok(MetricDirection::LowerIsBetter) => {
                (bounds.change_at_most, bounds.relative_change_at_most) = (change.absolute, change.relative);
            }
            _ => {
                return Err(Problem::new("a `change_threshold` has no `direction`")
                    .with_hint("write `direction: HIGHER_IS_BETTER` or `direction: LOWER_IS_BETTER`"));
            }
        }
    }
    Ok(bounds)
}

impl Converter<'_> {
    fn metrics(&mut self, spec: &MetricsSpec) -> Result<(), Problem> {
        // TFMA's names of the metrics of this specification.
        let mut names: BTreeMap<String, Metric> = BTreeMap::new();
        for written in &spec.metrics {
            let config: Map<String, Value> = match written.config.trim() {
                "" => Map::new(),
                text => serde_json::from_str(text).map_err(|error| {
                    Problem::new(format!("`config` of `{}` is not a JSON object: {error}", written.class_name))
                })?,
            };
            let found = metrics_of_class(&written.class_name, &config, self.task)?;
            let found = self.divided(spec, &written.class_name, found)?;
            for metric in &found {
                self.ask(*metric);
            }
            let Some(first) = found.first().copied() else {
                self.notes.push(format!("`{}` is part of every report", written.class_name));
                continue;
            };
            let own_name = config.get("name").and_then(Value::as_str).map(str::to_owned);
            names.insert(own_name.unwrap_or_else(|| default_name(&written.class_name)), first);
            if let Some(threshold) = &written.threshold {
                self.bound(first, None, threshold)?;
            }
            for per_slice in &written.per_slice_thresholds {
                for slices in &per_slice.slicing_specs {
                    self.bound(first, Some(selector_of(slices)?), &per_slice.threshold.unwrap_or_default())?;
                }
            }
            for cross in &written.cross_slice_thresholds {
                let threshold = cross.threshold.unwrap_or_default();
                cross.cross_slicing_specs.iter().try_for_each(|specs| self.cross(first, specs, &threshold))?;
            }
        }
        let metric = |name: &String| {
            names.get(name).copied().ok_or_else(|| {
                let known: Vec<&str> = names.keys().map(String::as_str).collect();
                Problem::new(format!("`thresholds` names `{name}`, which is not a metric of its specification"))
                    .with_hint(format!("its metrics are {}", known.join(", ")))
            })
        };
        for (name, threshold) in &spec.thresholds {
            self.bound(metric(name)?, None, threshold)?;
        }
        for (name, thresholds) in &spec.per_slice_thresholds {
            for per_slice in &thresholds.thresholds {
                for slices in &per_slice.slicing_specs {
                    let threshold = per_slice.threshold.unwrap_or_default();
                    self.bound(metric(name)?, Some(selector_of(slices)?), &threshold)?;
                }
            }
        }
        for (name, thresholds) in &spec.cross_slice_thresholds {
            for cross in &thresholds.thresholds {
                let (metric, threshold) = (metric(name)?, cross.threshold.unwrap_or_default());
                cross.cross_slicing_specs.iter().try_for_each(|specs| self.cross(metric, specs, &threshold))?;
            }
        }
        Ok(())
    }

    /// The metrics by class, or as a mean over classes, if the specification asks for that.
    fn divided(&self, spec: &MetricsSpec, class_name: &str, found: Vec<Metric>) -> Result<Vec<Metric>, Problem> {
        let refuse = || {
            Problem::new(format!("`{class_name}` is not computed by class, or as a mean over classes, as TFMA does"))
                .with_hint("name metrics of classes in the pipeline file: `macro_f1`, `recall[CLASS]`")
        };
        let is_area = |metric: &Metric| matches!(metric, Metric::Auc | Metric::PrAuc);
        let mut divided = Vec::new();
        if let Some(binarize) = &spec.binarize {
            if binarize.k_list.is_some() || binarize.top_k_list.is_some() || !found.iter().all(is_area) {
                return Err(refuse());
            }
            for id in binarize.class_ids.iter().flat_map(|ids| &ids.values) {
                let Some(class) = usize::try_from(*id).ok().and_then(|id| self.task.names().get(id)) else {
                    // The classes are known when a model is.
                    if self.task.kind() == TaskKind::Binary {
                        continue;
                    }
                    let problem = format!("`class_ids` names the class {id}");
                    return Err(
                        Problem::new(problem).with_hint(format!("the classes are {}", self.task.names().join(", ")))
                    );
                };
                for metric in &found {
                    let name = format!("{metric}[{class}]");
                    divided.push(name.parse().map_err(|_| refuse())?);
                }
            }
        }
        match spec.aggregate.as_ref().and_then(|aggregate| aggregate.r#type.as_ref()) {
            None => {}
            Some(_) if found != [Metric::Auc] => return Err(refuse()),
            Some(aggregation_options::Type::MicroAverage(_)) => divided.push(Metric::AucMicro),
            Some(aggregation_options::Type::MacroAverage(_)) => divided.push(Metric::Auc),
            Some(aggregation_options::Type::WeightedMacroAverage(_)) => divided.push(Metric::WeightedAuc),
        }
        Ok(if divided.is_empty() { found } else { divided })
    }

    fn ask(&mut self, metric: Metric) {
        let named = AskedMetric::Named(metric.name().to_owned());
        if metric.is_on_request() && !self.params.metrics.contains(&named) {
            self.params.metrics.push(named);
        }
    }

    /// Adds a bound on all rows, or on slices.
    fn bound(
        &mut self,
        metric: Metric,
        slice: Option<SliceSelector>,
        threshold: &MetricThreshold,
    ) -> Result<(), Problem> {
        let bounds = threshold_of(threshold)?;
        if bounds.rules().next().is_none() {
            return Ok(());
        }
        let written = (metric.name().to_owned(), WrittenThreshold::Bounds(bounds));
        match slice.filter(|slice| !matches!(slice, SliceSelector::One(key) if key.is_overall())) {
            None => {
                // A second bound on the same metric would take the place of the first.
                let by_name = &mut self.params.thresholds;
                if by_name.contains_key(&written.0) {
                    return Err(Problem::new(format!("`{metric}` has two thresholds on all rows")));
                }
                by_name.extend([written]);
            }
            Some(slice) => {
                self.params.slice_thresholds.push(SliceThreshold { slice, thresholds: BTreeMap::from([written]) });
            }
        }
        Ok(())
    }

    fn cross(&mut self, metric: Metric, specs: &CrossSlicingSpec, threshold: &MetricThreshold) -> Result<(), Problem> {
        let bounds = threshold_of(threshold)?;
        let (against, slices) = cross_of(specs)?;
        for slice in slices {
            let thresholds = BTreeMap::from([(metric.name().to_owned(), WrittenThreshold::Bounds(bounds))]);
            self.params.cross_slice_thresholds.push(CrossSliceThreshold {
                against: against.clone(),
                slice,
                thresholds,
            });
        }
        Ok(())
    }

    fn options(&mut self, config: &EvalConfig) {
        let Some(options) = &config.options else { return };
        if let Some(rows) = options.min_slice_size {
            self.params.min_slice_size = u64::try_from(rows).unwrap_or(1).max(1);
        }
        if options.compute_confidence_intervals == Some(true) {
            self.params.confidence_intervals =
                ConfidenceIntervals::of(IntervalOptions { slices: true, ..IntervalOptions::default() });
            let method = options.confidence_intervals.as_ref().map(|options| options.method);
            if method == Some(confidence_interval_options::ConfidenceIntervalMethod::Jackknife as i32) {
                self.notes.push(
                    "intervals are computed by DeLong, Wilson and the Poisson bootstrap, not by jackknife".into(),
                );
            }
        }
        if options.disabled_outputs.as_ref().is_some_and(|outputs| !outputs.values.is_empty()) {
            self.notes.push("`disabled_outputs` has no meaning here".into());
        }
    }
}
