//! From TensorFlow Metadata.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tidemill_core::{
    AnomalyType, Bins, Comparators, DatasetConstraints, Domain, Feature, FeatureType, FractionBounds, InvalidEntry,
    Lifecycle, Presence, Schema, Semantic, SparseFeature, TimeUnit, UniqueCount, ValueCount, WeightedFeature,
};

use super::super::check::{Problem, problems};
use super::super::parse::{SchemaError, SchemaIssue};
use pb::feature::{DomainInfo, PresenceConstraints, ShapeType};
use tidemill_proto::metadata as pb;
use tidemill_proto::text::from_text;

/// The schema in `text`, with notes on what it says that Tidemill has no word for. `file` is what messages call it.
///
/// An entry that cannot hold (a count below zero, a domain of another type) does not refuse the file: it is left out, noted, and
/// kept in [`Schema::invalid`], so that validation reports it.
pub fn schema_from_pbtxt(text: &str, file: &Path) -> Result<(Schema, Vec<String>), SchemaError> {
    let invalid = |issues| SchemaError::invalid(file, text, issues);
    let message: pb::Schema = from_text("tensorflow.metadata.v0.Schema", text).map_err(|error| {
        let (line, column) = (error.line as u64, error.column as u64);
        invalid(vec![SchemaIssue { line, column, message: error.message, hint: None }])
    })?;
    let environments = environments(&message);
    let mut reader = Reader {
        text,
        message: &message,
        environments,
        notes: Vec::new(),
        issues: Vec::new(),
        invalid_entries: Vec::new(),
    };
    let mut schema = reader.schema();
    let Reader { mut notes, issues, mut invalid_entries, .. } = reader;
    if !issues.is_empty() {
        return Err(invalid(issues));
    }
    let found = problems(&schema);
    found.iter().for_each(|problem| mend(&mut schema, problem));
    invalid_entries.extend(found.into_iter().map(|problem| (problem.feature, problem.anomaly_type, problem.message)));
    // What is left out may have hidden more of the kind, as two names that collide with a third.
    problems(&schema).iter().for_each(|problem| mend(&mut schema, problem));
    for (feature, anomaly_type, message) in invalid_entries {
        let (line, column) = place_of(text, &feature);
        notes.push(format!("line {line} column {column}: {message}; the entry is left out"));
        schema.invalid.entry(feature).or_default().push(InvalidEntry { anomaly_type, message });
    }
    Ok((schema, notes))
}

/// Where the name of a feature stands.
fn place_of(text: &str, feature: &str) -> (u64, u64) {
    let name = feature.rsplit('.').next().unwrap_or(feature);
    let quoted = [format!("\"{feature}\""), format!("'{feature}'"), format!("\"{name}\""), format!("'{name}'")];
    let at = |quoted: &String| {
        text.lines().zip(1..).find_map(|(line, number)| {
            let key = line.find("name")?;
            let after = line[key + 4..].trim_start().strip_prefix(':')?.trim_start();
            after.starts_with(quoted.as_str()).then(|| (number, line[..key].chars().count() as u64 + 1))
        })
    };
    quoted.iter().find_map(at).unwrap_or((1, 1))
}

struct Reader<'a> {
    text: &'a str,
    message: &'a pb::Schema,
    /// The default environments, and those that features name beside them.
    environments: Vec<String>,
    notes: Vec<String>,
    issues: Vec<SchemaIssue>,
    /// Feature, anomaly and message of each entry that cannot hold.
    invalid_entries: Vec<(String, AnomalyType, String)>,
}

impl Reader<'_> {
    fn note(&mut self, feature: &str, what: &str) {
        self.notes.push(format!("`{feature}`: `{what}` has no counterpart and is left out"));
    }

    fn issue(&mut self, feature: &str, message: String) {
        let (line, column) = place_of(self.text, feature);
        self.issues.push(SchemaIssue { line, column, message, hint: None });
    }

    /// Keeps an entry that cannot hold for validation to report.
    fn reject(&mut self, feature: &str, anomaly_type: AnomalyType, reason: &str) {
        self.invalid_entries.push((feature.to_owned(), anomaly_type, format!("`{feature}`: {reason}")));
    }

    /// A number of values; one below zero is rejected.
    fn count(&mut self, name: &str, what: &str, number: Option<i64>) -> Option<u64> {
        let number = number?;
        if number < 0 {
            self.reject(name, AnomalyType::InvalidSchemaSpecification, &format!("{what} is {number}, below 0"));
        }
        positive(number)
    }

    fn value_count(&mut self, name: &str, count: &pb::ValueCount) -> ValueCount {
        let count = ValueCount {
            min: self.count(name, "min of value_count", count.min),
            max: self.count(name, "max of value_count", count.max),
        };
        if matches!((count.min, count.max), (Some(min), Some(max)) if min > max) {
            self.reject(name, AnomalyType::InvalidSchemaSpecification, "value_count has min above max");
            return ValueCount { max: None, ..count };
        }
        count
    }

    fn schema(&mut self) -> Schema {
        let message = self.message;
        let mut schema = Schema { version: 1, ..Schema::default() };
        self.features("", &message.feature, &mut schema.features);
        let used: BTreeSet<&str> = message.feature.iter().filter_map(shared_name).collect();
        for domain in &message.string_domain {
            let name = domain.name.clone().unwrap_or_default();
            if used.contains(name.as_str()) {
                schema.domains.insert(name, domain.value.clone());
            }
        }
        for sparse in &message.sparse_feature {
            let name = sparse.name.clone().unwrap_or_default();
            let index = sparse.index_feature.iter().filter_map(|index| index.name.clone()).collect();
            let value = sparse.value_feature.as_ref().and_then(|value| value.name.clone()).unwrap_or_default();
            if sparse.dense_shape.is_some() {
                self.note(&name, "dense_shape");
            }
            let lifecycle = Self::lifecycle(sparse.lifecycle_stage);
            schema.sparse_features.insert(name, SparseFeature { index, value, lifecycle });
        }
        for weighted in &message.weighted_feature {
            let path = |path: &Option<pb::Path>| path.as_ref().map(|path| path.step.join(".")).unwrap_or_default();
            let (value, weight) = (path(&weighted.feature), path(&weighted.weight_feature));
            let lifecycle = Self::lifecycle(weighted.lifecycle_stage);
            let name = weighted.name.clone().unwrap_or_default();
            schema.weighted_features.insert(name, WeightedFeature { value, weight, lifecycle });
        }
        schema.environments.clone_from(&self.environments);
        schema.dataset = message.dataset_constraints.as_ref().map(dataset);
        if !message.tensor_representation_group.is_empty() {
            self.notes.push("`tensor_representation_group` has no counterpart and is left out".to_owned());
        }
        schema
    }

    fn features(&mut self, parent: &str, messages: &[pb::Feature], out: &mut BTreeMap<String, Feature>) {
        for message in messages {
            let Some(name) = message.name.as_deref().filter(|name| !name.is_empty()) else {
                self.issue(parent, "a feature has no name".to_owned());
                continue;
            };
            let name = if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") };
            if message.r#type() == pb::FeatureType::Struct {
                if let Some(DomainInfo::StructDomain(domain)) = &message.domain_info {
                    self.features(&name, &domain.feature, out);
                }
                continue;
            }
            let listed = matches!(message.domain_info, Some(DomainInfo::Domain(_) | DomainInfo::StringDomain(_)));
            let feature_type = feature_type(message).or_else(|| {
                self.reject(&name, AnomalyType::FeatureMissingType, "the feature has no type");
                listed.then_some(FeatureType::String)
            });
            let Some(feature_type) = feature_type else { continue };
            let feature = self.feature(&name, feature_type, message);
            if out.insert(name.clone(), feature).is_some() {
                self.issue(&name, format!("`{name}`: two features have this name"));
            }
        }
    }

    fn feature(&mut self, name: &str, feature_type: FeatureType, message: &pb::Feature) -> Feature {
        let mut feature = Feature::new(feature_type);
        feature.presence = match &message.presence_constraints {
            Some(PresenceConstraints::Presence(presence)) => Presence {
                min_fraction: presence.min_fraction,
                min_count: presence.min_count.and_then(positive),
                tolerance: None,
            },
            Some(PresenceConstraints::GroupPresence(group)) if group.required() => {
                Presence { min_fraction: Some(1.0), ..Presence::default() }
            }
            _ => Presence::default(),
        };
        match &message.shape_type {
            Some(ShapeType::Shape(shape)) => {
                let shape: Vec<u64> = shape.dim.iter().map(|dim| positive(dim.size()).unwrap_or(0)).collect();
                feature.shape = Some(shape);
            }
            Some(ShapeType::ValueCount(count)) => feature.value_count = Some(self.value_count(name, count)),
            Some(ShapeType::ValueCounts(counts)) if counts.value_count.len() == 1 => {
                feature.value_count = counts.value_count.first().map(|count| self.value_count(name, count));
            }
            Some(ShapeType::ValueCounts(counts)) => {
                feature.value_counts = counts.value_count.iter().map(|count| self.value_count(name, count)).collect();
            }
            None => {}
        }
        self.domain(name, message, &mut feature);
        if let Some(constraints) = &message.distribution_constraints {
            if feature.domain.as_ref().is_some_and(Domain::lists_strings) {
                feature.min_domain_mass = Some(constraints.min_domain_mass());
            } else if matches!(message.domain_info, Some(DomainInfo::BoolDomain(_))) {
                let reason = "distribution_constraints do not apply to a domain of bool";
                self.reject(name, AnomalyType::InvalidSchemaSpecification, reason);
            } else {
                self.note(name, "distribution_constraints without a domain of strings");
            }
        }
        feature.unique = message
            .unique_constraints
            .as_ref()
            .map(|unique| UniqueCount { min: unique.min.and_then(positive), max: unique.max.and_then(positive) });
        feature.drift = message.drift_comparator.as_ref().and_then(|found| comparators(found, feature_type));
        feature.skew = message.skew_comparator.as_ref().and_then(|found| comparators(found, feature_type));
        #[allow(deprecated, reason = "old files say it this way")]
        let deprecated = message.deprecated().then_some(Lifecycle::Deprecated);
        feature.lifecycle = Self::lifecycle(message.lifecycle_stage).or(deprecated);
        feature.derived_by = message.validation_derived_source.as_ref().map(|source| source.deriver_name.clone());
        self.environments(name, message, &mut feature);
        if message.sequence_metadata.is_some() {
            self.note(name, "sequence_metadata");
        }
        feature
    }

    /// There, a feature is in the default environments and in those it names, except where it says it is not. Here, it is in all.
    fn environments(&mut self, name: &str, message: &pb::Feature, feature: &mut Feature) {
        let all = self.environments.clone();
        if all.is_empty() {
            feature.not_in_environment.clone_from(&message.not_in_environment);
            return;
        }
        if message.not_in_environment.iter().any(|environment| !all.contains(environment)) {
            self.note(name, "not_in_environment of an environment that no feature is in");
        }
        let member = |environment: &String| {
            !message.not_in_environment.contains(environment)
                && (message.in_environment.contains(environment)
                    || self.message.default_environment.contains(environment))
        };
        feature.not_in_environment = all.iter().filter(|environment| !member(environment)).cloned().collect();
    }

    fn domain(&mut self, name: &str, message: &pb::Feature, feature: &mut Feature) {
        let domain = match &message.domain_info {
            None => return,
            Some(DomainInfo::Domain(shared)) => {
                let of = |known: &Option<String>| known.as_deref() == Some(shared);
                let int = self.message.int_domain.iter().find(|domain| of(&domain.name));
                let float = self.message.float_domain.iter().find(|domain| of(&domain.name));
                match (int, float) {
                    (Some(int), _) => Some(int_domain(int)),
                    (_, Some(float)) => Some(float_domain(float)),
                    _ => Some(Domain::Shared(shared.clone())),
                }
            }
            Some(DomainInfo::IntDomain(domain)) => {
                if domain.is_categorical() {
                    self.note(name, "is_categorical");
                }
                Some(int_domain(domain))
            }
            Some(DomainInfo::FloatDomain(domain)) => {
                if domain.is_embedding() || domain.is_categorical() {
                    self.note(name, "is_embedding or is_categorical");
                }
                Some(float_domain(domain))
            }
            Some(DomainInfo::StringDomain(domain)) => Some(Domain::Values(domain.value.clone())),
            // Values that are read as booleans need no names for true and false.
            Some(DomainInfo::BoolDomain(_)) if feature.feature_type == FeatureType::Bool => None,
            Some(DomainInfo::BoolDomain(domain)) => {
                Some(Domain::Bool { true_value: domain.true_value.clone(), false_value: domain.false_value.clone() })
            }
            Some(DomainInfo::TimeDomain(domain)) => self.time_domain(name, domain),
            Some(DomainInfo::TimeOfDayDomain(domain)) => match &domain.format {
                Some(pb::time_of_day_domain::Format::StringFormat(format)) => {
                    Some(Domain::Time { format: Some(format.clone()), unit: None })
                }
                _ => {
                    self.note(name, "time_of_day_domain of packed numbers");
                    None
                }
            },
            Some(DomainInfo::NaturalLanguageDomain(_) | DomainInfo::UrlDomain(_))
                if !matches!(feature.feature_type, FeatureType::String | FeatureType::Bytes) =>
            {
                let reason = format!("a domain of text does not apply to the type `{}`", feature.feature_type);
                self.reject(name, AnomalyType::DomainInvalidForType, &reason);
                None
            }
            Some(DomainInfo::StructDomain(_)) => {
                let reason = format!("a domain of structures does not apply to the type `{}`", feature.feature_type);
                self.reject(name, AnomalyType::DomainInvalidForType, &reason);
                None
            }
            Some(DomainInfo::UrlDomain(_)) => {
                feature.semantic = Some(Semantic::Url);
                None
            }
            Some(DomainInfo::NaturalLanguageDomain(domain)) => {
                feature.semantic = Some(Semantic::FreeText);
                if *domain != pb::NaturalLanguageDomain::default() {
                    self.note(name, "constraints of natural_language_domain");
                }
                None
            }
            Some(DomainInfo::ImageDomain(domain)) => Some(Domain::Image {
                min_supported_fraction: domain.minimum_supported_image_fraction.map(exact),
                max_bytes: domain.max_image_byte_size.and_then(positive),
            }),
            Some(_) => {
                self.note(name, "domain_info of this kind");
                None
            }
        };
        feature.domain = domain;
    }

    fn time_domain(&mut self, name: &str, domain: &pb::TimeDomain) -> Option<Domain> {
        use pb::time_domain::{Format, IntegerTimeFormat as Unit};
        match &domain.format {
            Some(Format::StringFormat(format)) => Some(Domain::Time { format: Some(format.clone()), unit: None }),
            Some(Format::IntegerFormat(unit)) => {
                let unit = match Unit::try_from(*unit).ok()? {
                    Unit::UnixDays => TimeUnit::Days,
                    Unit::UnixSeconds => TimeUnit::Seconds,
                    Unit::UnixMilliseconds => TimeUnit::Milliseconds,
                    Unit::UnixMicroseconds => TimeUnit::Microseconds,
                    Unit::UnixNanoseconds => TimeUnit::Nanoseconds,
                    Unit::FormatUnknown => {
                        self.note(name, "time_domain of unknown format");
                        return None;
                    }
                };
                Some(Domain::Time { format: None, unit: Some(unit) })
            }
            None => {
                self.note(name, "time_domain without a format");
                None
            }
        }
    }

    fn lifecycle(stage: Option<i32>) -> Option<Lifecycle> {
        use pb::LifecycleStage as Stage;
        Some(match Stage::try_from(stage?).ok()? {
            Stage::UnknownStage => return None,
            Stage::Planned => Lifecycle::Planned,
            Stage::Alpha => Lifecycle::Alpha,
            Stage::Beta => Lifecycle::Beta,
            Stage::Production => Lifecycle::Production,
            Stage::Deprecated => Lifecycle::Deprecated,
            Stage::DebugOnly => Lifecycle::DebugOnly,
            Stage::Disabled => Lifecycle::Disabled,
            Stage::ValidationDerived => Lifecycle::ValidationDerived,
        })
    }
}

/// The default environments, and those that features name beside them.
fn environments(message: &pb::Schema) -> Vec<String> {
    fn named<'a>(features: &'a [pb::Feature], out: &mut Vec<&'a String>) {
        for feature in features {
            out.extend(&feature.in_environment);
            if let Some(DomainInfo::StructDomain(domain)) = &feature.domain_info {
                named(&domain.feature, out);
            }
        }
    }
    let mut all: Vec<&String> = message.default_environment.iter().collect();
    named(&message.feature, &mut all);
    let mut seen = BTreeSet::new();
    all.into_iter().filter(|name| seen.insert(*name)).cloned().collect()
}

/// Takes the entry that is a problem out of the schema, as far as the schema cannot do without it.
fn mend(schema: &mut Schema, problem: &Problem) {
    let keys: Vec<&str> = problem.path.iter().map(String::as_str).collect();
    match keys.as_slice() {
        ["dataset", ..] => schema.dataset = None,
        ["domains", name, ..] => {
            if let Some(values) = schema.domains.get_mut(*name) {
                let mut seen = BTreeSet::new();
                values.retain(|value| seen.insert(value.clone()));
            }
        }
        ["sparse_features", name, ..] => {
            schema.sparse_features.remove(*name);
        }
        ["weighted_features", name, ..] => {
            schema.weighted_features.remove(*name);
        }
        ["features", name, key, ..] => {
            let Some(feature) = schema.features.get_mut(*name) else { return };
            match *key {
                "presence" => feature.presence.min_fraction = None,
                "value_count" => feature.value_count = None,
                "value_counts" => feature.value_counts.clear(),
                "shape" => feature.shape = None,
                "domain" => feature.domain = None,
                "min_domain_mass" => feature.min_domain_mass = None,
                "unique" => feature.unique = None,
                "drift" => feature.drift = None,
                "skew" => feature.skew = None,
                "in_environment" => feature.in_environment.clear(),
                "not_in_environment" => feature.not_in_environment.clear(),
                _ => {}
            }
            // A share within a domain says nothing without the domain.
            if !feature.domain.as_ref().is_some_and(Domain::lists_strings) {
                feature.min_domain_mass = None;
            }
        }
        _ => {}
    }
}

fn shared_name(message: &pb::Feature) -> Option<&str> {
    match &message.domain_info {
        Some(DomainInfo::Domain(name)) => Some(name),
        _ => None,
    }
}

fn feature_type(message: &pb::Feature) -> Option<FeatureType> {
    let is =
        |value: &Option<String>, word: &str| value.as_deref().is_some_and(|value| value.eq_ignore_ascii_case(word));
    Some(match (message.r#type(), &message.domain_info) {
        (pb::FeatureType::Int, _) => FeatureType::Int,
        (pb::FeatureType::Float, _) => FeatureType::Float,
        (pb::FeatureType::Bytes, Some(DomainInfo::BoolDomain(domain)))
            if is(&domain.true_value, "true") && is(&domain.false_value, "false") =>
        {
            FeatureType::Bool
        }
        (pb::FeatureType::Bytes, Some(DomainInfo::ImageDomain(_))) => FeatureType::Bytes,
        (pb::FeatureType::Bytes, _) => FeatureType::String,
        _ => return None,
    })
}

fn positive(number: i64) -> Option<u64> {
    u64::try_from(number).ok()
}

fn int_domain(domain: &pb::IntDomain) -> Domain {
    Domain::Int { min: domain.min, max: domain.max }
}

/// The decimal a person wrote, not the 32 bits it was stored in.
fn exact(x: f32) -> f64 {
    x.to_string().parse().unwrap_or(f64::from(x))
}

fn float_domain(domain: &pb::FloatDomain) -> Domain {
    Domain::Float {
        min: domain.min.map(exact),
        max: domain.max.map(exact),
        disallow_nan: domain.disallow_nan(),
        disallow_inf: domain.disallow_inf(),
    }
}

fn comparators(found: &pb::FeatureComparator, feature_type: FeatureType) -> Option<Comparators> {
    let divergence = found.jensen_shannon_divergence.as_ref();
    let source = divergence.and_then(|divergence| divergence.source.as_ref());
    let quantiles = source.is_some_and(|source| source.r#type() == pb::histogram_selection::Type::Quantiles);
    let numbers = matches!(feature_type, FeatureType::Int | FeatureType::Float);
    let comparators = Comparators {
        l_infinity: found.infinity_norm.as_ref().and_then(|norm| norm.threshold),
        jensen_shannon: divergence.and_then(|divergence| divergence.threshold),
        normalized_absolute_difference: found.normalized_abs_difference.as_ref().and_then(|norm| norm.threshold),
        bins: if numbers && divergence.is_some() && !quantiles { Bins::EqualWidth } else { Bins::Quantile },
        ..Comparators::default()
    };
    comparators.thresholds().next().is_some().then_some(comparators)
}

fn dataset(found: &pb::DatasetConstraints) -> DatasetConstraints {
    let bounds = |found: &Option<pb::NumericValueComparator>| {
        found.as_ref().map(|found| FractionBounds {
            min_fraction: found.min_fraction_threshold,
            max_fraction: found.max_fraction_threshold,
        })
    };
    DatasetConstraints {
        min_examples: found.min_examples_count.and_then(positive),
        max_examples: found.max_examples_count.and_then(positive),
        num_examples_drift: bounds(&found.num_examples_drift_comparator),
        num_examples_version: bounds(&found.num_examples_version_comparator),
    }
}
