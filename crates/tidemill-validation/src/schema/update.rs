//! Widening a schema so that it allows an anomaly.

use std::path::Path;

use tidemill_core::{
    Anomaly, AnomalyType, DatasetStatistics, Distance, Domain, Feature, FeatureStatistics, FeatureType, Schema,
    ValueRule,
};

use super::edit::YamlText;
use super::infer::infer_schema;
use super::parse::{SchemaError, parse_schema};
use super::print::{number, print_feature, scalar};
use crate::counted::Counted;
use crate::drift::DriftReport;

/// Values that are added to a domain at most: more are no list that a person keeps.
const VALUES_MAX: usize = 1000;

/// What accepting anomalies came to.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemaUpdate {
    /// The text of the schema, edited.
    pub text: String,
    /// What it says.
    pub schema: Schema,
    /// The anomalies that it now allows.
    pub accepted: Vec<Anomaly>,
    /// Those it cannot, with the reason.
    pub refused: Vec<(Anomaly, String)>,
}

/// Edits the text of a schema so that it allows `anomalies` of the data that `statistics` and `drift` describe, and nothing more:
/// a bound moves to what was seen, a value joins its domain, a column that is gone is `deprecated`, a new one gets an inferred entry.
///
/// Comments, order and layout of everything else stay. Errors are those of a text that is no schema; `file` is what messages call it.
pub fn update_schema(
    text: &str,
    file: &Path,
    anomalies: &[Anomaly],
    statistics: &DatasetStatistics,
    drift: Option<&DriftReport>,
) -> Result<SchemaUpdate, SchemaError> {
    let mut schema = parse_schema(text, file)?;
    let mut update =
        SchemaUpdate { text: text.to_owned(), schema: schema.clone(), accepted: Vec::new(), refused: Vec::new() };
    for anomaly in anomalies {
        let mut edited = YamlText::new(&update.text);
        let context = Context { anomaly, schema: &schema, statistics, drift };
        let done = context.edit(&mut edited).and_then(|()| {
            let text = edited.into_text();
            let read =
                parse_schema(&text, file).map_err(|error| format!("the result would not be a schema: {error}"))?;
            Ok((text, read))
        });
        match done {
            Ok((text, read)) => {
                (update.text, schema) = (text, read);
                update.accepted.push(anomaly.clone());
            }
            Err(reason) => update.refused.push((anomaly.clone(), reason)),
        }
    }
    update.schema = schema;
    Ok(update)
}

struct Context<'a> {
    anomaly: &'a Anomaly,
    schema: &'a Schema,
    statistics: &'a DatasetStatistics,
    drift: Option<&'a DriftReport>,
}

impl Context<'_> {
    /// Makes the edit, or says why there is none.
    fn edit(&self, text: &mut YamlText) -> Result<(), String> {
        use AnomalyType as T;
        let name = self.anomaly.feature.as_str();
        let by_weight = self.statistics.by_weight();
        let counted = |feature| Counted::new(feature, by_weight.is_some());
        let size = by_weight.unwrap_or(self.statistics.num_examples as f64);
        match self.anomaly.anomaly_type {
            T::SchemaNewColumn => self.add(text),
            T::SchemaMissingColumn | T::FeatureTypeNotPresent => {
                set(text, &["features", name, "lifecycle"], "deprecated")
            }
            T::DatasetLowNumExamples => set(text, &["dataset", "min_examples"], &format!("{:.0}", size.floor())),
            T::DatasetHighNumExamples => set(text, &["dataset", "max_examples"], &format!("{:.0}", size.ceil())),
            T::EnumTypeUnexpectedStringValues => self.values(text),
            T::FeatureTypeLowFractionPresent => {
                let share = (counted(self.column()?).present_share() * 1000.0).floor() / 1000.0;
                self.set(text, &["presence", "min_fraction"], &number(share))
            }
            T::FeatureTypeLowNumberPresent => {
                let count = counted(self.column()?).present().floor();
                self.set(text, &["presence", "min_count"], &format!("{count:.0}"))
            }
            T::FeatureTypeLowNumberValues => {
                let count = self.column()?.common.min_num_values;
                self.set(text, &["value_count", "min"], &count.to_string())
            }
            T::FeatureTypeHighNumberValues => {
                let count = self.column()?.common.max_num_values;
                self.set(text, &["value_count", "max"], &count.to_string())
            }
            T::FeatureTypeLowUnique => self.set(text, &["unique", "min"], &self.distinct()?),
            T::FeatureTypeHighUnique => self.set(text, &["unique", "max"], &self.distinct()?),
            T::FloatTypeSmallFloat => self.set(text, &["domain", "float", "min"], &number(self.extremes()?.0)),
            T::FloatTypeBigFloat => self.set(text, &["domain", "float", "max"], &number(self.extremes()?.1)),
            T::IntTypeSmallInt => self.set(text, &["domain", "int", "min"], &format!("{:.0}", self.extremes()?.0)),
            T::IntTypeBigInt => self.set(text, &["domain", "int", "max"], &format!("{:.0}", self.extremes()?.1)),
            T::FloatTypeHasNan => self.set(text, &["domain", "float", "disallow_nan"], "false"),
            T::FloatTypeHasInf => self.set(text, &["domain", "float", "disallow_inf"], "false"),
            T::UnexpectedDataType => self.retype(text),
            T::ComparatorLInftyHigh => self.threshold(text, Distance::LInfinity),
            T::ComparatorJensenShannonDivergenceHigh => self.threshold(text, Distance::JensenShannon),
            T::ComparatorNormalizedAbsoluteDifferenceHigh => {
                self.threshold(text, Distance::NormalizedAbsoluteDifference)
            }
            _ => Err("there is no one way to allow it: edit the schema by hand".to_owned()),
        }
    }

    fn set(&self, text: &mut YamlText, path: &[&str], value: &str) -> Result<(), String> {
        let mut full = vec!["features", self.anomaly.feature.as_str()];
        full.extend(path);
        set(text, &full, value)
    }

    fn column(&self) -> Result<&FeatureStatistics, String> {
        self.statistics.feature(&self.anomaly.feature).ok_or_else(|| "the data has no such column".to_owned())
    }

    fn feature(&self) -> Result<&Feature, String> {
        self.schema.features.get(&self.anomaly.feature).ok_or_else(|| "the schema has no such feature".to_owned())
    }

    fn distinct(&self) -> Result<String, String> {
        let text = self.column()?.string.as_ref().ok_or("distinct values are counted for text only")?;
        Ok(text.unique.to_string())
    }

    /// The least and the greatest of the numbers, also of those in text.
    fn extremes(&self) -> Result<(f64, f64), String> {
        let column = self.column()?;
        if let Some(numbers) = &column.numeric {
            return Ok((numbers.min, numbers.max));
        }
        let rule = ValueRule::new(self.feature()?, self.schema);
        let values = column.string.as_ref().and_then(|text| text.values.as_ref()).ok_or("too many distinct values")?;
        let numbers = values.iter().filter_map(|(value, _)| rule.number_in(value));
        let (min, max) = numbers.fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), x| (min.min(x), max.max(x)));
        if min <= max { Ok((min, max)) } else { Err("no value is a number".to_owned()) }
    }

    /// Adds the unexpected values to the domain.
    fn values(&self, text: &mut YamlText) -> Result<(), String> {
        let feature = self.feature()?;
        let rule = ValueRule::new(feature, self.schema);
        let found = self.column()?.string.as_ref().and_then(|text| text.values.as_ref());
        let found =
            found.ok_or("too many distinct values to list them: take the domain away, or lower min_domain_mass")?;
        let mut new: Vec<&str> =
            found.iter().map(|(value, _)| value).filter(|value| !rule.allows_text(value)).collect();
        if new.len() > VALUES_MAX {
            return Err(format!(
                "{} new values are no list: take the domain away, or lower min_domain_mass",
                new.len()
            ));
        }
        new.sort_unstable();
        let path = match &feature.domain {
            Some(Domain::Shared(shared)) => vec!["domains", shared.as_str()],
            _ => vec!["features", self.anomaly.feature.as_str(), "domain", "values"],
        };
        new.into_iter().try_for_each(|value| text.push(&path, &scalar(value)).ok_or_else(no_place))
    }

    /// Adds an entry for a new column, as it would be inferred.
    fn add(&self, text: &mut YamlText) -> Result<(), String> {
        let name = self.anomaly.feature.as_str();
        let mut lines = String::new();
        print_feature(&mut lines, name, &self.inferred()?);
        text.add_entry(&["features"], name, lines.trim_end()).ok_or_else(no_place)
    }

    fn inferred(&self) -> Result<Feature, String> {
        let one = DatasetStatistics { features: vec![self.column()?.clone()], ..self.statistics.clone() };
        infer_schema(&[&one]).features.remove(&self.anomaly.feature).ok_or_else(|| "nothing can be inferred".to_owned())
    }

    /// Takes the type that the data has; what else was said of the values no longer fits them.
    fn retype(&self, text: &mut YamlText) -> Result<(), String> {
        let old = self.feature()?;
        let found = self.column()?.feature_type;
        let fits = old.domain.is_none() && old.drift.is_none() && old.skew.is_none() && old.unique.is_none();
        let widened = (old.feature_type, found) == (FeatureType::Int, FeatureType::Float);
        if fits || (widened && old.domain.is_none()) {
            return self.set(text, &["type"], found.name());
        }
        let new = Feature {
            lifecycle: old.lifecycle,
            in_environment: old.in_environment.clone(),
            not_in_environment: old.not_in_environment.clone(),
            severity: old.severity.clone(),
            ..self.inferred()?
        };
        let json = serde_json::to_string(&new).map_err(|error| error.to_string())?;
        // JSON is YAML in flow style.
        set(text, &["features", &self.anomaly.feature], &json)
    }

    /// Raises a threshold to the distance measured.
    fn threshold(&self, text: &mut YamlText, distance: Distance) -> Result<(), String> {
        let report = self.drift.ok_or("name the data before with `--baseline`")?;
        let feature = report.features.iter().find(|feature| feature.distance.feature == self.anomaly.feature);
        let measured = feature.and_then(|feature| feature.distance.get(distance)).ok_or("it was not measured")?;
        let threshold = (measured * 1000.0).ceil() / 1000.0;
        self.set(text, &[report.comparison.key(), distance.name()], &number(threshold.min(1.0)))
    }
}

fn set(text: &mut YamlText, path: &[&str], value: &str) -> Result<(), String> {
    text.set(path, value).ok_or_else(no_place)
}

fn no_place() -> String {
    "the file is written in a way that cannot be edited in place".to_owned()
}
