//! Checks the inputs of requests against the schema of the training data, by the rules that validate datasets.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, Int64Type};
use tidemill_core::{AnomalyType, FeatureCheck, FeatureValue, Finding, RecordCheck, Severity};
use tidemill_model::{LoadedModel, package_schema};

use crate::inference::request_error::RequestError;
use crate::observability::metrics::Metrics;

/// The schema environment of requests.
const ENVIRONMENT: &str = "SERVING";
/// The maximum number of findings in the response header; all are counted.
const FINDINGS_IN_HEADER_MAX: usize = 8;

/// What the server does with inputs that the schema of the training data does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InputPolicy {
    /// Inputs are not checked.
    Off,
    /// The request is answered. Findings are counted and listed in a response header.
    #[default]
    Flag,
    /// The request is rejected (400) if a finding is an error; warnings are flagged.
    Reject,
}

impl FromStr for InputPolicy {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            "flag" => Ok(Self::Flag),
            "reject" => Ok(Self::Reject),
            _ => Err("`off`, `flag` or `reject`"),
        }
    }
}

/// The checks of a model's inputs.
#[derive(Debug, Clone)]
pub(crate) struct InputChecks {
    /// Name and check of the input at each position of the signature, if the schema has the input.
    columns: Vec<Option<(String, FeatureCheck)>>,
}

/// Findings in a column, by rule.
type Found = BTreeMap<(AnomalyType, Severity), (u64, usize, Finding)>;

impl InputChecks {
    /// The checks of the package in `folder`; none if it has no schema, as model files of other programs have none.
    pub(crate) fn load(folder: &Path, model: &LoadedModel) -> Result<Option<Self>, String> {
        let LoadedModel::Package(model) = model else { return Ok(None) };
        let schema = package_schema(folder, model.manifest()).map_err(|error| error.to_string())?;
        let Some(schema) = schema else { return Ok(None) };
        let check = RecordCheck::new(&schema, ENVIRONMENT);
        let of = |name: &String| check.feature(name).map(|feature| (name.clone(), feature.clone()));
        Ok(Some(Self { columns: model.signature().inputs.iter().map(|input| of(&input.name)).collect() }))
    }

    /// Every violation: for each input and rule how often, and the first row with it.
    fn find(&self, batch: &RecordBatch) -> Vec<(u64, usize, Finding)> {
        let mut all = Vec::new();
        for (place, checked) in self.columns.iter().enumerate() {
            let Some((name, check)) = checked else { continue };
            // Batches have the order of the signature; if one has not, its columns are matched by name.
            let here = batch.schema_ref().fields().get(place).is_some_and(|field| field.name() == name);
            let column = if here { batch.columns().get(place) } else { batch.column_by_name(name) };
            if let Some(column) = column {
                let mut found = Found::new();
                check_column(check, column, &mut found);
                all.extend(found.into_values());
            }
        }
        all
    }
}

fn check_column(check: &FeatureCheck, column: &dyn Array, found: &mut Found) {
    let mut put = |row: usize, value: FeatureValue<'_>| {
        if let Some(finding) = check.check(value) {
            let key = (finding.anomaly_type, finding.severity);
            found.entry(key).or_insert((0, row, finding)).0 += 1;
        }
    };
    macro_rules! each {
        ($values:expr, $value:path) => {{
            let values = $values;
            for row in 0..values.len() {
                put(row, if values.is_null(row) { FeatureValue::Missing } else { $value(values.value(row)) });
            }
        }};
    }
    match column.data_type() {
        DataType::Float64 => each!(column.as_primitive::<Float64Type>(), FeatureValue::Float),
        DataType::Int64 => each!(column.as_primitive::<Int64Type>(), FeatureValue::Int),
        DataType::Boolean => each!(column.as_boolean(), FeatureValue::Bool),
        DataType::Utf8 => each!(column.as_string::<i32>(), FeatureValue::Text),
        DataType::Binary => each!(column.as_binary::<i32>(), FeatureValue::Bytes),
        // The rules for lists apply to datasets only.
        _ => {}
    }
}

/// The findings of a request, to be reported in its response.
pub(crate) type InputFindings = Arc<OnceLock<String>>;

/// Checks the inputs of one request.
#[derive(Debug)]
pub(crate) struct InputChecker {
    pub(crate) policy: InputPolicy,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) flags: InputFindings,
}

impl InputChecker {
    /// Counts and flags violations of the inputs, or rejects the request.
    pub(crate) fn check(&self, model: &str, checks: &InputChecks, batch: &RecordBatch) -> Result<(), RequestError> {
        let found = checks.find(batch);
        if found.is_empty() {
            return Ok(());
        }
        for (count, _, finding) in &found {
            let rule = finding.anomaly_type.to_string();
            self.metrics.input_findings(model, &finding.feature, &rule, *count);
        }
        let errors: Vec<String> = found
            .iter()
            .filter(|(_, _, finding)| finding.severity == Severity::Error)
            .map(|(_, row, finding)| format!("row {row}: {finding}"))
            .collect();
        if self.policy == InputPolicy::Reject && !errors.is_empty() {
            let more = errors.len().saturating_sub(FINDINGS_IN_HEADER_MAX);
            let told = errors[..errors.len().min(FINDINGS_IN_HEADER_MAX)].join("; ");
            let more = if more > 0 { format!("; and {more} more") } else { String::new() };
            return Err(RequestError::invalid(format!("inputs violate the schema of the training data: {told}{more}")));
        }
        let told: Vec<Flag<'_>> =
            found.iter().take(FINDINGS_IN_HEADER_MAX).map(|(_, _, finding)| Flag(finding)).collect();
        let told: Vec<String> = told.iter().map(ToString::to_string).collect();
        // A request is checked once.
        let _ = self.flags.set(told.join(", "));
        Ok(())
    }
}

/// A finding as header text: the feature and the rule, in ASCII.
struct Flag<'a>(&'a Finding);

impl fmt::Display for Flag<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.feature.chars() {
            let plain = c.is_ascii_graphic() && c != ',' && c != '=';
            write!(f, "{}", if plain { c } else { '_' })?;
        }
        write!(f, "={}", self.0.anomaly_type)
    }
}
