//! To TensorFlow Metadata.

use std::collections::BTreeSet;

use tidemill_core::{
    Bins, Comparators, DatasetConstraints, Distance, Domain, Feature, FeatureType, FractionBounds, Lifecycle, Schema,
    Semantic, TimeUnit, ValueCount,
};

use pb::feature::{DomainInfo, PresenceConstraints, ShapeType};
use tidemill_proto::metadata as pb;
use tidemill_proto::text::to_text;

/// The text form of `schema`, with notes on what TensorFlow Metadata has no word for. The same bytes for the same schema.
pub fn schema_to_pbtxt(schema: &Schema) -> (String, Vec<String>) {
    let mut notes = Vec::new();
    let environments = environments(schema);
    let message = pb::Schema {
        feature: schema
            .features
            .iter()
            .map(|(name, feature)| message_of(name, feature, &environments, &mut notes))
            .collect(),
        sparse_feature: schema
            .sparse_features
            .iter()
            .map(|(name, sparse)| pb::SparseFeature {
                name: Some(name.clone()),
                index_feature: sparse
                    .index
                    .iter()
                    .map(|index| pb::sparse_feature::IndexFeature { name: Some(index.clone()) })
                    .collect(),
                value_feature: Some(pb::sparse_feature::ValueFeature { name: Some(sparse.value.clone()) }),
                lifecycle_stage: sparse.lifecycle.map(stage),
                ..pb::SparseFeature::default()
            })
            .collect(),
        weighted_feature: schema
            .weighted_features
            .iter()
            .map(|(name, weighted)| pb::WeightedFeature {
                name: Some(name.clone()),
                feature: Some(pb::Path { step: vec![weighted.value.clone()] }),
                weight_feature: Some(pb::Path { step: vec![weighted.weight.clone()] }),
                lifecycle_stage: weighted.lifecycle.map(stage),
            })
            .collect(),
        string_domain: schema
            .domains
            .iter()
            .map(|(name, values)| pb::StringDomain {
                name: Some(name.clone()),
                value: values.clone(),
                ..pb::StringDomain::default()
            })
            .collect(),
        default_environment: environments,
        dataset_constraints: schema.dataset.as_ref().map(dataset),
        ..pb::Schema::default()
    };
    if !schema.severity.is_empty() {
        notes.push("`severity` has no counterpart and is left out".to_owned());
    }
    (to_text("tensorflow.metadata.v0.Schema", &message), notes)
}

/// Where features are that name no environment: those listed, or all that any feature names.
fn environments(schema: &Schema) -> Vec<String> {
    if !schema.environments.is_empty() {
        return schema.environments.clone();
    }
    let named =
        schema.features.values().flat_map(|feature| feature.in_environment.iter().chain(&feature.not_in_environment));
    let mut all: BTreeSet<String> = named.cloned().collect();
    if !all.is_empty() {
        all.extend(["TRAINING".to_owned(), "SERVING".to_owned()]);
    }
    all.into_iter().collect()
}

fn message_of(name: &str, feature: &Feature, environments: &[String], notes: &mut Vec<String>) -> pb::Feature {
    let mut note = |what: &str| notes.push(format!("`{name}`: `{what}` has no counterpart and is left out"));
    if feature.mean.is_some() {
        note("mean");
    }
    if !feature.shares.is_empty() {
        note("shares");
    }
    if !feature.severity.is_empty() {
        note("severity");
    }
    if matches!(feature.semantic, Some(Semantic::Identifier | Semantic::Email)) {
        note(&format!("semantic: {}", feature.semantic.map_or("", Semantic::name)));
    }
    if feature.semantic.is_some() && feature.domain.is_some() {
        note("semantic beside a domain");
    }
    for (key, found) in [("drift", &feature.drift), ("skew", &feature.skew)] {
        for (distance, _) in found.iter().flat_map(Comparators::thresholds) {
            if matches!(
                distance,
                Distance::PopulationStabilityIndex | Distance::KolmogorovSmirnov | Distance::Wasserstein
            ) {
                note(&format!("{key}: {distance}"));
            }
        }
    }
    if feature.presence.tolerance.is_some() {
        note("presence: tolerance");
    }
    let presence = (!feature.presence.is_default()).then(|| {
        PresenceConstraints::Presence(pb::FeaturePresence {
            min_fraction: feature.presence.min_fraction,
            min_count: feature.presence.min_count.map(whole),
        })
    });
    let shape = feature.shape.as_ref().map(|shape| {
        let dim = shape.iter().map(|size| pb::fixed_shape::Dim { size: Some(whole(*size)), name: None }).collect();
        ShapeType::Shape(pb::FixedShape { dim })
    });
    let one_count = |count: ValueCount| pb::ValueCount { min: count.min.map(whole), max: count.max.map(whole) };
    let count = if feature.value_counts.is_empty() {
        feature.value_count.map(|count| ShapeType::ValueCount(one_count(count)))
    } else {
        let value_count = feature.value_counts.iter().copied().map(one_count).collect();
        Some(ShapeType::ValueCounts(pb::ValueCountList { value_count }))
    };
    // There, naming an environment adds to the default ones; here it means no other.
    let only: Vec<String> = if feature.in_environment.is_empty() {
        Vec::new()
    } else {
        environments.iter().filter(|name| !feature.in_environment.contains(name)).cloned().collect()
    };
    let kind = match feature.feature_type {
        FeatureType::Int => pb::FeatureType::Int,
        FeatureType::Float => pb::FeatureType::Float,
        FeatureType::String | FeatureType::Bool | FeatureType::Bytes => pb::FeatureType::Bytes,
    };
    pb::Feature {
        name: Some(name.to_owned()),
        r#type: Some(kind.into()),
        presence_constraints: presence,
        shape_type: shape.or(count),
        domain_info: domain(name, feature),
        distribution_constraints: feature
            .min_domain_mass
            .map(|mass| pb::DistributionConstraints { min_domain_mass: Some(mass) }),
        drift_comparator: feature.drift.as_ref().and_then(|found| comparator(found, feature.feature_type)),
        skew_comparator: feature.skew.as_ref().and_then(|found| comparator(found, feature.feature_type)),
        in_environment: feature.in_environment.iter().filter(|name| !environments.contains(name)).cloned().collect(),
        not_in_environment: feature.not_in_environment.iter().cloned().chain(only).collect(),
        lifecycle_stage: feature.lifecycle.map(stage),
        unique_constraints: feature
            .unique
            .map(|unique| pb::UniqueConstraints { min: unique.min.map(whole), max: unique.max.map(whole) }),
        validation_derived_source: feature.derived_by.as_ref().map(|deriver| pb::DerivedFeatureSource {
            deriver_name: deriver.clone(),
            ..pb::DerivedFeatureSource::default()
        }),
        ..pb::Feature::default()
    }
}

fn domain(name: &str, feature: &Feature) -> Option<DomainInfo> {
    let name = Some(name.to_owned());
    if feature.feature_type == FeatureType::Bool {
        let (true_value, false_value) = (Some("true".to_owned()), Some("false".to_owned()));
        return Some(DomainInfo::BoolDomain(pb::BoolDomain { name: None, true_value, false_value }));
    }
    Some(match &feature.domain {
        Some(Domain::Values(values)) => {
            DomainInfo::StringDomain(pb::StringDomain { name, value: values.clone(), ..pb::StringDomain::default() })
        }
        Some(Domain::Shared(shared)) => DomainInfo::Domain(shared.clone()),
        Some(Domain::Int { min, max }) => {
            DomainInfo::IntDomain(pb::IntDomain { name, min: *min, max: *max, ..pb::IntDomain::default() })
        }
        Some(Domain::Float { min, max, disallow_nan, disallow_inf }) => DomainInfo::FloatDomain(pb::FloatDomain {
            name,
            min: min.map(|x| x as f32),
            max: max.map(|x| x as f32),
            disallow_nan: disallow_nan.then_some(true),
            disallow_inf: disallow_inf.then_some(true),
            ..pb::FloatDomain::default()
        }),
        Some(Domain::Bool { true_value, false_value }) => DomainInfo::BoolDomain(pb::BoolDomain {
            name: None,
            true_value: true_value.clone(),
            false_value: false_value.clone(),
        }),
        Some(Domain::Image { min_supported_fraction, max_bytes }) => DomainInfo::ImageDomain(pb::ImageDomain {
            minimum_supported_image_fraction: min_supported_fraction.map(|share| share as f32),
            max_image_byte_size: max_bytes.map(whole),
        }),
        Some(Domain::Time { format, unit }) => {
            use pb::time_domain::{Format, IntegerTimeFormat as Unit};
            let unit = unit.map(|unit| match unit {
                TimeUnit::Days => Unit::UnixDays,
                TimeUnit::Seconds => Unit::UnixSeconds,
                TimeUnit::Milliseconds => Unit::UnixMilliseconds,
                TimeUnit::Microseconds => Unit::UnixMicroseconds,
                TimeUnit::Nanoseconds => Unit::UnixNanoseconds,
            });
            let format = format.clone().map(Format::StringFormat);
            DomainInfo::TimeDomain(pb::TimeDomain {
                format: format.or_else(|| unit.map(|unit| Format::IntegerFormat(unit.into()))),
            })
        }
        None => match feature.semantic {
            Some(Semantic::Url) => DomainInfo::UrlDomain(pb::UrlDomain::default()),
            Some(Semantic::FreeText) => DomainInfo::NaturalLanguageDomain(pb::NaturalLanguageDomain::default()),
            _ => return None,
        },
    })
}

fn comparator(found: &Comparators, feature_type: FeatureType) -> Option<pb::FeatureComparator> {
    use pb::histogram_selection::Type;
    let numbers = matches!(feature_type, FeatureType::Int | FeatureType::Float);
    let source = numbers.then(|| {
        let kind = if found.bins == Bins::Quantile { Type::Quantiles } else { Type::Standard };
        pb::HistogramSelection { r#type: Some(kind.into()) }
    });
    let comparator = pb::FeatureComparator {
        infinity_norm: found.l_infinity.map(|threshold| pb::InfinityNorm { threshold: Some(threshold) }),
        jensen_shannon_divergence: found
            .jensen_shannon
            .map(|threshold| pb::JensenShannonDivergence { threshold: Some(threshold), source }),
        normalized_abs_difference: found
            .normalized_absolute_difference
            .map(|threshold| pb::NormalizedAbsoluteDifference { threshold: Some(threshold) }),
    };
    (comparator != pb::FeatureComparator::default()).then_some(comparator)
}

fn dataset(found: &DatasetConstraints) -> pb::DatasetConstraints {
    let bounds = |bounds: FractionBounds| pb::NumericValueComparator {
        min_fraction_threshold: bounds.min_fraction,
        max_fraction_threshold: bounds.max_fraction,
    };
    pb::DatasetConstraints {
        num_examples_drift_comparator: found.num_examples_drift.map(bounds),
        num_examples_version_comparator: found.num_examples_version.map(bounds),
        min_examples_count: found.min_examples.map(whole),
        max_examples_count: found.max_examples.map(whole),
    }
}

fn stage(lifecycle: Lifecycle) -> i32 {
    use pb::LifecycleStage as Stage;
    match lifecycle {
        Lifecycle::Planned => Stage::Planned,
        Lifecycle::Alpha => Stage::Alpha,
        Lifecycle::Beta => Stage::Beta,
        Lifecycle::Production => Stage::Production,
        Lifecycle::Deprecated => Stage::Deprecated,
        Lifecycle::DebugOnly => Stage::DebugOnly,
        Lifecycle::Disabled => Stage::Disabled,
        Lifecycle::ValidationDerived => Stage::ValidationDerived,
    }
    .into()
}

fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
