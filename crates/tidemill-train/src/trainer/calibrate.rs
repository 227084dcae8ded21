//! What is decided on the validation rows once a learner is fitted: a calibration of its probabilities, and a threshold.

use serde_json::{Value, json};
use tidemill_core::{Code, ComponentError};
use tidemill_model::{Calibrated, FeatureBlock};

use super::threshold::Threshold;
use crate::calibration::{Method, Quality};
use crate::learner::{FittedLearner, Judged, TrainingData, predictions};

/// Puts a calibration behind the learner. Its metrics are those of the calibrated probabilities afterwards.
pub(super) fn calibrate(
    method: Method,
    fitted: FittedLearner,
    data: &TrainingData<'_>,
) -> Result<FittedLearner, ComponentError> {
    let rows = validation_rows(data, "calibration")?;
    data.progress.phase("calibrating");
    let before = fitted.learner.clone();
    let columns = predictions(&|block: &FeatureBlock| Ok(before.predict(block)?), data.task, rows)?;
    let calibration = method.fit(&columns, rows.labels(), rows.weights());
    let mut calibrated_columns = columns.clone().into();
    calibration.apply(&mut calibrated_columns);
    let quality = |columns: &[Vec<f64>]| Quality::of(columns, rows.labels(), rows.weights());
    let (before, after) = (quality(&columns), quality(&calibrated_columns));

    let learner = tidemill_model::Learner::Calibrated(Box::new(Calibrated::new(fitted.learner, calibration)?));
    let judged = Judged::new(&|block: &FeatureBlock| Ok(learner.predict(block)?), data)?;
    let mut facts = fitted.facts;
    facts.insert(
        "calibration".to_owned(),
        json!({ "method": method.name(), "rows": rows.rows(), "before": before.facts(), "after": after.facts() }),
    );
    let mut properties = fitted.properties;
    properties.insert("calibration".to_owned(), Value::from(method.name()));
    let mut warnings = fitted.warnings;
    if after.log_loss > before.log_loss {
        warnings.push(format!(
            "the calibration `{}` makes the log-loss of the validation rows larger: leave it out, or try another",
            method.name()
        ));
    }
    Ok(FittedLearner {
        train_metrics: judged.train,
        validation_metrics: judged.validation,
        facts,
        properties,
        importance: fitted.importance,
        headline: format!(
            "{}, calibration error {:.4} → {:.4} by {}",
            fitted.headline,
            before.calibration_error,
            after.calibration_error,
            method.name()
        ),
        warnings,
        learner,
    })
}

/// The threshold above which a row is called positive. It goes into the facts and the headline.
pub(super) fn decide(
    threshold: &Threshold,
    fitted: &mut FittedLearner,
    data: &TrainingData<'_>,
) -> Result<f64, ComponentError> {
    let rows = if threshold.is_chosen() { Some(validation_rows(data, "threshold")?) } else { data.validation.as_ref() };
    let learner = &fitted.learner;
    let predict = |block: &FeatureBlock| Ok(learner.predict(block)?);
    let columns = rows.map(|rows| predictions(&predict, data.task, rows)).transpose()?;
    let judged =
        rows.zip(columns.as_ref()).map(|(rows, columns)| (columns[0].as_slice(), rows.labels(), rows.weights()));
    let decided = threshold.decide(judged)?;
    fitted.facts.insert("threshold".to_owned(), decided.facts());
    fitted.properties.insert("decision_threshold".to_owned(), json!(decided.value));
    fitted.headline.push_str(&decided.headline());
    Ok(decided.value)
}

/// The validation rows, which the parameter `name` needs.
pub(super) fn validation_rows<'a>(
    data: &'a TrainingData<'_>,
    name: &str,
) -> Result<&'a crate::learner::SplitRows<'a>, ComponentError> {
    data.validation.as_ref().ok_or_else(|| {
        let message = format!("`{name}` needs validation rows, and none could be kept aside");
        ComponentError::new(Code::Params, message).with_hint("name a split: `validation: SPLIT`")
    })
}
