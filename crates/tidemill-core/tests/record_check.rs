//! Single records against a schema.

#![allow(clippy::unwrap_used, missing_docs)]

use tidemill_core::{
    AnomalyType as T, Domain, Feature, FeatureType, FeatureValue as V, Presence, RecordCheck, Schema, Severity,
    TimeUnit, ValueCount,
};

fn feature(feature_type: FeatureType, domain: Option<Domain>) -> Feature {
    Feature { domain, ..Feature::new(feature_type) }
}

fn values(values: &[&str]) -> Domain {
    Domain::Values(values.iter().map(|&value| value.to_owned()).collect())
}

fn found(feature: Feature, value: V<'_>) -> Option<(T, Severity)> {
    let schema = Schema { version: 1, features: [("x".to_owned(), feature)].into(), ..Schema::default() };
    RecordCheck::new(&schema, "SERVING").check("x", value).map(|found| (found.anomaly_type, found.severity))
}

#[test]
fn each_rule_fires_on_the_value_that_breaks_it_and_on_no_other() {
    use FeatureType::{Bool, Bytes, Float, Int, String};
    let int = |min, max| Some(Domain::Int { min, max });
    let float = |min, max| Some(Domain::Float { min, max, disallow_nan: true, disallow_inf: true });
    let yes_no = Some(Domain::Bool { true_value: Some("Y".to_owned()), false_value: Some("N".to_owned()) });
    let bool = Some(Domain::Bool { true_value: None, false_value: None });
    let date = Some(Domain::Time { format: Some("%Y-%m-%d".to_owned()), unit: None });
    let seconds = Some(Domain::Time { format: None, unit: Some(TimeUnit::Seconds) });
    let large = (1 << 53) + 1;
    for (feature, good, bad) in [
        (
            feature(Int, None),
            vec![V::Int(-1), V::Float(3.0), V::Missing],
            vec![(V::Float(3.5), T::UnexpectedDataType), (V::Text("3"), T::UnexpectedDataType)],
        ),
        (
            feature(Int, int(Some(0), Some(large))),
            vec![V::Int(0), V::Int(large)],
            vec![
                (V::Int(-1), T::IntTypeSmallInt),
                (V::Int(large + 1), T::IntTypeBigInt),
                (V::Float(f64::NAN), T::UnexpectedDataType),
                (V::Float(1e300), T::UnexpectedDataType),
            ],
        ),
        (
            feature(Float, float(Some(0.0), Some(9.5))),
            vec![V::Int(0), V::Float(9.5)],
            vec![
                (V::Float(-0.1), T::FloatTypeSmallFloat),
                (V::Int(10), T::FloatTypeBigFloat),
                (V::Float(f64::NAN), T::FloatTypeHasNan),
                (V::Float(f64::INFINITY), T::FloatTypeHasInf),
                (V::Text("abc"), T::UnexpectedDataType),
            ],
        ),
        (
            feature(String, float(None, Some(2.0))),
            vec![V::Text(" 1.5 "), V::Bytes(b"2")],
            vec![(V::Text("abc"), T::FloatTypeStringNotFloat), (V::Text("2.1"), T::FloatTypeBigFloat)],
        ),
        (
            feature(String, int(Some(1), None)),
            vec![V::Text("1")],
            vec![(V::Text("1.5"), T::IntTypeNotIntString), (V::Text("0"), T::IntTypeSmallInt)],
        ),
        (
            feature(String, Some(values(&["a", "b"]))),
            vec![V::Text("a"), V::Bytes(b"b")],
            vec![
                (V::Text("A"), T::EnumTypeUnexpectedStringValues),
                (V::Bytes(b"\xff"), T::EnumTypeInvalidUtf8),
                (V::Int(1), T::UnexpectedDataType),
            ],
        ),
        (feature(String, yes_no), vec![V::Text("Y"), V::Text("N")], vec![(V::Text("y"), T::BoolTypeUnexpectedString)]),
        (
            feature(Int, bool.clone()),
            vec![V::Int(0), V::Int(1)],
            vec![(V::Int(2), T::BoolTypeBigInt), (V::Int(-1), T::BoolTypeSmallInt)],
        ),
        (
            feature(Float, bool),
            vec![V::Float(0.0), V::Float(1.0)],
            vec![(V::Float(0.5), T::BoolTypeUnexpectedFloat), (V::Float(f64::NAN), T::BoolTypeUnexpectedFloat)],
        ),
        (feature(String, date), vec![V::Text("2024-02-29")], vec![(V::Text("29.02.2024"), T::CustomValidation)]),
        (feature(Int, seconds), vec![V::Int(-5)], vec![]),
        (feature(Bool, None), vec![V::Bool(true)], vec![(V::Int(1), T::UnexpectedDataType)]),
        (feature(Bytes, None), vec![V::Bytes(b"\xff"), V::Text("a")], vec![(V::Int(1), T::UnexpectedDataType)]),
    ] {
        for value in good {
            assert_eq!(found(feature.clone(), value), None, "{feature:?} {value:?}");
        }
        for (value, kind) in bad {
            assert_eq!(found(feature.clone(), value), Some((kind, Severity::Error)), "{feature:?} {value:?}");
        }
    }
}

#[test]
fn what_one_record_cannot_tell_is_a_warning_or_nothing() {
    let mut company = feature(FeatureType::String, Some(values(&["a"])));
    company.min_domain_mass = Some(0.99);
    company.presence = Presence { min_fraction: Some(0.6), min_count: Some(1), ..Presence::default() };
    assert_eq!(found(company.clone(), V::Text("b")), Some((T::EnumTypeUnexpectedStringValues, Severity::Warning)));
    assert_eq!(found(company.clone(), V::Missing), None);
    company.presence.min_fraction = Some(1.0);
    assert_eq!(found(company.clone(), V::Missing), Some((T::FeatureTypeLowFractionPresent, Severity::Error)));
    company.severity = [(T::FeatureTypeLowFractionPresent, Severity::Warning)].into();
    assert_eq!(found(company, V::Missing), Some((T::FeatureTypeLowFractionPresent, Severity::Warning)));
}

#[test]
fn features_that_are_not_there_or_not_known_are_told() {
    let mut fare = feature(FeatureType::Float, None);
    fare.presence.min_fraction = Some(1.0);
    let tips = Feature { not_in_environment: vec!["SERVING".to_owned()], ..fare.clone() };
    let features = [("fare".to_owned(), fare.clone()), ("tips".to_owned(), tips), ("app".to_owned(), fare)].into();
    let schema = Schema { version: 1, features, ..Schema::default() };
    let check = RecordCheck::new(&schema, "SERVING");
    let missing = check.missing(|name| name == "fare");
    assert_eq!(missing.len(), 1);
    assert_eq!((missing[0].feature.as_str(), missing[0].anomaly_type), ("app", T::SchemaMissingColumn));
    assert!(check.check("tips", V::Text("not looked at")).is_none() && check.feature("tips").is_none());
    let new = check.check("toll", V::Int(1)).unwrap();
    assert_eq!((new.anomaly_type, new.severity), (T::SchemaNewColumn, Severity::Warning));
}

#[test]
fn lists_are_counted_and_messages_name_the_rule_and_the_value() {
    let mut tags = feature(FeatureType::String, Some(values(&["a", "b"])));
    tags.value_count = Some(ValueCount { min: Some(1), max: Some(2) });
    let schema = Schema { version: 1, features: [("tags".to_owned(), tags)].into(), ..Schema::default() };
    let check = RecordCheck::new(&schema, "SERVING");
    let tags = check.feature("tags").unwrap();
    assert_eq!(tags.check_count(2), None);
    assert_eq!(tags.check_count(0).unwrap().anomaly_type, T::FeatureTypeLowNumberValues);
    assert_eq!(
        tags.check_count(3).unwrap().to_string(),
        "`tags`: `3` values are too many (`value_count` min 1, max 2)"
    );
    let long = "z".repeat(500);
    assert_eq!(
        tags.check(V::Text(&long)).unwrap().to_string(),
        format!("`tags`: `{}…` is not in the domain (domain of 2 values)", "z".repeat(60))
    );
    assert_eq!(
        tags.check(V::Float(1.5)).unwrap().to_string(),
        "`tags`: `1.5` has another type (type `string`, this is `float`)"
    );
}
